"""The convolution of a shortcut."""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class Shortcut(nn.Conv2d):
    """A 1x1 convolution of every ``stride``-th pixel, which are picked first.

    oneDNN's own strided 1x1 convolution, in channels-last with fewer than 8 channels, writes outside its memory (torch
    2.15, AVX2), and the process dies, sooner or later.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride], rounded up."""
        if self.stride != (1, 1):
            x = F.avg_pool2d(x, 1, self.stride)  # of one pixel each
        return F.conv2d(x, self.weight)
