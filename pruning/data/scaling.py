"""Scaling images down."""

from __future__ import annotations

import numpy as np

from pruning.data.dataset import Images


def box_scaled(images: Images, size: int | None) -> Images:
    """Images [N, H, W, C] scaled down to [N, size, size, C]; each pixel is the mean of a block, halves rounded up.

    Whole blocks and integer arithmetic, so that the result is the same on every platform.

    Raises:
        ValueError: the images are not a whole number of times larger.
    """
    count, side, _, channels = images.shape
    if size is None or size == side:
        return images
    if size < 1 or side % size:
        raise ValueError(f"images of {side} pixels cannot be scaled to {size}; image_size must divide {side}")
    block = side // size
    blocks = images.reshape(count, size, block, size, block, channels)
    total = blocks.sum(axis=(2, 4), dtype=np.uint32)
    mean: Images = ((total + block * block // 2) // (block * block)).astype(np.uint8)
    return mean
