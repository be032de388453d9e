"""Batches of a data set too large for memory, which worker processes decode while the last ones are trained on.

Order and augmentation follow from seed and epoch alone: every image is augmented by a random stream of its own, so
that neither the number of workers nor the size of a batch changes it, and a run can go on from any epoch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pruning.data.dataset import Split
from pruning.data.errors import DataError
from pruning.data.image_folder import SIDE, Files, Streamed
from pruning.data.resized_crop import random_boxes
from pruning.data.sampling import generator, permutation

if TYPE_CHECKING:
    from PIL.Image import Image

AUGMENTATION = "resized_crop_flip"
"""What happens to training images, by its name in :data:`pruning.data.Augmentation`."""

PART = 64
"""Images that a process decodes at a time, at most: 10 MB, of which each holds two in shared memory."""

SHORTER_SIDE = 256
"""Pixels, of a test image before its middle is cut out."""

Batch = tuple[Tensor, Tensor]
"""Images, uint8 [B, SIDE, SIDE, 3], and labels, int64 [B], on the CPU; :func:`pruning.data.normalised` comes next."""

Stream = tuple[int, *tuple[str | int, ...]]
"""Seed and name, see :func:`pruning.data.generator`."""


def training_batches(source: Streamed, batch_size: int, *, seed: int, epoch: int, workers: int = 0) -> Iterator[Batch]:
    """All training images in random order, the last partial batch included: random-resized crops, half of them flipped.

    The boxes are those of :mod:`pruning.data.resized_crop`, scaled by Pillow with antialiasing (PROTOCOLS B.2).
    """
    order = permutation(len(source.train), generator(seed, "order", epoch))
    return batches(source.train, order, batch_size, stream=(seed, "augmentation", epoch), workers=workers)


def evaluation_batches(source: Streamed, batch_size: int, *, workers: int = 0) -> Iterator[Batch]:
    """All test images by class: the middle of each, of its shorter side scaled to 256 pixels (PROTOCOLS B.2)."""
    return batches(source.test, torch.arange(len(source.test)), batch_size, workers=workers)


def sampled(source: Streamed, index: Tensor, *, seed: int, k: int, workers: int = 0) -> Split:
    """The training images at `index`, augmented as follows from seed and `k`: 150 KB each, in memory, on the CPU."""
    parts = batches(source.train, index, PART, stream=(seed, "score_augmentation", k), workers=workers)
    pixels = torch.empty(len(index), SIDE, SIDE, 3, dtype=torch.uint8)
    for there, (images, _) in zip(pixels.split(PART), parts, strict=True):
        there.copy_(images)
    return Split(pixels, source.train.labels[index])


def batches(
    files: Files, index: Tensor, batch_size: int, *, stream: Stream | None = None, workers: int = 0
) -> Iterator[Batch]:
    """The images at `index` in its order, as in training if there is a stream to augment them from, else as in testing.

    Args:
        files: the split.
        index: int64 [N].
        batch_size: images of a batch; the last may have fewer.
        stream: extended by its index it is the stream of an image.
        workers: processes that decode a batch each and hold up to two that are done; 0 decodes in this one.

    Raises:
        DataError: an image cannot be decoded; where its batch is reached.
        ValueError: a batch would have no images.
    """
    if batch_size < 1:
        raise ValueError(f"batches of {batch_size} images were asked for; a batch needs at least one")
    loader = DataLoader(
        _Batches(files, index, batch_size, stream),
        batch_size=None,
        num_workers=workers,
        generator=torch.Generator(),  # its own, from which it draws a seed, instead of the global one
    )
    return _checked(loader)


def _checked(loader: DataLoader[Batch | DataError]) -> Iterator[Batch]:
    # A generator, since one that is left, or that raises, lets go of the loader's iterator, and so ends the workers.
    for found in loader:
        if isinstance(found, DataError):
            raise found
        yield found


@dataclass(frozen=True, eq=False)
class _Batches(Dataset[Batch | DataError]):
    files: Files
    index: Tensor
    size: int
    stream: Stream | None

    def __len__(self) -> int:
        return -(-len(self.index) // self.size)

    def __getitem__(self, number: int) -> Batch | DataError:
        index = self.index[number * self.size : (number + 1) * self.size]
        try:
            images = [self._pixels(position) for position in index.tolist()]
        except DataError as error:
            return error  # a loader would raise it with the worker's traceback for a message
        return torch.from_numpy(np.stack(images)), self.files.labels[index]

    def _pixels(self, position: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        image = _decoded(self.files.folder / os.fsdecode(self.files.paths[position]))
        if self.stream is None:
            return np.array(_middle(image))
        return np.array(_resized_crop(image, generator(*self.stream, position)))


def _decoded(path: Path) -> Image:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise DataError(f"{path} is not a whole image; fetch it again") from error


def _resized_crop(image: Image, stream: torch.Generator) -> Image:
    from torchvision.transforms import functional

    box = random_boxes(1, image.height, image.width, stream)[0].tolist()
    crop = functional.resized_crop(image, *box, [SIDE, SIDE])
    flip = torch.randint(2, (), generator=stream)
    return functional.hflip(crop) if flip else crop  # type: ignore[no-any-return]


def _middle(image: Image) -> Image:
    from torchvision.transforms import functional

    return functional.center_crop(functional.resize(image, SHORTER_SIDE), [SIDE, SIDE])  # type: ignore[no-any-return]
