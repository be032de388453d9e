"""Files that are whole or not there: written beside, flushed to disk, renamed; and one writer at a time per folder."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNFINISHED = ".tmp"
"""Ending of a file that is still being written, or whose writer was killed."""


def write(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``: whoever looks, even after a power cut, finds the old or the new. Raises OSError."""
    make_folder(path.parent)
    # The leading dot hides it, and pid and random bytes keep two writers of one path apart.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}{UNFINISHED}")
    try:
        with unfinished.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:  # Ctrl-C included
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def check_writable(folder: Path) -> None:
    """Make ``folder`` and a file in it that goes again. Raises OSError."""
    make_folder(folder)
    with tempfile.TemporaryFile(dir=folder):
        pass


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents, durably: a new folder is an entry in its parent that needs flushing too."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other writers out of ``folder``. The folder itself is the lock, so no lock file is left in a repository."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems cannot lock a folder. Files are still whole there; only of two processes that
        # write the same record in the same instant, one may go unrecorded.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
