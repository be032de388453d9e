"""Seconds to read a registry, against parsing its files without a look at them, and to render the mini report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.places import checkout
from bench.speed.race import Race
from bench.speed.sizes import Size
from bench.speed.synthetic import fill
from results.registry import Registry

pytestmark = [pytest.mark.speed, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("number", ["few", "many"])
def test_registry_load(number: str, race: Race, size: Size, tmp_path: Path) -> None:
    """Time all records being read, checked and sorted."""
    registry = fill(tmp_path, size.records[number])
    found = race.run(
        {"json.loads": lambda: [json.loads(path.read_bytes()) for path in tmp_path.rglob("*.json")]},
        ("Registry.records", registry.records),
        rounds=size.rounds,
        group="Registry",
        setup={"records": size.records[number]},
    )
    assert found.n == size.rounds
    assert len(registry.records()) == size.records[number]
    assert not registry.problems


def test_report(race: Race, size: Size, registry_root: Path, tmp_path: Path) -> None:
    """Time the command, as its user waits for it: Python's start, all pages and all figures."""
    command = [sys.executable, "-m", "reports", "render", "--profile=mini", f"--registry={registry_root}"]

    def ours() -> None:
        subprocess.run([*command, f"--out={tmp_path}"], cwd=checkout(), capture_output=True, check=True)

    race.run(
        {},
        ("python -m reports", ours),
        rounds=size.rounds,
        group="Report",
        setup={"profile": "mini", "records": len(Registry(registry_root).records("mini"))},
    )
    assert (tmp_path / "mini" / "index.html").exists()
