"""Which scores there are by name, and what ``--score`` asks for; no score is ever loaded here."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import NamedTuple

from bench.cell import UNPRUNED
from bench.names import unknown
from bench.suites.gradient_flow import SCORE_LABELS
from pruning.versions import SCORES, WEIGHT_SCORES

GROUP = "pruning.scores"
"""The entry-point group in which an installed package names its scores."""

UNIFORM = "uniform"
"""Score random with uniform allocation."""

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_NAME = re.compile(r"[a-z0-9_]+")


class Choice(NamedTuple):
    """What ``--score`` asks for: names that restrict the grid (None is all), and scores of the user's own."""

    names: tuple[str, ...] | None = None
    references: Mapping[str, str] = {}  # name of the score -> "module:function"


EVERY = Choice()
"""The whole grid, and nothing added."""


def installed() -> dict[str, str]:
    """Scores that installed packages declare as entry points: name -> ``module:function``.

    Those that would take the name of a built-in score, or could not be part of an id, are left out.
    """
    taken = {*UNPRUNED, UNIFORM, *SCORES, *WEIGHT_SCORES}
    points = (point for point in entry_points(group=GROUP) if point.name not in taken)
    return {point.name: point.value for point in points if _fits(point.name, point.value)}


def _fits(name: str, reference: str) -> bool:
    return bool(_NAME.fullmatch(name) and _REFERENCE.fullmatch(reference))


def known() -> tuple[str, ...]:
    """Every score that can be named without saying where it lives; ``base`` prunes nothing."""
    return tuple(dict.fromkeys((*UNPRUNED, *SCORE_LABELS, *SCORES, UNIFORM, *WEIGHT_SCORES, *installed())))


def parse_scores(values: Iterable[str]) -> Choice:
    """The choice that ``--score`` values make; each may hold several, separated by commas.

    A known name restricts the grid to the names given; ``module:function`` adds a score named after the function.
    Raises ValueError for an unknown name, a malformed reference, or two scores of one name.
    """
    words = [word for value in values for word in value.replace(" ", "").split(",") if word]
    if not words:
        return EVERY
    names = tuple(dict.fromkeys(word for word in words if ":" not in word))
    points, everything = installed(), known()
    for name in names:
        if name not in everything:
            raise unknown("score", name, everything)
    references = {name: points[name] for name in names if name in points}
    for word in words:
        if ":" in word:
            _add(references, word, everything)
    return Choice(names or None, references)


def _add(references: dict[str, str], word: str, taken: Iterable[str]) -> None:
    if not _REFERENCE.fullmatch(word):
        raise ValueError(f"{word!r} is not a score; expected module:function, for example my_scores:squared")
    name = word.partition(":")[2].lower()
    if not _NAME.fullmatch(name):
        raise ValueError(f"the name of {word!r} becomes part of an id, so it may hold only a-z, 0-9 and _")
    if name in taken or references.get(name, word) != word:
        raise ValueError(f"{word!r} would be a second score called {name!r}; rename the function")
    references[name] = word
