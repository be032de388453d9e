"""One chart of the second suite's figures, drawn into its axes."""

from collections.abc import Sequence
from math import nan
from textwrap import wrap
from typing import TYPE_CHECKING

from reports.weights import axes
from reports.weights.series import ACCURACY, Chart, Curve, Point
from reports.weights.styles import DENSE, Style, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_EVERY, _APART = 25, 5
"""Percent between the markers of a curve of neurons, and between those of one curve and the next."""
_WEDGE = 7
"""The marker that points downwards and ends where it points to."""


def draw(axis: "Axes", kind: str, chart: Chart, limits: tuple[float, float] | None, seeds: int) -> None:
    """Draw the curves of ``chart``; ``kind`` is the figure's axis, ``seeds`` how many a point has that lacks none."""
    if limits is not None:
        axis.set_ylim(*limits)
    if chart.dense is not None:
        _draw_dense(axis, chart.dense)
    if kind == "paths":
        axis.axhline(1, color=DENSE, linewidth=0.8)
    for drop in chart.drops:
        axis.axvline(drop, color="0.8", linewidth=0.8, zorder=0)
    for number, curve in enumerate(chart.curves):
        look = style(curve.method, chart.methods)
        _draw_line(axis, kind, curve, look, _aside(chart, number))
        marked = [point for point in curve.points if kind != "neurons" or _is_marked(point, number)]
        _mark(axis, [(axes.place(kind, point.x) + _aside(chart, number), point) for point in marked], look, seeds)
    _ticks(axis, kind, chart)
    axis.grid(axis="y", color="0.92", linewidth=0.6)
    axis.set_axisbelow(True)


def say(axis: "Axes", text: str, letters: int) -> None:
    """Write in place of curves what is missing: empty axes would look as if nothing had been found."""
    lines = [line for part in text.split("; ") for line in wrap(part, letters)]
    axis.set_axis_off()
    axis.text(0.02, 0.95, "\n".join(["Nothing to draw.", *lines]), va="top", fontsize=7, transform=axis.transAxes)


def _aside(chart: Chart, number: int) -> float:
    """Room between curves that are no more than a point at one place, where they would hide each other."""
    return 0.15 * (number - (len(chart.curves) - 1) / 2) if len(chart.places) == 1 else 0.0


def _is_marked(point: Point, number: int) -> bool:
    return point.x == 100 or (point.x + _APART * number) % _EVERY == 0


def _draw_dense(axis: "Axes", dense: Point) -> None:
    axis.axhline(dense.mean, color=DENSE, linewidth=1.0, zorder=1)
    if dense.std:
        axis.axhspan(dense.mean - dense.std, dense.mean + dense.std, color="0.9", linewidth=0, zorder=0)


def _draw_line(axis: "Axes", kind: str, curve: Curve, look: Style, aside: float) -> None:
    """The line is broken where runs of the profile are missing; a band needs two seeds."""
    broken = {x: Point(x, nan, None, 0) for x in curve.gaps} if kind in (*ACCURACY, "paths") else {}
    points = [point for _, point in sorted({**broken, **{point.x: point for point in curve.points}}.items())]
    xs = [axes.place(kind, point.x) + aside for point in points]
    axis.plot(xs, [point.mean for point in points], color=look.colour, linestyle=look.line, linewidth=1.1)
    if any(point.std for point in points):
        low = [point.mean - (point.std or 0.0) for point in points]
        high = [point.mean + (point.std or 0.0) for point in points]
        axis.fill_between(xs, low, high, color=look.colour, alpha=0.14, linewidth=0)


def _mark(axis: "Axes", places: Sequence[tuple[float, Point]], look: Style, seeds: int) -> None:
    """Filled where all seeds are there, hollow where not; a wedge at the foot of the axis for what lies below it."""
    floor = axis.get_ylim()[0]
    kinds: dict[tuple[bool, bool], list[tuple[float, float]]] = {}
    for x, point in places:
        kinds.setdefault((point.mean < floor, point.n >= seeds), []).append((x, max(point.mean, floor)))
    for (below, whole), found in kinds.items():
        axis.plot(
            [x for x, _ in found],
            [y for _, y in found],
            linestyle="",
            color=look.colour,
            marker=_WEDGE if below else look.marker,
            markersize=5 if below else 3.6,
            markerfacecolor=look.colour if whole else "white",
            markeredgewidth=0.8,
            clip_on=not below,
        )


def _ticks(axis: "Axes", kind: str, chart: Chart) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.tick_params(labelsize=7)
    if kind == "iteration":
        axis.xaxis.set_major_locator(MaxNLocator(7))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1000:g}K" if x else "0"))
        last = max(run.x for run in chart.runs)
        axis.set_xlim(-0.04 * last, 1.04 * last)
    if found := axes.ticks(kind, chart):
        axis.set_xticks([x for x, _ in found], [name for _, name in found], rotation=90 if len(found) > 8 else 0)
        axis.set_xlim(found[0][0] - 0.6, found[-1][0] + 0.6)
