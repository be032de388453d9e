"""The one test that every cell is a case of; ``bench.plugin`` says which cells there are."""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.cell import Cell
from bench.executor import Outcome


@pytest.mark.filterwarnings("default")  # a warning of torch, or of a user's score, ends no measurement
def test_cell(cell: Cell, run_cell: Callable[[Cell], Outcome], benchmark: BenchmarkFixture) -> None:
    """Measure ``cell``, or find its record."""
    benchmark.pedantic(run_cell, args=(cell,), rounds=1, iterations=1)  # type: ignore[no-untyped-call]
