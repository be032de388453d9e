"""Neuron collapse: neurons that have lost most or all of the weights into them (PROTOCOLS B.8).

A neuron is an output channel of a convolution; in a network without convolutions it is a unit of any linear layer but
the last.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pruning.analysis.layers import fitted


def neuron_sparsity(net: nn.Module, mask: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """{layer: Tensor[neurons]} in forward order: the share of the weights into each neuron that is pruned, float64.

    Raises ValueError where ``mask`` does not fit ``net``, or ``net`` has no neurons or a transposed convolution.
    """
    return {layer: pruned.double() / inputs for layer, (pruned, inputs) in _pruned(net, mask).items()}


def neuron_curve(net: nn.Module, mask: Mapping[str, Tensor], points: int = 101) -> list[float]:
    """The share of all neurons whose sparsity is at least s, for ``points`` values of s evenly from 0 to 1.

    Exact where a neuron's sparsity is one of them (Figure 5 of Frankle et al. 2021). Raises ValueError as
    :func:`neuron_sparsity` does, and for fewer than two points.
    """
    if points < 2:
        raise ValueError(f"points is {points}; it must be at least 2, for the sparsities 0 and 1")
    # The last point that each neuron reaches; in integers, as 0.29 * 100 is less than 29.
    last = torch.cat([pruned * (points - 1) // inputs for pruned, inputs in _pruned(net, mask).values()])
    reached = last.bincount(minlength=points).flip(0).cumsum(0).flip(0)
    return [number / len(last) for number in reached.tolist()]


def collapsed(net: nn.Module, mask: Mapping[str, Tensor]) -> tuple[int, int]:
    """How many neurons have no weight into them left, and how many neurons there are.

    Raises ValueError as :func:`neuron_sparsity` does.
    """
    layers = _pruned(net, mask).values()
    return sum(int((pruned == inputs).sum()) for pruned, inputs in layers), sum(len(pruned) for pruned, _ in layers)


def _pruned(net: nn.Module, mask: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, int]]:
    """For each layer, how many weights into each of its neurons are pruned, int64 on the CPU, and of how many."""
    weights = fitted(net, mask)
    convolutions = [name for name, weight in weights.items() if weight.dim() > 2]
    layers = convolutions or list(weights)[:-1]
    if not layers:
        raise ValueError(
            f"{type(net).__name__} has no neurons to look at: it needs a convolution or two linear layers, "
            "the last of which is its output"
        )
    counts = {}
    for name in layers:
        layer, inputs = name.rpartition(".")[0], weights[name][0].numel()
        if getattr(net.get_submodule(layer), "transposed", False):
            raise ValueError(f"{layer} is a transposed convolution, whose weights are not stored by output channel")
        keep = mask.get(name, torch.ones_like(weights[name], dtype=torch.bool))
        counts[layer] = (inputs - keep.flatten(1).sum(1).cpu(), inputs)
    return counts
