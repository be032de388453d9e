"""What to run next: cells in the order in which they tell most, packed into a number of seconds.

Cells that have been begun come first. Then first seeds before second seeds; among those, cells that a claim waits for
before others; among those, what brings questions nearest to an answer per second. A cell counts for a question as much
as its share of the cells that the question still misses, so that one after the other is answered, rather than all of
them begun.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bench.cell import BASE, Cell


class Question(NamedTuple):
    """What cells answer together: a claim, a figure that claims rest on, or a table; in one seed or (None) in all."""

    name: str
    seed: int | None
    kind: Literal["claim", "figure", "table"] = "claim"

    @property
    def claim(self) -> bool:
        """Whether a claim waits for the answer."""
        return self.kind != "table"


Asked = tuple[Question, ...]
Questions = Callable[[Cell], Asked]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A cell in the queue: what it costs, and what waits for it."""

    cell: Cell
    seconds: float
    begun: bool
    waiting: Mapping[Question, int]  # cells that each misses when this one has its turn, itself included


def queue(
    cells: Sequence[Cell],
    seconds: Mapping[Cell, float],
    questions: Questions,
    *,
    begun: Collection[Cell] = (),
    unanswered: Iterable[Cell] = (),
) -> list[Entry]:
    """``cells``, none of which has an answer, in the order in which to run them.

    ``unanswered`` are further cells without one, which are not to be run but which questions wait for.
    """
    asks = {cell: questions(cell) for cell in (*cells, *unanswered)}
    places = {cell: place for place, cell in enumerate(cells)}
    missing = Counter(question for found in asks.values() for question in found)

    def worth(asked: Asked, cell: Cell) -> tuple[bool, float, float, int]:
        share = sum(1 / missing[question] for question in asked)
        claimed = any(question.claim for question in asked)
        return claimed, share / max(seconds[cell], 1e-9), -seconds[cell], -places[cell]

    def taken(cell: Cell) -> Entry:
        waiting = {question: missing[question] for question in asks[cell]}
        missing.subtract(asks[cell])
        return Entry(cell=cell, seconds=seconds[cell], begun=cell in begun, waiting=waiting)

    entries = [taken(cell) for cell in sorted(cells, key=lambda cell: cell.seed) if cell in begun]
    for seed in sorted({cell.seed for cell in cells}):
        # Of cells that answer the same questions the cheapest comes first, so only those need be compared.
        alike: dict[Asked, list[Cell]] = {}
        for cell in sorted(cells, key=lambda cell: (-seconds[cell], -places[cell])):
            if cell.seed == seed and cell not in begun:
                alike.setdefault(asks[cell], []).append(cell)
        while alike:
            best = max(alike, key=lambda asked: worth(asked, alike[asked][-1]))
            entries.append(taken(alike[best].pop()))
            if not alike[best]:
                del alike[best]
    return entries


def longest_first(cells: Iterable[Cell], seconds: Mapping[Cell, float]) -> list[Cell]:
    """For several processes, which so end at about one time: of each seed the base runs, then what takes long."""
    return sorted(cells, key=lambda cell: (cell.seed, cell.score != BASE, -seconds[cell]))


def packed(entries: Iterable[Entry], budget: float) -> tuple[list[Entry], list[Entry]]:
    """Those that fit into ``budget`` seconds, each taken where it still fits, and the rest; both in their order.

    What has been begun fits: how little of it is left nobody knows.
    """
    fit, rest = [], []
    for entry in entries:
        if entry.begun or entry.seconds <= budget:
            fit.append(entry)
            budget -= entry.seconds
        else:
            rest.append(entry)
    return fit, rest


def in_turn(entries: Sequence[Entry], budget: float) -> list[Entry]:
    """``entries`` as they are to be run: what does not fit goes behind what does, among the cells of its seed."""
    rest = {entry.cell for entry in packed(entries, budget)[1]}
    return sorted(entries, key=lambda entry: (not entry.begun, entry.cell.seed, entry.cell in rest))
