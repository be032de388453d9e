"""``python -m results``: check, show, export and import records."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from results import bundle
from results.record import Record
from results.registry import SUPERSEDED, UNREADABLE, Registry, check_name, default_root

_LISTED = 10  # rejected lines printed before the rest is only counted
_HASH = len("-01234567")  # what a key has after the id of its cell


class Failure(Exception):  # noqa: N818 - it ends a command, whichever error lies behind it
    """One sentence for the user, and the exit status."""

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:  # without the usage, so that the sentence is what is seen
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, 1 for bad data, 2 for a bad question."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(_registry(options), options)
        sys.stdout.flush()
        return status
    except Failure as failure:
        return _say(str(failure), failure.status)
    except BrokenPipeError:  # `| head` has seen enough; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _say(f"{error.filename2 or error.filename or 'a file'}: {error.strerror}", 1)
    except ValueError as error:
        return _say(str(error), 2)


def check(registry: Registry, _options: argparse.Namespace) -> int:
    """Count the records and list what cannot be read."""
    from results import _view

    records = registry.records()
    registry.look_for_side_files(records)
    if records:
        print(_view.counts(records) + "\n")
    print(f"{_several(len(records), 'record')}, {_several(len(registry.problems), 'problem')} in {registry.root}")
    if leftovers := _leftovers(registry.root):
        print(leftovers)
    for problem in sorted(registry.problems, key=str):
        _say(str(problem))
    return 1 if registry.problems else 0


def show(registry: Registry, options: argparse.Namespace) -> int:
    """Print one record in full, or a table of several."""
    from results import _view

    name = "" if options.name is None else check_name("the key", options.name)
    records = registry.records()
    matching = _matching(records, name)
    if name and not matching:
        raise Failure(_unknown(registry, records, name))
    if not matching:
        print(f"there are no records in {registry.root}")
    else:
        print(_view.detail(matching[0]) if name and len(matching) == 1 else _view.table(matching))
    if hidden := len(registry.problems):
        _say(f"{_several(hidden, 'file')} could not be read; python -m results check names them")
    return 0


def export(registry: Registry, options: argparse.Namespace) -> int:
    """Write records to a bundle."""
    if options.profile is not None:
        _check_profile(registry, options.profile)
    if options.file.is_dir():
        raise Failure(f"{options.file} is a folder; give the name of a file to write", 2)
    number = bundle.export(registry, options.file, options.profile)
    print(f"wrote {_several(number, 'record')} to {options.file}")
    if missing := len(registry.problems):
        raise Failure(f"{_several(missing, 'unreadable file')} left out; python -m results check names them")
    return 0


def import_(registry: Registry, options: argparse.Namespace) -> int:
    """Merge the records of a bundle."""
    summary = bundle.import_(registry, options.file)
    print(f"{summary.new} new, {summary.superseded} superseded, {summary.unchanged} unchanged, in {registry.root}")
    for rejected in summary.rejected[:_LISTED]:
        _say(f"{options.file} {rejected}")
    if (more := len(summary.rejected) - _LISTED) > 0:
        _say(f"{options.file} has {_several(more, 'more line')} that could not be imported")
    for problem in registry.problems:
        _say(str(problem))
    return 1 if summary.rejected else 0


def _parser() -> argparse.ArgumentParser:
    anywhere = _Parser(add_help=False)  # so that --registry may stand on either side of the command
    anywhere.add_argument(
        "--registry", type=Path, metavar="DIR", default=argparse.SUPPRESS, help="default: results/runs"
    )
    parser = _Parser(prog="python -m results", description="Look after the registry of records.", parents=[anywhere])
    commands = parser.add_subparsers(required=True, metavar="check|show|export|import")
    for run, name in ((check, "check"), (show, "show"), (export, "export"), (import_, "import")):
        command = commands.add_parser(name, parents=[anywhere], help=run.__doc__, description=run.__doc__)
        command.set_defaults(run=run)
        if name == "show":
            command.add_argument("name", nargs="?", metavar="KEY", help="a key, the id of a cell, or how they begin")
        if name in ("export", "import"):
            command.add_argument("file", type=Path, metavar="FILE", help="the bundle, one record per line")
        if name == "export":
            command.add_argument("--profile", help="only the records of this profile")
    return parser


def _registry(options: argparse.Namespace) -> Registry:
    root: Path = getattr(options, "registry", None) or default_root()
    # The project's own folder is missing while it holds nothing, and an import may start a registry.
    if root != default_root() and options.run is not import_ and not root.is_dir():
        raise Failure(f"{root} is not a folder; --registry takes the folder in which the profiles lie", 2)
    return Registry(root)


def _matching(records: Iterable[Record], name: str) -> list[Record]:
    """The records of that key, else of that cell, else those whose key begins so: s1 must not find s10 as well."""
    by_key = [record for record in records if record.key == name]
    by_cell = [record for record in records if record.key[:-_HASH] == name]
    return by_key or by_cell or [record for record in records if record.key.startswith(name)]


def _unknown(registry: Registry, records: Iterable[Record], name: str) -> str:
    for problem in registry.problems:
        if problem.path.name.startswith(name):
            return str(problem)
    names = {text for record in records for text in (record.key, record.key[:-_HASH])}
    near = get_close_matches(name, sorted(names), n=1, cutoff=0.4)
    return f"no record is called {name}; " + (
        f"did you mean {near[0]}?" if near else "python -m results show lists them"
    )


def _check_profile(registry: Registry, profile: str) -> None:
    known = sorted(path.name for path in registry.root.glob("*") if path.is_dir())
    if check_name("the profile", profile) not in known:
        near = get_close_matches(profile, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are records of {', '.join(known) or 'no profile'}"
        raise Failure(f"no record is of profile {profile}; {hint}")


def _leftovers(root: Path) -> str:
    number = {
        "superseded": sum(1 for path in root.rglob("*.json") if path.parent.name == SUPERSEDED),
        "set aside as unreadable": sum(1 for _ in root.rglob(f"*{UNREADABLE}")),
        "left unfinished by a killed run": sum(1 for _ in root.rglob(".*.tmp")),
    }
    return "beside them: " + ", ".join(f"{n} {what}" for what, n in number.items() if n) if any(number.values()) else ""


def _several(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _say(sentence: str, status: int = 1) -> int:
    print(sentence, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
