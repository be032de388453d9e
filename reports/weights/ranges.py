"""Trivial, matching and extreme sparsities of a network, from records (Frankle et al. 2021, section 3)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean

from bench.cell import Cell, level_amount
from bench.suites.missing_the_mark import AFTER, RANDOM, Method, Network, base
from reports.weights.evidence import Evidence

TOLERANCE = 0.2
"""Points below the unpruned network that still are full accuracy, means over seeds on both sides.

The paper says of no number what it takes for full. This is half of 0.4 points, the smallest difference between methods
that its section 4 speaks of; and where runs vary by 0.2 points it is a little more than one standard error of the
difference between two means of three.
"""
_EXACT = 1e-9
"""Sums of floats that are equal on paper differ by less."""


@dataclass(frozen=True)
class Reach:
    """The highest level at which a method keeps full accuracy, 0 where it does so at none.

    ``except_at`` are lower levels at which it does not: means over few seeds vary.
    """

    level: int
    except_at: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ranges:
    """Where the ranges of a network end; None where runs that decide it are missing.

    Trivial sparsities are those at which random pruning at initialisation keeps full accuracy, matching ones those at
    which magnitude pruning after training does; beyond them a sparsity is extreme.
    """

    network: Network
    trivial: Reach | None
    matching: Reach | None


def ranges(evidence: Evidence, network: Network) -> Ranges:
    """The ranges of ``network`` on the levels that its grid has."""
    return Ranges(network, reach(evidence, network, RANDOM), reach(evidence, network, AFTER))


def reach(evidence: Evidence, network: Network, method: Method) -> Reach | None:
    """How far ``method`` keeps full accuracy; None where levels without a run, or the dense runs, leave it open.

    A level at which a run diverged is not one of full accuracy, whatever the other runs reach.
    """
    if any(open_cells(evidence, network, method)):
        return None
    found = _full(evidence, network, method)
    highest = _highest(found)
    return Reach(highest, tuple(level for level, full in found.items() if full is False and level < highest))


def open_cells(evidence: Evidence, network: Network, method: Method) -> Iterator[Cell]:
    """The cells without a run that leave open how far ``method`` keeps full accuracy, without seed."""
    if not evidence.accuracy(base(network, 0)):
        yield base(network, 0)
    found = _full(evidence, network, method)
    for level in (level for level, full in found.items() if full is None and level > _highest(found)):
        yield method.cell(network, level_amount(level), 0)


def _full(evidence: Evidence, network: Network, method: Method) -> dict[int, bool | None]:
    """By level whether accuracy is full, None where there is no run; full at none as long as there is no dense run."""
    dense = list(evidence.accuracy(base(network, 0)).values())
    least = fmean(dense) - TOLERANCE - _EXACT if dense else inf
    found: dict[int, bool | None] = {}
    for level in sorted(network.levels):
        cell = method.cell(network, level_amount(level), 0)
        values = list(evidence.accuracy(cell).values())
        found[level] = False if evidence.diverged(cell) else fmean(values) >= least if values else None
    return found


def _highest(found: Mapping[int, bool | None]) -> int:
    return max((level for level, full in found.items() if full), default=0)


def up_to(network: Network, reach: Reach | None) -> str:
    """``79.0 %``: where a range of ``network`` ends, None where that is open."""
    if reach is None:
        return "open: runs are missing"
    if not reach.level:
        return f"none: not even {percents(sorted(network.levels)[:1])} %"
    last = ", the highest" if reach.level == max(network.levels) else ""
    but = f", though not at {percents(reach.except_at)} %" if reach.except_at else ""
    return f"{percents([reach.level])} %{last}{but}"


def percents(levels: Sequence[int]) -> str:
    """``20.0, 36.0``: the sparsities of ``levels`` in percent."""
    return ", ".join(f"{100 * float(level_amount(level)):.1f}" for level in levels)
