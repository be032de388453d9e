"""Activations in bounded memory: how much one image takes, and computing them twice instead of keeping them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from pruning.modes import mode
from pruning.scores.buffers import Buffers

BUDGET = 4 * 2**30
"""Bytes of activations to hold at once, where that can be chosen. The numbers computed hardly depend on it."""


def held_per_image(model: nn.Module, images: Tensor) -> int:
    """Bytes that the graph of one image holds for going backward; at least 1.

    Parameters, buffers and the images themselves are not counted, as they are there anyway. Seen by sending two images
    through in evaluation mode, in which networks leave their buffers alone; two, as batch norm without running
    statistics refuses a single one.
    """
    seen = {tensor.untyped_storage().data_ptr() for tensor in (images, *model.parameters(), *model.buffers())}
    held = 0

    def see(tensor: Tensor) -> Tensor:
        nonlocal held
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            held += storage.nbytes()
        return tensor

    with mode(model, training=False), saved_tensors_hooks(see, lambda tensor: tensor):
        logits = model(images[:2])  # its graph lives as long, so no address comes twice
    del logits
    return max(1, held // len(images[:2]))


@contextmanager
def recomputed(model: nn.Module) -> Iterator[None]:
    """Inside, modules that contain others keep their inputs alone and run once more when the gradient comes by.

    Modules in modules do so in turn. Numbers and random draws are those of the first time, and what a module writes to
    its buffers is written once. For gradients of first order only.
    """
    own = [(module, module.__dict__.get("forward")) for module in model.modules()]
    try:
        for module, _ in own[1:]:
            if next(module.children(), None) is not None:
                module.forward = _twice(module, module.forward)
        yield
    finally:
        for module, forward in own:
            module.__dict__.pop("forward", None)
            if forward is not None:
                module.__dict__["forward"] = forward


def _twice(module: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    """``forward``, run again from the buffers that it found when the gradient comes by."""

    def outer(*args: Any, **kwargs: Any) -> Any:
        found, passes = Buffers.of(module), count()

        def run(*args: Any, **kwargs: Any) -> Any:
            if next(passes) == 0:
                return forward(*args, **kwargs)
            left = Buffers.of(module)
            found.put_back()
            try:
                return forward(*args, **kwargs)
            finally:
                left.put_back()

        given = [tensor for tensor in (*args, *kwargs.values()) if isinstance(tensor, Tensor)]
        versions = [tensor._version for tensor in given]
        result = checkpoint(run, *args, use_reentrant=False, **kwargs)
        if versions != [tensor._version for tensor in given]:
            raise ValueError(
                f"a {type(module).__name__} writes to its input, so it cannot be computed twice to save memory; give "
                "smaller batches"
            )
        return result

    return outer
