"""Building a network by name."""

from collections.abc import Callable

import torch
from torch import nn

from pruning.models.architecture import Architecture, Prunable
from pruning.models.cifar_vgg import CifarVGG
from pruning.models.initialisation import initialise
from pruning.models.lenet import LeNet
from pruning.models.mobilenet import MobileNetV1
from pruning.models.resnet import CifarResNet
from pruning.models.vgg import VGG13
from pruning.names import unknown


def _imagenet_resnet(architecture: Architecture) -> nn.Module:
    from pruning.models.imagenet_resnet import ImageNetResNet  # imports torchvision, which takes seconds

    return ImageNetResNet(architecture)


_MODELS: dict[str, Callable[[Architecture], nn.Module]] = {
    "vgg13": VGG13,
    "mobilenet_v1": MobileNetV1,
    "resnet56": CifarResNet,
    "lenet300_100": LeNet,
    "resnet20": CifarResNet,
    "vgg11": CifarVGG,
    "vgg16": CifarVGG,
    "vgg19": CifarVGG,
    "vgg2_16": CifarVGG,
    "wrn14_8": CifarResNet,
    "wrn14_10": CifarResNet,
    "wrn20_8": CifarResNet,
    "wrn32_2": CifarResNet,
    "resnet18": _imagenet_resnet,
    "resnet50": _imagenet_resnet,
    "resnet18_modified": _imagenet_resnet,
}


def names() -> list[str]:
    """The names that :func:`build` knows."""
    return list(_MODELS)


def build(
    name: str,
    num_classes: int = 10,
    *,
    in_channels: int = 3,
    width: str | float = "1",
    image_size: int | None = None,
    initialisation: str = "default",
    seed: int | None = None,
) -> nn.Module:
    """A freshly initialised network for images of ``in_channels`` channels.

    ``image_size``, their side in pixels, matters only to lenet300_100, which flattens them (None: 28). ``width``
    multiplies every channel count. ``initialisation`` is one that :func:`pruning.models.initialise` knows; "default"
    draws weights U(-b, b) with b = 1 / sqrt(fan_in), and batch norm starts at scale 1 and shift 0. With a ``seed`` the
    draw depends on it alone and the global random state is left as it was. Raises ValueError on an unknown name.
    """
    architecture = Architecture(
        name=name, num_classes=num_classes, in_channels=in_channels, width=str(width), image_size=image_size
    )
    return from_architecture(architecture, initialisation=initialisation, seed=seed)


def from_architecture(
    architecture: Architecture, *, initialisation: str = "default", seed: int | None = None
) -> nn.Module:
    """A freshly initialised network of exactly this shape, pruned channels left out.

    Raises ValueError on an unknown name, and where channels are left out of a network that surgery cannot cut.
    """
    if architecture.name not in _MODELS:
        raise unknown("model", architecture.name, _MODELS)
    net = _made(_MODELS[architecture.name], architecture, seed)
    if architecture.kept and not isinstance(net, Prunable):
        raise ValueError(
            f"channels cannot be left out of {architecture.name}, which does not declare its structure "
            "(pruning.models.Prunable); build it with an empty kept"
        )
    if initialisation != "default":
        initialise(net, initialisation, seed)
    return net


def _made(make: Callable[[Architecture], nn.Module], architecture: Architecture, seed: int | None) -> nn.Module:
    if seed is None:
        return make(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # of the CPU alone, where networks are made
        return make(architecture)
