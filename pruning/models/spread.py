"""Channels put in their places among more."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class Spread(nn.Module):
    """Channels ``part`` put where they are in ``whole``, among zeros.

    Pixel by pixel that is a product with ones and zeros, which is how it is done in channels-last: where a pixel's
    channels lie side by side, indexing them takes three to four times as long. Nothing is rounded, but by TF32, in
    which it is by every product.
    """

    at: Tensor
    ones: Tensor

    def __init__(self, part: Sequence[int], whole: Sequence[int]) -> None:
        super().__init__()
        at = torch.tensor([whole.index(channel) for channel in part], dtype=torch.int64)
        # Derived from the architecture, so not part of the state; buffers so that they move with the network.
        self.register_buffer("at", at, persistent=False)
        self.register_buffer("ones", torch.eye(len(whole))[:, at], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, len(part), H, W] -> [N, len(whole), H, W]."""
        if x.is_contiguous(memory_format=torch.channels_last):
            return F.linear(x.permute(0, 2, 3, 1), self.ones.to(x.dtype)).permute(0, 3, 1, 2)
        return x.new_zeros((len(x), len(self.ones), *x.shape[2:])).index_copy(1, self.at, x)


def spread(part: Sequence[int], whole: Sequence[int]) -> nn.Module:
    """From channels ``part`` to ``whole``; nothing is done where they are the same."""
    return nn.Identity() if len(part) == len(whole) else Spread(part, whole)
