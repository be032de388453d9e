"""The options that choose cells and places, shared by pytest and ``python -m bench``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import places, profiles
from bench.scores import parse_scores
from bench.selection import Selection
from bench.versions import check_reference

_MOST_SEEDS = 1000
_MOST_AT_ONCE = 32  # streams that PyTorch has
_MOST_STACKED = 512
STACKED = ("lenet300_100",)
"""Models that can be trained as one: those without batch norm (:func:`pruning.stacked.why_not`)."""

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option; ``kind`` is text, list (may be repeated or comma-separated) or flag."""

    name: str  # as in --data-root
    help: str
    kind: str = "text"
    metavar: str | None = None

    @property
    def dest(self) -> str:
        """Its name as an attribute, and as a line in pytest's ini file: ``bench_data_root``."""
        return f"bench_{self.name.replace('-', '_')}"

    def arguments(self) -> dict[str, Any]:
        """Keywords for ``add_argument``; every default is None or empty, so that an ini file can stand in."""
        common: dict[str, Any] = {"dest": self.dest, "help": self.help, "default": None}
        if self.kind == "flag":
            return {**common, "action": "store_true"}
        return {**common, "metavar": self.metavar, **({"action": "append"} if self.kind == "list" else {})}


CHOOSING = (
    Option(name="profile", metavar="NAME", help="demo (default), mini, nightly, paper, released or masks"),
    Option(
        name="suite",
        metavar="NAME",
        kind="list",
        help="gradient_flow or missing_the_mark (default: both in demo, missing_the_mark in masks, else gradient_flow)",
    ),
    Option(name="seeds", metavar="0,1,2", help="seeds to run; 0-9 is a range (default: those of the profile)"),
    Option(name="model", metavar="NAME", kind="list", help="only these models"),
    Option(name="dataset", metavar="NAME", kind="list", help="only these data sets"),
    Option(
        name="score",
        metavar="NAME",
        kind="list",
        help="only these scores (base cells stay); module:function adds one of your own",
    ),
    Option(name="rounds", metavar="N", kind="list", help="only cells of so many rounds (base cells stay)"),
    Option(name="missing", kind="flag", help="only cells that have no final record yet"),
)
PLACES = (
    Option(name="registry", metavar="DIR", help="where records are kept (default: results/runs)"),
    Option(
        name="data-root", metavar="DIR", help=f"where data sets are (default: ${places.DATA_VARIABLE} or a user cache)"
    ),
    Option(name="cache-root", metavar="DIR", help="where stages are cached (default: beside the data)"),
)
RUNNING = (
    Option(name="device", metavar="auto|cpu|cuda", help="auto (default) takes cuda where torch has it"),
    Option(name="rerun", kind="flag", help="run cells again that have a final record, anew from the first stage"),
    Option(name="require-run", kind="flag", help="fail if no cell ran or was cached (on in demo and nightly)"),
    Option(
        name="cell-timeout",
        metavar="SECONDS",
        help="stop a cell at the first epoch end so many seconds later, by the clock",
    ),
    Option(name="budget", metavar="25m", help="run missing cells for so long, those that tell most first (s, m, h)"),
    Option(name="bundle", metavar="FILE", help="write the records of this run to one file for `results import`"),
    Option(
        name="at-once",
        metavar="auto|N",
        help="cells at once in one process (auto, the default: 1 on a CPU, as many as pay on a GPU)",
    ),
    Option(
        name="stacked",
        metavar="N",
        help=f"train so many networks as one, for a GPU (default: 1; only for {', '.join(STACKED)})",
    ),
)
ALL = (*CHOOSING, *PLACES, *RUNNING)
CELLS = Option(
    name="cells", metavar="CELL", kind="list", help="only these cells: ids, or shell patterns of them (-k works too)"
)
"""For pytest, which takes words without a dash for files; ``python -m bench`` takes cells as such."""

LISTING = (*CHOOSING, *PLACES, *(option for option in RUNNING if option.name == "device"))
QUEUEING = (*LISTING, *(option for option in RUNNING if option.name == "budget"))

Value = Callable[[str], Any]
"""Gives what was said for an option, by its name: a string, a list of strings, a flag, or None."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one command line asks for."""

    selection: Selection
    missing: bool
    registry: Path
    data_root: Path
    cache_root: Path
    device: str
    rerun: bool
    require_run: bool
    cell_timeout: float | None
    budget: float | None = None  # seconds
    bundle: Path | None = None
    at_once: int | None = None  # None: what is fastest
    stacked: int = 1

    @property
    def references(self) -> Mapping[str, str]:
        """The user's own scores: name -> ``module:function``."""
        return self.selection.scores.references


def parse(value: Value, patterns: Sequence[str] = ()) -> Request:
    """The request that the options make; ``patterns`` are cell ids. Raises ValueError with one sentence."""
    selection = _selection(value, (*patterns, *(value("cells") or ())))
    if value("budget") and value("rerun"):
        raise ValueError("--budget runs what is missing, and --rerun what is not; use one of them")
    stacked = _stacked(value("stacked"))
    if stacked > 1:
        _check_stacked(selection, value("at-once"))
    data = _existing("--data-root", _path(value("data-root"))) or places.data_root()
    return Request(
        selection=selection,
        missing=bool(value("missing")),
        registry=_path(value("registry")) or places.registry_root(),
        data_root=data,
        cache_root=_path(value("cache-root")) or places.cache_root(data),
        device=_device(value("device")),
        rerun=bool(value("rerun")),
        require_run=bool(value("require-run")) or selection.profile.base in ("demo", "nightly"),
        cell_timeout=_seconds(value("cell-timeout")),
        budget=_duration("--budget", value("budget")),
        bundle=_file("--bundle", _path(value("bundle"))),
        at_once=_at_once(value("at-once")),
        stacked=stacked,
    )


def _existing(option: str, folder: Path | None) -> Path | None:
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ValueError(f"{option} {folder}: that is a file; expected the folder that holds the data sets")
    if folder is not None and not folder.is_dir():
        raise ValueError(
            f"{option} {folder}: there is no such folder; "
            f"`python -m bench data --download NAME {option}={folder}` makes it"
        )
    return folder


def _file(option: str, path: Path | None) -> Path | None:
    if path is not None and (path.is_dir() or (path.exists() and not path.is_file())):
        raise ValueError(f"{option} {path}: that is no file; name one that records may be written to")
    if path is not None and not path.parent.is_dir():
        raise ValueError(f"{option} {path}: there is no folder {path.parent}")
    return path


def _selection(value: Value, patterns: Sequence[str]) -> Selection:
    scores = parse_scores(value("score") or ())
    for reference in scores.references.values():
        check_reference(reference)
    return Selection(
        profile=profiles.get(value("profile") or "demo"),
        suites=_words(value("suite")),
        seeds=_seeds(value("seeds")),
        models=_words(value("model")),
        datasets=_words(value("dataset")),
        rounds=tuple(_integer("--rounds", word) for word in _words(value("rounds"))),
        scores=scores,
        patterns=tuple(patterns),
    )


def _words(values: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(word.strip() for value in values or () for word in value.split(",") if word.strip())


def _integer(option: str, word: str) -> int:
    if not word.isascii() or not word.isdigit():
        raise ValueError(f"{option} holds {word!r}; expected whole numbers from 0 on, separated by commas")
    return int(word)


def _seeds(text: str | None) -> tuple[int, ...] | None:
    if not text:
        return None
    seeds: list[int] = []
    for word in _words([text]):
        first, dash, last = word.partition("-")
        start = _integer("--seeds", first or word)
        end = _integer("--seeds", last) if dash else start
        if end - start >= _MOST_SEEDS:
            raise ValueError(f"--seeds {word} names {end - start + 1} seeds; expected at most {_MOST_SEEDS}")
        seeds += range(start, end + 1)
    if not seeds:
        raise ValueError(f"--seeds {text!r} names no seed; expected for example 0,1,2 or 0-9")
    return tuple(dict.fromkeys(seeds))


def _device(text: str | None) -> str:
    name = text or "auto"
    if name not in DEVICES:
        raise ValueError(f"--device is {name!r}; expected {', '.join(DEVICES)}")
    return name


def _seconds(text: str | None) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"--cell-timeout is {text!r}; expected a number of seconds above 0")
    return seconds


def _duration(option: str, text: str | None) -> float | None:
    if not text:
        return None
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1])
    try:
        seconds = float(text[:-1] if unit else text) * (unit or 1)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{option} is {text!r}; expected a time above 0, such as 90s, 25m or 1.5h")
    return seconds


def _at_once(text: str | None) -> int | None:
    if not text or text == "auto":
        return None
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= _MOST_AT_ONCE:
        raise ValueError(f"--at-once is {text!r}; expected auto or a whole number from 1 to {_MOST_AT_ONCE}")
    return number


def _stacked(text: str | None) -> int:
    if not text:
        return 1
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= _MOST_STACKED:
        raise ValueError(f"--stacked is {text!r}; expected a whole number from 1 to {_MOST_STACKED}")
    return number


def _check_stacked(selection: Selection, at_once: str | None) -> None:
    if at_once:
        raise ValueError("--stacked says how many cells run at once; leave --at-once out")
    others = sorted({cell.model for cell in selection.cells()} - set(STACKED))
    if others:
        raise ValueError(
            f"--stacked trains networks without batch norm as one, and {others[0]} has it; choose others with --suite "
            f"missing_the_mark --model {','.join(STACKED)}"
        )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None
