"""The chain of stages a cell is made of, as values: what to do, in which order, and what each result depends on."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from bench.cell import DYNAMICS, END, Cell, Point
from bench.names import check
from bench.protocol import Protocol
from bench.suites.missing_the_mark import ABLATIONS, TRAININGS, stops
from bench.suites.missing_the_mark import SUITE as WEIGHTS
from bench.versions import is_own

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
_RATES = ("lr", "lr_drops", "lr_factor", "warmup")
_SCORE = ("score_samples", "scoring_batch")
_ROUND = ("schedule", "total", "floor", "counting", "revival")
_AFTER_THE_MASK = ("shuffle", "reinit")
_SPARSE = (
    "initialisation",
    "score_samples",
    "scoring_batch",
    "batch_size",
    "temperature",
    "augmentation",
    "mean",
    "std",
)


@dataclass(frozen=True, kw_only=True)
class Train:
    """One epoch, counted from 1 over the whole run, then a test; ``round`` is None in base and final training.

    With ``steps`` it ends after so many iterations. With ``lr_from`` the rate climbs from there to ``lr``. What comes
    out of a ``shared`` one, other cells go on from.
    """

    epoch: int
    lr: float
    lr_from: float | None = None
    round: int | None
    steps: int | None = None
    shared: bool = False


@dataclass(frozen=True, kw_only=True)
class Score:
    """Score the filters in round ``k``, counted from 1; momentum starts anew.

    From a ``shared`` one, other cells go on.
    """

    k: int
    shared: bool = False


@dataclass(frozen=True, kw_only=True)
class Prune:
    """Mask and surgery of round ``k``."""

    k: int
    rounds: int
    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class Sparsify:
    """Score and mask weights, in ``iterations``; momentum starts anew. ``ablation`` is one of the scores, or none.

    A ``shared`` mask is kept for the ablations of masks and of the weights under them.
    """

    iterations: int
    amount: Decimal
    ablation: str = "none"
    shared: bool = False


@dataclass(frozen=True, kw_only=True)
class Alter:
    """What an ablation of a mask or of the weights under it does, and rewinding to the weights of an iteration."""

    ablation: str
    rewind: int | None


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Measure the network after an epoch, 0 before the first."""

    epoch: int


Stage = Train | Score | Prune | Sparsify | Alter | Probe


def plan(cell: Cell, protocol: Protocol, images: int = 0) -> list[Stage]:
    """The stages of ``cell``; ``images`` are those of the training set, which prune points in iterations need.

    Raises ValueError where rounds leave no epoch to train what they pruned, for an ablation of filters, for one of
    weights that there is not, and for an iteration that the schedule does not reach.
    """
    if cell.suite == WEIGHTS:
        return _weights(cell, protocol, images)
    if (cell.granularity, cell.ablation) != ("filters", "none"):
        raise ValueError(f"{cell.id}: suite {cell.suite} prunes filters, and there are no ablations of those")
    return _filters(cell, protocol)


def _filters(cell: Cell, protocol: Protocol) -> list[Stage]:
    """Every round trains one epoch at the first learning rate, then prunes; then comes the rest of the schedule.

    The schedule counts epochs from the start, rounds included, so that every cell trains equally long (A.4.1).
    """
    rounds, amount = cell.rounds or 0, cell.amount or Decimal(0)
    if rounds and rounds >= protocol.epochs:
        raise ValueError(
            f"{rounds} rounds need an epoch each and one after them; this protocol trains for {protocol.epochs}"
        )
    if protocol.warmup:
        raise ValueError(f"{cell.id}: warmup is {protocol.warmup}; rounds of filters begin at the whole rate, with 0")
    if cell.score == DYNAMICS:
        return list(_probed(protocol))
    stages: list[Stage] = []
    for k in range(1, rounds + 1):
        train = Train(epoch=k, lr=protocol.lr, round=k, shared=k == 1)
        stages += [train, Score(k=k, shared=k == 1 and not is_own(cell)), Prune(k=k, rounds=rounds, amount=amount)]
    final = (
        Train(epoch=epoch, lr=learning_rate(epoch, protocol), round=None, shared=epoch == 1)
        for epoch in range(rounds + 1, protocol.epochs + 1)
    )
    return [*stages, *final]


def _probed(protocol: Protocol) -> Iterator[Stage]:
    """The training of a base cell, and what is measured on its way."""
    if 0 in protocol.probes:
        yield Probe(epoch=0)
    for epoch in range(1, protocol.epochs + 1):
        yield Train(epoch=epoch, lr=learning_rate(epoch, protocol), round=None)
        if epoch in protocol.probes:
            yield Probe(epoch=epoch)


def _weights(cell: Cell, protocol: Protocol, images: int) -> list[Stage]:
    """The dense network up to the prune point, the mask, and the whole schedule from its start (PROTOCOLS B.3)."""
    check("ablation", [cell.ablation], ABLATIONS if cell.amount else (*ABLATIONS, *TRAININGS))
    begun_from = stops(cell.model, cell.dataset)
    if cell.amount is None or cell.rounds is None:
        return list(dense(END, protocol, images, begun_from))
    if cell.granularity != "weights":
        raise ValueError(f"{cell.id}: suite {cell.suite} prunes weights, not {cell.granularity}")
    list(dense(cell.rewind or 0, protocol, images))  # raises now where the run would much later
    before = list(dense(cell.at, protocol, images, begun_from, round_=1))
    late = cell.ablation if cell.ablation in _AFTER_THE_MASK else "none"
    mask = Sparsify(
        iterations=cell.rounds,
        amount=cell.amount,
        ablation="none" if cell.ablation == late else cell.ablation,
        shared=has_shared_mask(cell),
    )
    altered = [Alter(ablation=late, rewind=cell.rewind)] if late != "none" or cell.rewind is not None else []
    after = (replace(_epoch(epoch, protocol), epoch=len(before) + epoch) for epoch in range(1, protocol.epochs + 1))
    return [*before, mask, *altered, *after]


def has_shared_mask(cell: Cell) -> bool:
    """Whether a mask of weights is kept for others: where there is one, it takes long, and they may go on from it."""
    cheap = cell.granularity != "weights" or cell.score in ("random", "magnitude") or is_own(cell)
    return not cheap and cell.ablation in ("none", *_AFTER_THE_MASK)


def dense(
    until: Point, protocol: Protocol, images: int, begun_from: Iterable[int] = (), round_: int | None = None
) -> Iterator[Train]:
    """The training of the unpruned network until a prune point, which others share.

    They share its last epoch, and the last whole one before each of the iterations ``begun_from``, so that nobody
    trains more than a part of an epoch again. Raises ValueError for an iteration that the schedule does not reach.
    """
    per_epoch = max(1, -(-images // protocol.batch_size))
    whole, steps = (protocol.epochs, 0) if isinstance(until, str) else divmod(until, per_epoch)
    last = whole + bool(steps)
    if last > protocol.epochs:
        raise ValueError(f"iteration {until} comes after {protocol.epochs} epochs of {per_epoch} iterations")
    kept = {last, *(point // per_epoch for point in begun_from)}
    for epoch in range(1, last + 1):
        part = steps if epoch == last and steps else None
        yield replace(_epoch(epoch, protocol), round=round_, steps=part, shared=epoch in kept)


def learning_rate(epoch: int, protocol: Protocol) -> float:
    """The rate of an epoch, counted from 1: times ``lr_factor`` after each drop. Rounded, so that 0.1 * 0.1 is 0.01.

    Through the epochs of a warm-up it is only reached at their end.
    """
    drops = sum(epoch > drop for drop in protocol.lr_drops)
    return float(f"{protocol.lr * protocol.lr_factor**drops:.12g}")


def _epoch(epoch: int, protocol: Protocol) -> Train:
    """An epoch of the schedule, counted from 1."""
    rate = learning_rate(epoch, protocol)
    if epoch > protocol.warmup:
        return Train(epoch=epoch, lr=rate, round=None)
    share = rate / protocol.warmup
    return Train(epoch=epoch, lr=share * epoch, lr_from=share * (epoch - 1), round=None)


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
    start["initialisation"] = initialisation(cell, protocol)
    if protocol.probes:  # what is measured is a part of the state
        start["probes"] = list(protocol.probes)
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
        rates = {"lr": stage.lr} if stage.lr_from is None else {"lr": stage.lr, "lr_from": stage.lr_from}
        facts: dict[str, Any] = {"train": {"epoch": stage.epoch, **rates, "steps": stage.steps}}
        names: tuple[str, ...] = _TRAINING
        used: tuple[str, ...] = ("training", "augmentation")
    elif isinstance(stage, Sparsify):
        facts = {"sparsify": [cell.score, stage.ablation, stage.iterations, str(stage.amount)]}
        names, used = _SPARSE, ("score", "masks", "augmentation")
    elif isinstance(stage, Probe):
        facts = {"probe": stage.epoch}
        names, used = (*_TRAINING, "score_samples"), ("dynamics", "masks", "surgery", "augmentation")
    elif isinstance(stage, Alter):
        facts = {"alter": [stage.ablation, stage.rewind]}
        names, used = (*_TRAINING, "initialisation", *_RATES), ("masks", "training", "augmentation")
    elif isinstance(stage, Score):
        facts = {"score": [cell.score, stage.k]}
        names, used = _SCORE, ("score",)
    else:
        facts = {"prune": [stage.k, stage.rounds, str(stage.amount)]}
        names, used = _ROUND, ("masks", "surgery")
    return facts | {name: settings[name] for name in names} | {f"v_{name}": versions[name] for name in used}


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def initialisation(cell: Cell, protocol: Protocol) -> str:
    """How the network that ``cell`` trains is initialised, by its name in pruning.models."""
    return "unit_variance" if cell.ablation == "unit_variance" else protocol.initialisation


def is_shared(stage: Stage) -> bool:
    """Whether other cells of the same model, data set and seed go on from this stage."""
    return isinstance(stage, Train | Score | Sparsify) and stage.shared
