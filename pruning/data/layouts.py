"""The ways in which a data set lies on disk: plain arrays, or what torchvision and CS231n unpack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pruning.data import files, tiny_imagenet
from pruning.data.dataset import Arrays


@dataclass(frozen=True)
class Layout:
    """One way in which a data set lies on disk: the files it needs and what reads both splits from the root."""

    files: tuple[str, ...]
    read: Callable[[Path], tuple[Arrays, Arrays]]

    @property
    def folder(self) -> Path:
        """Where it lies below the root."""
        return Path(self.files[0]).parent


def arrays(folder: str) -> Layout:
    """`folder/{train,test}_{images,labels}.npy`."""
    needed = tuple(f"{folder}/{part}_{kind}.npy" for part in ("train", "test") for kind in ("images", "labels"))

    def read(root: Path) -> tuple[Arrays, Arrays]:
        return files.read_arrays(root / folder, "train"), files.read_arrays(root / folder, "test")

    return Layout(needed, read)


def pickles(train: tuple[str, ...], test: str, label_key: str) -> Layout:
    """CIFAR's batches. Their order is free, so no checksum is compared."""

    def read(root: Path) -> tuple[Arrays, Arrays]:
        return files.read_pickles([root / name for name in train], label_key), files.read_pickle(root / test, label_key)

    return Layout((*train, test), read)


def idx(suffix: str = "") -> Layout:
    """MNIST's four idx files in `MNIST/raw`; suffix `.gz` for the compressed ones."""
    kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
    needed = tuple(f"MNIST/raw/{part}-{kind}{suffix}" for part in ("train", "t10k") for kind in kinds)

    def read(root: Path) -> tuple[Arrays, Arrays]:
        paths = [root / name for name in needed]
        return files.read_mnist(*paths[:2]), files.read_mnist(*paths[2:])

    return Layout(needed, read)


def jpegs(per_class: tuple[int, int]) -> Layout:
    """Tiny-ImageNet with so many training and validation images of each class."""
    needed = ("tiny-imagenet-200/wnids.txt", "tiny-imagenet-200/val/val_annotations.txt", "tiny-imagenet-200/train")
    return Layout(needed, lambda root: tiny_imagenet.read(root / "tiny-imagenet-200", per_class))
