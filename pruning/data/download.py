"""Fetching a data set from where its authors keep it."""

from __future__ import annotations

import os
from pathlib import Path

from pruning.data.errors import DataError
from pruning.data.sources import check_name, load

TINY_IMAGENET = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"


def download(name: str, root: str | os.PathLike[str]) -> None:
    """Puts the data set into `root`, in torchvision's layout; one that can be loaded already is left alone.

    Raises:
        DataError: it could not be fetched, or what came cannot be loaded.
    """
    if name == "imagenet":
        raise DataError(
            f"'imagenet' cannot be downloaded; put imagenet/train and imagenet/val into {root}, with a folder for each "
            "class in both"
        )
    check_name(name)
    if name == "digits" or _is_there(name, root):
        return
    if name == "tiny_imagenet_subset":
        raise DataError("'tiny_imagenet_subset' cannot be downloaded; download 'tiny_imagenet' and use the full set")
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
        _fetch(name, root)
    except Exception as error:  # network, disk, archive and checksum errors have no common base class
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{name!r} could not be downloaded to {root} ({reason}); check the network and try again"
        ) from error
    load(name, root)


def _is_there(name: str, root: str | os.PathLike[str]) -> bool:
    try:
        load(name, root)
    except DataError:
        return False
    return True


def _fetch(name: str, root: str | os.PathLike[str]) -> None:
    from torchvision import datasets

    if name == "tiny_imagenet":
        datasets.utils.download_and_extract_archive(TINY_IMAGENET, str(root))
        return
    kinds = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100, "mnist": datasets.MNIST}
    kinds[name](str(root), download=True)
