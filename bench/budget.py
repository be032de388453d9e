"""A run that has so many seconds: which cells it takes, in which order, and whether there is time for another."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench import cost
from bench.cell import Cell
from bench.device import likely_kind
from bench.options import Request
from bench.profiles import Profile
from bench.queue import Asked, Entry, in_turn, queue
from bench.state import find
from bench.state import missing as unanswered
from bench.suites import gradient_flow_claims, missing_the_mark_questions
from results.registry import Registry

_UNFINISHED = ("interrupted", "timeout")


def upcoming(request: Request, registry: Registry) -> list[Entry]:
    """The cells asked for that have no answer yet, in the order in which to run them."""
    profile, chosen = request.selection.profile, request.selection.cells()
    found = {cell: find(registry, cell, profile, request.references) for cell in chosen}
    missing = [cell for cell, record in found.items() if record is None or not record.final]
    begun = {cell for cell, record in found.items() if record is not None and record.status in _UNFINISHED}
    estimates = cost.estimates(missing, profile, registry.records(profile.name), likely_kind(request.device))
    seeds = sorted({cell.seed for cell in chosen} | set(profile.seeds))
    others = set(profile.cells(seeds, suites=request.selection.suites)) - set(chosen)
    return queue(
        missing,
        {cell: estimate.seconds for cell, estimate in estimates.items()},
        partial(_questions, profile),
        begun=begun,
        unanswered=unanswered(others, registry, profile, request.references),
    )


def _questions(profile: Profile, cell: Cell) -> Asked:
    """What is open in the papers; nothing where the numbers are not held against theirs."""
    if not profile.comparable:
        return ()
    return (
        *gradient_flow_claims.questions(cell, without=profile.lacks),
        *missing_the_mark_questions.questions(cell),
    )


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Until when cells may run, and how long an epoch of each takes alone on its device, in the order to take them."""

    deadline: float  # seconds since the epoch, so that workers agree
    epoch_seconds: Mapping[Cell, float]
    clock: Callable[[], float] = time.time

    def lasts(self, cell: Cell, beside: int = 0) -> bool:
        """Whether there is time for an epoch of ``cell``, without which nothing of it would be kept.

        Cells ``beside`` it, as many as that, take their turns on the same device meanwhile.
        """
        return self.clock() + (1 + beside) * self.epoch_seconds.get(cell, 0.0) <= self.deadline


def budget(entries: Sequence[Entry], request: Request, deadline: float, workers: int = 1) -> Budget:
    """The budget of ``request``: what fits whole comes first, the others fill what is left and are checkpointed."""
    profile = request.selection.profile

    def epochs(cell: Cell) -> int:
        return max(1, profile.protocol_of(cell).epochs)

    ordered = in_turn(entries, workers * (request.budget or 0.0))
    return Budget(
        deadline=deadline, epoch_seconds={entry.cell: entry.seconds / epochs(entry.cell) for entry in ordered}
    )
