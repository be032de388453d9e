"""What ``python -m bench data`` does. Imports torch, through ``pruning.data``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from bench import places
from bench.names import check
from pruning.data import NAMES, DataError, MissingData, download, imagenet, load
from pruning.data.sources import SOURCES, find_layout

_ALL = (*NAMES, "imagenet")


def show_data(root: str | None, fetch: Sequence[str], *, fingerprint: bool) -> int:
    """Fetch the data sets named, then print which are there; 1 where one could not be fetched."""
    check("data set", fetch, _ALL)
    folder = Path(root).expanduser().absolute() if root else places.data_root()
    failed = [name for name in fetch if not _fetched(name, folder)]
    print(f"data root: {folder}")
    print(tabulate([_row(name, folder, fingerprint) for name in _ALL], headers=["data set", "state", "fingerprint"]))
    return 1 if failed else 0


def _fetched(name: str, folder: Path) -> bool:
    try:
        download(name, folder)
    except DataError as error:
        print(error, file=sys.stderr)
        return False
    return True


def _row(name: str, folder: Path, fingerprint: bool) -> list[str]:
    try:
        if name == "imagenet":
            return [name, "found", _imagenet(folder, fingerprint)]
        if name in SOURCES:
            find_layout(SOURCES[name], folder)
        return [name, "found", load(name, folder).fingerprint if fingerprint else ""]
    except MissingData:
        return [name, "missing", ""]
    except DataError as error:
        return [name, f"damaged: {error}", ""]


def _imagenet(folder: Path, fingerprint: bool) -> str:
    """Its fingerprint, for which each of its 1.3 million files is looked at, if wanted."""
    if not fingerprint and all((folder / "imagenet" / part).is_dir() for part in ("train", "val")):
        return ""
    return imagenet(folder).fingerprint
