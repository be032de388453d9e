"""Which records the second suite's report is made of: those of a profile's cells, one per cell and seed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from bench.cell import Cell
from bench.profiles import Profile
from bench.protocol import Protocol
from bench.suites.missing_the_mark import SUITE, Method
from bench.versions import is_current, is_own
from results.record import Layer, MaskFacts, Record
from results.registry import counts_over

Value = Callable[[Record], float | None]

State = Literal["done", "diverged", "failed", "missing", "not run"]
"""What became of a run; those that are not run are no cells of the profile."""


@dataclass(frozen=True)
class Evidence:
    """The records that count, by cell without its seed (as with seed 0) and by seed."""

    profile: Profile
    records: Mapping[Cell, Mapping[int, Record]]
    outdated: int = 0  # of another protocol, or run by code that has changed its meaning since

    def seeds(self, cell: Cell) -> Mapping[int, Record]:
        """The records of ``cell`` with any seed, by seed."""
        return self.records.get(any_seed(cell), {})

    def values(self, cell: Cell, value: Value) -> dict[int, float]:
        """``value`` of every run of ``cell`` that is done and has one, by seed."""
        found = {seed: value(record) for seed, record in sorted(self.seeds(cell).items()) if record.status == "done"}
        return {seed: number for seed, number in found.items() if number is not None}

    def accuracy(self, cell: Cell) -> dict[int, float]:
        """Test accuracy in percent after the last epoch, by seed."""
        return self.values(cell, accuracy)

    def masks(self, cell: Cell) -> dict[int, MaskFacts]:
        """What the masks of ``cell`` do, by seed; also of runs that diverged afterwards."""
        return {seed: record.mask for seed, record in sorted(self.seeds(cell).items()) if record.mask is not None}

    def layers(self, cell: Cell) -> dict[int, Sequence[Layer]]:
        """What is left of each tensor of weights, in forward order, by seed; also of runs that diverged afterwards."""
        return {seed: record.layers for seed, record in sorted(self.seeds(cell).items()) if record.layers}

    def state(self, cell: Cell) -> State:
        """What became of ``cell`` with its own seed."""
        record = self.seeds(cell).get(cell.seed)
        if record is not None:
            return "done" if record.status == "done" else "diverged" if record.status == "diverged" else "failed"
        return "missing" if cell in self.planned else "not run"

    @cached_property
    def planned(self) -> frozenset[Cell]:
        """The cells of the profile, with its seeds."""
        return frozenset(self.cells())

    def diverged(self, cell: Cell) -> int:
        """Runs of ``cell`` whose loss ceased to be finite."""
        return sum(record.status == "diverged" for record in self.seeds(cell).values())

    @cached_property
    def own_methods(self) -> tuple[Method, ...]:
        """Scores of the user's own that have records, by name; each prunes at initialisation, in one go."""
        names = sorted({cell.score for cell in self.records if is_own(cell)})
        return tuple(Method(label=name, score=name) for name in names)

    def cells(self) -> Iterator[Cell]:
        """Every cell that the profile runs of this suite."""
        return self.profile.cells(suites=(SUITE,))

    def missing(self) -> list[Cell]:
        """Those that have no final record."""
        return [cell for cell in self.cells() if not self._final(cell)]

    def _final(self, cell: Cell) -> bool:
        record = self.seeds(cell).get(cell.seed)
        return record is not None and record.final


def any_seed(cell: Cell) -> Cell:
    """``cell`` as it stands for all its seeds."""
    return replace(cell, seed=0) if cell.seed else cell


def accuracy(record: Record) -> float | None:
    """Test accuracy in percent after the last epoch."""
    return None if record.metrics is None else record.metrics.test_accuracy_last


def best_accuracy(record: Record) -> float | None:
    """Test accuracy in percent of the best epoch, which is chosen on the test set."""
    return None if record.metrics is None else record.metrics.test_accuracy_best


def gather(profile: Profile, records: Iterable[Record]) -> Evidence:
    """Choose among the records of ``profile``: of several of one cell the one that counts is final, then the newest."""
    found: dict[Cell, dict[int, Record]] = {}
    outdated = 0
    for record in records:
        cell = _cell(record)
        if cell is None:
            continue
        if not (is_current(cell, record.versions) and _same_protocol(profile, cell, record)):
            outdated += 1
            continue
        seeds = found.setdefault(any_seed(cell), {})
        if cell.seed not in seeds or counts_over(record, seeds[cell.seed]):
            seeds[cell.seed] = record
    return Evidence(profile, found, outdated)


def _cell(record: Record) -> Cell | None:
    """The cell of a record of this suite, if it can be read."""
    try:
        cell = Cell.from_dict(record.cell)
    except (ValueError, TypeError, ArithmeticError):
        return None
    return cell if cell.suite == SUITE else None


def _same_protocol(profile: Profile, cell: Cell, record: Record) -> bool:
    try:
        return Protocol.from_dict(record.protocol) == profile.protocol_of(cell)
    except (ValueError, TypeError, ArithmeticError):
        return False
