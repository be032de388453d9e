"""MobileNet-V1 for CIFAR (PROTOCOLS A.1.1)."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning.models.architecture import Architecture, Axes, Kept
from pruning.models.vgg import norm_axes

_STEM = 32
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


class Stem(nn.Module):
    """3x3 convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Depthwise(nn.Conv2d):
    """A 3x3 filter for each channel; under autocast on a CPU in single precision all the same.

    It does nine multiply-adds per number it reads, so narrower products save nothing there, and oneDNN's kernels for
    bf16 are slower.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(channels, channels, 3, stride, padding=1, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] -> [N, channels, H / stride, W / stride]."""
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


class Block(nn.Module):
    """Depthwise 3x3 convolution, then pointwise 1x1 convolution, each followed by batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = Depthwise(inputs, stride)
        self.depthwise_bn = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.pointwise_bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride]."""
        x = F.relu(self.depthwise_bn(self.depthwise(x)), inplace=True)
        return F.relu(self.pointwise_bn(self.pointwise(x)), inplace=True)


class MobileNetV1(nn.Module):
    """Stem, 13 blocks, average pool, one linear layer. The stem and the pointwise convolutions are prunable.

    A depthwise convolution has no filters of its own to choose: its channels go with the layer that feeds it.
    """

    protected: tuple[str, ...] = ()

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        totals = [architecture.channels(width) for width in (_STEM, *(width for width, _ in _BLOCKS))]
        layers = ["stem.conv", *(f"blocks.{i}.pointwise" for i in range(len(_BLOCKS)))]
        self.filters = dict(zip(layers, totals, strict=True))
        self.norms = {layer: layer.replace("conv", "bn").replace("pointwise", "pointwise_bn") for layer in layers}
        self._kept: list[Kept] = [architecture.left(layer, total) for layer, total in self.filters.items()]
        sizes = [len(kept) for kept in self._kept]
        self.stem = Stem(architecture.in_channels, sizes[0])
        self.blocks = nn.ModuleList(
            Block(inputs, outputs, stride)
            for inputs, outputs, (_, stride) in zip(sizes, sizes[1:], _BLOCKS, strict=False)
        )
        self.classifier = nn.Linear(sizes[-1], architecture.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] of any size -> logits [N, classes]."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.classifier(x)  # type: ignore[no-any-return]

    def axes(self) -> Axes:
        """See :class:`pruning.models.architecture.Prunable`."""
        before = self._kept[0]
        axes: Axes = {"stem.conv.weight": (before, None), **norm_axes("stem.bn", before)}
        for i, kept in enumerate(self._kept[1:]):
            axes[f"blocks.{i}.depthwise.weight"] = (before,)
            axes |= norm_axes(f"blocks.{i}.depthwise_bn", before)
            axes[f"blocks.{i}.pointwise.weight"] = (kept, before)
            axes |= norm_axes(f"blocks.{i}.pointwise_bn", kept)
            before = kept
        axes["classifier.weight"] = (None, before)
        return axes

    def rebuilt(self, architecture: Architecture) -> "MobileNetV1":
        """See :class:`pruning.models.architecture.Prunable`."""
        return MobileNetV1(architecture)
