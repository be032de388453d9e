"""The layers whose weights a mask may name, and how many of their weights it keeps."""

from collections.abc import Mapping

from torch import Tensor, nn

from pruning.masks import check_fits
from pruning.names import unknown
from pruning.scores.prunable import weight_parameters


def layer_counts(mask: Mapping[str, Tensor]) -> dict[str, tuple[int, int]]:
    """{name: (weights kept, weights there were)} in the order of ``mask`` (Figure 15 of Frankle et al. 2021)."""
    return {name: (int(keep.sum()), keep.numel()) for name, keep in mask.items()}


def fitted(net: nn.Module, mask: Mapping[str, Tensor]) -> dict[str, nn.Parameter]:
    """Every weight that a mask of ``net`` may name, in forward (registration) order.

    Raises ValueError where ``mask`` names anything else, or a part of it is no bool tensor of its weight's shape.
    """
    weights = weight_parameters(net)
    for name, keep in mask.items():
        if name not in weights:
            raise unknown("weight of a convolution or linear layer", name, weights)
        check_fits(name, keep, weights[name].shape)
    return weights
