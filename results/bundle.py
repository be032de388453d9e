"""Bundles: records of one registry as a single JSONL file, for another registry to import.

A record's side files come before it, a line each: ``{"file": name, "base64": content}``.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from results import _codec, _files
from results.record import Record
from results.registry import Outcome, Registry


class Entry(NamedTuple):
    """A record and the content of its side files, by name."""

    record: Record
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Rejected:
    """A line of a bundle that could not be imported; ``line`` counts from 1."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True)
class ImportSummary:
    """What an import did with each line; ``superseded`` means that one of two records with that key was superseded."""

    new: int
    superseded: int
    unchanged: int
    rejected: tuple[Rejected, ...]


def export(registry: Registry, path: Path, profile: str | None = None) -> int:
    """Write the records of ``registry``, of one profile or of all, to ``path``, one per line, sorted by key.

    Returns how many. Unreadable ones are left out and listed in ``registry.problems``. Raises ValueError, OSError.
    """
    records = registry.records(profile)
    write((entry(registry, record) for record in records), path)
    return len(records)


def entry(registry: Registry, record: Record) -> Entry:
    """A record with those of its side files that are there. Raises OSError."""
    found = {name: registry.side_file(record, name) for name in record.side_files}
    return Entry(record, {name: content for name, content in found.items() if content is not None})


def write(entries: Iterable[Entry], path: Path) -> None:
    """Write ``entries`` to the bundle ``path``. Raises ValueError where that is no file, and OSError."""
    path = path.resolve()  # where a link leads, not in its place
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file; name a file that may be replaced")
    _files.write(path, b"".join(line + b"\n" for each in entries for line in _lines(each)))


def _lines(each: Entry) -> Iterator[bytes]:
    for name, content in each.files.items():
        yield json.dumps({"file": name, "base64": base64.b64encode(content).decode()}).encode()
    yield _codec.encode_line(each.record)


def read(path: Path) -> list[Entry]:
    """The records of the bundle ``path``. Raises ValueError where a line is none, and OSError."""
    found, files = [], dict[str, bytes]()
    with path.open("rb") as file:
        for line in file:
            if line.startswith(_FILE):
                files |= [_file(line)]
            elif line.strip():
                record = _codec.decode(line)
                found.append(Entry(record, {name: files[name] for name in record.side_files if name in files}))
    return found


_FILE = b'{"file"'


def _file(line: bytes) -> tuple[str, bytes]:
    try:
        found = json.loads(line)
        return str(found["file"]), base64.b64decode(found["base64"], validate=True)
    except (json.JSONDecodeError, KeyError, TypeError, binascii.Error) as error:
        raise _codec.NotJSONError(f"it is no side file: {error}") from None


def import_(registry: Registry, path: Path) -> ImportSummary:
    """Merge the records of the bundle ``path`` into ``registry``; importing it again changes nothing.

    A line that is not a record is rejected and the others are imported. Raises OSError.
    """
    outcomes: list[Outcome] = []
    rejected, files = [], dict[str, bytes]()
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                if line.startswith(_FILE):
                    files |= [_file(line)]
                elif line.strip():
                    outcomes.append(_merged(registry, _codec.decode(line), files))
                    files = {}
            except ValueError as error:
                rejected.append(Rejected(number, _reason(line, error)))
    new, superseded, unchanged = (outcomes.count(name) for name in ("new", "superseded", "unchanged"))
    return ImportSummary(new=new, superseded=superseded, unchanged=unchanged, rejected=tuple(rejected))


def _merged(registry: Registry, record: Record, files: Mapping[str, bytes]) -> Outcome:
    for name in record.side_files:
        if name in files and registry.side_file(record, name) is None:
            registry.keep(record.profile, record.cell, name, files[name])
    return registry.merge(record)


def _reason(line: bytes, error: ValueError) -> str:
    if isinstance(error, _codec.NotJSONError) and not line.endswith(b"\n"):  # its writer was killed, or the disk full
        return "the file ends in the middle of this record; export it again"
    return str(error)
