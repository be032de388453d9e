"""The real data sets, where there are some."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pruning import data
from pruning.data import sources
from pruning.data.errors import OtherData

pytestmark = pytest.mark.data

# Of the whole data sets, whatever the layout and order of the files.
FINGERPRINTS = {
    "cifar10": "0367cce803e7a74b",
    "cifar100": "71a8fedbad2c56f6",
    "mnist": "d1683bab52d8b131",
}


@pytest.fixture
def root() -> Path:
    if "PRUNING_BENCH_DATA" not in os.environ:
        pytest.skip("PRUNING_BENCH_DATA is not set")
    return Path(os.environ["PRUNING_BENCH_DATA"])


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_every_layout_gives_the_same_fingerprint(name: str, root: Path) -> None:
    source, found = sources.SOURCES[name], []
    for layout in source.layouts:
        try:
            found.append(sources.read(replace(source, layouts=(layout,)), root).fingerprint)
        except data.MissingData:
            continue
    if not found:
        pytest.skip(f"{name} is not under {root}")
    assert found == [FINGERPRINTS[name]] * len(found)


def test_tiny_imagenet_subset(root: Path) -> None:
    try:
        found = data.load("tiny_imagenet_subset", root, image_size=32)
    except (data.MissingData, OtherData) as error:
        pytest.skip(str(error))
    assert found.train.images.shape == (10_000, 32, 32, 3)
    assert found.train.labels.bincount().tolist() == [50] * 200
    assert found.test.labels.bincount().tolist() == [10] * 200
