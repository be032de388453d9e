"""What is installed is all there is."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_every_package_is_in_a_wheel():
    setuptools = pytest.importorskip("setuptools", reason="setuptools, which finds the packages, is not installed")
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    packages = setuptools.find_packages(str(ROOT), include=found["include"])
    rooms = ("bench", "pruning", "reports", "results")
    there = {
        ".".join(path.parent.relative_to(ROOT).parts) for room in rooms for path in (ROOT / room).rglob("__init__.py")
    }
    assert {"reports.dynamics", "pruning.dynamics"} <= there
    assert set(packages) == there
