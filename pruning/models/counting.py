"""Multiply-adds of single layers."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from pruning.modes import mode


def multiply_adds(net: nn.Module, image: tuple[int, int, int], weights: Mapping[str, int]) -> int:
    """Multiply-adds for one image [C, H, W] of so many of the weights of each parameter.

    ``weights`` are counts by parameter name, of convolutions and linear layers. Every weight takes part once for each
    position of its layer's output, padding counted in, so all of them together give :func:`pruning.models.macs`.
    """
    positions: dict[str, int] = {}
    first = next(net.parameters())
    with ExitStack() as stack, torch.no_grad(), mode(net, training=False):
        for name, layer in net.named_modules():
            if isinstance(layer, nn.modules.conv._ConvNd | nn.Linear):
                handle = layer.register_forward_hook(partial(_note, positions, f"{name}.weight"))
                stack.callback(handle.remove)
        net(torch.zeros(1, *image, dtype=first.dtype, device=first.device))
    return sum(number * positions.get(name, 0) for name, number in weights.items())


def _note(positions: dict[str, int], name: str, layer: Any, _inputs: Any, output: Tensor) -> None:
    channels = layer.weight.shape[0]
    positions[name] = positions.get(name, 0) + output.numel() // channels
