"""Downloading, without a network."""

from pathlib import Path
from typing import Any

import pytest
import torchvision

from pruning import data


def test_a_failed_download_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(root: str, download: bool) -> None:
        raise OSError(f"no route to host, download={download}\nsecond line")

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", fail)
    with pytest.raises(data.DataError) as raised:
        data.download("cifar10", tmp_path / "new")
    assert str(raised.value) == (
        f"'cifar10' could not be downloaded to {tmp_path}/new (no route to host, download=True); "
        "check the network and try again"
    )


def test_tiny_imagenet_comes_from_its_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(torchvision.datasets.utils, "download_and_extract_archive", lambda *args: asked.append(args))
    with pytest.raises(data.MissingData, match="holds no 'tiny_imagenet'"):
        data.download("tiny_imagenet", tmp_path)
    assert asked == [("http://cs231n.stanford.edu/tiny-imagenet-200.zip", str(tmp_path))]


def test_what_needs_no_download_or_has_none(tmp_path: Path) -> None:
    data.download("digits", tmp_path / "unused")
    assert not (tmp_path / "unused").exists()
    with pytest.raises(data.DataError, match="'tiny_imagenet_subset' cannot be downloaded"):
        data.download("tiny_imagenet_subset", tmp_path)
    sentence = (
        rf"^'imagenet' cannot be downloaded; put imagenet/train and imagenet/val into {tmp_path}, with a folder for "
    )
    with pytest.raises(data.DataError, match=sentence):
        data.download("imagenet", tmp_path)
    with pytest.raises(ValueError, match="no data set is called 'mist'; did you mean mnist"):
        data.download("mist", tmp_path)
