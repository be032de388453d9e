"""The images that are trained and scored on."""

from pathlib import Path
from typing import NamedTuple

import torch

from pruning import data
from pruning.data import Split


class Images(NamedTuple):
    """Images of CIFAR-10's shape, and what they are: ``cifar10`` or ``random``."""

    split: Split
    name: str


def images(root: Path, number: int) -> Images:
    """The first training images of CIFAR-10 where ``root`` has it; pixels and labels drawn at random elsewhere.

    Raises ``pruning.data.DataError`` where it is there, but damaged.
    """
    try:
        return Images(data.load("cifar10", root).train.first(number), "cifar10")
    except data.MissingData:
        return Images(noise(number), "random")


def grey(number: int) -> Split:
    """``number`` images like MNIST's [28, 28, 1], of noise."""
    coloured = noise(number)
    return Split(coloured.images[:, :28, :28, :1].contiguous(), coloured.labels)


def noise(number: int) -> Split:
    """``number`` images [32, 32, 3] of uniform pixels, with labels of ten classes; the same ones every time."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (number, 32, 32, 3), generator=generator, dtype=torch.uint8)
    return Split(pixels, torch.randint(10, (number,), generator=generator))
