"""Records as text for a terminal."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from results._codec import instant
from results.record import Curve, Record

_EPOCHS_SHOWN = 5


def counts(records: Sequence[Record]) -> str:
    """How many records each profile has of each status that occurs."""
    number = Counter((record.profile, record.status) for record in records)
    statuses = sorted({record.status for record in records})
    rows = [[profile, *(number[profile, status] for status in statuses)] for profile in _profiles(records)]
    return tabulate(rows, headers=["profile", *statuses])


def table(records: Sequence[Record]) -> str:
    """One line per record."""
    rows = [
        [record.profile, record.key, record.status, *_results(record), _duration(record.costs.seconds_total)]
        for record in records
    ]
    headers = ["profile", "key", "status", "best %", "last %", "parameters", "took"]
    return tabulate(rows, headers=headers, floatfmt=".2f", intfmt=",", missingval="-")


def detail(record: Record) -> str:
    """Everything of one record that a person asks for first."""
    sections: dict[str, dict[str, Any]] = {
        record.key: {
            "profile": record.profile,
            "status": record.status,
            "error": record.error,
            "finished": _span(record),
        },
        "Metrics": _fields(record.metrics),
        "Costs": _costs(record),
        "Data": _fields(record.data),
        "Environment": _fields(record.environment),
        "Protocol": record.protocol,
    }
    texts = [f"{title}\n{_pairs(values)}" for title, values in sections.items() if values]
    return "\n\n".join([*texts, *_last_epochs(record.curve)])


def _profiles(records: Sequence[Record]) -> list[str]:
    return sorted({record.profile for record in records})


def _results(record: Record) -> tuple[float | None, float | None, int | None]:
    if (metrics := record.metrics) is None:
        return None, None, None
    return metrics.test_accuracy_best, metrics.test_accuracy_last, metrics.params


def _fields(value: object) -> dict[str, object]:
    return {} if value is None else {name: getattr(value, name) for name in getattr(value, "__struct_fields__", ())}


def _costs(record: Record) -> dict[str, object]:
    costs = record.costs
    memory = None if costs.peak_memory_bytes is None else f"{costs.peak_memory_bytes / 2**20:,.0f} MiB"
    seconds = {f"{stage} seconds": f"{value:.1f}" for stage, value in costs.seconds.items()}
    stages = f"{costs.stages_run} run, {costs.stages_cached} from the cache"
    return {"total": _duration(costs.seconds_total), **seconds, "peak memory": memory, "stages": stages}


def _span(record: Record) -> str:
    seconds = (instant(record.finished) - instant(record.started)).total_seconds()
    return f"{record.finished}, {_duration(seconds)} after the start"


def _pairs(values: Mapping[str, object]) -> str:
    rows = [(f"  {name}", _text(value)) for name, value in values.items() if value is not None]
    return tabulate(rows, tablefmt="plain", disable_numparse=True, preserve_whitespace=True)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _last_epochs(curve: Curve) -> list[str]:
    columns = {name: column[-_EPOCHS_SHOWN:] for name, column in _columns(curve).items()}
    if not columns:
        return []
    return [f"Last epochs\n{tabulate(columns, headers='keys', missingval='-', tablefmt='simple')}"]


def _columns(curve: Curve) -> dict[str, list[float | None]]:
    return {name: column for name in curve.__struct_fields__ if (column := getattr(curve, name))}


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
