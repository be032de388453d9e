"""VGGs of Frankle et al. 2021: convolution with bias, batch norm, ReLU (PROTOCOLS B.1.1, B.1.2)."""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning.models.architecture import Architecture

_PLANS = {  # channels of the convolutions between one max pool and the next
    "vgg11": ((64,), (128,), (256, 256), (512, 512), (512, 512)),
    "vgg16": ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3),
    "vgg19": ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4),
}
_PLANS["vgg2_16"] = _PLANS["vgg16"]
_HIDDEN = {"vgg2_16": 512}


class Unit(nn.Module):
    """3x3 convolution with bias, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


class CifarVGG(nn.Module):
    """Five stages of units with a 2x2 max pool between them, average pool, one linear layer; VGG2-16 has two."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        channels = architecture.in_channels
        stages = []
        for plan in _PLANS[architecture.name]:
            units = []
            for width in map(architecture.channels, plan):
                units.append(Unit(channels, width))
                channels = width
            stages.append(nn.Sequential(*units))
        self.stages = nn.Sequential(*stages)
        self.hidden: nn.Linear | None = None
        if architecture.name in _HIDDEN:
            hidden = architecture.channels(_HIDDEN[architecture.name])
            self.hidden = nn.Linear(channels, hidden)
            channels = hidden
        self.classifier = nn.Linear(channels, architecture.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] of any size -> logits [N, classes]."""
        for i, stage in enumerate(self.stages):
            if i > 0:
                # Rounding up changes nothing at 32 or 64 pixels and lets smaller images through four halvings.
                x = F.max_pool2d(x, 2, ceil_mode=True)
            x = stage(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        if self.hidden is not None:
            x = F.relu(self.hidden(x))
        return self.classifier(x)  # type: ignore[no-any-return]
