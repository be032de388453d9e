"""The line that says how far the running cell is."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest

from bench.cost import duration
from bench.progress import Listener, Progress, silent

_EVERY = 30.0  # seconds between lines where they cannot be rewritten


def describe(progress: Progress) -> str:
    """One line: how far, how well, how long still."""
    return (
        f"{progress.cell_id}: epoch {progress.epoch}/{progress.epochs}, loss {progress.train_loss:.3f}, "
        f"test {progress.test_accuracy:.2f} %, {duration(progress.seconds_left)} left"
    )


@contextmanager
def shown(config: pytest.Config) -> Iterator[Listener]:
    """A listener that shows progress on the terminal, if there is one to show it on, and clears up behind itself.

    A worker (pytest-xdist) has no terminal, but the standard error of the process that started it.
    """
    if config.get_verbosity() < -1:
        yield silent
        return
    if hasattr(config, "workerinput"):
        yield _Repeated(_uncaptured(config, "stderr"), column=1).show
        return
    writer = config.get_terminal_writer() if config.pluginmanager.hasplugin("terminalreporter") else None
    if writer is None:
        yield silent
        return
    write, column = _uncaptured(config, "stdout"), writer.width_of_current_line
    if writer.hasmarkup:
        line = _Rewritten(write, column, writer.fullwidth)
        try:
            yield line.show
        finally:
            line.clear()
    else:
        yield _Repeated(write, column).show


def _uncaptured(config: pytest.Config, stream: str) -> Callable[[str], None]:
    """Writes to ``sys.stdout`` or ``sys.stderr`` as they are outside of tests."""
    capture = config.pluginmanager.getplugin("capturemanager")

    def write(text: str) -> None:
        with nullcontext() if capture is None else capture.global_and_fixture_disabled():
            file = getattr(sys, stream)
            file.write(text)
            file.flush()

    return write


class _Rewritten:
    """One line below pytest's own, written over again and again; then the cursor goes back to where it was."""

    def __init__(self, write: Callable[[str], None], column: int, width: int) -> None:
        self._write, self._column, self._width = write, column % width, width
        self._open = False

    def show(self, progress: Progress) -> None:
        start = "\r\x1b[2K" if self._open else "\n"
        self._open = True
        self._write(start + describe(progress)[: self._width - 1])

    def clear(self) -> None:
        if self._open:
            self._write(f"\r\x1b[2K\x1b[1A\x1b[{self._column + 1}G")


class _Repeated:
    """A line of its own, rarely, where the output goes to a file."""

    def __init__(self, write: Callable[[str], None], column: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._start = "\n" if column else ""
        self._last = clock()

    def show(self, progress: Progress) -> None:
        if self._clock() - self._last >= _EVERY:
            self._last = self._clock()
            self._write(f"{self._start}{describe(progress)}\n")
            self._start = ""
