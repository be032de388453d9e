"""What second derivatives are taken through."""

import torch.nn.functional as F  # noqa: N812

from pruning.scores.convolution import conv2d
from pruning.scores.norm import batch_norm
from pruning.substitute import Substitute


def twice_differentiable() -> Substitute:
    """Inside, convolution and batch norm are those whose second derivatives are quick."""
    return Substitute({F.conv2d: conv2d, F.batch_norm: batch_norm})
