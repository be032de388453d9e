import json
import math
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from results._codec import NotJSONError, decode, encode, encode_line, instant
from results.record import Curve, Layer, Record

MakeRecord = Callable[..., Record]

TEXT = """\
{
  "schema": 1,
  "key": "gradient_flow-vgg13-cifar10-loss-filters75-r1-s0-0123abcd",
  "cell": {
    "suite": "gradient_flow",
    "model": "vgg13",
    "dataset": "cifar10",
    "score": "loss",
    "granularity": "filters",
    "amount": "0.75",
    "rounds": 1,
    "ablation": "none",
    "seed": 0
  },
  "profile": "mini",
  "protocol": {
    "width": "1",
    "lr_drops": [4, 6]
  },
  "versions": {
    "loss": 1
  },
  "status": "done",
  "error": null,
"""
CURVE = """\
  "curve": {
    "epoch": [1, 2],
    "round": [1, null],
    "lr": [0.1, 0.01],
    "train_loss": [],
    "train_accuracy": [],
    "test_loss": [],
    "test_accuracy": [50.0, 92.25]
  },
  "layers": [
    {"name": "features.0", "kept": 1, "total": 2},
    {"name": "features.3", "kept": 0, "total": 2}
  ],
"""

floats = st.floats()
numbers = floats | st.none()
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | floats | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
curves = st.builds(
    Curve,
    epoch=st.lists(st.integers(0, 500), max_size=3),
    round=st.lists(st.integers(1, 25) | st.none(), max_size=3),
    lr=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    train_loss=st.lists(numbers, max_size=3),
    test_accuracy=st.lists(numbers, max_size=3),
)
layers = st.lists(st.builds(Layer, name=words, kept=st.integers(0, 9), total=st.integers(0, 9)), max_size=3)


def without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nan(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def test_the_text_has_one_line_per_entry(record: Record) -> None:
    text = encode(record).decode()
    assert text.startswith(TEXT)
    assert CURVE in text
    assert text.endswith('  "finished": "2026-01-31T12:00:00Z"\n}\n')


def test_one_changed_value_changes_one_line(record: Record, make_record: MakeRecord) -> None:
    curve = msgspec.structs.replace(record.curve, lr=[0.1, 0.02])
    before, after = (encode(r).decode().splitlines() for r in (record, make_record(curve=curve)))
    assert [new for old, new in zip(before, after, strict=True) if old != new] == ['    "lr": [0.1, 0.02],']


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(protocol=st.dictionaries(words, values, max_size=4), curve=curves, layers=layers, error=words | st.none())
def test_round_trip(
    make_record: MakeRecord, protocol: dict[str, Any], curve: Curve, layers: list[Layer], error: str | None
) -> None:
    record = make_record(protocol=protocol, curve=curve, layers=layers, error=error)
    text = encode(record)
    expected = without_nan(msgspec.to_builtins(record))
    assert msgspec.to_builtins(decode(text)) == expected
    assert json.loads(text) == expected
    assert encode(decode(text)) == text
    assert decode(encode_line(record)) == decode(text)
    assert b"\n" not in encode_line(record)
    fields = re.findall(r'^  "(\w+)":', text.decode().replace("\u2028", " "), re.MULTILINE)
    assert fields == list(record.__struct_fields__)


def test_nan_and_infinity_become_null(make_record: MakeRecord) -> None:
    curve = Curve(test_loss=[math.nan, math.inf, 1.0])
    assert decode(encode(make_record(curve=curve))).curve.test_loss == [None, None, 1.0]


def test_a_whole_number_among_floats_gives_the_same_text_as_the_float(make_record: MakeRecord) -> None:
    assert encode(make_record(curve=Curve(lr=[1]))) == encode(make_record(curve=Curve(lr=[1.0])))


def test_what_could_not_be_read_back_is_not_written(make_record: MakeRecord) -> None:
    with pytest.raises(ValueError, match=r"record grad.*-0123abcd cannot be stored: .*Expected `float`.*curve\.lr"):
        encode(make_record(curve=Curve(lr=[math.nan])))
    with pytest.raises(ValueError, match="cannot be stored: it is not a record: Invalid enum value 'finished'"):
        encode(make_record(status="finished"))
    with pytest.raises(ValueError, match="cannot be stored: 'yesterday' is not a time; expected ISO 8601"):
        encode(make_record(finished="yesterday"))
    with pytest.raises(ValueError, match="cannot be stored: Encoding objects of type object is unsupported"):
        encode(make_record(protocol={"width": object()}))


def test_an_undecodable_file_name_in_a_message_costs_no_record(make_record: MakeRecord) -> None:
    assert decode(encode(make_record(status="error", error="no file \udcff"))).error == "no file \\udcff"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "it is not valid JSON"),
        (b'{"schema": 1', "it is not valid JSON"),
        (b'{"schema": 1, "key": "\xff"}', "it is not valid JSON"),
        (b'{"schema": 1, "key": ' + b"[" * 100_000, "it is not valid JSON"),
    ],
)
def test_damaged_text(text: bytes, reason: str) -> None:
    with pytest.raises(NotJSONError, match=reason):
        decode(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[]", "it is not a record: Expected `object`, got `array`"),
        (b"{}", "it is not a record: Object missing required field `schema`"),
        (b'{"schema": 1}', "it is not a record: Object missing required field `key`"),
        (
            b'{"schema": 2}',
            "it has schema 2, newer than the 1 that this version reads; update pruning-bench to read it",
        ),
        (b'{"schema": 0}', "it has schema 0; schemas count from 1"),
    ],
)
def test_text_of_something_else(text: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        decode(text)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"params": 1000', b'"params": "many"', r"Expected `int`, got `str` - at `$.metrics.params`"),
        (b'"status": "done"', b'"status": "won"', r"Invalid enum value 'won'"),
        (b'"error": null', b'"mood": null', r"Object contains unknown field `mood`"),
        (b'"finished": "2026-01-31T12:00:00Z"', b'"finished": "noon"', "'noon' is not a time"),
    ],
)
def test_a_wrong_field_is_named(record: Record, old: bytes, new: bytes, reason: str) -> None:
    text = encode(record)
    assert text.count(old) == 1
    with pytest.raises(ValueError, match=re.escape(reason)):
        decode(text.replace(old, new))


def test_instants_are_compared_across_offsets() -> None:
    assert instant("2026-01-31T12:00:00Z") == instant("2026-01-31T12:00:00") == instant("2026-01-31T14:00:00+02:00")
    assert instant("2026-01-31T12:00:00+02:00") < instant("2026-01-31T11:00:00Z")
