"""Activations computed anew instead of being kept, for gradients of first and second order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function
from torch.autograd.graph import get_gradient_edge

from pruning.scores.buffers import Buffers

Forward = Callable[..., Tensor]


@contextmanager
def computed_anew(
    modules: Iterable[nn.Module], around: Callable[[], AbstractContextManager[object]] = nullcontext
) -> Iterator[None]:
    """Inside, each of ``modules`` keeps what it is given and nothing else, and runs again when a gradient comes by.

    Those within another do so in turn. They must turn tensors into one new tensor. Random draws are those of the first
    time, and so is what they find in their buffers, which they write to only once. They run in a new context ``around``
    them, every time.
    """
    own = [(module, module.__dict__.get("forward")) for module in modules]
    try:
        for module, _ in own:
            module.forward = _kept_small(module, _inside(around, module.forward))
        yield
    finally:
        for module, forward in own:
            module.__dict__.pop("forward")
            if forward is not None:
                module.__dict__["forward"] = forward


def _inside(around: Callable[[], AbstractContextManager[object]], forward: Forward) -> Forward:
    def run(*given: Any, **options: Any) -> Any:
        with around():
            return forward(*given, **options)

    return run


def _kept_small(module: nn.Module, forward: Forward) -> Forward:
    def run(*given: Any, **options: Any) -> Any:
        if options or not all(isinstance(part, Tensor) for part in given):
            return forward(*given, **options)
        return _Forward.apply(_Again(module, forward, given), len(given), *given, *module.parameters())

    return run


class _Again:
    """A module's forward pass as it was the first time."""

    def __init__(self, module: nn.Module, forward: Forward, given: Sequence[Tensor]) -> None:
        self.module, self.forward = module, forward
        self.devices = list({tensor.device for tensor in given if tensor.is_cuda})
        self.buffers = Buffers.of(module)
        self.random = torch.get_rng_state(), [torch.cuda.get_rng_state(device) for device in self.devices]

    def __call__(self, *given: Tensor) -> Tensor:
        left = Buffers.of(self.module)
        with torch.random.fork_rng(devices=self.devices):
            torch.set_rng_state(self.random[0])
            for device, state in zip(self.devices, self.random[1], strict=True):
                torch.cuda.set_rng_state(state, device)
            self.buffers.put_back()
            try:
                return self.forward(*given)
            finally:
                left.put_back()


class _Forward(Function):
    """What the module is given, and its parameters -> what it makes of them."""

    @staticmethod
    def forward(ctx: Any, again: _Again, number: int, *tensors: Tensor) -> Tensor:
        ctx.again, ctx.number = again, number
        ctx.save_for_backward(*tensors)
        return again.forward(*tensors[:number])

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        wanted = ctx.needs_input_grad[2:]
        slopes = _Backward.apply(ctx.again, ctx.number, wanted, slope, *ctx.saved_tensors)
        return None, None, *_spread(slopes, wanted)


class _Backward(Function):
    """The slope of the result, what is given, and the parameters -> the slopes of those of them that are wanted."""

    @staticmethod
    def forward(
        ctx: Any, again: _Again, number: int, wanted: Sequence[bool], slope: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.again, ctx.number, ctx.wanted = again, number, wanted
        ctx.save_for_backward(slope, *tensors)
        _, slopes = _slopes(again, number, wanted, slope, list(tensors), create_graph=False)
        those = [tensor for tensor, wants in zip(tensors, wanted, strict=True) if wants]
        pairs = zip(slopes, those, strict=True)
        return tuple(torch.zeros_like(tensor) if found is None else found for found, tensor in pairs)

    @staticmethod
    def backward(ctx: Any, *along: Tensor) -> Any:
        slope, *tensors = ctx.saved_tensors
        slope = _entered(slope)
        places, slopes = _slopes(ctx.again, ctx.number, ctx.wanted, slope, tensors, create_graph=True)
        places = [get_gradient_edge(slope), *places]
        moving = [place for place, found in enumerate(slopes) if found is not None and found.requires_grad]
        ends = [get_gradient_edge(slopes[place]) for place in moving]
        del slope, slopes  # large, and where they lie on the graph is enough
        first, *others = torch.autograd.grad(ends, places, [along[place] for place in moving], allow_unused=True)
        return None, None, None, first, *_spread(others, ctx.wanted)


def _slopes(
    again: _Again, number: int, wanted: Sequence[bool], slope: Tensor, tensors: list[Tensor], *, create_graph: bool
) -> tuple[list[Any], tuple[Any, ...]]:
    """Where the wanted ones of ``tensors`` enter the graph, and their slopes, None for those that play no part.

    ``tensors`` is emptied, so that what is given need not be in memory while nothing reads it.
    """
    with torch.enable_grad():
        given = [_entered(tensor) if wants else tensor for tensor, wants in zip(tensors[:number], wanted, strict=False)]
        every = [*given, *tensors[number:]]  # the module uses its own parameters, which are leaves
        places = [get_gradient_edge(tensor) for tensor, wants in zip(every, wanted, strict=True) if wants]
        result = get_gradient_edge(again(*given))  # its numbers are in nobody's way
        del given, every, tensors[:]
        return places, torch.autograd.grad(result, places, slope, create_graph=create_graph, allow_unused=True)


class _Enter(Function):
    """A tensor as the beginning of a graph; a leaf would hold on to it as long as the graph is there."""

    @staticmethod
    def forward(ctx: Any, nothing: Tensor, tensor: Tensor) -> Tensor:  # noqa: ARG004
        return tensor.view_as(tensor)


def _entered(tensor: Tensor) -> Tensor:
    with torch.enable_grad():
        entered: Tensor = _Enter.apply(torch.zeros((), requires_grad=True), tensor.detach())
        return entered


def _spread(slopes: Iterable[Tensor | None], wanted: Sequence[bool]) -> list[Tensor | None]:
    """None in the places that are not wanted."""
    rest = iter(slopes)
    return [next(rest) if wants else None for wants in wanted]
