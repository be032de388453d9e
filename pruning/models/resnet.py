"""ResNets for CIFAR, depth 6n + 2, with learned 1x1 shortcuts where the width doubles (PROTOCOLS A.1.1, B.1.1)."""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning.models.architecture import Architecture, Axes, Kept
from pruning.models.mobilenet import Stem
from pruning.models.shortcut import Shortcut
from pruning.models.spread import spread
from pruning.models.vgg import norm_axes

_WIDTHS = (16, 32, 64)
_PLANS = {  # blocks in each of the three stages, and what the widths are multiplied by (PROTOCOLS B.1.2)
    "resnet56": (9, 1),
    "resnet20": (3, 1),
    "wrn14_8": (2, 8),
    "wrn14_10": (2, 10),
    "wrn20_8": (3, 8),
    "wrn32_2": (5, 2),
}


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm; their result is added to the residual stream.

    The stream carries the union of the channels that anything upstream still writes. ``stream`` are the channels that
    arrive, ``conv1``, ``conv2`` and ``shortcut`` those that are left of the block's own layers. What leaves the block,
    ``out``, are the channels of the shortcut (or of the stream, where there is none) and of ``conv2`` together.
    """

    def __init__(self, stream: Kept, conv1: Kept, conv2: Kept, shortcut: Kept | None) -> None:
        super().__init__()
        stride = 1 if shortcut is None else 2
        self.conv1 = nn.Conv2d(len(stream), len(conv1), 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(len(conv1))
        self.conv2 = nn.Conv2d(len(conv1), len(conv2), 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(len(conv2))
        self.shortcut = None if shortcut is None else Shortcut(len(stream), len(shortcut), stride)
        self.shortcut_bn = None if shortcut is None else nn.BatchNorm2d(len(shortcut))
        base = stream if shortcut is None else shortcut
        self.out: Kept = tuple(sorted({*base, *conv2}))
        self.of_stream, self.of_branch = spread(base, self.out), spread(conv2, self.out)

    def forward(self, x: Tensor) -> Tensor:
        """[N, len(stream), H, W] -> [N, len(out), H / stride, W / stride]."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        if self.shortcut is not None and self.shortcut_bn is not None:
            x = self.shortcut_bn(self.shortcut(x))
        return F.relu(self.of_stream(x) + self.of_branch(y), inplace=True)


class CifarResNet(nn.Module):
    """Stem, three stages of blocks, average pool, one linear layer: ResNet-20, ResNet-56 and the wide ones.

    All convolutions count as prunable; the stem is protected when filters are, as in the released code. The layers are
    in forward order, a shortcut after its block's two convolutions.
    """

    protected: tuple[str, ...] = ("stem.conv",)

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.filters = _filters(architecture)
        self.norms = {layer: _norm(layer) for layer in self.filters}
        kept = {layer: architecture.left(layer, total) for layer, total in self.filters.items()}
        stream = kept["stem.conv"]
        self.stem = Stem(architecture.in_channels, len(stream))
        stages = []
        per_stage, _ = _PLANS[architecture.name]
        for stage in range(len(_WIDTHS)):
            blocks = []
            for i in range(per_stage):
                name = f"stages.{stage}.{i}"
                block = Block(stream, kept[f"{name}.conv1"], kept[f"{name}.conv2"], kept.get(f"{name}.shortcut"))
                stream = block.out
                blocks.append(block)
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Linear(len(stream), architecture.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] of any size -> logits [N, classes]."""
        x = self.stages(self.stem(x))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.classifier(x)  # type: ignore[no-any-return]

    def axes(self) -> Axes:
        """See :class:`pruning.models.architecture.Prunable`."""
        kept = {layer: self.architecture.left(layer, total) for layer, total in self.filters.items()}
        stream = kept["stem.conv"]
        axes: Axes = {"stem.conv.weight": (stream, None), **norm_axes("stem.bn", stream)}
        for name, block in self.named_modules():
            if isinstance(block, Block):
                inner = kept[f"{name}.conv1"]
                for conv, inputs in (("conv1", stream), ("conv2", inner), ("shortcut", stream)):
                    if (layer := f"{name}.{conv}") in kept:
                        axes[f"{layer}.weight"] = (kept[layer], inputs)
                        axes |= norm_axes(self.norms[layer], kept[layer])
                stream = block.out
        axes["classifier.weight"] = (None, stream)
        return axes

    def rebuilt(self, architecture: Architecture) -> "CifarResNet":
        """See :class:`pruning.models.architecture.Prunable`."""
        return CifarResNet(architecture)


def _filters(architecture: Architecture) -> dict[str, int]:
    per_stage, factor = _PLANS[architecture.name]
    widths = [architecture.channels(factor * width) for width in _WIDTHS]
    filters = {"stem.conv": widths[0]}
    for stage, width in enumerate(widths):
        for i in range(per_stage):
            name = f"stages.{stage}.{i}"
            filters |= {f"{name}.conv1": width, f"{name}.conv2": width}
            if stage > 0 and i == 0:
                filters[f"{name}.shortcut"] = width
    return filters


def _norm(layer: str) -> str:
    if layer.endswith("shortcut"):
        return f"{layer}_bn"
    return layer.replace("conv", "bn")
