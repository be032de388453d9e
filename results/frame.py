"""Records as a pandas table, for questions that no report answers."""

from collections.abc import Iterable

import msgspec
import pandas as pd

from results.record import Metrics, Record

_RECORD = ("profile", "key", "status", "finished")
_CELL = ("suite", "model", "dataset", "score", "granularity", "amount", "rounds", "ablation", "seed")
_ENVIRONMENT = ("device", "device_name", "threads", "commit")
_COLUMNS = [*_RECORD, *_CELL, *Metrics.__struct_fields__, "seconds", *_ENVIRONMENT]


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row per record: what was measured, every metric, seconds, and where it ran; None where there is no value.

    >>> from results.frame import frame
    >>> from results.registry import Registry
    >>> table = frame(Registry().records("paper"))
    >>> means = table.groupby(["model", "dataset", "score", "rounds"]).test_accuracy_best.agg(["mean", "std", "count"])
    """
    return pd.DataFrame(
        [_row(record) for record in records],
        columns=_COLUMNS,
    )


def _row(record: Record) -> dict[str, object]:
    metrics = {} if record.metrics is None else msgspec.structs.asdict(record.metrics)
    return {
        **{name: getattr(record, name) for name in _RECORD},
        **{name: record.cell.get(name) for name in _CELL},
        **metrics,
        "seconds": record.costs.seconds_total,
        **{name: getattr(record.environment, name) for name in _ENVIRONMENT},
    }
