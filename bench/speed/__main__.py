"""``python -m bench.speed FILE``: print what was measured, check it against stored ratios, or store its ratios."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.speed import regression, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status.

    0, 1 for a ratio that fell, 2 for a question without an answer, 3 where none is stored for this machine.
    """
    options = _parser().parse_args(arguments)
    try:
        return _answer(options)
    except regression.UnknownMachine as error:
        print(error)
        return 3
    except ValueError as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"{error.filename or 'a file'}: {error.strerror}"
    print(f"python -m bench.speed: {sentence}", file=sys.stderr)
    return 2


def _answer(options: argparse.Namespace) -> int:
    rows = table.read(options.file)
    if options.store:
        print(f"stored in {options.store} for {regression.store(rows, options.store)}")
        return 0
    if options.check:
        return _check(rows, options.check)
    print(table.markdown(rows), end="")
    return 0


def _check(rows: table.Rows, path: Path) -> int:
    verdict = regression.check(rows, regression.load(path))
    for sentence in verdict.fallen:
        print(sentence)
    for sentence in verdict.missing:
        print(sentence, file=sys.stderr)
    return 1 if verdict.fallen else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__, allow_abbrev=False)
    parser.add_argument("file", type=Path, help="what `pytest -m speed --benchmark-json=FILE` wrote")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument(
        "--check",
        type=Path,
        metavar="STORE",
        help="exit 1 where a ratio is below 0.8 x the stored one, 3 where none is stored for this machine",
    )
    kept.add_argument("--store", type=Path, metavar="STORE", help="put the ratios into this file")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
