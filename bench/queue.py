"""What to run next: cells in the order in which they tell most, packed into a number of seconds.

Cells that have been begun come first, since their checkpoints are paid for. Then first seeds before second seeds; among
those, cells that a claim waits for before others; among those, what brings claims nearest to a decision per second. A
cell counts for a claim as much as its share of the cells that the claim still misses, so that claims are completed one
after the other rather than all of them begun.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.cell import Cell

Claims = Callable[[Cell], tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A cell in the queue: what it costs, and what waits for it."""

    cell: Cell
    seconds: float
    begun: bool
    waiting: Mapping[str, int]  # claim -> cells of this seed that it misses when this one has its turn, itself included


def queue(
    cells: Sequence[Cell], seconds: Mapping[Cell, float], claims: Claims, begun: Collection[Cell] = ()
) -> list[Entry]:
    """``cells``, none of which has an answer, in the order in which to run them."""
    started = [cell for cell in cells if cell in begun]
    rest = [cell for cell in cells if cell not in begun]
    ordered = []
    for seed in dict.fromkeys(sorted(cell.seed for cell in cells)):
        first = [cell for cell in started if cell.seed == seed]
        ordered += _of_a_seed(first, [cell for cell in rest if cell.seed == seed], seconds, claims)
    return sorted(ordered, key=lambda entry: not entry.begun)


def _of_a_seed(
    started: Sequence[Cell], rest: Sequence[Cell], seconds: Mapping[Cell, float], claims: Claims
) -> list[Entry]:
    decides = {cell: claims(cell) for cell in (*started, *rest)}
    missing = Counter(claim for found in decides.values() for claim in found)

    def worth(cell: Cell) -> tuple[bool, float, float]:
        share = sum(1 / missing[claim] for claim in decides[cell])
        return bool(decides[cell]), share / max(seconds[cell], 1e-9), -seconds[cell]

    def taken(cell: Cell, *, begun: bool) -> Entry:
        entry = Entry(
            cell=cell, seconds=seconds[cell], begun=begun, waiting={claim: missing[claim] for claim in decides[cell]}
        )
        missing.subtract(decides[cell])
        return entry

    entries, left = [taken(cell, begun=True) for cell in started], list(rest)
    while left:
        best = max(left, key=worth)  # of equals the first
        left.remove(best)
        entries.append(taken(best, begun=False))
    return entries


def packed(entries: Iterable[Entry], budget: float) -> tuple[list[Entry], list[Entry]]:
    """Those that fit into ``budget`` seconds, each taken where it still fits, and the rest; both in their order."""
    fit, rest = [], []
    for entry in entries:
        if entry.seconds <= budget:
            fit.append(entry)
            budget -= entry.seconds
        else:
            rest.append(entry)
    return fit, rest
