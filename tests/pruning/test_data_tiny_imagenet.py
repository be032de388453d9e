"""Tiny-ImageNet's folder, on two made-up classes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pruning import data
from pruning.data import tiny_imagenet

# Not in alphabetical order, as in the original file.
WNIDS = ("n02", "n01")


def save(path: Path, grey: int, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (64, 64), grey if mode == "L" else (grey,) * 3).save(path)


def write(root: Path, train: int, val: int) -> Path:
    """Class n01 has grey values below 100, n02 above; the last image of each is stored as greyscale."""
    folder = root / "tiny-imagenet-200"
    rows = []
    for wnid, base in zip(WNIDS, (100, 0), strict=True):
        for number in range(train):
            save(
                folder / f"train/{wnid}/images/{wnid}_{number}.JPEG",
                base + number,
                "L" if number == train - 1 else "RGB",
            )
        for number in range(val):
            save(folder / f"val/images/{wnid}_{number}.JPEG", base + 50 + number)
            rows.append(f"{wnid}_{number}.JPEG\t{wnid}\t0\t0\t62\t62\n")
    (folder / "wnids.txt").write_text("\n".join(WNIDS) + "\n")
    (folder / "val/val_annotations.txt").write_text("".join(rows))
    return folder


def test_classes_are_numbered_by_sorted_wordnet_id(tmp_path: Path) -> None:
    (images, labels), (val_images, val_labels) = tiny_imagenet.read(write(tmp_path, 3, 2), (3, 2))
    assert images.shape == (6, 64, 64, 3)
    assert images.dtype == np.uint8
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert images[:, 0, 0].tolist() == [[grey] * 3 for grey in (0, 1, 2, 100, 101, 102)]
    assert val_labels.tolist() == [1, 1, 0, 0]
    assert val_images[:, 0, 0, 0].tolist() == [150, 151, 50, 51]


def test_the_subset_is_not_taken_for_the_full_set(tmp_path: Path) -> None:
    folder = write(tmp_path, 50, 10)
    with pytest.raises(data.DataError) as raised:
        data.load("tiny_imagenet", tmp_path)
    assert str(raised.value) == (
        f"{folder} holds 'tiny_imagenet_subset', not 'tiny_imagenet' with 500 training and 50 validation images of "
        "each of its 2 classes; load 'tiny_imagenet_subset' or give another root"
    )


def test_the_full_set_is_not_taken_for_the_subset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 5, 4)
    monkeypatch.setitem(tiny_imagenet.NAMES, (5, 4), "tiny_imagenet")
    with pytest.raises(
        data.DataError, match=r"holds 'tiny_imagenet', not 'tiny_imagenet_subset'.*; load 'tiny_imagenet' or"
    ):
        data.load("tiny_imagenet_subset", tmp_path)


def test_missing_images_are_counted(tmp_path: Path) -> None:
    folder = write(tmp_path, 3, 2)
    (folder / "train/n01/images/n01_0.JPEG").unlink()
    message = (
        "holds 5 training and 4 validation images instead of 500 training and 50 validation images of each of its 2"
    )
    with pytest.raises(data.DataError, match=message):
        data.load("tiny_imagenet", tmp_path)


def test_two_classes_are_not_two_hundred(tmp_path: Path) -> None:
    write(tmp_path, 50, 10)
    with pytest.raises(data.DataError, match=r"has training images uint8 \[100, 64, 64, 3\], expected uint8 \[10000, "):
        data.load("tiny_imagenet_subset", tmp_path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path, 3, 2)
    path = folder / "val/images/n01_1.JPEG"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(data.DataError, match=r"val/images/n01_1.JPEG is not a whole JPEG image"):
        tiny_imagenet.read(folder, (3, 2))
    Image.new("RGB", (32, 64)).save(path)
    with pytest.raises(data.DataError, match=r"n01_1.JPEG has 32x64 pixels instead of 64x64"):
        tiny_imagenet.read(folder, (3, 2))
    (folder / "val/val_annotations.txt").write_text("n01_0.JPEG\tn03\n")
    with pytest.raises(data.DataError, match=r"should have a file name and a class of wnids.txt on every line"):
        tiny_imagenet.read(folder, (3, 2))


def test_missing_subset_says_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(data.MissingData, match="expected in tiny-imagenet-200; put its tiny-imagenet-200 folder"):
        data.load("tiny_imagenet_subset", tmp_path)
