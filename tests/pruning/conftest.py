"""An image folder of three made-up classes, for what is decoded on the way."""

from pathlib import Path

import pytest

from pruning.data import Streamed
from pruning.data.image_folder import image_folder

from .image_files import save

CLASSES = ("n03", "n01", "n02")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three images of each class in train, two in val, of a data set called tiny."""
    for label, name in enumerate(CLASSES):
        for number in range(5):
            part = "train" if number < 3 else "val"
            save(tmp_path / f"tiny/{part}/{name}/{name}_{number}.JPEG", 5 * label + number)
    return tmp_path


@pytest.fixture
def tiny(root: Path) -> Streamed:
    """It, listed."""
    return image_folder("tiny", root)
