"""How often each verdict is given when the truth is known: the error rates and the power of the rules in verdicts."""

from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

from reports.verdicts import MARGINS, differs, equivalent

CELLS = 10
"""Cells that share one standard deviation: Table 1 has three scores in three rounds and the base, per model and set."""
PUBLISHED = 3
RUNS = 200_000


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
    cells: int = CELLS,
    margin: float = MARGINS["test_accuracy_pct"],
    runs: int = RUNS,
) -> Rates:
    """Draw means of normal runs on both sides and a pooled sd of ``cells`` cells, and judge; seeded, so repeatable."""
    rng = np.random.default_rng(0)
    df = cells * (seeds - 1)
    ours = rng.normal(difference, sd / np.sqrt(seeds), runs)
    theirs = rng.normal(0.0, sd / np.sqrt(published), runs)
    pooled = sd * np.sqrt(rng.chisquare(df, runs) / df)  # of normal samples, independent of their means
    error = pooled * np.sqrt(1 / seeds + 1 / published)
    same = np.asarray(equivalent(ours - theirs, error, df, margin))
    other = np.asarray(differs(ours - theirs, error, df)) & ~same
    equal, different = float(same.mean()), float(other.mean())
    return Rates(equivalent=equal, consistent=1 - equal - different, differs=different)


def table() -> str:
    """The rates for 3 and 5 seeds of ours, sd 0.15 and 0.3, and true differences up to 1 point, as text."""
    rows = [
        [sd, seeds, difference, *_percentages(simulate(difference=difference, sd=sd, seeds=seeds))]
        for sd in (0.15, 0.3)
        for seeds in (3, 5)
        for difference in (0.0, 0.25, 0.5, 1.0)
    ]
    head = ["sd", "seeds", "true difference", "EQUIVALENT %", "CONSISTENT %", "DIFFERS %"]
    margin = MARGINS["test_accuracy_pct"]
    return (
        f"{RUNS:,} simulated comparisons a row: published mean of {PUBLISHED}, sd pooled over {CELLS} cells, "
        f"margin {margin:g}\n" + tabulate(rows, headers=head, floatfmt=("g", "g", "g", ".1f", ".1f", ".1f"))
    )


def _percentages(rates: Rates) -> tuple[float, float, float]:
    return 100 * rates.equivalent, 100 * rates.consistent, 100 * rates.differs
