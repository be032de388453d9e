"""Which cells the figures and tables of the second suite are made of, as questions for the queue.

A figure has a name per network, as in ``figure_3_resnet20_cifar10``; the unpruned network belongs to it. The paper's
claims are about figures, so a claim is settled when its figures are.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Literal

from bench.cell import Cell
from bench.queue import Question
from bench.suites.missing_the_mark import FIGURES, SUITE, TABLES, Network, base

Kind = Literal["figure", "table"]


def questions(cell: Cell) -> tuple[Question, ...]:
    """The figures and tables that ``cell`` is shown in; each has an answer in every seed."""
    if cell.suite != SUITE:
        return ()
    return tuple(Question(name, cell.seed, kind) for name, kind in _shown_in().get(replace(cell, seed=0), ()))


@cache
def _shown_in() -> dict[Cell, tuple[tuple[str, Kind], ...]]:
    """By cell, with seed 0: the names, and of what."""
    found: dict[Cell, dict[tuple[str, Kind], None]] = {}
    for cell, name, kind in (*_figures(), *_tables()):
        found.setdefault(cell, {})[name, kind] = None
    return {cell: tuple(names) for cell, names in found.items()}


def _figures() -> Iterator[tuple[Cell, str, Kind]]:
    for figure in FIGURES:
        for network in figure.networks:
            name = _called(f"figure_{figure.name.lower()}", network)
            for cell in (base(network, 0), *figure.cells(network, 0)):
                yield cell, name, "figure"


def _tables() -> Iterator[tuple[Cell, str, Kind]]:
    for row in TABLES:
        name = _called(row.table.lower().replace(" ", "_"), row.network)
        pruned = (row.method.cell(row.network, Decimal(amount), 0) for amount in row.amounts)
        for cell in (base(row.network, 0, row.training), *pruned):
            yield cell, name, "table"


def _called(what: str, network: Network) -> str:
    return f"{what}_{network.model}_{network.dataset}"
