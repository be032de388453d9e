"""Building a network by name, and counting what it holds."""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pruning.models.architecture import Architecture
from pruning.models.mobilenet import MobileNetV1
from pruning.models.resnet import ResNet56
from pruning.models.vgg import VGG13
from pruning.modes import mode
from pruning.names import unknown

_MODELS: dict[str, Callable[[Architecture], nn.Module]] = {
    "vgg13": VGG13,
    "mobilenet_v1": MobileNetV1,
    "resnet56": ResNet56,
}


def names() -> list[str]:
    """The names that :func:`build` knows."""
    return list(_MODELS)


def build(
    name: str, num_classes: int = 10, *, in_channels: int = 3, width: str | float = "1", seed: int | None = None
) -> nn.Module:
    """A freshly initialised network for images of ``in_channels`` channels.

    Weights are drawn as PyTorch draws them by default, U(-b, b) with b = 1 / sqrt(fan_in); batch norm starts at scale
    1 and shift 0. With a ``seed`` the draw depends on it alone and the global random state is left as it was.
    ``width`` multiplies every channel count. Raises ValueError on an unknown name.
    """
    return from_architecture(
        Architecture(name=name, num_classes=num_classes, in_channels=in_channels, width=str(width)), seed=seed
    )


def from_architecture(architecture: Architecture, *, seed: int | None = None) -> nn.Module:
    """A freshly initialised network of exactly this shape, pruned channels left out. Raises ValueError."""
    if architecture.name not in _MODELS:
        raise unknown("model", architecture.name, _MODELS)
    make = _MODELS[architecture.name]
    if seed is None:
        return make(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # of the CPU alone, where networks are made
        return make(architecture)


def parameters(net: nn.Module) -> int:
    """Number of trainable numbers in ``net``."""
    return sum(parameter.numel() for parameter in net.parameters())


def macs(net: nn.Module, image: tuple[int, int, int]) -> int:
    """Multiply-adds of all convolutions and linear layers for one image [C, H, W] (torch's flop counter, halved)."""
    first = next(net.parameters())
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), mode(net, training=False), counter:
        net(torch.zeros(1, *image, dtype=first.dtype, device=first.device))
    return counter.get_total_flops() // 2
