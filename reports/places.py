"""Where reports go, and how their pages link to records."""

import os
from collections.abc import Callable
from pathlib import Path

import reports
from results.record import Record
from results.registry import Registry, default_root


def checkout() -> Path:
    """The folder that holds the rooms of this project."""
    return Path(reports.__file__).resolve().parent.parent


def default_out(registry_root: Path) -> Path:
    """``reports/rendered`` for the project's own registry, ``rendered`` beside any other."""
    if registry_root.resolve() == default_root().resolve():
        return checkout() / "reports" / "rendered"
    return registry_root.resolve().parent / "rendered"


def linker(registry: Registry, pages: Path) -> Callable[[Record], str | None]:
    """Relative links from pages in the folder ``pages``, where they and the registry lie in one checkout or folder.

    Elsewhere there is no link: it would lead through folders that a copy of the pages does not have.
    """
    root, pages = registry.root.resolve(), pages.resolve()
    home = checkout() if root.is_relative_to(checkout()) else root.parent
    if not pages.is_relative_to(home):
        return lambda _record: None

    def link(record: Record) -> str | None:
        path = registry.path(record.profile, record.cell, record.key).resolve()
        return Path(os.path.relpath(path, pages)).as_posix() if path.is_file() else None

    return link
