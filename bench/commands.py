"""What ``python -m bench list`` and ``run`` do."""

import sys
from collections.abc import Sequence

from tabulate import tabulate

from bench import cost, places
from bench.cell import Cell
from bench.cost import duration
from bench.device import likely_kind
from bench.options import Request
from bench.state import find, key_of, missing, state_of
from results.record import Record
from results.registry import Registry

ASK_ABOVE = 600.0
"""Seconds of estimated running time above which ``run`` asks first."""


def list_cells(request: Request, *, ids: bool) -> int:
    """Print the cells asked for: ids only, or a table with state, key and estimated cost."""
    registry = Registry(request.registry)
    chosen = _chosen(request, registry)
    if ids:
        print(*(cell.id for cell in chosen), sep="\n", end="\n" if chosen else "")
        return 0
    records = registry.records(request.selection.profile.name)
    found = _estimates(request, records, chosen)
    rows = [[cell.id, *_state_and_key(request, registry, cell), *_cost(found[cell])] for cell in chosen]
    print(tabulate(rows, headers=["cell", "state", "key", "cost", "from"], disable_numparse=True))
    if accuracy := _accuracy(request, records, cost.total(found)):
        print(accuracy)
    registry.warn()
    return 0


def run_cells(request: Request, *, yes: bool, arguments: Sequence[str]) -> int:
    """Say what running the cells will take, ask where it is long, and hand over to pytest."""
    registry = Registry(request.registry)
    chosen = _chosen(request, registry)
    todo = list(chosen) if request.rerun else list(_missing(request, registry, chosen))
    records = registry.records(request.selection.profile.name)
    sums = cost.total(_estimates(request, records, todo))
    print(_announcement(request, len(chosen), len(todo), sums, _accuracy(request, records, sums)))
    if request.budget is not None:  # which is consent to that much
        print(f"running for {duration(request.budget)} at most, the most telling first")
    elif sums.seconds > ASK_ABOVE and not yes and not _agreed():
        print("nothing was run")
        return 1
    return _pytest(chosen, request, arguments)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise ValueError(f"this takes more than {duration(ASK_ABOVE)} and there is nobody to ask; add --yes to run it")
    try:
        return input("Proceed? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def _pytest(chosen: Sequence[Cell], request: Request, arguments: Sequence[str]) -> int:
    import pytest  # only to run

    file = places.checkout() / "bench" / "test_cells.py"
    if not chosen or not request.selection.patterns:
        targets = [str(file)]
    elif request.budget is not None:  # the queue decides on the order
        targets = [*(f"--cells={pattern}" for pattern in request.selection.patterns), str(file)]
    else:
        targets = [f"{file}::test_cell[{cell.id}]" for cell in chosen]
    project = places.checkout() / "pyproject.toml"
    where = (
        [f"--rootdir={places.checkout()}", "-c", str(project)]
        if project.is_file()
        else ["-p", "bench.plugin", "-p", "reports.plugin"]
    )
    return int(pytest.main([*where, "-m", "benchmark", "--require-run", *arguments, *targets]))


def _chosen(request: Request, registry: Registry) -> tuple[Cell, ...]:
    chosen = request.selection.cells()
    return _missing(request, registry, chosen) if request.missing else chosen


def _missing(request: Request, registry: Registry, cells: Sequence[Cell]) -> tuple[Cell, ...]:
    return missing(cells, registry, request.selection.profile, request.references)


def _estimates(request: Request, records: Sequence[Record], cells: Sequence[Cell]) -> dict[Cell, cost.Estimate]:
    return cost.estimates(cells, request.selection.profile, records, likely_kind(request.device))


def _accuracy(request: Request, records: Sequence[Record], sums: cost.Total) -> str:
    """How far the fitted ones among the estimates are off; empty where there are none, or too few records to say."""
    kind = likely_kind(request.device)
    error = cost.error(records, kind) if "fitted" in sums.sources else None
    if error is None:
        return ""
    among = cost.informative(records, kind)
    return f"fitted costs are within {100 * error:.0f} % in the median, leave-one-out over {among} records"


def _state_and_key(request: Request, registry: Registry, cell: Cell) -> tuple[str, str]:
    profile = request.selection.profile
    record = find(registry, cell, profile, request.references)
    return state_of(record), key_of(cell, profile, request.references).rpartition("-")[2]


def _cost(estimate: cost.Estimate) -> tuple[str, str]:
    return duration(estimate.seconds), estimate.source


def _announcement(request: Request, chosen: int, todo: int, sums: cost.Total, accuracy: str) -> str:
    profile = request.selection.profile.name
    said = f"{chosen} cells of profile {profile}, {chosen - todo} of them cached, {todo} to run"
    if not todo:
        return said
    sources = ", ".join(f"{count} {source}" for source, count in sums.sources.items())
    rests_on = "; ".join(filter(None, [sources, accuracy]))
    return f"{said}: about {duration(sums.seconds)} and {sums.disk_bytes / 1e6:.0f} MB of disk (estimates: {rests_on})"
