"""The chain of stages a cell is made of, as values: what to do, in which order, and what each result depends on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bench.cell import Cell
from bench.protocol import Protocol

_TRAINING = (
    "batch_size",
    "momentum",
    "weight_decay",
    "temperature",
    "augmentation",
    "mean",
    "std",
    "precision",
)
_ROUND = ("schedule", "total", "floor", "counting", "revival", "score_samples")


@dataclass(frozen=True, kw_only=True)
class Train:
    """One epoch, counted from 1 over the whole run, then a test; ``round`` is None in base and final training."""

    epoch: int
    lr: float
    round: int | None


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Score, mask and surgery of round ``k``, counted from 1; momentum starts anew."""

    k: int
    rounds: int
    amount: Decimal


Stage = Train | Prune


def plan(cell: Cell, protocol: Protocol) -> list[Stage]:
    """Every round trains one epoch at the first learning rate, then prunes; then comes the rest of the schedule.

    The schedule counts epochs from the start, rounds included, so that every cell trains equally long (A.4.1). Raises
    ValueError where the rounds leave no epoch to train what they pruned, and for cells that nothing here can run.
    """
    if (cell.granularity, cell.ablation) != ("filters", "none"):
        raise ValueError(f"{cell.id}: only filters can be pruned here, and there are no ablations")
    rounds, amount = cell.rounds or 0, cell.amount or Decimal(0)
    if rounds and rounds >= protocol.epochs:
        raise ValueError(
            f"{rounds} rounds need an epoch each and one after them; this protocol trains for {protocol.epochs}"
        )
    stages: list[Stage] = []
    for k in range(1, rounds + 1):
        stages += [Train(epoch=k, lr=protocol.lr, round=k), Prune(k=k, rounds=rounds, amount=amount)]
    final = (
        Train(epoch=epoch, lr=learning_rate(epoch, protocol), round=None)
        for epoch in range(rounds + 1, protocol.epochs + 1)
    )
    return [*stages, *final]


def learning_rate(epoch: int, protocol: Protocol) -> float:
    """The rate of an epoch, counted from 1: a tenth after each drop. Rounded, so that 0.1 / 10 is 0.01."""
    drops = sum(epoch > drop for drop in protocol.lr_drops)
    return float(f"{protocol.lr * 0.1**drops:.12g}")


def keys(
    cell: Cell,
    protocol: Protocol,
    stages: Sequence[Stage],
    versions: Mapping[str, int | str],
    surroundings: Mapping[str, Any],
) -> list[str]:
    """A key per stage, of everything its outcome depends on: the chain before it, its own settings and versions.

    ``surroundings`` are facts that change bits but not meaning (device, threads, source code, library versions), and
    the data's fingerprint. Two cells share a stage where their keys agree.
    """
    settings = protocol.to_dict()
    start = {name: settings[name] for name in ("width", "image_size", "train_limit", "test_limit")}
    chain = _digest(
        {
            "cell": [cell.model, cell.dataset, cell.seed],
            "protocol": start,
            "versions": {name: versions[name] for name in ("model", "dataset")},
            "surroundings": dict(surroundings),
        }
    )
    result = []
    for stage in stages:
        chain = _digest({"before": chain, "stage": _facts(stage, cell, settings, versions)})
        result.append(chain)
    return result


def _facts(stage: Stage, cell: Cell, settings: Mapping[str, Any], versions: Mapping[str, int | str]) -> dict[str, Any]:
    if isinstance(stage, Train):
        # The round is left out: an epoch is the same whether pruning follows or not.
        facts: dict[str, Any] = {"train": {"epoch": stage.epoch, "lr": stage.lr}}
        names: tuple[str, ...] = _TRAINING
        used: tuple[str, ...] = ("training", "augmentation")
    else:
        pruned = [cell.score, cell.granularity, cell.ablation, stage.k, stage.rounds, str(stage.amount)]
        facts = {"prune": pruned}
        names, used = _ROUND, ("score", "masks", "surgery")
    return facts | {name: settings[name] for name in names} | {f"v_{name}": versions[name] for name in used}


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def is_shared(stage: Stage) -> bool:
    """Whether other cells of the same model, data set and seed pass through this stage: the first epoch."""
    return isinstance(stage, Train) and stage.epoch == 1
