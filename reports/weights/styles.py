"""Colours, markers and lines of the second suite's curves: the paper's colours, told apart without them too."""

from dataclasses import dataclass, replace
from typing import Any

from bench.suites import missing_the_mark as suite
from bench.suites.missing_the_mark import (
    ABS_GRASP,
    AFTER,
    GRASP,
    ITERATIVE_SNIP,
    LTR,
    MAGNITUDE,
    RANDOM,
    SNIP,
    SPLIT_GRASP,
    SYNFLOW,
    Method,
)

Line = str | tuple[float, tuple[float, ...]]
DASHED: Line = (0, (4, 1.5))
DOTTED: Line = (0, (1, 1.2))


@dataclass(frozen=True)
class Style:
    """How a curve is drawn: no two of a chart share colour, marker or, where they are alike, line."""

    colour: str
    marker: str
    line: Line = "-"

    @property
    def plotted(self) -> dict[str, Any]:
        """As matplotlib takes it."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.line}


DENSE = "0.45"

METHODS = {
    RANDOM: Style("#E69F00", "X", DOTTED),
    MAGNITUDE: Style("#009E73", "o"),
    SNIP: Style("#CC3311", "s"),
    GRASP: Style("#8E44AD", "^"),
    SYNFLOW: Style("#7B4A1E", "D"),
    AFTER: Style("#0072B2", "v", DASHED),
    LTR: Style("#33A7E0", "P", DASHED),
    ITERATIVE_SNIP: Style("#117733", "h", DASHED),
    ABS_GRASP: Style("#C06BD0", ">", DASHED),
    SPLIT_GRASP: Style("#2C3E70", "<", DOTTED),
}
"""Green, red, purple, brown, blue and orange are those of results/published/figures.csv; the rest it does not name."""

ABLATIONS = {
    "none": Style("#0072B2", "o"),
    "shuffle": Style("#E69F00", "s", DASHED),
    "reinit": Style("#009E73", "^", DASHED),
    "invert": Style("#CC3311", "v", DOTTED),
    "unit_variance": Style("#8E44AD", "D", DASHED),
    "unit_variance_score": Style("#C06BD0", "P", DOTTED),
}
"""Of one method beside its unmodified self."""


OWN = (Style("#000000", "*"), Style("#E7298A", "p"), Style("#66A61E", "d"), Style("#999933", "H"))
"""Of scores of the user's own, as they come; a fifth looks like the first."""


def style(method: Method, among: tuple[Method, ...]) -> Style:
    """How ``method`` is drawn in a panel of the methods ``among``.

    In a panel of one method an ablation has its own colour, and so it has beside the unmodified method; alone it stands
    for the method and has its colour.
    """
    own = _unmodified(method)
    if _of_one(among) or (method.ablation != "none" and own in among):
        return ABLATIONS[method.ablation]
    if own in METHODS:
        return METHODS[own]
    return OWN[[each for each in among if each not in METHODS].index(method) % len(OWN)]


def label(method: Method, among: tuple[Method, ...]) -> str:
    """What a legend calls it; in a panel of one method, whose name stands above, the ablation is enough."""
    return suite.ABLATIONS[method.ablation] if _of_one(among) else method.label


def _of_one(methods: tuple[Method, ...]) -> bool:
    return len(methods) > 1 and len({_unmodified(method) for method in methods}) == 1


def _unmodified(method: Method) -> Method:
    return replace(method, ablation="none")
