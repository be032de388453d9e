"""What the images of a data set are like, for what needs none of them."""

from __future__ import annotations

import torch

from pruning.data.dataset import Dataset, Split
from pruning.data.sources import SOURCES
from pruning.names import unknown

_OTHERS = {"digits": (10, (32, 32, 3)), "imagenet": (1000, (224, 224, 3))}
SHAPES = {**{name: (source.classes, source.shape) for name, source in SOURCES.items()}, **_OTHERS}
"""Number of classes and shape of an image, [H, W, C], by name of the data set."""


def without_images(name: str, image_size: int | None = None) -> Dataset:
    """A data set of that name, classes and image shape that holds no image; nothing is read from disk.

    Raises:
        ValueError: there is no such data set.
    """
    if name not in SHAPES:
        raise unknown("data set", name, SHAPES)
    classes, (height, width, channels) = SHAPES[name]
    shape = (0, image_size or height, image_size or width, channels)
    none = Split(torch.zeros(shape, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    return Dataset(name, classes, none, none, "without images")
