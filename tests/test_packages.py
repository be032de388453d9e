"""What is installed is all there is."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("bench", "pruning", "reports", "results")


def test_every_folder_of_source_is_a_package_that_setuptools_finds():
    """It finds folders with an ``__init__.py`` whose parents have one too, below the names that it is given."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    assert found == {"include": [f"{room}*" for room in ROOMS], "namespaces": False}
    folders = {path.parent for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert {"reports/dynamics", "pruning/dynamics"} <= {path.relative_to(ROOT).as_posix() for path in folders}
    for folder in folders:
        for each in (folder, *folder.parents[: len(folder.relative_to(ROOT).parts) - 1]):
            assert (each / "__init__.py").is_file(), each
