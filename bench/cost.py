"""What running a cell will take: from records of the same kind of device where there are any, else from arithmetic."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Literal

from bench.cell import DYNAMICS, END, Cell, Point
from bench.cost_model import Machine, Run, any_seed, fitted, misses, usual
from bench.plan import dense, has_shared_mask
from bench.profiles import Profile
from bench.protocol import Precision, Protocol
from bench.suites.missing_the_mark import SUITE as WEIGHTS
from bench.suites.missing_the_mark import stops, training
from bench.versions import is_own
from results.record import Record

Source = Literal["measured", "fitted", "assumed"]
"""Measured on the same cell with another seed; fitted to records of other cells; or assumed, without any record."""

_MACS = {  # dense, 32 × 32 pixels, width 1
    "vgg13": 228.3e6,
    "mobilenet_v1": 46.4e6,
    "resnet56": 125.8e6,
    "lenet300_100": 0.35e6,
    "resnet20": 40.8e6,
    "vgg11": 152.8e6,
    "vgg16": 313.2e6,
    "vgg19": 398.1e6,
    "vgg2_16": 313.5e6,
    "wrn14_8": 1681e6,
    "wrn14_10": 2626e6,
    "wrn20_8": 2587e6,
    "wrn32_2": 275.6e6,
    "resnet18": 37e6,
    "resnet18_modified": 555.4e6,
    "resnet50": 83.4e6,
}
_PARAMETERS = {
    "vgg13": 9.4e6,
    "mobilenet_v1": 3.2e6,
    "resnet56": 0.86e6,
    "lenet300_100": 0.27e6,
    "resnet20": 0.27e6,
    "vgg11": 9.2e6,
    "vgg16": 14.7e6,
    "vgg19": 20e6,
    "vgg2_16": 15e6,
    "wrn14_8": 11.1e6,
    "wrn14_10": 17.3e6,
    "wrn20_8": 17.3e6,
    "wrn32_2": 1.9e6,
    "resnet18": 11.3e6,
    "resnet18_modified": 11.3e6,
    "resnet50": 25.6e6,
}
_IMAGES = {  # training images, test images, pixels a side
    "digits": (1500, 297, 32),
    "cifar10": (50_000, 10_000, 32),
    "cifar100": (50_000, 10_000, 32),
    "mnist": (60_000, 10_000, 28),
    "tiny_imagenet": (100_000, 10_000, 64),
    "tiny_imagenet_subset": (10_000, 2_000, 64),
    "imagenet": (1_281_167, 50_000, 224),
}
_LAYERS = {  # convolutions and linear layers
    "vgg13": 11,
    "mobilenet_v1": 28,
    "resnet56": 58,
    "lenet300_100": 3,
    "resnet20": 22,
    "vgg11": 9,
    "vgg16": 14,
    "vgg19": 17,
    "vgg2_16": 15,
    "wrn14_8": 16,
    "wrn14_10": 16,
    "wrn20_8": 22,
    "wrn32_2": 34,
    "resnet18": 21,
    "resnet18_modified": 21,
    "resnet50": 54,
}
_OPERATIONS = 3  # a layer convolves, normalises and rectifies
_CORE_SPEED = 0.04e12  # multiply-adds a second: 16 at 2.5 GHz
_GPU_SPEED: Mapping[Precision, float] = {"fp32": 11e12, "tf32": 80e12, "bf16": 160e12}  # a third of an H200's peak
_OPERATION_SECONDS = {"cpu": 0.2e-3, "cuda": 2.5e-6}  # of the least: 2 MB in and out of memory; a kernel of a graph
_SCORING_PASSES = 10  # forward passes that a Hessian product takes as long as
_PROBE_PASSES = 3 * 4  # gradients at two temperatures, and those of five networks, four of them pruned
_RANKING_SECONDS = 60e-9  # of a weight
_ASSUMED_MACHINE = Machine(threads=2, device_name="")
_FEWEST = 5
"""Cells below which leaving one out says nothing of how far the others are off."""

_RECORD_BYTES = 30_000


Kept = tuple[object, ...]
"""Which state it is: model, data set, seed, and what has been done."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Seconds and disk of one cell."""

    seconds: float
    record_bytes: int
    kept: Mapping[Kept, int]  # bytes of the states that stay for other cells, which may be the same ones
    source: Source


@dataclass(frozen=True, kw_only=True)
class Total:
    """The sum of several estimates, and how many rest on each source."""

    seconds: float
    disk_bytes: int
    sources: Mapping[Source, int]


def estimates(cells: Iterable[Cell], profile: Profile, records: Sequence[Record], device: str) -> dict[Cell, Estimate]:
    """The estimate of each of ``cells`` on the machine that most records come from.

    ``records`` are those of the profile, ``device`` is cpu or cuda; records of another kind of device say nothing.
    """
    kind = device.partition(":")[0]
    runs = _runs(records, kind)
    law, machine = fitted(runs), usual(runs) or _ASSUMED_MACHINE
    own: dict[Cell, list[float]] = {}  # how many times longer than the law says
    for run in runs:
        beyond = run.seconds / (run.assumed * law.factor(run.cell, run.machine))
        own.setdefault(any_seed(run.cell), []).append(beyond)

    def estimate(cell: Cell) -> Estimate:
        seconds = _assumed(cell, profile.protocol_of(cell), kind, machine) * law.factor(cell, machine)
        beyond = own.get(any_seed(cell))
        return Estimate(
            seconds=seconds * median(beyond) if beyond else seconds,
            record_bytes=_RECORD_BYTES,
            kept=dict(_kept_states(cell, profile.protocol_of(cell))),
            source="measured" if beyond else "fitted" if runs else "assumed",
        )

    return {cell: estimate(cell) for cell in cells}


def error(records: Sequence[Record], device: str) -> float | None:
    """How far fitted seconds are off: the median of |predicted / taken - 1|, each cell predicted from the others.

    None where ``records`` hold fewer than five cells of this kind of ``device``.
    """
    runs = _runs(records, device.partition(":")[0])
    return median(misses(runs)) if len({any_seed(run.cell) for run in runs}) >= _FEWEST else None


def informative(records: Sequence[Record], device: str) -> int:
    """How many of ``records`` say what cells take on this kind of ``device``."""
    return len(_runs(records, device.partition(":")[0]))


def total(found: Mapping[Cell, Estimate]) -> Total:
    """Their sum; a state that several cells share counts once."""
    counts: dict[Source, int] = {}
    for estimate in found.values():
        counts[estimate.source] = counts.get(estimate.source, 0) + 1
    states = {state: size for estimate in found.values() for state, size in estimate.kept.items()}
    return Total(
        seconds=sum(estimate.seconds for estimate in found.values()),
        disk_bytes=sum(estimate.record_bytes for estimate in found.values()) + sum(states.values()),
        sources=counts,
    )


def duration(seconds: float) -> str:
    """Seconds in the unit people would say them in."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def multiply_adds(model: str, dataset: str, protocol: Protocol) -> float:
    """Multiply-adds of training a dense ``model``: three forward passes per training image, one per test image."""
    return _passes(dataset, protocol) * _forward(model, dataset, protocol)


def _forward(model: str, dataset: str, protocol: Protocol) -> float:
    """Of one image."""
    pixels = protocol.image_size or _IMAGES.get(dataset, _IMAGES["cifar10"])[2]
    return _MACS.get(model, max(_MACS.values())) * float(protocol.width) ** 2 * (pixels / 32) ** 2


def work(cell: Cell, protocol: Protocol) -> float:
    """Multiply-adds of ``cell``: those of the dense network, less what pruning is expected to save.

    Without a fraction p of its filters a network is taken to need 1 - p of its multiply-adds. VGG-13 has been seen to
    keep 0.05-0.49 of them at p = 0.75, MobileNet-V1 0.07-0.40, ResNet-56 0.20-0.48 at p = 0.6: it depends on the score.
    """
    return multiply_adds(cell.model, cell.dataset, protocol) * _kept(cell, protocol.epochs)


def _kept(cell: Cell, epochs: int) -> float:
    """The expected share of multiply-adds over all epochs; round k of n comes after epoch k and leaves 1 - p k / n."""
    if cell.amount is None or cell.rounds is None or cell.granularity == "weights":
        return 1.0
    rounds_before = sum(min(epoch, cell.rounds) for epoch in range(epochs))
    return 1 - float(cell.amount) * rounds_before / cell.rounds / epochs


def _passes(dataset: str, protocol: Protocol) -> int:
    """Forward passes of one image that take as long as the whole of a training, tests included."""
    train, test, _ = _IMAGES.get(dataset, _IMAGES["cifar10"])
    train, test = min(train, protocol.train_limit or train), min(test, protocol.test_limit or test)
    return protocol.epochs * (3 * train + test)


def _assumed(cell: Cell, protocol: Protocol, kind: str, machine: Machine) -> float:
    """Seconds by arithmetic: multiply-adds, which threads share, and operations that take their time however small."""
    threads = machine.threads if kind == "cpu" else 1
    batches = _passes(cell.dataset, protocol) / protocol.batch_size
    operations = batches * _LAYERS.get(cell.model, max(_LAYERS.values())) * _OPERATIONS
    speed = _CORE_SPEED * threads if kind == "cpu" else _GPU_SPEED[protocol.precision]
    training = work(cell, protocol) / speed + operations * _OPERATION_SECONDS[kind]
    training *= 1 + _probing(cell, protocol)
    return training + _scoring(cell, protocol) / speed + _ranking(cell, protocol)


def _scoring(cell: Cell, protocol: Protocol) -> float:
    """Multiply-adds of scoring weights, of all iterations; SynFlow looks at one image, in double precision."""
    if cell.granularity != "weights" or cell.score in ("random", "magnitude"):
        return 0.0
    images = 1 if cell.score == "synflow" else protocol.score_samples
    return (cell.rounds or 0) * images * _SCORING_PASSES * _forward(cell.model, cell.dataset, protocol)


def _probing(cell: Cell, protocol: Protocol) -> float:
    """Forward passes of what is measured on the way, in those of the training."""
    passes = len(protocol.probes) * protocol.score_samples * (_PROBE_PASSES + _SCORING_PASSES)
    return passes / max(1, _passes(cell.dataset, protocol))


def _ranking(cell: Cell, protocol: Protocol) -> float:
    """Seconds on the CPU of choosing the lowest of all weights, of all iterations, and of looking at the mask."""
    if cell.granularity != "weights":
        return 0.0
    return 0.1 + (cell.rounds or 0) * _RANKING_SECONDS * _PARAMETERS.get(cell.model, 0.0) * float(protocol.width) ** 2


def _runs(records: Iterable[Record], kind: str) -> list[Run]:
    """What ``records`` say of this kind of device: only those of cells that were run, and run to their end."""
    found = (_run(record, kind) for record in records)
    return [run for run in found if run is not None]


def _run(record: Record, kind: str) -> Run | None:
    costs, environment = record.costs, record.environment
    whole = record.status == "done" and costs.stages_run > 0 < costs.seconds_total and environment.stacked == 1
    if not (whole and environment.device.startswith(kind)):
        return None
    try:  # the record may be of another version of this project
        cell, protocol = Cell.from_dict(record.cell), Protocol.from_dict(record.protocol)
    except (ValueError, TypeError, ArithmeticError):
        return None
    machine = Machine(max(1, environment.threads), environment.device_name)
    seconds = costs.seconds_total / max(1, environment.at_once)  # by the clock, which they had in common
    return Run(cell=cell, machine=machine, assumed=_assumed(cell, protocol, kind, machine), seconds=seconds)


def _kept_states(cell: Cell, protocol: Protocol) -> Iterator[tuple[Kept, int]]:
    """The states that :mod:`bench.plan` marks as shared."""
    weights = int(4 * _PARAMETERS.get(cell.model, max(_PARAMETERS.values())) * float(protocol.width) ** 2)
    trained = weights * (2 if protocol.momentum else 1)
    place = (cell.model, cell.dataset, cell.seed)
    if cell.suite != WEIGHTS:
        if cell.score != DYNAMICS and protocol.epochs:
            yield (*place, "epoch", 1), trained
        if cell.rounds and not is_own(cell):
            yield (*place, "score", cell.score), weights
        return
    start = (*place, training(cell), cell.ablation == "unit_variance")
    for until in {END if cell.amount is None else cell.at, cell.rewind or 0}:
        for state in _dense_states(cell.model, cell.dataset, until, protocol):
            yield (*start, *state), trained
    if has_shared_mask(cell):
        yield (*start, cell.at, cell.score, cell.rounds, cell.amount), weights + weights // 4  # a byte for each


@cache
def _dense_states(model: str, dataset: str, until: Point, protocol: Protocol) -> tuple[Kept, ...]:
    train = _IMAGES.get(dataset, _IMAGES["cifar10"])[0]
    stages = dense(until, protocol, min(train, protocol.train_limit or train), stops(model, dataset))
    return tuple((stage.epoch, stage.steps) for stage in stages if stage.shared)
