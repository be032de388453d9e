"""Records as a pandas table."""

import msgspec
import pandas as pd

from results.frame import frame
from results.record import Metrics


def test_a_row_per_record_with_what_was_measured(make_record):
    one, other = make_record(seed=0), make_record(seed=1)
    failed = msgspec.structs.replace(make_record(seed=2), status="error", metrics=None)
    table = frame([one, other, failed])
    assert list(table.seed) == [0, 1, 2]
    assert list(table.key) == [one.key, other.key, failed.key]
    assert set(Metrics.__struct_fields__) <= set(table.columns)
    assert one.metrics is not None
    assert table.test_accuracy_last[0] == one.metrics.test_accuracy_last
    assert pd.isna(table.test_accuracy_last[2])


def test_no_records_give_an_empty_table_with_its_columns():
    assert list(frame([]).columns[:2]) == ["profile", "key"]
