"""A data set as values: two splits of uint8 images in canonical order, and a fingerprint of their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Arrays = tuple[Images, Labels]


@dataclass(frozen=True, eq=False)
class Split:
    """Images, uint8 [N, H, W, C] and contiguous, with their labels, int64 [N]."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> Split:
        """The same images and labels on `device`."""
        return Split(self.images.to(device), self.labels.to(device))

    def first(self, count: int) -> Split:
        """The first `count` images.

        Raises:
            ValueError: there are fewer, or `count` is not positive.
        """
        if not 0 < count <= len(self):
            raise ValueError(
                f"{count} images were asked for, and between 1 and {len(self)} can be had; lower the limit"
            )
        return Split(self.images[:count], self.labels[:count])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named pair of splits. `fingerprint` covers shapes, images and labels of both, never the name or the path."""

    name: str
    classes: int
    train: Split
    test: Split
    fingerprint: str

    @property
    def image(self) -> tuple[int, int, int]:
        """Shape of an image, [C, H, W]."""
        height, width, channels = self.train.images.shape[1:]
        return channels, height, width

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set on `device`."""
        return replace(self, train=self.train.to(device), test=self.test.to(device))

    def limited(self, train: int | None = None, test: int | None = None) -> Dataset:
        """The first images of each split, None for all of them, with the fingerprint of what is left.

        Raises:
            ValueError: more images are asked for than exist.
        """
        if train is None and test is None:
            return self
        kept_train = self.train if train is None else self.train.first(train)
        kept_test = self.test if test is None else self.test.first(test)
        return dataset(self.name, self.classes, kept_train, kept_test)


def dataset(name: str, classes: int, train: Split, test: Split) -> Dataset:
    """A data set of two splits, with its fingerprint computed."""
    return Dataset(name, classes, train, test, fingerprint(train, test))


def canonical_order(images: Images, labels: Labels) -> npt.NDArray[np.int64]:
    """Positions that sort the images by the SHA-1 of their bytes (HWC), ties by label: independent of their source."""
    rows = np.ascontiguousarray(images)
    keys = [
        (hashlib.sha1(row.data, usedforsecurity=False).digest(), int(label))
        for row, label in zip(rows, labels, strict=True)
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def split(images: Images, labels: Labels) -> Split:
    """A split of arrays that are in the wanted order; the arrays are copied."""
    return Split(torch.from_numpy(np.array(images, order="C")), torch.from_numpy(np.array(labels, dtype=np.int64)))


def fingerprint(train: Split, test: Split) -> str:
    """16 hexadecimal digits of the SHA-256 over shape, images and labels of both splits, in their order."""
    digest = hashlib.sha256()
    for part in (train, test):
        digest.update(f"{tuple(part.images.shape)}".encode())
        digest.update(part.images.cpu().contiguous().numpy().data)
        digest.update(part.labels.cpu().numpy().astype("<i8").data)
    return digest.hexdigest()[:16]
