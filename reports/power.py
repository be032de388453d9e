"""How often each verdict is given when the truth is known: the error rates and the power of the rules in verdicts.

The published mean is rounded as the papers' tables print it, and judged with the interval that allows for it.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from tabulate import tabulate

from reports.verdicts import MARGINS, Floats, Spread, differs, equivalent, sharing_a_base

PUBLISHED = 3
DECIMALS = 2
RUNS = 200_000


@dataclass(frozen=True)
class Pool:
    """Cells that share one standard deviation; in ``paired`` ones every cell subtracts the same base runs."""

    name: str
    cells: int
    paired: bool = False

    def spread(self, seeds: int) -> Spread:
        """Its degrees of freedom, with a standard deviation of 1."""
        plain = Spread(1.0, self.cells * (seeds - 1), self.cells)
        return sharing_a_base(plain) if self.paired else plain

    def draw(self, seeds: int, rng: np.random.Generator, runs: int) -> Floats:
        """Pooled standard deviations where the true one of a single run is 1."""
        k, n = self.cells, seeds - 1
        if not self.paired:
            return np.sqrt(rng.chisquare(k * n, runs) / (k * n))
        # Between seeds the mean of k changes varies by 1/k and the base by 1; within a seed only the changes vary.
        between = (k + 1) * rng.chisquare(n, runs) / n
        within = rng.chisquare((k - 1) * n, runs) / ((k - 1) * n)
        return np.sqrt(between / k + (k - 1) / k * within)


ACCURACIES = Pool("Tables 1 and 2", 15)
"""Of one model and data set: the base, three scores and |GraSP| in three rounds, signed GraSP in one."""
CHANGES = Pool("Table 3", 14, paired=True)
ALONE = Pool("by itself", 1)
"""Signed GraSP over several rounds, random and uniform pruning."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Shares of simulated comparisons; the three sum to 1."""

    equivalent: float
    consistent: float
    differs: float


def simulate(
    *,
    difference: float,
    sd: float,
    seeds: int,
    published: int = PUBLISHED,
    pool: Pool = ACCURACIES,
    margin: float = MARGINS["test_accuracy_pct"],
    runs: int = RUNS,
) -> Rates:
    """Draw means of normal runs of standard deviation ``sd`` on both sides, and that of the pool, and judge; seeded."""
    rng = np.random.default_rng(0)
    single = sd * sqrt(2) if pool.paired else sd  # of a value that is compared: a run, or a run minus a base
    ours = rng.normal(difference, single / sqrt(seeds), runs)
    theirs = rng.normal(0.0, single / sqrt(published), runs).round(DECIMALS)
    rounding = 0.5 * 10**-DECIMALS
    # Of normal samples, so independent of their means.
    error = sd * pool.draw(seeds, rng, runs) * sqrt(1 / seeds + 1 / published)
    df = pool.spread(seeds).df
    same = np.asarray(equivalent(ours - theirs, error, df, margin, rounding))
    other = np.asarray(differs(ours - theirs, error, df, rounding)) & ~same
    equal, different = float(same.mean()), float(other.mean())
    return Rates(equivalent=equal, consistent=1 - equal - different, differs=different)


def table() -> str:
    """The rates for 3 and 5 seeds of ours and sd 0.15 and 0.3 in every kind of pool, in percent, as text."""
    margin = MARGINS["test_accuracy_pct"]
    rows = [
        [pool.name, sd, seeds, *_percentages(pool, sd, seeds, margin)]
        for pool in (ACCURACIES, CHANGES, ALONE)
        for sd in (0.15, 0.3)
        for seeds in (3, 5)
    ]
    wrong = ["DIFFERS\n% at 0", f"EQUIVALENT\n% at {margin:g}"]
    right = ["EQUIVALENT\n% at 0", f"DIFFERS\n% at {margin:g}", f"DIFFERS\n% at {2 * margin:g}"]
    said = (
        f"{RUNS:,} simulated comparisons a number: published mean of {PUBLISHED}, printed to {DECIMALS} decimals, "
        f"margin {margin:g}, and at a true difference of so many points.\n"
        "The first two columns of rates are errors, the others power.\n\n"
    )
    return said + tabulate(
        rows, headers=["judged in", "sd", "seeds", *wrong, *right], floatfmt=("", "g", "g", *[".1f"] * 5)
    )


def _percentages(pool: Pool, sd: float, seeds: int, margin: float) -> list[float]:
    none, margins, twice = (
        simulate(difference=difference, sd=sd, seeds=seeds, pool=pool) for difference in (0.0, margin, 2 * margin)
    )
    return [100 * rate for rate in (none.differs, margins.equivalent, none.equivalent, margins.differs, twice.differs)]
