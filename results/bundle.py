"""Bundles: records of one registry as a single JSONL file, for another registry to import."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from results import _codec, _files
from results.record import Record
from results.registry import Outcome, Registry


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
    write(records, path)
    return len(records)


def write(records: Iterable[Record], path: Path) -> None:
    """Write ``records`` to the bundle ``path``, one per line. Raises ValueError where that is no file, and OSError."""
    path = path.resolve()  # where a link leads, not in its place
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file; name a file that may be replaced")
    _files.write(path, b"".join(_codec.encode_line(record) + b"\n" for record in records))


def read(path: Path) -> list[Record]:
    """The records of the bundle ``path``. Raises ValueError where a line is none, and OSError."""
    with path.open("rb") as file:
        return [_codec.decode(line) for line in file if line.strip()]


def import_(registry: Registry, path: Path) -> ImportSummary:
    """Merge the records of the bundle ``path`` into ``registry``; importing it again changes nothing.

    A line that is not a record is rejected and the others are imported. Raises OSError.
    """
    outcomes: list[Outcome] = []
    rejected = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                if line.strip():
                    outcomes.append(registry.merge(_codec.decode(line)))
            except ValueError as error:
                rejected.append(Rejected(number, _reason(line, error)))
    new, superseded, unchanged = (outcomes.count(name) for name in ("new", "superseded", "unchanged"))
    return ImportSummary(new=new, superseded=superseded, unchanged=unchanged, rejected=tuple(rejected))


def _reason(line: bytes, error: ValueError) -> str:
    if isinstance(error, _codec.NotJSONError) and not line.endswith(b"\n"):  # its writer was killed, or the disk full
        return "the file ends in the middle of this record; export it again"
    return str(error)
