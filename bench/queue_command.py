"""What ``python -m bench queue`` prints."""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from tabulate import tabulate

from bench.budget import upcoming
from bench.cost import duration
from bench.options import Request
from bench.queue import Entry, in_turn, packed
from results.registry import Registry

_SHOWN = 20


def show_queue(request: Request, *, everything: bool) -> int:
    """Print what comes next: the cells, what they cost, and which claims wait for how many more of them."""
    registry = Registry(request.registry)
    entries = upcoming(request, registry)
    registry.warn()
    if not entries:
        print(f"no cell of profile {request.selection.profile.name} is missing")
        return 0
    rest: Sequence[Entry] = ()
    if request.budget is not None:
        entries, rest = packed(in_turn(entries, request.budget), request.budget)
    shown = entries if everything else entries[:_SHOWN]
    if shown:
        print(tabulate(_rows(shown), headers=["cell", "minutes", "in all", "settles"], disable_numparse=True))
    print(_summary(entries, len(shown), rest))
    return 0


def _rows(entries: Sequence[Entry]) -> list[list[str]]:
    sums = accumulate(entry.seconds for entry in entries)
    return [
        [entry.cell.id, _minutes(entry.seconds), _minutes(total), _settles(entry)]
        for entry, total in zip(entries, sums, strict=True)
    ]


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


def _settles(entry: Entry) -> str:
    """What this cell completes, and of how many other claims, or figures that they rest on, it is a part."""
    complete = [question.name for question, missing in entry.waiting.items() if missing == 1]
    others = Counter(question.kind for question, missing in entry.waiting.items() if question.claim and missing > 1)
    part = [f"part of {number} {kind}{'s' * (number > 1)}" for kind, number in others.items()]
    words = ", ".join([*complete, *part]) or "a number of the tables"
    return f"{words} (begun)" if entry.begun else words


def _summary(entries: Sequence[Entry], shown: int, rest: Sequence[Entry]) -> str:
    more = f"{len(entries) - shown} more with --all; " if shown < len(entries) else ""
    cells = f"{len(entries)} cell{'s' * (len(entries) != 1)}"
    said = f"{more}{cells}: about {duration(sum(entry.seconds for entry in entries))}"
    if rest:
        said += f"; {len(rest)} more do not fit whole, and those that come first are begun in what is left of the time"
    return said
