"""The text of a record: JSON that diffs well, checked in both directions."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from results.record import SCHEMA, Record

_EXPANDED = 2  # levels of objects that are written one entry per line: the record, and the objects in it


class NotJSONError(ValueError):
    """The text is no JSON at all: damaged, or cut off."""


class _Header(msgspec.Struct):
    schema: int


def encode(record: Record) -> bytes:
    """The one text of ``record``: NaN and infinity are null, a whole number in a field of floats is a float.

    Raises ValueError where the text could not be read back, so that a run's result is not stored unreadable.
    """
    try:
        checked = decode(encode_line(record))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"record {record.key} cannot be stored: {error}") from None
    return (_text(msgspec.to_builtins(checked)) + "\n").encode()


def encode_line(record: Record) -> bytes:
    """``record`` as compact JSON on one line, without the line's end."""
    if record.error is not None:  # messages of failed calls may hold undecodable file names, which JSON cannot
        record = msgspec.structs.replace(record, error=record.error.encode(errors="backslashreplace").decode())
    return msgspec.json.encode(record)


def decode(data: bytes) -> Record:
    """The record whose text is ``data``. Raises ValueError, in words for its reader, where it is not one."""
    try:
        _check_schema(msgspec.json.decode(data, type=_Header).schema)
        record = msgspec.json.decode(data, type=Record)
    except msgspec.ValidationError as error:
        raise ValueError(f"it is not a record: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJSONError(f"it is not valid JSON: {error}") from None
    instant(record.started)
    instant(record.finished)
    return record


def instant(text: str) -> datetime:
    """The moment that an ISO 8601 ``text`` names; without an offset it is taken as UTC. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; expected ISO 8601, for example 2026-01-31T12:00:00Z") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _check_schema(schema: int) -> None:
    if schema > SCHEMA:
        raise ValueError(
            f"it has schema {schema}, newer than the {SCHEMA} that this version reads; update pruning-bench to read it"
        )
    if schema < 1:
        raise ValueError(f"it has schema {schema}; schemas count from 1")


def _text(value: Any, depth: int = 0) -> str:
    indent, end = "  " * (depth + 1), "\n" + "  " * depth
    if isinstance(value, dict) and value and depth < _EXPANDED:
        entries = (f"{indent}{_leaf(name)}: {_text(entry, depth + 1)}" for name, entry in value.items())
        return "{\n" + ",\n".join(entries) + end + "}"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return "[\n" + ",\n".join(indent + _leaf(entry) for entry in value) + end + "]"
    return _leaf(value)


def _leaf(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
