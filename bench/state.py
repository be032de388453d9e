"""What the registry says about a cell: its key, its record, and one word."""

from collections.abc import Iterable, Mapping
from typing import Literal

from bench.cell import Cell
from bench.profiles import Profile
from bench.protocol import Protocol, key
from bench.versions import versions
from results.record import Record
from results.registry import Registry

State = Literal["done", "diverged", "failed", "missing"]


def key_of(cell: Cell, profile: Profile, references: Mapping[str, str]) -> str:
    """The name of the result that ``cell`` has under the protocol of ``profile`` and today's versions."""
    return key(cell, profile.protocol_of(cell), versions(cell, references))


def find(registry: Registry, cell: Cell, profile: Profile, references: Mapping[str, str]) -> Record | None:
    """The newest record of ``cell``, whatever its status.

    A file in its place that says it is of another cell or protocol, or done without having measured anything, is none.
    """
    record = registry.get(profile.name, cell.to_dict(), key_of(cell, profile, references))
    return record if record is not None and _is_of(record, cell, profile) else None


def _is_of(record: Record, cell: Cell, profile: Profile) -> bool:
    try:
        of, protocol = Cell.from_dict(record.cell), Protocol.from_dict(record.protocol)
    except (ValueError, TypeError, ArithmeticError):
        return False
    measured = record.status != "done" or record.metrics is not None
    return of == cell and protocol == profile.protocol_of(cell) and measured


def state_of(record: Record | None) -> State:
    """One word: an answer (done, diverged), a failure that will be tried again, or nothing yet."""
    if record is None:
        return "missing"
    if record.status == "done" or record.status == "diverged":
        return record.status
    return "failed"


def missing(
    cells: Iterable[Cell], registry: Registry, profile: Profile, references: Mapping[str, str]
) -> tuple[Cell, ...]:
    """Those of ``cells`` that have no answer yet."""

    def answered(cell: Cell) -> bool:
        record = find(registry, cell, profile, references)
        return record is not None and record.final

    return tuple(cell for cell in cells if not answered(cell))
