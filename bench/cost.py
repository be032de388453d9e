"""What running a cell will take: from records of the same kind where there are any, else from arithmetic.

A pruned run is cheaper than a base run by a factor that depends on model, score and rounds, and the score itself costs;
so a record speaks first for its own cell with other seeds, then for pruned cells, or base cells, of its model.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench.cell import BASE, Cell
from bench.profiles import Profile
from bench.protocol import Protocol
from results.record import Record

Source = Literal["measured", "scaled", "assumed"]
"""Measured on the same cell with another seed; scaled from other cells of the profile; or an assumed speed."""

_MACS = {"vgg13": 228.3e6, "mobilenet_v1": 46.4e6, "resnet56": 125.8e6}  # dense, 32 × 32 pixels, width 1
_PARAMETERS = {"vgg13": 9.4e6, "mobilenet_v1": 3.2e6, "resnet56": 0.86e6}
_IMAGES = {  # training images, test images, pixels a side
    "digits": (1500, 297, 32),
    "cifar10": (50_000, 10_000, 32),
    "cifar100": (50_000, 10_000, 32),
    "mnist": (60_000, 10_000, 28),
    "tiny_imagenet": (100_000, 10_000, 64),
}
_SPEED = {"cpu": 0.1e12, "cuda": 3e12}  # multiply-adds a second; two cores, and one small network alone on a GPU
_RECORD_BYTES = 30_000
_STATE_COPIES = 2  # weights and momentum, fp32


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Seconds and disk of one cell; seconds are an upper bound where ``source`` is assumed: pruning saves time."""

    seconds: float
    record_bytes: int
    state_bytes: int  # of the first epoch, which cells of one model, data set and seed share
    source: Source


@dataclass(frozen=True, kw_only=True)
class Total:
    """The sum of several estimates, and how many rest on each source."""

    seconds: float
    disk_bytes: int
    sources: Mapping[Source, int]


def estimates(cells: Iterable[Cell], profile: Profile, records: Sequence[Record], device: str) -> dict[Cell, Estimate]:
    """The estimate of each of ``cells``; ``records`` are those of the profile, ``device`` is cpu or cuda."""
    kind = device.partition(":")[0]
    alike: dict[tuple[object, ...], list[float]] = {}  # seconds, and seconds per multiply-add of the dense network
    for record in records:
        cell, seconds = _cell(record), record.costs.seconds_total
        if cell is None or not _usable(record, kind):
            continue
        alike.setdefault(_place(cell), []).append(seconds)
        for group in _groups(cell):
            alike.setdefault(group, []).append(seconds / multiply_adds(cell.model, cell.dataset, profile.protocol))
    return {cell: _estimate(cell, profile.protocol, alike, _SPEED[kind]) for cell in cells}


def _estimate(
    cell: Cell, protocol: Protocol, alike: Mapping[tuple[object, ...], list[float]], speed: float
) -> Estimate:
    disk = {"record_bytes": _RECORD_BYTES, "state_bytes": _state_bytes(cell, protocol)}
    if times := alike.get(_place(cell)):
        return Estimate(seconds=median(times), **disk, source="measured")
    work = multiply_adds(cell.model, cell.dataset, protocol)
    for group in _groups(cell):
        if rates := alike.get(group):
            return Estimate(seconds=work * median(rates), **disk, source="scaled")
    return Estimate(seconds=work / speed, **disk, source="assumed")


def _place(cell: Cell) -> tuple[object, ...]:
    """All that tells a cell from another but its seed."""
    return cell.model, cell.dataset, cell.score, cell.amount, cell.rounds


def _groups(cell: Cell) -> tuple[tuple[object, ...], ...]:
    """Cells that cost alike in proportion to the dense network, the most alike first."""
    base = cell.score == BASE
    return (
        (cell.model, cell.score, cell.rounds),
        (cell.model, base, cell.rounds),
        (cell.model, base),
        (base,),
        (),
    )


def total(found: Mapping[Cell, Estimate]) -> Total:
    """Their sum; the state that several cells share counts once."""
    counts: dict[Source, int] = {}
    for estimate in found.values():
        counts[estimate.source] = counts.get(estimate.source, 0) + 1
    states = {(cell.model, cell.dataset, cell.seed): estimate.state_bytes for cell, estimate in found.items()}
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
    train, test, own = _IMAGES.get(dataset, _IMAGES["cifar10"])
    train, test = min(train, protocol.train_limit or train), min(test, protocol.test_limit or test)
    pixels = protocol.image_size or own
    forward = _MACS.get(model, max(_MACS.values())) * float(protocol.width) ** 2 * (pixels / 32) ** 2
    return protocol.epochs * (3 * train + test) * forward


def _cell(record: Record) -> Cell | None:
    """The cell of a record, which may be of another version of this project."""
    try:
        return Cell.from_dict(record.cell)
    except (ValueError, TypeError, ArithmeticError):
        return None


def _usable(record: Record, kind: str) -> bool:
    """Whether this kind of device did the work; a cell that came from the stage cache cost only its loading."""
    costs = record.costs
    return record.final and record.environment.device.startswith(kind) and costs.stages_run > 0 < costs.seconds_total


def _state_bytes(cell: Cell, protocol: Protocol) -> int:
    parameters = _PARAMETERS.get(cell.model, max(_PARAMETERS.values())) * float(protocol.width) ** 2
    return int(4 * _STATE_COPIES * parameters)
