"""The published numbers, claims, figures and set-ups, as typed from the papers; ``published/NOTES.md`` says how."""

import csv
from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

FOLDER = Path(__file__).parent / "published"


class PublishedNumber(msgspec.Struct, frozen=True, kw_only=True):
    """One number of one table. Empty cells of optional columns are None; those of text columns are ''."""

    source: str
    table: str
    model: str
    dataset: str
    scorer: str
    granularity: Literal["filter", "weight"]
    amount: Decimal | None  # fraction pruned; None for base
    amount_kind: str  # what amount is a fraction of: filters, weights, params, flops; '' for base
    rounds: int | None  # None where not stated
    ablation: str
    metric: str
    value: float  # nan where the paper prints that the run diverged
    value_text: str  # as printed: its decimals are the printed precision
    std: float | None
    std_bound: float | None  # upper bound on the std, from the caption
    replicates: int | None
    note: str
    reported_by: Literal["paper", "ours", "reported"]  # whose run, where a paper quotes another ("reported")
    printed_label: str

    @property
    def rounding(self) -> float:
        """Half a unit of the last decimal that is printed: the mean may lie so far from the number."""
        return 0.5 * 10.0 ** -len(self.value_text.partition(".")[2])


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that can be checked, or a single quoted number."""

    source: str
    where: str
    claim_id: str
    statement: str
    check: str
    value: float | None
    value_text: str
    strength: Literal["all cells", "most cells", "average", "single value"]
    unit: str
    published_check: str  # the claim evaluated on the published tables; '' where there is none
    note: str
    tier: Literal["core", "extra"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure shows and what it needs; lists are separated by semicolons, as typed."""

    source: str
    figure: str
    where: str
    title: str
    x: str
    y: str
    series: str
    panels: str
    models: str
    datasets: str
    rounds: str
    sparsities: str
    epochs: str
    needs: str
    printed_values: str
    note: str


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """One hyper-parameter of training or pruning, as printed."""

    source: str
    where: str
    model: str
    dataset: str
    key: str
    value: str
    unit: str
    note: str


Row = TypeVar("Row", PublishedNumber, Claim, Figure, Setup)


def numbers(source: str | None = None, table: str | None = None) -> tuple[PublishedNumber, ...]:
    """The published numbers, of one source and one of its tables or of all. Raises ValueError for an unknown name."""
    rows = _of_source(_load("accuracy.csv", PublishedNumber), source)
    if table is None:
        return rows
    _check_known("table", table, (row.table for row in rows))
    return tuple(row for row in rows if row.table == table)


def claims(source: str | None = None) -> tuple[Claim, ...]:
    """The published claims, of one source or of all. Raises ValueError for an unknown name."""
    return _of_source(_load("claims.csv", Claim), source)


def figures(source: str | None = None) -> tuple[Figure, ...]:
    """The published figures, of one source or of all. Raises ValueError for an unknown name."""
    return _of_source(_load("figures.csv", Figure), source)


def setup(source: str | None = None) -> tuple[Setup, ...]:
    """The published set-ups, of one source or of all. Raises ValueError for an unknown name."""
    return _of_source(_load("setup.csv", Setup), source)


def read(path: Path, row_type: type[Row]) -> tuple[Row, ...]:
    """The rows of a CSV file. Raises ValueError with file and line where one is not a ``row_type``."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file, strict=True)
        try:
            header = next(lines, [])
            _check_header(header, row_type)
            return tuple(_row(header, cells, row_type) for cells in lines)
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{path.name} line {lines.line_num}: {error}") from None


@cache
def _load(name: str, row_type: type[Row]) -> tuple[Row, ...]:
    return read(FOLDER / name, row_type)


def _check_header(header: list[str], row_type: type[Row]) -> None:
    expected = {name for name in row_type.__struct_fields__ if name != "value_text"}
    if wrong := expected.symmetric_difference(header):
        raise ValueError(
            f"the columns {', '.join(sorted(wrong))} are missing or unknown; {row_type.__name__} names them all"
        )
    if len(header) != len(expected):
        raise ValueError("a column is there twice; remove one")


def _row(header: list[str], cells: list[str], row_type: type[Row]) -> Row:
    if len(cells) != len(header):
        raise ValueError(f"it has {len(cells)} cells; expected {len(header)}, so look for a comma outside quotes")
    text = dict(zip(header, cells, strict=True))
    fields = {field.name: field.type for field in msgspec.structs.fields(row_type)}
    values = {name: _value(cell, fields[name]) for name, cell in text.items()}
    if "value_text" in fields:
        values["value_text"] = text["value"]
    return msgspec.convert(values, row_type, strict=False)


def _value(cell: str, kind: object) -> str | None:
    if kind is str:
        return cell
    return cell.removeprefix("+") or None  # signs are typed as printed, and no number parser takes "+0.3"


def _of_source(rows: tuple[Row, ...], source: str | None) -> tuple[Row, ...]:
    if source is None:
        return rows
    _check_known("source", source, (row.source for row in rows))
    return tuple(row for row in rows if row.source == source)


def _check_known(what: str, name: str, known: Iterable[str]) -> None:
    names = dict.fromkeys(known)
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        raise ValueError(f"no published {what} is called {name!r}; {hint}")
