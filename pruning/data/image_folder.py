"""ImageNet, and what else is laid out for torchvision's ImageFolder, a folder for every class; listed, not decoded."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pruning.data.errors import DataError, MissingData, OtherData

SUFFIXES = (".jpeg", ".jpg", ".png")

SIDE = 224
"""Pixels of every image, once it is scaled and cut (PROTOCOLS B.2)."""

IMAGENET = (1_000, 1_281_167, 50_000)
"""Classes, training and validation images."""

Listed = dict[str, list[os.DirEntry[str]]]


@dataclass(frozen=True, eq=False)
class Files:
    """The images of a split by class and then by name: paths below `folder`, bytes [N], and labels, int64 [N]."""

    folder: Path
    paths: npt.NDArray[np.bytes_]  # not strings: a forked worker that counts references to them copies them all
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Streamed:
    """A data set that stays on disk. `fingerprint` covers classes, names and sizes of the files, not their pixels.

    `workers` are the processes that decode it; no number depends on them.
    """

    name: str
    classes: int
    train: Files
    test: Files
    fingerprint: str
    workers: int = 0

    @property
    def image(self) -> tuple[int, int, int]:
        """Shape of an image once it is decoded, [C, H, W]."""
        return 3, SIDE, SIDE


def imagenet(root: str | os.PathLike[str]) -> Streamed:
    """All of ImageNet (ILSVRC2012) in `root/imagenet`; the size of each of its 1.3 million files is asked for.

    Raises:
        MissingData: it is not under the root.
        OtherData: it has other numbers of classes or images than ImageNet.
        DataError: as :func:`image_folder`.
    """
    found = image_folder("imagenet", root)
    numbers = found.classes, len(found.train), len(found.test)
    if numbers != IMAGENET:
        raise OtherData(
            f"{Path(root) / 'imagenet'} has {_counted(numbers)} images instead of ImageNet's {_counted(IMAGENET)}; "
            "complete it or give another root"
        )
    return found


def _counted(numbers: tuple[int, int, int]) -> str:
    return "{:,} classes with {:,} training and {:,} validation".format(*numbers)


def image_folder(name: str, root: str | os.PathLike[str]) -> Streamed:
    """The files of `root/name/{train,val}/<class>/*.JPEG`; classes are numbered in the order of their names.

    Raises:
        MissingData: it is not under the root.
        DataError: one of the splits is missing, a class has no image, or the splits have other classes.
    """
    folder = Path(root) / name
    if not folder.is_dir():
        raise MissingData(
            f"{root} holds no {name!r}; put {name}/train and {name}/val there, with a folder for each class in both"
        )
    train, val = _listed(folder / "train"), _listed(folder / "val")
    for part, listed, other in (("val", val, train), ("train", train, val)):
        if strange := sorted(listed.keys() - other.keys()):
            raise DataError(
                f"{folder / part / strange[0]} is a class of {part} alone; give both splits the same classes"
            )
    digest = hashlib.sha256()
    splits = _files(folder / "train", train, digest), _files(folder / "val", val, digest)
    return Streamed(name, len(train), *splits, digest.hexdigest()[:16])


def _listed(folder: Path) -> Listed:
    """The images of each class, both sorted by name."""
    if not folder.is_dir():
        raise DataError(f"{folder} is missing; put the images of that split there, in a folder for each class")
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    if not names:
        raise DataError(f"{folder} has no folders; sort its images into one for each class")
    return {name: _images(folder / name) for name in names}


def _images(folder: Path) -> list[os.DirEntry[str]]:
    found = [entry for entry in os.scandir(folder) if entry.name.lower().endswith(SUFFIXES)]
    if not found:
        raise DataError(f"{folder} holds no image ({', '.join(SUFFIXES)}); fetch those of its class again")
    return sorted(found, key=lambda entry: entry.name)


def _files(folder: Path, listed: Listed, digest: hashlib._Hash) -> Files:
    images = [(name, image) for name, entries in listed.items() for image in entries]
    for name, image in images:
        digest.update(os.fsencode(f"{folder.name}/{name}/{image.name} {image.stat().st_size}\n"))
    counts = torch.tensor([len(entries) for entries in listed.values()])
    paths = np.array([os.fsencode(f"{name}/{image.name}") for name, image in images])
    return Files(folder, paths, torch.arange(len(listed)).repeat_interleave(counts))
