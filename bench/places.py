"""Where things are kept unless an option says otherwise."""

import os
import sys
from pathlib import Path

from results.registry import default_root

DATA_VARIABLE = "PRUNING_BENCH_DATA"


def checkout() -> Path:
    """The folder that holds the packages of this project."""
    return Path(__file__).resolve().parent.parent


def registry_root() -> Path:
    """Where the project itself keeps its records: ``results/runs``."""
    return default_root()


def data_root() -> Path:
    """``$PRUNING_BENCH_DATA``, or a folder in the user's cache."""
    named = os.environ.get(DATA_VARIABLE)
    return Path(named).expanduser() if named else _user_cache() / "pruning-bench" / "data"


def cache_root(data: Path) -> Path:
    """The stage cache, beside the data."""
    return data.parent / "stages"


def _user_cache() -> Path:
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named)
    return Path("~/Library/Caches" if sys.platform == "darwin" else "~/.cache").expanduser()
