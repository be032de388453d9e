"""Mask and surgery in a dozen lines: concatenate, sort, threshold; then a narrower network, tensor by tensor."""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

import torch
from torch import Tensor, nn

from pruning import models
from pruning.models import Prunable

Mask = dict[str, Tensor]


def threshold_mask(scores: Mapping[str, Tensor], number: int, protected: tuple[str, ...], floor: float) -> Mask:
    """True for all but the ``number`` lowest scores; every layer keeps the share ``floor``, protected ones all."""
    raised = {}
    for name, score in scores.items():
        stays = len(score) if name in protected else max(1, ceil(floor * len(score)))
        raised[name] = score.index_fill(0, score.topk(stays).indices, torch.inf)
    ranking = torch.cat(list(raised.values())).sort().values
    return {name: score >= ranking[number] for name, score in raised.items()}


@torch.no_grad()
def rebuilt(net: nn.Module, mask: Mask) -> nn.Module:
    """The network of the channels that ``mask`` keeps of ``net``, which is unpruned."""
    if not isinstance(net, Prunable):
        raise TypeError(f"{type(net).__name__} declares no structure")
    kept = {layer: tuple(keep.nonzero().flatten().tolist()) for layer, keep in mask.items()}
    device = next(net.parameters()).device
    small = models.from_architecture(replace(net.architecture, kept=kept)).to(device)
    axes = small.axes() if isinstance(small, Prunable) else {}
    target = small.state_dict()
    for name, tensor in net.state_dict().items():
        for axis, channels in enumerate(axes.get(name, ())):
            if channels is not None:
                tensor = tensor.index_select(axis, torch.tensor(channels, device=device))
        target[name].copy_(tensor)
    return small
