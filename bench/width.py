"""How many cells to run at once: as many as make the whole faster, found by trying."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

MOST = 32
"""Cells at once that are tried at most."""

GAIN = 1.05
"""What doubling the number must at least multiply the work per second by."""


def _plenty(number: int) -> bool:  # noqa: ARG001
    return True


@dataclass
class Width:
    """A number of cells at once that doubles up to ``limit`` while that pays and there is ``room`` for it.

    Every number is tried until each cell has ended two epochs; the first of them, in which networks are built and
    captured, does not count. An epoch that ended is told by :meth:`epoch`, with the seconds it is expected to take of
    a device for itself: so epochs of different networks can be added up.
    """

    limit: int = 1
    room: Callable[[int], bool] = _plenty  # whether so many cells fit into memory
    clock: Callable[[], float] = time.monotonic
    number: int = field(default=1, init=False)
    _best: tuple[float, int] = field(default=(0.0, 1), init=False)  # work per second, number
    _settled: bool = field(default=False, init=False)
    _ends: list[tuple[float, float]] = field(default_factory=list, init=False)  # when, and the work that was done

    @classmethod
    def fixed(cls, number: int) -> "Width":
        """Always ``number``."""
        width = cls(limit=number)
        width.number, width._settled = number, True
        return width

    def allowed(self, under_way: int) -> int:
        """How many may be under way; with another number than is being tried, the trial starts over."""
        if under_way != self.number:
            self._ends.clear()
        return self.number

    def epoch(self, work: float = 1.0) -> None:
        """An epoch of one of the cells has ended."""
        if self._settled:
            return
        self._ends.append((self.clock(), work))
        if len(self._ends) > 2 * self.number:
            self._judge()

    def _judge(self) -> None:
        (start, _), *counted = self._ends[self.number :]
        rate = sum(work for _, work in counted) / max(counted[-1][0] - start, 1e-9)
        self._ends.clear()
        if rate > GAIN * self._best[0]:
            self._best = rate, self.number
            if 2 * self.number <= self.limit and self.room(2 * self.number):
                self.number *= 2
                return
        self.number, self._settled = self._best[1], True
