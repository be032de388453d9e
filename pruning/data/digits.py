"""The handwritten digits that scikit-learn brings along: a real data set without a download."""

from __future__ import annotations

import numpy as np

from pruning.data.dataset import Arrays, canonical_order

TRAIN = 1500


def digits() -> tuple[Arrays, Arrays]:
    """The 1,797 digits of scikit-learn as uint8 [N, 32, 32, 3], the same on every platform.

    The 8x8 values from 0 to 16 become round(255 v / 16) in integers, every pixel a 4x4 block. The first 1,500 in
    canonical order are for training, the last 297 for testing.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    grey = ((bunch.images.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)
    images = grey.repeat(4, axis=1).repeat(4, axis=2)[..., None].repeat(3, axis=3)
    labels = bunch.target.astype(np.int64)
    order = canonical_order(images, labels)
    train, test = order[:TRAIN], order[TRAIN:]
    return (images[train], labels[train]), (images[test], labels[test])
