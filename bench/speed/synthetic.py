"""A registry of made-up records that look like those of the paper's profile."""

from pathlib import Path

from results.record import Curve, DataFacts, Environment, Layer, Metrics, Record
from results.registry import Registry

_EPOCHS = 160
_LAYERS = 57  # of ResNet-56


def fill(root: Path, number: int) -> Registry:
    """A registry of ``number`` records under ``root`` that differ in their seeds."""
    registry = Registry(root)
    first = record(0)
    text = registry.put(first).read_text(encoding="utf-8")
    for seed in range(1, number):
        # Not put() one by one, which would take longer than all that is measured.
        other = record(seed)
        path = registry.path(other.profile, other.cell, other.key)
        path.write_text(text.replace(first.key, other.key).replace('"seed": 0', f'"seed": {seed}'), encoding="utf-8")
    return registry


def record(seed: int) -> Record:
    """One of 160 epochs and 57 layers."""
    epochs = list(range(1, _EPOCHS + 1))
    numbers: list[float | None] = [epoch / 7 for epoch in epochs]
    return Record(
        key=f"gradient_flow-resnet56-cifar10-loss-filters60-r1-s{seed}-0123abcd",
        cell={
            "suite": "gradient_flow",
            "model": "resnet56",
            "dataset": "cifar10",
            "score": "loss",
            "granularity": "filters",
            "amount": "0.60",
            "rounds": 1,
            "ablation": "none",
            "seed": seed,
        },
        profile="paper",
        protocol={"width": "1", "epochs": _EPOCHS},
        versions={"loss": 1},
        status="done",
        metrics=_METRICS,
        curve=Curve(
            epoch=epochs,
            round=[None] * _EPOCHS,
            lr=[0.1] * _EPOCHS,
            train_loss=numbers,
            train_accuracy=numbers,
            test_loss=numbers,
            test_accuracy=numbers,
        ),
        layers=[Layer(name=f"stages.{number}.conv", kept=number % 16 + 1, total=64) for number in range(_LAYERS)],
        environment=_ENVIRONMENT,
        data=DataFacts(name="cifar10", fingerprint="0" * 16, train_images=50_000, test_images=10_000),
        started="2026-01-31T12:00:00Z",
        finished="2026-01-31T13:00:00Z",
    )


_METRICS = Metrics(
    test_accuracy_best=90.0,
    best_epoch=150,
    test_accuracy_last=89.5,
    test_loss_last=0.5,
    train_accuracy_last=99.0,
    train_loss_last=0.1,
    filters_pruned=1200,
    filters_total=2000,
    params=340_000,
    params_dense=860_000,
    macs=50_000_000,
    macs_dense=125_800_000,
)
_ENVIRONMENT = Environment(
    device="cpu",
    device_name="none",
    threads=1,
    python="3.11",
    torch="2.11",
    cuda=None,
    platform="none",
    commit=None,
    dirty=None,
)
