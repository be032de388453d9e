"""What became of each cell: the note that a test report carries, and the table made of such notes."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tabulate import tabulate

from results.record import Metrics, Record


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a test report says about its cell (as JSON); accuracies in percent. ``status`` may also be "skipped"."""

    key: str
    status: str
    cached: bool = False
    test_accuracy_last: float | None = None
    test_accuracy_best: float | None = None
    kept: int | None = None  # filters, or weights
    total: int | None = None
    seconds: float | None = None
    reason: str | None = None  # why it was skipped, or has no answer

    @property
    def answered(self) -> bool:
        """Whether the cell ran to an answer, now or before."""
        return self.status in ("done", "diverged")

    def to_json(self) -> str:
        """As one JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Note":
        """The inverse of :meth:`to_json`."""
        return cls(**json.loads(text))


def note(record: Record, cached: bool) -> Note:
    """What to say about ``record``."""
    metrics = record.metrics
    pruned, total = (None, None) if metrics is None else _pruned(metrics)
    return Note(
        key=record.key,
        status=record.status,
        cached=cached,
        test_accuracy_last=None if metrics is None else metrics.test_accuracy_last,
        test_accuracy_best=None if metrics is None else metrics.test_accuracy_best,
        kept=None if total is None or pruned is None else total - pruned,
        total=total,
        seconds=record.costs.seconds_total,
        reason=(record.error or "").partition("\n")[0] or None,
    )


def _pruned(metrics: Metrics) -> tuple[int | None, int | None]:
    """How many filters, or weights, are gone, and of how many."""
    if metrics.filters_total is not None:
        return metrics.filters_pruned, metrics.filters_total
    return metrics.weights_pruned, metrics.weights_total


def table(rows: Iterable[tuple[str, Note]]) -> str:
    """One row per (cell id, note)."""
    headers = ["cell", "status", "last %", "best %", "kept", "seconds"]
    body = [_row(name, said) for name, said in rows]
    return tabulate(body, headers=headers, disable_numparse=True, colalign=("left", "left", *["right"] * 4))


def _row(name: str, said: Note) -> list[str]:
    kept = "" if said.kept is None else f"{said.kept}/{said.total}"
    numbers: list[Any] = [said.test_accuracy_last, said.test_accuracy_best]
    seconds = "" if said.seconds is None else f"{said.seconds:.1f}"
    return [name, _word(said), *("" if n is None else f"{n:.2f}" for n in numbers), kept, seconds]


def _word(said: Note) -> str:
    if said.status == "done":
        return "cached" if said.cached else "ran"
    return f"{said.status} (cached)" if said.cached else said.status
