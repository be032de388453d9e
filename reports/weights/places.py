"""Where in a report the records of a cell are: on a page for each network, in a row for each cell."""

from bench.cell import Cell
from bench.suites.missing_the_mark import SUITE, Network


def page(of: Network | Cell) -> str:
    """The name of the page with the records of a network."""
    return f"{SUITE}_{of.model}-{of.dataset}"


def anchor(cell: Cell) -> str:
    """Of the row of ``cell``: its id without seed."""
    return cell.id.rpartition("-")[0]


def address(cell: Cell) -> str:
    """Where the records of ``cell`` are, of all seeds, from another page of the report."""
    return f"{page(cell)}.md#{anchor(cell)}"


def run_address(cell: Cell) -> str:
    """Where the record of ``cell`` with its own seed is."""
    return f"{page(cell)}.md#{cell.id}"
