"""Means and standard deviations of pixel values between 0 and 1, one per channel, for :func:`pruning.data.batch`."""

from __future__ import annotations

from typing import NamedTuple


class Constants(NamedTuple):
    """What is subtracted from pixel values, and what they are then divided by."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Constants(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""open_lth's for ImageNet, and for CIFAR-10 as well (PROTOCOLS B.2)."""

MNIST = Constants(mean=(0.1307,), std=(0.3081,))
"""Of MNIST's 60,000 training images, rounded (PROTOCOLS B.2)."""
