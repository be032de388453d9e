"""Where values lie on the axes of the second suite's figures, and how far the axes reach."""

from collections.abc import Iterable, Iterator, Sequence
from math import log
from statistics import median

from reports.weights.series import Chart, Curve

X_LABELS = {
    "sparsity": "sparsity (%)",
    "iteration": "pruning iteration",
    "neurons": "sparsity s of the neuron (%)",
    "layers": "",
    "paths": "sparsity (%)",
}
Y_LABELS = {
    "sparsity": "test accuracy (%)",
    "iteration": "test accuracy (%)",
    "neurons": "neurons with sparsity ≥ s (%)",
    "layers": "sparsity of the layer (%)",
    "paths": "effective weights, shuffled / unmodified",
}
LEVELS = ("sparsity", "paths")
"""Axes on which every fifth of the weights that goes takes the same room, as in the paper."""
_LEAST_ROOM = 1.0
"""Points of accuracy that are always left below the curves that set the axis."""
_ASIDE = ("invert", "unit_variance")
"""Ablations whose curves the axis need not show."""
_ZOOM = (0.99, 1.05)
"""What Figure 16 of the paper shows of the ratios; ours shows more where there is more."""


def place(axis: str, x: float) -> float:
    """Where ``x`` lies: a sparsity of 1 - 0.8^k at k, everything else at itself."""
    return log(1 - x / 100) / log(0.8) if axis in LEVELS else x


def ticks(axis: str, chart: Chart) -> list[tuple[float, str]]:
    """Places and labels for the sparsities and layers there are; none where any round number will do."""
    if axis in LEVELS:
        planned = {run.x for run in chart.runs if run.state != "not run"}
        found = sorted(planned | chart.places)
        start = [(0.0, "0")] if chart.dense is not None and len(found) > 1 else []
        return [*start, *((place(axis, x), f"{x:.1f}") for x in found)]
    return [(float(number), name.removesuffix(".weight")) for number, name in enumerate(chart.layers, start=1)]


def limits(axis: str, charts: Sequence[Chart]) -> tuple[float, float] | None:
    """From where to where the y axis of ``charts``, all of one network, reaches; None where there is nothing to show.

    An axis of accuracies is cut. It shows at least half of every curve, and the best at every place, and as much again
    below: collapsed networks would leave no room to tell the others apart. For the same reason it need not show what
    becomes of inverted scores and of networks that begin at variance 1.
    """
    if axis in ("neurons", "layers"):
        return (-2.0, 102.0)
    curves = [curve for chart in charts for curve in chart.curves if curve.points]
    if not curves:
        return None
    low, high = _extent(charts)
    if axis == "paths":
        return min(low, _ZOOM[0]), max(high, _ZOOM[1])
    shown = min(*_medians(curves), *(best for chart in charts for best in _best(chart)))
    low = max(low, shown - max(_LEAST_ROOM, high - shown))
    room = 0.04 * max(high - low, _LEAST_ROOM)
    return max(0.0, low - room), min(100.0, high) + room


def _extent(charts: Iterable[Chart]) -> tuple[float, float]:
    """Of the curves with their bands, and of the unpruned network."""
    points = [point for chart in charts for curve in chart.curves for point in curve.points]
    points += [chart.dense for chart in charts if chart.dense is not None and not chart.empty]
    low = min(point.mean - (point.std or 0.0) for point in points)
    return low, max(point.mean + (point.std or 0.0) for point in points)


def _medians(curves: Sequence[Curve]) -> list[float]:
    upright = [curve for curve in curves if curve.method.ablation not in _ASIDE]
    return [median(point.mean for point in curve.points) for curve in upright or curves]


def _best(chart: Chart) -> Iterator[float]:
    found: dict[float, float] = {}
    for point in (point for curve in chart.curves for point in curve.points):
        found[point.x] = max(point.mean, found.get(point.x, point.mean))
    yield from found.values()
