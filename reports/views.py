"""Tables as values: what stands in each cell, before anybody decides how it looks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Literal

from reports.evidence import Setting
from reports.filters import Removed
from reports.verdicts import Judgement

State = Literal["done", "diverged", "failed", "missing"]


@dataclass(frozen=True)
class Sample:
    """Values over seeds."""

    values: tuple[float, ...]

    @property
    def n(self) -> int:
        """How many seeds."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """Their mean; None of none."""
        return fmean(self.values) if self.values else None

    @property
    def std(self) -> float | None:
        """The sample standard deviation; None of fewer than two."""
        return stdev(self.values) if self.n > 1 else None


@dataclass(frozen=True)
class Run:
    """One seed: what became of it, and the record that says so."""

    seed: int
    state: State
    status: str = ""  # the record's own word; empty where there is no record
    link: str | None = None  # to the record, relative to the page
    anchor: str | None = None  # id of the cell, on the one page of a report that is its own
    seconds: float = 0.0  # what it will take, where it is missing


@dataclass(frozen=True, kw_only=True)
class CellView:
    """One place of a table: our runs of a setting, the published number, and the verdict."""

    setting: Setting
    headline: Sample
    other: Sample  # the accuracy that is not the headline: last beside best, or best beside last
    runs: tuple[Run, ...]
    published: str | None = None  # as printed
    remark: str = ""  # what is to be known about the printed number
    judgement: Judgement | None = None
    removed: Removed | None = None
    signed: bool = False  # a change, printed with its sign


@dataclass(frozen=True)
class Column:
    """A column: a score in a number of rounds; ``rounds`` is None where the rows are the rounds."""

    score: str
    label: str
    rounds: int | None = None
    in_paper: bool = True


@dataclass(frozen=True)
class Row:
    """A row: its label, the base model that belongs to it if any, and its cells in the order of the columns."""

    label: str
    cells: tuple[CellView, ...]
    base: CellView | None = None
    pruned: str = ""  # part of the filters, where it is a column


@dataclass(frozen=True)
class Group:
    """Rows under one heading."""

    heading: str
    corner: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class TableView:
    """A table of the paper with our values in it."""

    number: int
    caption: str
    headline: Literal["best", "last"]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = field(default=())

    def cells(self) -> Iterator[CellView]:
        """Every cell once, bases before the row that they belong to."""
        for group in self.groups:
            for row in group.rows:
                yield from ((row.base,) if row.base else ())
                yield from row.cells
