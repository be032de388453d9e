"""``python -m bench list|run|queue|data``: see what there is, what it will cost, and run it through pytest."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from bench import commands, options
from bench.queue_command import show_queue

CELLS_HELP = "cell ids, or quoted shell patterns of them"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 2 means that what was asked for makes no sense, and why has been said."""
    said = list(sys.argv[1:] if arguments is None else arguments)
    split = said.index("--") if "--" in said else len(said)
    parsed = _parser().parse_args(said[:split])
    try:
        status = int(parsed.command(parsed, said[split + 1 :]))
        sys.stdout.flush()
        return status
    except ValueError as error:
        print(f"python -m bench: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has seen enough; nothing may be written at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    add = partial(parser.add_subparsers(required=True, metavar="list|run|queue|data").add_parser, allow_abbrev=False)
    listing = add("list", help="cells, their state, key and estimated cost")
    listing.add_argument("--ids", action="store_true", help="print ids only")
    listing.set_defaults(command=_list)
    running = add("run", help="say what it will cost, ask, and run; what follows -- goes to pytest")
    running.add_argument("--yes", action="store_true", help="do not ask")
    running.set_defaults(command=_run)
    queueing = add("queue", help="what comes next under --budget, what it costs and what it would settle")
    queueing.add_argument("--all", action="store_true", help="print every cell, not only the first")
    queueing.set_defaults(command=_queue)
    offers = ((listing, options.LISTING), (running, options.ALL), (queueing, options.QUEUEING))
    for command, offered in offers:
        command.add_argument("cells", nargs="*", metavar="CELL", help=CELLS_HELP)
        _add(command, offered)
    data = add("data", help="which data sets are there")
    data.add_argument("--fingerprint", action="store_true", help="read each data set and print its fingerprint")
    data.add_argument("--download", nargs="+", default=[], metavar="NAME", help="fetch these data sets first")
    _add(data, [option for option in options.PLACES if option.name == "data-root"])
    data.set_defaults(command=_data)
    return parser


def _add(parser: argparse.ArgumentParser, offered: Sequence[options.Option]) -> None:
    for option in offered:
        parser.add_argument(f"--{option.name}", **option.arguments())


def _request(parsed: argparse.Namespace) -> options.Request:
    return options.parse(partial(_value, parsed), parsed.cells)


def _value(parsed: argparse.Namespace, name: str) -> Any:
    return getattr(parsed, f"bench_{name.replace('-', '_')}", None)  # None: this command has no such option


def _list(parsed: argparse.Namespace, rest: Sequence[str]) -> int:
    if rest:
        raise ValueError("list takes nothing after --")
    return commands.list_cells(_request(parsed), ids=parsed.ids)


def _run(parsed: argparse.Namespace, rest: Sequence[str]) -> int:
    forwarded = [word for option in options.ALL for word in _words(option, _value(parsed, option.name))]
    return commands.run_cells(_request(parsed), yes=parsed.yes, arguments=[*forwarded, *rest])


def _queue(parsed: argparse.Namespace, rest: Sequence[str]) -> int:
    if rest:
        raise ValueError("queue takes nothing after --")
    return show_queue(_request(parsed), everything=parsed.all)


def _words(option: options.Option, value: Any) -> list[str]:
    """The option as it was said, for pytest's command line."""
    if option.kind == "flag":
        return [f"--{option.name}"] if value else []
    values = value if isinstance(value, list) else [value]
    return [f"--{option.name}={each}" for each in values if each is not None]


def _data(parsed: argparse.Namespace, rest: Sequence[str]) -> int:
    from bench.datasets import show_data  # imports torch, which the other commands do not need

    if rest:
        raise ValueError("data takes nothing after --")
    return show_data(_value(parsed, "data-root"), parsed.download, fingerprint=parsed.fingerprint)


if __name__ == "__main__":
    raise SystemExit(main())
