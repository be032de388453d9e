"""``kill -9`` while ``pytest -m benchmark`` is in the middle of a cell, then the same command again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from results.record import Record

CHECKOUT = Path(__file__).parents[2]


def command(folder: Path) -> list[str]:
    chosen = ["--model=vgg13", "--score=loss", "--rounds=3", "-k", "loss", "--device=cpu"]
    places = [f"--{name}={folder / name}" for name in ("registry", "cache-root")]
    pytest_ = [sys.executable, "-m", "pytest", "-m", "benchmark", "--no-report", "-p", "no:cacheprovider"]
    return [*pytest_, *chosen, *places]


def finished(folder: Path) -> Record:
    (path,) = (folder / "registry").rglob("*.json")
    return msgspec.json.decode(path.read_bytes(), type=Record)


@pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")
def test_the_same_command_again_gives_the_record_of_an_undisturbed_run(tmp_path):
    # Without what would make it a worker of the session that runs this test.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["OMP_NUM_THREADS"] = "1"

    def run(name: str) -> None:
        done = subprocess.run(
            command(tmp_path / name), cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout

    run("undisturbed")
    victim = subprocess.Popen(
        command(tmp_path / "killed"), cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    while not list((tmp_path / "killed").rglob("*.safetensors")):
        assert victim.poll() is None, "it ended before its first stage was stored"
        time.sleep(0.01)
    os.killpg(victim.pid, signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    assert list((tmp_path / "killed").rglob("*.json")) == [], "it was in the middle of the cell"

    run("killed")
    one, other = finished(tmp_path / "undisturbed"), finished(tmp_path / "killed")
    assert one.cell == other.cell
    assert (one.costs.stages_cached, other.costs.stages_cached) == (0, 1)
    assert (one.status, one.metrics, one.curve, one.layers) == ("done", other.metrics, other.curve, other.layers)
