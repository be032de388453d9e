"""What a running cell says about itself after every epoch, and how it is stopped when it takes too long."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """State of a running cell at the end of an epoch; accuracy in percent."""

    cell_id: str
    epoch: int
    epochs: int
    train_loss: float
    test_accuracy: float
    seconds_left: float


Listener = Callable[[Progress], None]


class Stopped(Exception):  # noqa: N818
    """A listener wants a cell to go no further for now; where it is, it can be continued."""


class CellTimeout(Stopped):
    """A cell was still running after the seconds it was given."""


class OutOfBudget(Stopped):
    """The time that was set aside for all cells does not last for another epoch of this one."""


def silent(progress: Progress) -> None:
    """Listen to nothing."""


def limited(listener: Listener, seconds: float | None, clock: Callable[[], float] = time.monotonic) -> Listener:
    """``listener``, followed by :class:`CellTimeout` at the first epoch end more than ``seconds`` from now."""
    if seconds is None:
        return listener
    end = clock() + seconds

    def listen(progress: Progress) -> None:
        listener(progress)
        if progress.epoch < progress.epochs and clock() > end:
            raise CellTimeout(f"stopped after epoch {progress.epoch} of {progress.epochs}: over {seconds:g} seconds")

    return listen


def within(listener: Listener, deadline: float, clock: Callable[[], float] = time.time) -> Listener:
    """``listener``, followed by :class:`OutOfBudget` where another epoch like the last would end after ``deadline``.

    The first epoch begins now.
    """
    before = [clock()]

    def listen(progress: Progress) -> None:
        listener(progress)
        now = clock()
        epoch, before[0] = now - before[0], now
        if progress.epoch < progress.epochs and now + epoch > deadline:
            raise OutOfBudget(f"the budget was used up after epoch {progress.epoch} of {progress.epochs}")

    return listen
