"""Several cells under way in one process, each taking its turn, so that small networks fill a large GPU.

What a cell computes does not depend on what runs beside it: every network has its own buffers, random streams and lane,
and a turn of one ends before that of another begins.
"""

import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bench.cell import Cell
from bench.width import Width

T = TypeVar("T")
Turns = Generator[bool, None, T]
"""Work in turns; a turn yields False where it could only wait for the device."""

_PAUSE = 50e-6  # seconds to leave the processor alone when all can only wait


@dataclass(eq=False)
class _Running(Generic[T]):
    cell: Cell
    turns: Turns[T]
    lane: AbstractContextManager[object]
    seconds: float = 0.0  # since it began
    shared: float = 0.0  # the same, times the cells under way

    def beside(self, number: int, seconds: float) -> None:
        self.seconds += seconds
        self.shared += number * seconds


@dataclass(frozen=True)
class _Ended(Generic[T]):
    result: T | None = None
    error: BaseException | None = None


@dataclass
class Together(Generic[T]):
    """Runs cells: the one that is asked for, and beside it as many of those coming next as ``width`` allows.

    ``begin`` gives the work of a cell in turns; ``crowd``, which it is called with, says how many cells were under way
    on average since it began, itself included. ``lane`` makes what the turns of one cell go on in.
    """

    begin: Callable[[Cell, Callable[[], float]], Turns[T]]
    lane: Callable[[], AbstractContextManager[object]]
    width: Width
    coming: Iterable[Cell] = ()
    clock: Callable[[], float] = time.monotonic
    _running: list[_Running[T]] = field(default_factory=list, init=False)
    _ended: dict[Cell, _Ended[T]] = field(default_factory=dict, init=False)
    _free: list[AbstractContextManager[object]] = field(default_factory=list, init=False)
    _asked: set[Cell] = field(default_factory=set, init=False)
    _next: Iterator[Cell] = field(init=False)

    def __post_init__(self) -> None:
        self._next = iter(self.coming)

    @property
    def under_way(self) -> int:
        """Cells that have begun and not ended."""
        return len(self._running)

    def knows(self, cell: Cell) -> bool:
        """Whether ``cell`` is under way, or has ended and was not asked for yet."""
        return cell in self._ended or any(running.cell == cell for running in self._running)

    def result(self, cell: Cell) -> T:
        """What ``cell`` comes to, now if it has ended meanwhile. Raises what its run raised.

        An interruption ends all that are under way.
        """
        self._asked.add(cell)
        if not self.knows(cell):
            self._start(cell)
        while cell not in self._ended:
            self._fill()
            if not self._turn():
                time.sleep(_PAUSE)
        ended = self._ended.pop(cell)
        if ended.error is not None:
            raise ended.error
        return ended.result  # type: ignore[return-value]

    def close(self) -> None:
        """End what is under way; nobody will ask for it."""
        while self._running:
            running = self._running.pop()
            with running.lane:
                running.turns.close()

    def _start(self, cell: Cell) -> None:
        running: _Running[T]

        def crowd() -> float:
            return running.shared / running.seconds if running.seconds else float(len(self._running))

        running = _Running(cell, self.begin(cell, crowd), self._free.pop() if self._free else self.lane())
        self._running.append(running)

    def _fill(self) -> None:
        while len(self._running) < self.width.allowed(len(self._running)):
            cell = next(self._next, None)
            if cell is None:
                return
            if not self.knows(cell) and cell not in self._asked:
                self._start(cell)

    def _turn(self) -> bool:
        """One turn for every cell under way; whether any of them did something."""
        start, there = self.clock(), list(self._running)
        busy = [self._take(running) for running in there]
        for running in there:
            running.beside(len(there), self.clock() - start)
        return any(busy)

    def _take(self, running: _Running[T]) -> bool:
        try:
            with running.lane:
                return next(running.turns)
        except StopIteration as stop:
            self._end(running, _Ended(result=stop.value))
        except Exception as error:
            _let_go(error)
            self._end(running, _Ended(error=error))
        except BaseException:
            self._running.remove(running)
            self.close()
            raise
        return True

    def _end(self, running: _Running[T], ended: _Ended[T]) -> None:
        self._running.remove(running)
        self._free.append(running.lane)  # PyTorch has 32 streams, and would give one of another cell's to the 33rd
        self._ended[running.cell] = ended


def _let_go(error: BaseException | None) -> None:
    """Forget what was at hand where ``error`` was raised: a network and its graphs would live as long as it does."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__
