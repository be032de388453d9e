"""What a running cell says about itself after every epoch."""

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


def silent(progress: Progress) -> None:
    """Listen to nothing."""
