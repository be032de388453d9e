"""The registry: one JSON file per record, in folders named after what was measured."""

import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal

from results import _codec, _files
from results.record import Record

SUPERSEDED = "superseded"
"""Folder, beside the records, of those that a rerun or an import has replaced."""
UNREADABLE = ".unreadable"
"""Ending of a file that was in the place of a record and could not be read as one."""

Outcome = Literal["new", "superseded", "unchanged"]

_COMPONENT = re.compile(r"[a-z0-9_-][a-z0-9_.-]*")  # no leading dot: such files are hidden, and "." is a folder
_LONGEST = 200  # leaves room in a file name's 255 bytes for the endings that set files apart


_DIGEST = re.compile(r".*\.([0-9a-f]{8})\.[a-z]+")


def side_file_name(key: str, content: bytes, ending: str) -> str:
    """What a side file is called: it changes with its content, so that a record never points at another's."""
    return f"{key}.{hashlib.sha256(content).hexdigest()[:8]}.{ending}"


def is_named(name: str, content: bytes) -> bool:
    """Whether a name that ends in a digest, as :func:`side_file_name` gives it, is that of ``content``."""
    found = _DIGEST.fullmatch(name)
    return found is None or found[1] == hashlib.sha256(content).hexdigest()[:8]


def default_root() -> Path:
    """The registry that the project itself keeps: ``runs`` beside this module."""
    return Path(__file__).parent / "runs"


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used as a record, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass
class Registry:
    """The records under ``root``, one at ``<root>/<profile>/<suite>/<model>-<dataset>/<key>.json``.

    ``problems`` lists the files met so far that could not be used; :meth:`records` starts the list afresh.
    Nothing is ever deleted: a record that is replaced moves to ``superseded/``, an unreadable file to ``*.unreadable``.
    """

    root: Path = field(default_factory=default_root)
    problems: list[Problem] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.root = Path(self.root)

    def path(self, profile: str, cell: Mapping[str, Any], key: str) -> Path:
        """Where the record ``key`` of ``cell`` lies. Raises ValueError where a part cannot name a file."""
        suite, model, dataset = (check_name(part, cell.get(part)) for part in ("suite", "model", "dataset"))
        folder = self.root / check_name("profile", profile) / suite / check_name("folder", f"{model}-{dataset}")
        return folder / f"{check_name('key', key)}.json"

    def check_writable(self) -> None:
        """Raise OSError, with one sentence, where no record could be stored."""
        try:
            _files.check_writable(self.root)
        except OSError as error:
            raise OSError(f"no record can be stored in {self.root} ({error.strerror}); choose another folder") from None

    def get(self, profile: str, cell: Mapping[str, Any], key: str) -> Record | None:
        """The record ``key`` of ``cell``, or None where none can be read. Raises ValueError where path does."""
        path = self.path(profile, cell, key)
        try:
            return self._load(path)
        except FileNotFoundError:
            return None
        except ValueError as error:
            self._report(path, str(error))
            return None

    def keep(self, profile: str, cell: Mapping[str, Any], name: str, content: bytes) -> Path:
        """Store a side file of a record of ``cell`` and return its path. Raises ValueError, OSError."""
        path = self.path(profile, cell, "any").with_name(check_name("file", name))
        _files.write(path, content)
        return path

    def side_file(self, record: Record, name: str) -> bytes | None:
        """The content of one of ``record``'s side files; None where it is not there. Raises OSError."""
        path = self.path(record.profile, record.cell, record.key).with_name(check_name("file", name))
        return path.read_bytes() if path.is_file() else None

    def look_for_side_files(self, records: Iterable[Record]) -> None:
        """Add to ``problems`` what ``records`` name and is not there, or not what its name says. Raises OSError."""
        for record in records:
            for name in record.side_files:
                content = self.side_file(record, name)
                if content is None or not is_named(name, content):
                    path = self.path(record.profile, record.cell, record.key)
                    state = "is not there" if content is None else "is damaged: its content is not what its name says"
                    self._report(path, f"its side file {name} {state}")

    def warn(self) -> bool:
        """Name each of ``problems`` on standard error; False where there is none."""
        for problem in self.problems:
            print(f"left out: {problem}", file=sys.stderr)
        return bool(self.problems)

    def records(self, profile: str | None = None) -> list[Record]:
        """Every readable record, of one profile or of all, sorted by key; the files that are not go to ``problems``."""
        self.problems = []
        found = list(self._readable(self.root if profile is None else self.root / check_name("profile", profile)))
        return sorted(found, key=lambda record: (record.key, record.profile))

    def put(self, record: Record) -> Path:
        """Store ``record`` and return its path; a record already there is superseded. Raises ValueError, OSError."""
        self._place(record, wins=lambda _new, _old: True)
        return self.path(record.profile, record.cell, record.key)

    def merge(self, record: Record) -> Outcome:
        """Store ``record`` from another registry; of two with one key, one stays and the other is superseded.

        Merging what is already here, superseded or not, is "unchanged". Raises ValueError, OSError.
        """
        return self._place(record, wins=counts_over)

    def _place(self, record: Record, wins: Callable[[Record, Record], bool]) -> Outcome:
        path = self.path(record.profile, record.cell, record.key)
        data = _codec.encode(record)
        _files.make_folder(path.parent)
        with _files.locked(path.parent):
            old = self._occupant(path)
            if old is None:
                _files.write(path, data)
                return "new"
            if _codec.encode(old) == data:
                return "unchanged"
            if not wins(record, old):
                return "superseded" if _keep_superseded(path.parent, record) else "unchanged"
            # Copied, not moved: killed at any point, the key has a record, and no record is lost.
            _keep_superseded(path.parent, old)
            _files.write(path, data)
            return "superseded"

    def _occupant(self, path: Path) -> Record | None:
        try:
            return self._load(path)
        except FileNotFoundError:
            return None
        except ValueError as error:
            aside = _unused(path)
            path.rename(aside)
            self._report(aside, f"set aside for a new record, because {error}")
            return None

    def _readable(self, folder: Path) -> Iterator[Record]:
        for path in folder.rglob("*.json"):
            if path.parent.name == SUPERSEDED:
                continue
            try:
                yield self._load(path)
            except FileNotFoundError:  # set aside by another process since the folder was listed
                continue
            except ValueError as error:
                self._report(path, str(error))

    def _load(self, path: Path) -> Record:
        try:
            record = _codec.decode(path.read_bytes())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ValueError(f"it cannot be opened ({error.strerror})") from None
        if path.name != f"{record.key}.json":
            raise ValueError(f"it holds the record {record.key}, which belongs in a file of that name")
        if path != (place := self.path(record.profile, record.cell, record.key)):
            raise ValueError(f"it belongs in {place.parent.relative_to(self.root)}, by its profile and cell")
        return record

    def _report(self, path: Path, reason: str) -> None:
        problem = Problem(path, reason)
        if problem not in self.problems:
            self.problems.append(problem)


def check_name(what: str, value: object) -> str:
    """``value``, where it can safely name a file or folder. Raises ValueError; ``what`` says there what it is."""
    if not isinstance(value, str) or not _COMPONENT.fullmatch(value) or ".." in value:
        raise ValueError(
            f"{what} is {value!r}; it may hold only a-z, 0-9, _, - and single inner dots, for example cifar10"
        )
    if len(value) > _LONGEST:
        raise ValueError(
            f"{what} has {len(value)} characters; file systems leave room for {_LONGEST}, shorten its parts"
        )
    return value


def counts_over(record: Record, other: Record) -> bool:
    """Whether ``record`` is the one to keep of two with the same key: final first, then the later finished."""
    return _rank(record) > _rank(other)


def _rank(record: Record) -> tuple[bool, datetime, bytes]:
    # The text breaks ties, so that two registries that import each other end up the same.
    return record.final, _codec.instant(record.finished), _codec.encode(record)


def _keep_superseded(folder: Path, record: Record) -> bool:
    """Store ``record`` among the superseded of ``folder``; False where it already was there."""
    data = _codec.encode(record)
    finished = f"{_codec.instant(record.finished):%Y%m%dT%H%M%SZ}"
    paths = (folder / SUPERSEDED / f"{record.key}.{finished}.{number}.json" for number in count())
    path = next(path for path in paths if not path.exists() or path.read_bytes() == data)
    if path.exists():
        return False
    _files.write(path, data)
    return True


def _unused(path: Path) -> Path:
    endings = (UNREADABLE if number == 0 else f".{number}{UNREADABLE}" for number in count())
    return next(aside for ending in endings if not (aside := path.with_name(path.name + ending)).exists())
