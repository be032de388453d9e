"""How much memory a network's activations take, and which of its modules could compute them anew instead."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from pruning.modes import mode

BUDGET = 4 * 2**30
"""Bytes of activations to hold at once, where that can be chosen."""


@dataclass(frozen=True)
class Survey:
    """Bytes that the graph of one image holds, at least 1; and the modules that may be computed anew."""

    held: int
    modules: tuple[nn.Module, ...]


def survey(model: nn.Module, images: Tensor) -> Survey:
    """What one finds when two of ``images`` go through in evaluation mode, where networks leave their buffers alone.

    Two, as batch norm without running statistics refuses a single one. Parameters, buffers and images are not counted,
    as they are there anyway. A module may be computed anew if it holds others, turns tensors into one new tensor, and
    leaves what it is given as it was; it is left out where all that it holds may, as that would only be computed twice.
    """
    held: dict[int, int] = {}
    modules: dict[nn.Module, bool] = {}
    own = {tensor.untyped_storage().data_ptr() for tensor in (images, *model.parameters(), *model.buffers())}

    def see(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor.detach()  # itself, it would hold on to the graph that holds on to it

    with mode(model, training=False), _watched(model, modules), saved_tensors_hooks(see, lambda tensor: tensor):
        logits = model(images[:2])  # its graph lives as long, so no address stands for two tensors
    del logits
    total = sum(size for address, size in held.items() if address not in own)
    fit = {module for module, may in modules.items() if may}
    innermost = [module for module in modules if module in fit and not fit.issuperset(module.children())]
    return Survey(max(1, total // len(images[:2])), tuple(innermost))


@contextmanager
def _watched(model: nn.Module, modules: dict[nn.Module, bool]) -> Iterator[None]:
    """Inside, ``modules`` learns of each module that holds others whether it may be computed anew."""
    versions: dict[nn.Module, list[int]] = {}

    def before(module: nn.Module, given: tuple[Any, ...], options: dict[str, Any]) -> None:
        tensors = not options and all(isinstance(part, Tensor) for part in given)
        modules[module] = tensors and modules.get(module, True)
        versions[module] = [part._version for part in given if isinstance(part, Tensor)]

    def after(module: nn.Module, given: tuple[Any, ...], result: object) -> None:
        tensors = [part for part in given if isinstance(part, Tensor)]
        addresses = {part.untyped_storage().data_ptr() for part in tensors}
        new = isinstance(result, Tensor) and result.untyped_storage().data_ptr() not in addresses
        differentiable = isinstance(result, Tensor) and result.requires_grad
        modules[module] &= new and differentiable and versions[module] == [part._version for part in tensors]

    with ExitStack() as stack:
        for module in model.modules():
            if module is not model and next(module.children(), None) is not None:
                stack.enter_context(_removed(module.register_forward_pre_hook(before, with_kwargs=True)))
                stack.enter_context(_removed(module.register_forward_hook(after)))
        yield


@contextmanager
def _removed(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
