"""A record to begin with, and a registry to put it in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from results.record import Curve, DataFacts, Environment, Layer, Metrics, Record
from results.registry import Registry

MakeRecord = Callable[..., Record]

METRICS = Metrics(
    test_accuracy_best=92.5,
    best_epoch=7,
    test_accuracy_last=92.25,
    test_loss_last=0.5,
    train_accuracy_last=99.0,
    train_loss_last=0.125,
    filters_pruned=3,
    filters_total=4,
    params=1000,
    params_dense=16000,
    macs=2000,
    macs_dense=32000,
)
RECORD = Record(
    key="gradient_flow-vgg13-cifar10-loss-filters75-r1-s0-0123abcd",
    cell={
        "suite": "gradient_flow",
        "model": "vgg13",
        "dataset": "cifar10",
        "score": "loss",
        "granularity": "filters",
        "amount": "0.75",
        "rounds": 1,
        "ablation": "none",
        "seed": 0,
    },
    profile="mini",
    protocol={"width": "1", "lr_drops": [4, 6]},
    versions={"loss": 1},
    status="done",
    metrics=METRICS,
    curve=Curve(epoch=[1, 2], round=[1, None], lr=[0.1, 0.01], test_accuracy=[50.0, 92.25]),
    layers=[Layer(name="features.0", kept=1, total=2), Layer(name="features.3", kept=0, total=2)],
    environment=Environment(
        device="cpu",
        device_name="a processor",
        threads=1,
        python="3.11.7",
        torch="2.11.0",
        cuda=None,
        platform="linux",
        commit="0" * 40,
        dirty=False,
    ),
    data=DataFacts(name="cifar10", fingerprint="f" * 40, train_images=5000, test_images=1000),
    started="2026-01-31T11:55:00Z",
    finished="2026-01-31T12:00:00Z",
)


@pytest.fixture
def make_record() -> MakeRecord:
    """The record above with the fields given changed; ``seed`` changes cell and key together."""

    def make(*, seed: int = 0, **changes: Any) -> Record:
        key = f"gradient_flow-vgg13-cifar10-loss-filters75-r1-s{seed}-0123abcd"
        return msgspec.structs.replace(RECORD, **{"key": key, "cell": {**RECORD.cell, "seed": seed}, **changes})

    return make


@pytest.fixture
def record() -> Record:
    return RECORD


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "runs")


@pytest.fixture
def tree(registry: Registry) -> Callable[[], dict[str, bytes]]:
    """Every file of the registry with its content, to see that nothing changed."""
    return lambda: {
        str(path.relative_to(registry.root)): path.read_bytes() for path in registry.root.rglob("*") if path.is_file()
    }
