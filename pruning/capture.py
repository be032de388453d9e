"""Work on a GPU that the host does not take part in: CUDA graphs, and results that are waited for in turns."""

import gc
import time
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Generic, TypeVar

import torch
from torch import Tensor

Key = TypeVar("Key", bound=Hashable)

_WARM_UP = 2
"""Runs before a capture: libraries create handles and workspaces at their first call, which no graph can hold."""

_SCARCE = 0.2
"""Share of a GPU's memory below which memory runs short."""

_PAUSE = 50e-6
"""Seconds to wait before asking a GPU again whether it is done."""


class Graphs(Generic[Key]):
    """The captured pieces of work of one network; ``state`` is every tensor that they change, ``generators`` likewise.

    They share one pool of memory, so they may only run one after the other, in one :func:`lane`, as the steps of a
    network do. Drop them only when their last replay is done; :func:`make_room` gives their memory back.
    """

    def __init__(self, state: Sequence[Tensor], generators: Sequence[torch.Generator]) -> None:
        self._state, self._generators = state, generators
        self._pool = torch.cuda.graph_pool_handle()
        self._captured: dict[Key, torch.cuda.CUDAGraph] = {}

    def run(self, key: Key, work: Callable[[], None]) -> None:
        """Replay the work called ``key``, after capturing it where that has not been done."""
        if key not in self._captured:
            self._captured[key] = self._capture(work)
        self._captured[key].replay()

    def _undone(self, work: Callable[[], None]) -> None:
        """Do ``work``, and put back what it changed."""
        before = [(tensor, tensor.detach().clone()) for tensor in self._state]
        drawn = [(generator, generator.get_state()) for generator in self._generators]
        work()
        with torch.no_grad():
            for tensor, value in before:
                tensor.copy_(value)
        for generator, value in drawn:
            generator.set_state(value)

    def _warm_up(self, work: Callable[[], None]) -> None:
        for _ in range(_WARM_UP):  # one by one: at the end of an epoch there are no images for more
            self._undone(work)

    def _capture(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        self._warm_up(work)
        make_room()
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        with _no_collection():
            # Not torch.cuda.graph, which waits for every stream and empties the memory cache: others are at work.
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                work()
            except BaseException:
                with suppress(Exception):  # it may say no more than that there is nothing to end
                    graph.capture_end()
                raise
            graph.capture_end()
        return graph


def make_room() -> None:
    """Give memory that nothing holds back to the device where it runs short, dead graphs' above all.

    Nobody else does: while a step is captured, PyTorch's allocator must not, and fails instead.
    """
    free, total = torch.cuda.mem_get_info()
    if free < _SCARCE * total:
        torch.cuda.empty_cache()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep dead graphs of other networks, in a cycle with an exception, from being collected in a capture."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def lane(device: str | torch.device) -> AbstractContextManager[object]:
    """What the work of one network goes on in: a stream of its own on a GPU, nothing special elsewhere.

    It may be entered again and again, and begins after what has been enqueued on ``device`` by now.
    """
    if torch.device(device).type != "cuda":
        return nullcontext()
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    return torch.cuda.stream(stream)


def arrival(numbers: Tensor) -> Generator[bool, None, list[float]]:
    """The values of ``numbers`` once all work enqueued before has been done; yields False while they are on their way.

    They leave the GPU in a copy of their own, so that what is enqueued later does not change them.
    """
    if numbers.device.type != "cuda":
        return numbers.tolist()
    here = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
    here.copy_(numbers, non_blocking=True)
    done = torch.cuda.Event()
    done.record()
    while not done.query():
        yield False
    return here.tolist()


def rest(busy: bool) -> None:
    """Give the processor away for a moment after a turn in which nothing could be done."""
    if not busy:
        time.sleep(_PAUSE)
