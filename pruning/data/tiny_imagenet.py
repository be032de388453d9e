"""Tiny-ImageNet as it is unpacked: `train/<wnid>/images/*.JPEG`, `val/images` and `val/val_annotations.txt`.

Classes are numbered in the order of their sorted WordNet ids. Greyscale files become RGB.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pruning.data.dataset import Arrays, Images
from pruning.data.errors import DataError, OtherData

FULL = (500, 50)
SUBSET = (50, 10)
NAMES = {FULL: "tiny_imagenet", SUBSET: "tiny_imagenet_subset"}

Labelled = list[tuple[Path, int]]


def read(folder: Path, per_class: tuple[int, int]) -> tuple[Arrays, Arrays]:
    """Train and validation split, which must have exactly `per_class` images of every class."""
    classes = _classes(folder)
    train, val = _train_files(folder, classes), _val_files(folder, classes)
    _check_counts(folder, train, val, len(classes), per_class)
    return _decode(train), _decode(val)


def _classes(folder: Path) -> dict[str, int]:
    names = sorted((folder / "wnids.txt").read_text().split())
    if len(set(names)) != len(names) or not names:
        raise DataError(f"{folder / 'wnids.txt'} should list every class once")
    return {name: number for number, name in enumerate(names)}


def _train_files(folder: Path, classes: dict[str, int]) -> Labelled:
    folders = {name: folder / "train" / name / "images" for name in classes}
    return [(path, classes[name]) for name, images in folders.items() for path in sorted(images.glob("*.JPEG"))]


def _val_files(folder: Path, classes: dict[str, int]) -> Labelled:
    annotations = folder / "val" / "val_annotations.txt"
    rows = [line.split("\t") for line in annotations.read_text().splitlines() if line]
    if any(len(row) < 2 or row[1] not in classes for row in rows):
        raise DataError(f"{annotations} should have a file name and a class of wnids.txt on every line")
    return [(folder / "val" / "images" / row[0], classes[row[1]]) for row in rows]


def _check_counts(folder: Path, train: Labelled, val: Labelled, classes: int, expected: tuple[int, int]) -> None:
    of_train, of_val = (Counter(label for _, label in files) for files in (train, val))
    found = {(of_train[label], of_val[label]) for label in range(classes)}
    if found == {expected}:
        return
    wanted = f"{expected[0]} training and {expected[1]} validation images of each of its {classes} classes"
    other = NAMES.get(found.pop()) if len(found) == 1 else None
    if other:
        raise OtherData(
            f"{folder} holds {other!r}, not {NAMES[expected]!r} with {wanted}; load {other!r} or give another root"
        )
    raise DataError(f"{folder} holds {len(train)} training and {len(val)} validation images instead of {wanted}")


def _decode(files: Labelled) -> Arrays:
    # Threads are enough: Pillow releases the interpreter's lock while it decodes.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        images = list(pool.map(_pixels, (path for path, _ in files)))
    return np.stack(images), np.array([label for _, label in files], dtype=np.int64)


def _pixels(path: Path) -> Images:
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise DataError(f"{path} is not a whole JPEG image") from error
    if pixels.shape != (64, 64, 3):
        raise DataError(f"{path} has {pixels.shape[1]}x{pixels.shape[0]} pixels instead of 64x64")
    return pixels
