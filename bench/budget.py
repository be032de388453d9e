"""A run that has so many seconds: which cells it takes, in which order, and whether there is time for another."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench import cost
from bench.cell import Cell
from bench.device import likely_kind
from bench.options import Request
from bench.queue import Entry, packed, queue
from bench.state import find
from bench.suites.gradient_flow_claims import claims
from results.registry import Registry

_UNFINISHED = ("interrupted", "timeout")


def upcoming(request: Request, registry: Registry) -> list[Entry]:
    """The cells asked for that have no answer yet, in the order in which to run them."""
    profile, begun, missing = request.selection.profile, [], []
    for cell in request.selection.cells():
        record = find(registry, cell, profile, request.references)
        if record is None or not record.final:
            missing.append(cell)
            begun += [cell] if record is not None and record.status in _UNFINISHED else []
    estimates = cost.estimates(missing, profile, registry.records(profile.name), likely_kind(request.device))
    seconds = {cell: estimate.seconds for cell, estimate in estimates.items()}
    return queue(missing, seconds, claims if profile.comparable else _no_claims, begun)


def _no_claims(cell: Cell) -> tuple[str, ...]:  # noqa: ARG001
    return ()


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Until when cells may run, and how long an epoch of each is expected to take, in the order to take them."""

    deadline: float  # seconds since the epoch, so that workers agree
    epoch_seconds: Mapping[Cell, float]
    clock: Callable[[], float] = time.time

    def lasts(self, cell: Cell) -> bool:
        """Whether there is time for an epoch of ``cell``, without which nothing of it would be kept."""
        return self.clock() + self.epoch_seconds.get(cell, 0.0) <= self.deadline


def budget(entries: Sequence[Entry], request: Request, deadline: float) -> Budget:
    """The budget of ``request``: what fits whole comes first, the others fill what is left and are checkpointed."""
    fit, rest = packed(entries, request.budget or 0.0)
    epochs = request.selection.profile.protocol.epochs
    return Budget(deadline=deadline, epoch_seconds={entry.cell: entry.seconds / epochs for entry in (*fit, *rest)})
