"""Runs of pytest on the real checkout, with an experiment that measures nothing and takes no time."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

ALONE = ("-p", "stub_experiment", "-p", "no:cacheprovider", "-p", "no:reports.plugin")
"""Arguments for pytest: no measuring, no traces in the checkout, and no rendering of what is not there."""

STUB = '''
"""Stands in for bench.experiment; STUB_PLAN says how cells behave, by a part of their id."""

import contextlib
import json
import os
import sys
import time
import types
from datetime import UTC, datetime
from pathlib import Path

from bench.progress import Progress
from bench.protocol import key
from bench.versions import versions
from results.record import Costs, Environment, Metrics, Record


class MissingData(Exception):
    pass


class OutOfMemoryError(RuntimeError):
    pass


ERRORS = {
    "missing": MissingData("no cifar10 here; download it"),
    "memory": OutOfMemoryError("CUDA out of memory"),
    "interrupt": KeyboardInterrupt(),
    "error": RuntimeError("two\\nlines"),
}


def environment(settings):
    return Environment(
        device=settings.device, device_name="stub", threads=1, python="3", torch="0", cuda=None, platform="stub",
        commit=None, dirty=None,
    )


def lane(device):
    return contextlib.nullcontext()


def running(cell, profile, settings, listener, keep):
    yield True
    with Path(os.environ["STUB_LOG"]).open("a") as log:
        where = os.environ.get("PYTEST_XDIST_WORKER", "alone"), os.environ.get("OMP_NUM_THREADS", "all")
        print(cell.id, settings.device, *where, file=log)
    plan = json.loads(os.environ["STUB_PLAN"])
    behaviour = next((plan[part] for part in plan if part in cell.id), "done")
    if behaviour in ERRORS:
        raise ERRORS[behaviour]
    if behaviour == "slow":
        time.sleep(0.02)
    for epoch in (1, 2):
        listener(Progress(
            cell_id=cell.id, epoch=epoch, epochs=2, train_loss=1.0, test_accuracy=50.0, seconds_left=1.0
        ))
    found = versions(cell, settings.score_references)
    metrics = Metrics(
        test_accuracy_best=91.5, best_epoch=1, test_accuracy_last=90.25, test_loss_last=1.0, train_accuracy_last=99.0,
        train_loss_last=0.1, filters_pruned=30, filters_total=40, params=1, params_dense=2, macs=1, macs_dense=2,
    )
    return Record(
        key=key(cell, profile.protocol, found), cell=cell.to_dict(), profile=profile.name,
        protocol=profile.protocol.to_dict(), versions=found, status=behaviour, metrics=metrics,
        costs=Costs(seconds_total=1.5, stages_run=1), environment=environment(settings),
        started="2026-01-01T00:00:00+00:00", finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


experiment = types.ModuleType("bench.experiment")
experiment.running, experiment.lane, experiment.environment = running, lane, environment
sys.modules["bench.experiment"] = experiment
sys.modules["pruning.data"] = types.ModuleType("pruning.data")
sys.modules["pruning.data"].MissingData = MissingData


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        Path(os.environ["STUB_LOG"]).with_name("modules").write_text(" ".join(sys.modules))
'''


@dataclass
class Lab:
    """A registry of its own, and a pytest to fill it."""

    folder: Path
    bytecode: Path  # shared, since most of the time of a run that does nothing is compiling
    plan: dict[str, str] = field(default_factory=dict)

    alone = ALONE

    @property
    def registry(self) -> Path:
        return self.folder / "runs"

    def pytest(self, *arguments: str, options: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """pytest in the checkout, as a user would start it."""
        ours = [f"--registry={self.registry}", "--device=cpu"] if options else []
        # Where cells are only listed, both plugins are there as users have them: neither may print or import much.
        alone = ALONE[:4] if "--collect-only" in arguments else ALONE
        quick = [*alone, "-p", "no:hypothesispytest"]
        return self._start("pytest", *quick, *ours, *arguments, **environment)

    def bench(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self._start("bench", *arguments, **environment)

    def _start(self, module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=CHECKOUT,
            env=self._environment(environment),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        unwanted = ("PYTEST", "PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        ours = {
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(self.folder)]),
            "PYTHONPYCACHEPREFIX": str(self.bytecode),
            "STUB_LOG": str(self.folder / "log"),
            "STUB_PLAN": json.dumps(self.plan),
        }
        return {**inherited, **ours, **extra}

    def ran(self) -> list[str]:
        """Ids of the cells that were run since the last call, in order."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]

    def workers(self) -> set[tuple[str, str]]:
        """Where cells were run since the last call of :meth:`ran`, and with how many threads."""
        lines = (self.folder / "log").read_text().splitlines()
        return {(line.split()[2], line.split()[3]) for line in lines}

    def modules(self) -> set[str]:
        """What the last pytest had imported when it ended."""
        return set((self.folder / "modules").read_text().split())

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.registry.rglob("*.json"))]


@pytest.fixture
def lab(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    (tmp_path / "stub_experiment.py").write_text(STUB)
    return Lab(tmp_path, tmp_path_factory.getbasetemp() / "bytecode")
