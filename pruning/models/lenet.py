"""LeNet-300-100 of Frankle et al. 2021: a perceptron of two hidden layers (PROTOCOLS B.1.1)."""

from dataclasses import replace

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning.models.architecture import Architecture

_HIDDEN = (300, 100)
_MNIST = 28  # pixels a side


class LeNet(nn.Module):
    """Three linear layers with biases, ReLU between them; images are flattened, so their size is fixed.

    The size is that of MNIST unless the architecture gives another.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        side = architecture.image_size or _MNIST
        self.architecture = replace(architecture, image_size=side)
        self.image = (architecture.in_channels, side, side)
        first, second = (architecture.channels(width) for width in _HIDDEN)
        self.fc1 = nn.Linear(architecture.in_channels * side**2, first)
        self.fc2 = nn.Linear(first, second)
        self.out = nn.Linear(second, architecture.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] of the size built for -> logits [N, classes]. Raises ValueError on another size."""
        if tuple(x.shape[1:]) != self.image:
            raise ValueError(
                f"{self.architecture.name} was built for images of shape {list(self.image)} and was given "
                f"{list(x.shape[1:])}; build it with the in_channels and the image_size of the data"
            )
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.relu(self.fc2(x))
        return self.out(x)  # type: ignore[no-any-return]
