"""From the JSON of pytest-benchmark to the tables of docs/PERFORMANCE.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from tabulate import tabulate

from bench.speed.measurement import Measurement, Ratio, machine
from results.record import Environment

Rows = dict[str, Measurement]
"""By the name of the test, in the order in which they ran."""


class _Benchmark(msgspec.Struct):
    name: str
    extra_info: dict[str, Any]


class _File(msgspec.Struct):
    benchmarks: list[_Benchmark]


def read(path: Path) -> Rows:
    """The measurements in a file that ``--benchmark-json`` wrote; other benchmarks in it are passed over.

    Raises ValueError where there is none, or the file is something else; OSError where it cannot be read.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File).benchmarks
        rows = {
            each.name: msgspec.convert(each.extra_info, Measurement) for each in found if "subject" in each.extra_info
        }
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is not what `pytest -m speed --benchmark-json=FILE` writes: {error}") from None
    if not rows:
        raise ValueError(f"{path} holds no speed benchmark; `pytest -m speed --benchmark-json={path}` makes some")
    return rows


def markdown(rows: Rows) -> str:
    """A line about the machine, and a table for every group."""
    measured = list(rows.values())
    groups = dict.fromkeys(row.group for row in measured)
    parts = [_machine(measured[0].environment)]
    parts += [_group(name, [row for row in measured if row.group == name]) for name in groups]
    return "\n\n".join(parts) + "\n"


def _machine(environment: Environment) -> str:
    commit = "unknown" if environment.commit is None else environment.commit[:12]
    return (
        f"{machine(environment)}, {environment.platform}, torch {environment.torch}, Python {environment.python}, "
        f"commit {commit}{' with changes' if environment.dirty else ''}. "
        "Medians of n rounds in which the competitors took turns; × says how many times as fast as another we are, "
        "with the lowest and the highest round in brackets."
    )


def _group(name: str, rows: Sequence[Measurement]) -> str:
    unit = "images per second" if rows[0].images_per_second else "milliseconds"
    cells = [_row(row) for row in rows]
    headers = list(dict.fromkeys(header for cell in cells for header in cell))
    lines = [[cell.get(header, "") for header in headers] for cell in cells]
    table = tabulate(lines, headers=headers, tablefmt="github", disable_numparse=True)
    return "\n\n".join([f"### {name}, {unit}", table, *_peaks(rows)])


def _row(row: Measurement) -> dict[str, str]:
    cell = {name: str(value) for name, value in row.setup.items()} | {"n": str(row.n)}
    cell |= _values(row)
    if row.images_per_second and "batch" in row.setup:
        cell["ms a step"] = _milliseconds(int(row.setup["batch"]) / row.images_per_second[row.subject])
    cell |= {f"× {name}": _ratio(ratio) for name, ratio in row.ratios.items()}
    if row.floor is not None and row.reached is not None:
        cell["of the floor"] = f"{100 * row.reached:.0f} % ({row.floor.bound})"
    return cell


def _values(row: Measurement) -> Mapping[str, str]:
    if row.images_per_second:
        return {name: f"{value:,.0f}" for name, value in row.images_per_second.items()}
    return {name: _milliseconds(value) for name, value in row.seconds.items()}


def _milliseconds(seconds: float) -> str:
    value = 1000 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.lowest:.2f}–{ratio.highest:.2f})"


def _peaks(rows: Sequence[Measurement]) -> list[str]:
    """What the floors rest on, once per precision."""
    found = {
        str(row.setup.get("precision", "")): (row.floor.peak_flops, row.floor.peak_bandwidth)
        for row in rows
        if row.floor
    }
    return [
        f"The floor in {precision}: {flops / 1e9:,.0f} GFLOP/s, the best matrix product, and "
        f"{bandwidth / 1e9:,.0f} GB/s, the best copy."
        for precision, (flops, bandwidth) in found.items()
    ]
