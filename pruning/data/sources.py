"""Loading a data set by name from a folder that holds torchvision's layout or plain arrays."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pruning.data import tiny_imagenet
from pruning.data.dataset import Arrays, Dataset, Images, Labels, Split, canonical_order, dataset, split
from pruning.data.digits import digits
from pruning.data.errors import DataError, MissingData, OtherData
from pruning.data.layouts import Layout, arrays, idx, jpegs, pickles
from pruning.data.scaling import box_scaled
from pruning.names import unknown


@dataclass(frozen=True)
class Source:
    """What a data set must look like, and the layouts it may have, the preferred one first."""

    name: str
    classes: int
    shape: tuple[int, int, int]
    train: int
    test: int
    layouts: tuple[Layout, ...]


CIFAR10_BATCHES = tuple(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6))
CIFAR10_LAYOUTS = (arrays("cifar10"), pickles(CIFAR10_BATCHES, "cifar-10-batches-py/test_batch", "labels"))
CIFAR100_LAYOUTS = (arrays("cifar100"), pickles(("cifar-100-python/train",), "cifar-100-python/test", "fine_labels"))
SOURCES = {
    source.name: source
    for source in (
        Source("cifar10", 10, (32, 32, 3), 50_000, 10_000, CIFAR10_LAYOUTS),
        Source("cifar100", 100, (32, 32, 3), 50_000, 10_000, CIFAR100_LAYOUTS),
        Source("mnist", 10, (28, 28, 1), 60_000, 10_000, (arrays("mnist"), idx(), idx(".gz"))),
        Source("tiny_imagenet", 200, (64, 64, 3), 100_000, 10_000, (jpegs(tiny_imagenet.FULL),)),
        Source("tiny_imagenet_subset", 200, (64, 64, 3), 10_000, 2_000, (jpegs(tiny_imagenet.SUBSET),)),
    )
}
NAMES = ("digits", *SOURCES)


def load(name: str, root: str | os.PathLike[str] | None = None, image_size: int | None = None) -> Dataset:
    """The data set `name` in canonical order.

    Args:
        name: digits, cifar10, cifar100, mnist, tiny_imagenet or tiny_imagenet_subset.
        root: the folder with the data; only digits, which scikit-learn brings along, does without.
        image_size: side to scale the images down to by averaging whole blocks; None keeps the native one. The order
            is that of the native images, so the first n are the same images at every size.

    Raises:
        MissingData: the data set is not under the root.
        DataError: it is there, but incomplete, damaged or another one.
        ValueError: the name or the size is not known.
    """
    check_name(name)
    if name == "digits":
        return _dataset(name, 10, *digits(), image_size)
    if root is None:
        raise ValueError(f"{name!r} is read from disk; give the folder that holds it as root")
    return read(SOURCES[name], Path(root), image_size)


def check_name(name: str) -> None:
    """Raises a ValueError, with the nearest known name, if there is no such data set."""
    if name not in NAMES:
        raise unknown("data set", name, NAMES)


def read(source: Source, root: Path, image_size: int | None = None) -> Dataset:
    """The data set that `source` describes, from the first of its layouts that is complete."""
    try:
        layout = find_layout(source, root)
        train, test = layout.read(root)
        check_split(f"{root / layout.folder} has training", train, source, source.train)
        check_split(f"{root / layout.folder} has test", test, source, source.test)
    except OtherData:
        raise
    except MissingData as error:
        raise MissingData(f"{error}; {remedy(source.name, root)}") from error
    except DataError as error:
        raise DataError(f"{error}; remove what is there and {remedy(source.name, root)}") from error
    return _dataset(source.name, source.classes, train, test, image_size)


def find_layout(source: Source, root: Path) -> Layout:
    """The first complete layout; a data set of which only some files exist is damaged, not missing."""
    missing = [[name for name in layout.files if not (root / name).exists()] for layout in source.layouts]
    for layout, names in zip(source.layouts, missing, strict=True):
        if not names:
            return layout
    for layout, names in zip(source.layouts, missing, strict=True):
        if len(names) < len(layout.files):
            raise DataError(f"{root / names[0]} is missing beside the other files of {source.name!r}")
    folders = " or ".join(dict.fromkeys(str(layout.folder) for layout in source.layouts))
    raise MissingData(f"{root} holds no {source.name!r}, which was expected in {folders}")


def remedy(name: str, root: Path) -> str:
    """What a user can do about missing data, as the end of a sentence."""
    if name == "tiny_imagenet_subset":
        return f"put its tiny-imagenet-200 folder (50 training and 10 validation images of each class) into {root}"
    return f"fetch it with `python -m bench data --download {name} --data-root {root}`"


def check_split(holder: str, found: Arrays, source: Source, count: int) -> None:
    """Raises a DataError that begins with `holder` if type, shape, count or labels are not what the source promises."""
    images, labels = found
    wanted = (count, *source.shape)
    if images.dtype != np.uint8 or images.shape != wanted:
        raise DataError(f"{holder} images {_described(images)}, expected uint8 {list(wanted)}")
    if labels.dtype != np.int64 or labels.shape != (count,):
        raise DataError(f"{holder} labels {_described(labels)}, expected int64 [{count}]")
    low, high = int(np.min(labels)), int(np.max(labels))
    if low < 0 or high >= source.classes:
        raise DataError(f"{holder} labels from {low} to {high}, expected 0 to {source.classes - 1}")


def _described(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _dataset(name: str, classes: int, train: Arrays, test: Arrays, image_size: int | None) -> Dataset:
    return dataset(name, classes, _ordered(*train, image_size), _ordered(*test, image_size))


def _ordered(images: Images, labels: Labels, image_size: int | None) -> Split:
    order = canonical_order(images, labels)
    return split(box_scaled(images[order], image_size), labels[order])
