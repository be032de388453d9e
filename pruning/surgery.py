"""Removing channels for good: a physically smaller network that computes what the masked one computes.

A removed channel takes along its convolution row, its batch norm's scale, shift and statistics, and the columns of
everything it fed. Each network declares which channels its tensors run over (:class:`pruning.models.Prunable`), so one
routine cuts, widens and copies all of them.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from pruning.models.architecture import Kept, Prunable, kept_channels
from pruning.models.norms import norm_options, set_norm_options
from pruning.names import unknown


def shrink(net: nn.Module, mask: Mapping[str, Tensor]) -> nn.Module:
    """A new, smaller network that keeps the channels where ``mask`` is True.

    ``mask`` maps a prunable layer to a bool tensor over the channels ``net`` has now; layers not in it stay whole.
    ``net`` is left alone. Layers keep their names, dtype, device, train/eval mode and batch norm's eps and momentum.
    Raises TypeError for a network that declares no structure, ValueError for a mask that does not fit it.
    """
    declared = _declared(_plain(net))
    return with_channels(net, {**kept_channels(declared), **_kept_by(mask, declared)})


def expand(net: nn.Module) -> nn.Module:
    """The unpruned shape again, with zeros (weights, batch-norm scale, shift and statistics) where channels are gone.

    Computes what ``net`` computes. Raises TypeError for a network that declares no structure.
    """
    return with_channels(net, {})


def with_channels(net: nn.Module, kept: Mapping[str, Kept]) -> nn.Module:
    """``net`` with exactly the channels ``kept``, counted in the unpruned network; a layer not named becomes whole.

    Channels that ``net`` no longer has come back as zeros. Raises as :func:`shrink` does.
    """
    net = _plain(net)
    declared = _declared(net)
    for layer in kept:
        if layer not in declared.filters:
            raise unknown("prunable layer", layer, declared.filters)
    whole = {layer: tuple(range(total)) for layer, total in declared.filters.items()}
    narrowed = {layer: tuple(left) for layer, left in kept.items() if tuple(left) != whole.get(layer)}
    with torch.random.fork_rng(devices=[]):
        other = declared.rebuilt(replace(declared.architecture, kept=narrowed))
    _place_like(net, other)
    transfer(net, other)
    set_norm_options(other, norm_options(net))
    for name, parameter in net.named_parameters():
        other.get_parameter(name).requires_grad_(parameter.requires_grad)
    modes = {name: module.training for name, module in net.named_modules()}
    for name, module in other.named_modules():
        module.training = modes.get(name, net.training)
    return other


def _place_like(net: nn.Module, other: nn.Module) -> None:
    """Every number of ``other`` in the dtype and on the device that it has in ``net``."""
    other.to(device=next(net.parameters()).device)
    there = net.state_dict()
    for name, tensor in (*other.named_parameters(), *other.named_buffers()):
        if name in there:  # a buffer that is no state is the new network's own
            tensor.data = tensor.data.to(dtype=there[name].dtype, device=there[name].device)


@torch.no_grad()
def transfer(source: nn.Module, target: nn.Module) -> None:
    """Copy every number of ``source`` whose channels ``target`` has; what ``source`` lacks becomes zero."""
    there, here = _declared(source).axes(), _declared(target).axes()
    numbers = source.state_dict()
    for name, tensor in target.state_dict().items():
        tensor.copy_(_cut(numbers[name], there.get(name, ()), here.get(name, ()), tensor.shape))


def _cut(tensor: Tensor, there: tuple[Kept | None, ...], here: tuple[Kept | None, ...], shape: torch.Size) -> Tensor:
    for axis, (old, new) in enumerate(zip(there, here, strict=True)):
        if old == new:
            continue
        where = {channel: position for position, channel in enumerate(old or range(tensor.shape[axis]))}
        wanted = new or range(shape[axis])
        source = torch.tensor([where[channel] for channel in wanted if channel in where], device=tensor.device)
        goal = torch.tensor([i for i, channel in enumerate(wanted) if channel in where], device=tensor.device)
        wide = tensor.new_zeros((*tensor.shape[:axis], len(wanted), *tensor.shape[axis + 1 :]))
        tensor = wide.index_copy(axis, goal.long(), tensor.index_select(axis, source.long()))
    return tensor


def _kept_by(mask: Mapping[str, Tensor], net: Prunable) -> dict[str, Kept]:
    now = kept_channels(net)
    result = {}
    for layer, keep in mask.items():
        if layer not in now:
            raise unknown("prunable layer", layer, now)
        if keep.dtype != torch.bool or keep.shape != (len(now[layer]),):
            raise ValueError(
                f"the mask of {layer} must be a bool tensor of shape [{len(now[layer])}], "
                f"not {keep.dtype} {list(keep.shape)}"
            )
        result[layer] = tuple(channel for channel, stays in zip(now[layer], keep.tolist(), strict=True) if stays)
        if not result[layer]:
            raise ValueError(f"the mask removes all {len(now[layer])} channels of {layer}; keep at least one")
    return result


def _plain(net: nn.Module) -> nn.Module:
    """``net`` without what torch.compile wraps it in."""
    return getattr(net, "_orig_mod", net)


def _declared(net: nn.Module) -> Prunable:
    if not isinstance(net, Prunable):
        raise TypeError(
            f"surgery needs a network that declares its structure (pruning.models.Prunable), and {type(net).__name__} "
            "does not; scores and masks work on it all the same"
        )
    return net
