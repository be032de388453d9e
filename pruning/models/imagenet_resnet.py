"""ResNet-18 and ResNet-50 for ImageNet, of torchvision's blocks (PROTOCOLS B.1.1).

torchvision takes seconds to import, so only :func:`pruning.models.build` imports this module, when one is built.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from pruning.models.architecture import Architecture
from pruning.models.initialisation import initialise
from pruning.models.shortcut import Shortcut

_WIDTHS = (64, 128, 256, 512)
_PLANS = {  # the kind of block, and how many there are in each stage
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet18_modified": (BasicBlock, (2, 2, 2, 2)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class ImageNetResNet(nn.Module):
    """torchvision's network: the same tensors under the same names, so its state dicts fit; batch norm starts at 1.

    A bottleneck strides in its 3x3 convolution, and no residual branch starts at zero. ``resnet18_modified``, for
    Tiny-ImageNet, has a 3x3 stem of stride 1 and no max pool.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.pools = architecture.name != "resnet18_modified"
        block, counts = _PLANS[architecture.name]
        widths = [architecture.channels(width) for width in _WIDTHS]
        # A block is given its shortcut ready made, so numbers drawn here would be in another order than the layers.
        with torch.device("meta"):
            kernel, stride, padding = (7, 2, 3) if self.pools else (3, 1, 1)
            self.conv1 = nn.Conv2d(architecture.in_channels, widths[0], kernel, stride, padding, bias=False)
            self.bn1 = nn.BatchNorm2d(widths[0])
            inputs = [widths[0], *(width * block.expansion for width in widths)]
            self.layer1, self.layer2, self.layer3, self.layer4 = (
                _stage(block, *shape) for shape in zip(inputs, widths, counts, (1, 2, 2, 2), strict=False)
            )
            self.fc = nn.Linear(inputs[-1], architecture.num_classes)
        self.to_empty(device=torch.get_default_device())
        initialise(self, "default")

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] of any size -> logits [N, classes]."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        if self.pools:
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.fc(x)  # type: ignore[no-any-return]


def _stage(block: type[BasicBlock | Bottleneck], inputs: int, width: int, count: int, stride: int) -> nn.Sequential:
    outputs = width * block.expansion
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(Shortcut(inputs, outputs, stride), nn.BatchNorm2d(outputs))
    rest = (block(outputs, width) for _ in range(count - 1))
    return nn.Sequential(block(inputs, width, stride, shortcut), *rest)
