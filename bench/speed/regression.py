"""Whether this project has become slower: by ratio to the baselines of the same run, never by absolute time."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.speed.measurement import machine
from bench.speed.sizes import FULL
from bench.speed.table import Rows

SLACK = 0.8
"""A ratio below so much of the stored one is a regression; above it, it is called noise."""

Ratios = dict[str, dict[str, float]]
"""Median ratio by the name of the test and by baseline."""
Stored = dict[str, Ratios]
"""Those of every kind of machine that has been measured."""


class Verdict(NamedTuple):
    """One sentence per ratio that fell, and one per ratio that could not be compared."""

    fallen: list[str]
    missing: list[str]


def load(path: Path) -> Stored:
    """The ratios in a file. Raises ValueError where it holds something else, OSError where it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stored)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} holds no ratios by machine, test and baseline: {error}") from None


def store(rows: Rows, path: Path) -> str:
    """Put the ratios of ``rows`` into the file, beside what it has of other tests and machines; returns the machine."""
    kind, found = _machine(rows), _ratios(rows)
    stored = load(path) if path.exists() else {}
    stored[kind] = {**stored.get(kind, {}), **found}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(stored, order="sorted")) + b"\n")
    return kind


class UnknownMachine(ValueError):  # noqa: N818
    """No ratio is stored for a machine."""


def check(rows: Rows, stored: Stored) -> Verdict:
    """Hold ``rows`` against what is stored for their machine.

    Raises UnknownMachine where nothing is, and ValueError where none of it was measured.
    """
    kind, now = _machine(rows), _ratios(rows)
    if kind not in stored:
        known = "; ".join(stored) or "none"
        raise UnknownMachine(f"no ratio is stored for {kind!r} (stored: {known}); --store adds this run's")
    before = stored[kind]
    pairs = sorted({*_pairs(before), *_pairs(now)})
    verdict = Verdict([], [])
    for test, baseline in pairs:
        old, new = before.get(test, {}).get(baseline), now.get(test, {}).get(baseline)
        if old is None or new is None:
            verdict.missing.append(f"{test} against {baseline} was {'not measured' if new is None else 'not stored'}")
        elif not new >= SLACK * old:  # so that a ratio that is no number has fallen
            verdict.fallen.append(
                f"{test} is {new:.2f} times as fast as {baseline}, less than {SLACK} x the {old:.2f} stored for {kind}"
            )
    if len(verdict.missing) == len(pairs):
        raise ValueError("none of the stored ratios was measured; run what was stored, or --store others")
    return verdict


def _machine(rows: Rows) -> str:
    """The one kind of machine that measured all rows, at full size. Raises ValueError where it was otherwise."""
    for name, row in rows.items():
        if row.size != FULL.name:
            raise ValueError(f"{name} was measured at size {row.size}; only ratios of size {FULL.name} are compared")
    kinds = {machine(row.environment) for row in rows.values()}
    if len(kinds) > 1:
        raise ValueError(f"the rows come from several machines: {'; '.join(sorted(kinds))}; compare one at a time")
    return kinds.pop()


def _ratios(rows: Rows) -> Ratios:
    return {
        name: {baseline: round(ratio.median, 3) for baseline, ratio in row.ratios.items()}
        for name, row in rows.items()
        if row.ratios
    }


def _pairs(ratios: Ratios) -> Iterable[tuple[str, str]]:
    return ((test, baseline) for test, by_baseline in ratios.items() for baseline in by_baseline)
