"""Records made by hand, a registry to put them in, and a profile's whole grid with values that nobody published."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bench import profiles
from bench.cell import Cell
from bench.protocol import Protocol, key
from bench.versions import versions as versions_of
from reports.evidence import Evidence, gather
from results.record import Curve, Environment, Metrics, Record, Status
from results.registry import Registry

ENVIRONMENT = Environment(
    device="cpu",
    device_name="a processor",
    threads=2,
    python="3.11.7",
    torch="2.11.0",
    cuda=None,
    platform="linux",
    commit="abcdef0123456789",
    dirty=False,
)

MakeRecord = Callable[..., Record]


def current(cell: Cell) -> dict[str, int | str]:
    """The versions of today; a score of nobody's own counts as a user's."""
    try:
        return versions_of(cell, {})
    except ValueError:
        known = versions_of(replace(cell, model="vgg13", dataset="cifar10", score="random"), {})
        return {**known, "score": "theirs:score@01234567"}


def _share(cell: Cell, total: int) -> int:
    return 0 if cell.amount is None else int(cell.amount * total)  # exact: the amounts are whole percents of 100


def make(
    cell: str,
    *,
    profile: str = "paper",
    best: float | None = 92.0,
    last: float | None = 91.5,
    status: Status = "done",
    protocol: Protocol | None = None,
    versions: dict[str, int | str] | None = None,
    finished: str = "2026-01-02T00:00:00Z",
    pruned: int | None = None,
    total: int = 100,
    curve: Curve | None = None,
    dirty: bool = False,
) -> Record:
    where = Cell.parse(cell)
    how = protocol or profiles.get(profile).protocol_of(where)
    made_by = versions or current(where)
    metrics = Metrics(
        test_accuracy_best=best,
        best_epoch=1,
        test_accuracy_last=last,
        test_loss_last=0.5,
        train_accuracy_last=99.0,
        train_loss_last=0.1,
        filters_pruned=_share(where, total) if pruned is None else pruned,
        filters_total=total,
        params=10,
        params_dense=100,
        macs=20,
        macs_dense=200,
    )
    return Record(
        key=key(where, how, made_by),
        cell=where.to_dict(),
        profile=profile,
        protocol=how.to_dict(),
        versions=made_by,
        status=status,
        error=None if status in ("done", "diverged") else "Boom: it broke",
        metrics=metrics if status in ("done", "diverged") else None,
        curve=curve or Curve(),
        environment=msgspec.structs.replace(ENVIRONMENT, dirty=dirty),
        started="2026-01-01T00:00:00Z",
        finished=finished,
    )


@pytest.fixture
def make_record() -> MakeRecord:
    """Call it with a cell's id and whatever matters to the test."""
    return make


@pytest.fixture
def evidence_of() -> Callable[..., Evidence]:
    """The evidence for a profile in hand-made records."""
    return lambda *records, profile="paper": gather(profiles.get(profile), records)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry."""
    return Registry(tmp_path / "runs")


def _curve(epochs: int, rounds: int, level: float) -> Curve:
    accuracy = [level * (1 - math.exp(-(epoch + 2) / (epochs / 5))) for epoch in range(epochs)]
    return Curve(
        epoch=list(range(1, epochs + 1)),
        round=[epoch if epoch <= rounds else None for epoch in range(1, epochs + 1)],
        test_accuracy=list(accuracy),
        train_accuracy=[value - 3.0 for value in accuracy],
    )


@pytest.fixture
def full() -> Callable[..., list[Record]]:
    """Every cell of a profile, done, at accuracies around 50.5 that no table prints."""

    def build(name: str, limit_seeds: int = 3) -> list[Record]:
        profile = profiles.get(name)
        records = []
        for place, cell in enumerate(profile.cells(suites=("gradient_flow",))):
            if cell.seed >= limit_seeds:
                continue
            level = 50.5137 + 0.0113 * (place % 17) + 0.2 * cell.seed
            curve = _curve(profile.protocol.epochs, cell.rounds or 0, level)
            records.append(make(cell.id, profile=name, best=level, last=level - 0.1, curve=curve))
        return records

    return build
