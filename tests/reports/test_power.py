"""The error rates that the rules promise, by simulation with fixed seeds; tolerances are 3 Monte-Carlo errors."""

import numpy as np
import pytest
from scipy.stats import t as student

from reports.power import ACCURACIES, ALONE, CHANGES, RUNS, simulate, table
from reports.verdicts import Verdict, compare, pooled, sharing_a_base

TOLERANCE = 3 * (0.05 * 0.95 / RUNS) ** 0.5


POOLS = [ACCURACIES, CHANGES, ALONE]


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
@pytest.mark.parametrize("sd", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_differs_is_said_wrongly_at_most_one_time_in_twenty(sd, seeds, pool):
    assert simulate(difference=0.0, sd=sd, seeds=seeds, pool=pool).differs <= 0.05 + TOLERANCE


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
@pytest.mark.parametrize("sd", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("difference", [-0.5, 0.5])
def test_equivalent_is_said_wrongly_at_most_one_time_in_twenty(sd, difference, pool):
    assert simulate(difference=difference, sd=sd, seeds=3, pool=pool).equivalent <= 0.05 + TOLERANCE


def test_the_rates_are_not_just_small():
    wide = simulate(difference=0.0, sd=1.0, seeds=3)  # too wide to be equivalent, so every twentieth differs
    assert wide.differs == pytest.approx(0.05, abs=TOLERANCE + _given_away(0.975, 1.0))
    narrow = simulate(difference=0.5, sd=0.1, seeds=3)  # at the margin, only one of the two tests is ever in doubt
    assert narrow.equivalent == pytest.approx(0.05, abs=TOLERANCE + _given_away(0.95, 0.1))


def _given_away(probability, sd):
    """What half a unit of the last decimal takes from one side of a test at most: density times width."""
    return 2 * student.pdf(student.ppf(probability, 30), 30) * 0.005 / (sd * (2 / 3) ** 0.5)


def test_the_printed_number_is_rounded_and_the_interval_allows_for_it():
    assert simulate(difference=0.0, sd=0.003, seeds=3).differs == 0  # where the third decimal is all there is


def test_five_seeds_see_more_than_three():
    three, five = (simulate(difference=0.0, sd=0.3, seeds=seeds) for seeds in (3, 5))
    assert five.equivalent > three.equivalent + 0.1


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_rates_from_whole_samples_are_those_of_the_shortcut(pool):
    """The simulation draws means and variances; here every run of every cell is drawn and judged as a report does."""
    rng, runs, sd = np.random.default_rng(1), 3000, 0.3
    found = []
    for _ in range(runs):
        cells, theirs = rng.normal(92, sd, (pool.cells, 3)), rng.normal(92, sd, 3)
        if pool.paired:
            cells, theirs = cells - rng.normal(93, sd, 3), theirs - rng.normal(93, sd, 3)
        spread = pooled(cells.tolist())
        assert spread is not None
        shared = sharing_a_base(spread) if pool.paired else spread
        found.append(
            compare(
                cells[0].tolist(),
                theirs.mean().round(2),
                replicates=3,
                spread=shared,
                margin=0.5,
                rounding=0.005,
            ).verdict
        )
    expected = simulate(difference=0.0, sd=sd, seeds=3, pool=pool)
    error = 4 * 0.5 / runs**0.5
    assert found.count(Verdict.EQUIVALENT) / runs == pytest.approx(expected.equivalent, abs=error)
    assert found.count(Verdict.DIFFERS) / runs == pytest.approx(expected.differs, abs=error / 2)


def test_the_table_has_a_line_per_pool_spread_and_number_of_seeds():
    lines = table().splitlines()
    assert [sum(line.startswith(pool.name) for line in lines) for pool in POOLS] == [4, 4, 4]
