"""How many numbers a network holds, and how many multiply-adds it takes."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

from pruning.modes import mode


def parameters(net: nn.Module) -> int:
    """Number of trainable numbers in ``net``."""
    return sum(parameter.numel() for parameter in net.parameters())


def macs(net: nn.Module, image: tuple[int, int, int]) -> int:
    """Multiply-adds for one image [C, H, W] of all layers that convolve or are linear, padding counted in.

    Layers are modules (``nn.Conv2d`` and its kin, ``nn.Linear``); what a network multiplies besides is not counted.
    """
    found = _positions(net, image)  # first, as lazy layers do not know their weights before
    return sum(attrgetter(name)(net).numel() * number for name, number in found.items())


def multiply_adds(net: nn.Module, image: tuple[int, int, int], weights: Mapping[str, int]) -> int:
    """Multiply-adds for one image [C, H, W] of so many of the weights of each parameter.

    ``weights`` are counts by parameter name, of the layers that :func:`macs` counts.
    """
    positions = _positions(net, image)
    return sum(number * positions.get(name, 0) for name, number in weights.items())


def _positions(net: nn.Module, image: tuple[int, int, int]) -> dict[str, int]:
    """Of each weight, how often it takes part: once in each position of its layer's output."""
    found: dict[str, int] = {}
    first = next(net.parameters())
    with ExitStack() as stack, torch.no_grad(), mode(net, training=False):
        for name, layer in net.named_modules():
            if isinstance(layer, nn.modules.conv._ConvNd | nn.Linear):
                handle = layer.register_forward_hook(partial(_note, found, f"{name}.weight" if name else "weight"))
                stack.callback(handle.remove)
        net(torch.zeros(1, *image, dtype=first.dtype, device=first.device))
    return found


def _note(found: dict[str, int], name: str, layer: Any, inputs: tuple[Tensor], output: Tensor) -> None:
    passed = inputs[0] if getattr(layer, "transposed", False) else output  # where each weight takes part once
    found[name] = found.get(name, 0) + passed.numel() // len(layer.weight)
