"""How many numbers a network holds, and how many multiply-adds it takes."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from pruning.modes import mode


def parameters(net: nn.Module) -> int:
    """Number of trainable numbers in ``net``."""
    return sum(parameter.numel() for parameter in net.parameters())


def macs(net: nn.Module, image: tuple[int, int, int]) -> int:
    """Multiply-adds of all layers that convolve or are linear, for one image [C, H, W], padding counted in.

    What a network does besides is not counted, as the product that puts a pruned ResNet's channels in their places.
    """
    return multiply_adds(net, image, {f"{name}.weight": layer.weight.numel() for name, layer in _layers(net).items()})


def multiply_adds(net: nn.Module, image: tuple[int, int, int], weights: Mapping[str, int]) -> int:
    """Multiply-adds for one image [C, H, W] of so many of the weights of each parameter.

    ``weights`` are counts by parameter name, of convolutions and linear layers. Every weight takes part once for each
    position of its layer's output (of its input, where a convolution is transposed).
    """
    positions: dict[str, int] = {}
    first = next(net.parameters())
    with ExitStack() as stack, torch.no_grad(), mode(net, training=False):
        for name, layer in _layers(net).items():
            handle = layer.register_forward_hook(partial(_note, positions, f"{name}.weight"))
            stack.callback(handle.remove)
        net(torch.zeros(1, *image, dtype=first.dtype, device=first.device))
    return sum(number * positions.get(name, 0) for name, number in weights.items())


def _layers(net: nn.Module) -> dict[str, Any]:
    kinds = nn.modules.conv._ConvNd, nn.Linear
    return {name: layer for name, layer in net.named_modules() if isinstance(layer, kinds)}


def _note(positions: dict[str, int], name: str, layer: Any, inputs: tuple[Tensor], output: Tensor) -> None:
    passed = inputs[0] if getattr(layer, "transposed", False) else output
    positions[name] = positions.get(name, 0) + passed.numel() // len(layer.weight)
