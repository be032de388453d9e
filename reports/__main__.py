"""``python -m reports``: render a profile's pages, print the power of the verdicts, keep the README up to date."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from bench.profiles import measured
from reports.places import checkout, default_out
from results.registry import Registry, default_root

COMMANDS = ("render", "power", "readme")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:  # without the usage, so that the sentence is what is seen
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status.

    0; 1 for a README out of date or a record that cannot be read; 2 for a bad question.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0] not in COMMANDS and given[0] not in ("-h", "--help")):
        given.insert(0, "render")
    options = _parser().parse_args(given)
    try:
        status: int = options.run(options)
    except ValueError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or 'a file'}: {error.strerror}")
    return status


def render(options: argparse.Namespace) -> int:
    """Write the pages of one profile, or of all that have records."""
    from reports.pages import render as write

    registry = _registry(options)
    for profile in [options.profile] if options.profile else _measured(registry):
        print(write(profile, registry, options.out or default_out(registry.root)))
    return int(_left_out(registry, options.profile))


def _measured(registry: Registry) -> list[str]:
    found = {record.profile for record in registry.records()}
    if not (names := [profile.name for profile in measured(found)]):
        registry.warn()
        raise ValueError(
            f"there is no record in {registry.root} yet; name a profile with --profile to see what is missing"
        )
    return names


def power(_options: argparse.Namespace) -> int:
    """Print how often each verdict is given when the truth is known."""
    from reports.power import table

    print(table())
    return 0


def readme(options: argparse.Namespace) -> int:
    """Rewrite the generated block of the README, or check it."""
    from reports.readme import update

    registry = _registry(options)
    if _left_out(registry):
        print(f"{options.file.name} is left as it is")
        return 1
    changed = update(options.file, registry, check=options.check)
    if not changed:
        print(f"{options.file.name} is up to date")
        return 0
    print(f"{options.file.name} is out of date; run: python -m reports readme" if options.check else "rewritten")
    return 1 if options.check else 0


def _left_out(registry: Registry, profile: str | None = None) -> bool:
    """Name the records, of one profile or of all, that cannot be read; False where there is none."""
    registry.records(profile)  # by itself, for each profile that is read begins the list of problems anew
    return registry.warn()


def _registry(options: argparse.Namespace) -> Registry:
    if not options.registry.is_dir() and options.registry != default_root():  # the project's own begins empty
        raise ValueError(f"there is no registry in {options.registry}; expected a folder of records")
    return Registry(options.registry)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m reports", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    where = _Parser(add_help=False)
    where.add_argument("--registry", type=Path, default=default_root(), help="folder of records")
    rendering = commands.add_parser("render", parents=[where], help="write a profile's pages (the default)")
    rendering.add_argument("--profile", help="default: every profile that has records")
    rendering.add_argument("--out", type=Path, help="folder that gets a folder per profile")
    rendering.set_defaults(run=render)
    commands.add_parser("power", help="how often each verdict is given when the truth is known").set_defaults(run=power)
    block = commands.add_parser("readme", parents=[where], help="rewrite the generated block of README.md")
    block.add_argument("--check", action="store_true", help="change nothing; exit 1 if something would")
    block.add_argument("--file", type=Path, default=checkout() / "README.md")
    block.set_defaults(run=readme)
    return parser


def _fail(sentence: str) -> int:
    print(f"python -m reports: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
