"""Tables 1-3 of the paper and the cells of profile paper are the same set, seen from both sides."""

import csv
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bench.cell import DYNAMICS, Cell
from bench.profiles import PROFILES
from bench.suites.gradient_flow import PRINTED_NAMES, SUITE

ROWS = Path(__file__).parents[2] / "results" / "published" / "accuracy.csv"
CALLED = {printed: name for name, printed in PRINTED_NAMES.items()}


@pytest.fixture(scope="module")
def rows():
    with ROWS.open(newline="") as file:
        found = [row for row in csv.DictReader(file) if row["source"] == SUITE]
    return [row for row in found if row["table"] in ("Table 1", "Table 2", "Table 3")]


def cell_of(row):
    return Cell(
        suite=row["source"],
        model=CALLED[row["model"]],
        dataset=CALLED[row["dataset"]],
        score=row["scorer"],
        amount=Decimal(row["amount"]) if row["amount"] else None,
        rounds=int(row["rounds"]) if row["rounds"] else None,
    )


def without_seed(cell):
    return replace(cell, seed=0).id


def test_every_row_is_a_cell_and_every_cell_is_printed(rows):
    cells = [cell for cell in PROFILES["paper"].cells() if cell.score != DYNAMICS]  # which no table prints
    assert len(rows) == 195
    assert len({cell.id for cell in cells}) == 396
    ours = {without_seed(cell) for cell in cells}
    assert len(ours) == 132
    assert {cell_of(row).id for row in rows} == ours
