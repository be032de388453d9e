"""The figures of the second suite, drawn: panels in rows and networks in columns, as in the paper."""

from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from bench.profiles import Profile
from bench.suites.missing_the_mark import Network
from reports.figures import STYLE
from reports.weights import axes, captions, words
from reports.weights.layout import Layout, layout
from reports.weights.series import ACCURACY, Chart, Curve, Drawing, Point, to_csv
from reports.weights.styles import DENSE, Style, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Limits = Mapping[Network, tuple[float, float] | None]
_EVERY = 25
"""Points of a curve of neurons between its markers."""


def write(drawn: Drawing, folder: Path, profile: Profile) -> list[Path]:
    """Write ``<folder>/figure03.svg``, ``.png`` and ``.csv``; writing the same data again changes no byte.

    A figure without a curve is no file, and those of an earlier report go.
    """
    from matplotlib import style as settings

    files = [folder / f"{drawn.stem}.{kind}" for kind in ("svg", "png", "csv")]
    if drawn.empty:
        for path in files:
            path.unlink(missing_ok=True)
        return []
    folder.mkdir(parents=True, exist_ok=True)
    svg, png, table = files
    table.write_text(to_csv(drawn), encoding="utf-8")
    with settings.context(["default", STYLE]):  # a user's own settings would change the files
        figure = draw(drawn, profile)
        figure.savefig(svg, metadata={"Date": None, "Creator": None})
        figure.savefig(png, dpi=150, metadata={"Software": None})
    return files


def draw(drawn: Drawing, profile: Profile) -> "Figure":
    """The figure: a line per method, a band of one standard deviation, a grey line for the unpruned network."""
    from matplotlib.figure import Figure

    plan = layout(drawn)
    figure = Figure(figsize=plan.size, layout="constrained")
    grid = figure.subplots(plan.rows, plan.columns, squeeze=False)
    limits = {
        network: axes.limits(drawn.figure.axis, [chart for chart in drawn.charts if chart.network == network])
        for network in drawn.networks
    }
    for place in plan.places(drawn):
        axis = grid[place.row][place.column]
        axis.set_title(place.title, fontsize=9)
        if place.chart.empty:
            _say_absent(axis, place.chart, profile, plan)
            continue
        _draw_chart(axis, drawn, place.chart, limits[place.chart.network])
        axis.set_ylabel(place.side, fontsize=8)
        axis.set_xlabel(axes.X_LABELS[drawn.figure.axis] if place.foot else "", fontsize=8)
        axis.tick_params(labelbottom=place.foot)
    _legend(figure, grid, drawn, plan)
    if heading := _heading(drawn, profile):
        figure.suptitle(heading, fontsize=8, color="0.4")
    return figure


def _heading(drawn: Drawing, profile: Profile) -> str:
    if profile.comparable:
        return ""
    said = "not comparable with the paper" if profile.shows_published else "a demonstration, not the paper's network"
    return f"profile {profile.name}: {said}"


def _draw_chart(axis: "Axes", drawn: Drawing, chart: Chart, limits: tuple[float, float] | None) -> None:
    kind = drawn.figure.axis
    if limits is not None:
        axis.set_ylim(*limits)
    if chart.dense is not None:
        _draw_dense(axis, chart.dense)
    if kind == "paths":
        axis.axhline(1, color=DENSE, linewidth=0.8)
    for drop in chart.drops:
        axis.axvline(drop, color="0.8", linewidth=0.8, zorder=0)
    methods = tuple(curve.method for curve in chart.curves)
    for number, curve in enumerate(chart.curves):
        _draw_curve(axis, kind, curve, style(curve.method, methods), drawn.seeds, _step_aside(chart, number))
    _ticks(axis, kind, chart)
    axis.grid(axis="y", color="0.92", linewidth=0.6)
    axis.set_axisbelow(True)


def _step_aside(chart: Chart, number: int) -> float:
    """Room between curves that are no more than a point at one place, where they would hide each other."""
    alone = len({point.x for curve in chart.curves for point in curve.points}) == 1
    return 0.12 * (number - (len(chart.curves) - 1) / 2) if alone else 0.0


def _draw_dense(axis: "Axes", dense: Point) -> None:
    axis.axhline(dense.mean, color=DENSE, linewidth=1.0, zorder=1)
    if dense.std:
        axis.axhspan(dense.mean - dense.std, dense.mean + dense.std, color="0.9", linewidth=0, zorder=0)


def _draw_curve(axis: "Axes", kind: str, curve: Curve, look: Style, seeds: int, aside: float) -> None:
    broken = {x: Point(x, nan, None, 0) for x in curve.gaps} if kind in (*ACCURACY, "paths") else {}
    points = [point for _, point in sorted({**broken, **{point.x: point for point in curve.points}}.items())]
    xs = [axes.place(kind, point.x) + aside for point in points]
    means = [point.mean for point in points]
    axis.plot(xs, means, color=look.colour, linestyle=look.line, linewidth=1.1)
    if any(point.std for point in points):
        low = [point.mean - (point.std or 0.0) for point in points]
        high = [point.mean + (point.std or 0.0) for point in points]
        axis.fill_between(xs, low, high, color=look.colour, alpha=0.14, linewidth=0)
    marked = points if kind != "neurons" else [point for point in points if point.x % _EVERY == 0]
    _mark(axis, [(axes.place(kind, point.x) + aside, point) for point in marked], look, seeds)


def _mark(axis: "Axes", places: Sequence[tuple[float, Point]], look: Style, seeds: int) -> None:
    """Filled where all seeds are there, hollow where not; a wedge at the foot of the axis for what lies below it."""
    floor = axis.get_ylim()[0]
    shape: dict[str, Any] = {"linestyle": "", "color": look.colour, "markersize": 3.6, "markeredgewidth": 0.8}
    for fill, whole in ((look.colour, True), ("white", False)):
        found = [(x, point.mean) for x, point in places if point.mean >= floor and (point.n >= seeds) == whole]
        axis.plot(*_columns(found), marker=look.marker, markerfacecolor=fill, **shape)
    below = [(x, floor) for x, point in places if point.mean < floor]
    axis.plot(*_columns(below), marker=7, clip_on=False, **{**shape, "markersize": 5})


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


def _ticks(axis: "Axes", kind: str, chart: Chart) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.tick_params(labelsize=7)
    if kind == "iteration":
        axis.xaxis.set_major_locator(MaxNLocator(7))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1000:g}K"))
    if not (found := axes.ticks(kind, chart)):
        return
    upright = len(found) > 8
    axis.set_xticks([x for x, _ in found], [name for _, name in found], rotation=90 if upright else 0)
    axis.set_xlim(found[0][0] - 0.6, found[-1][0] + 0.6)


def _say_absent(axis: "Axes", chart: Chart, profile: Profile, plan: Layout) -> None:
    """What is missing, where empty axes would look like nothing was found."""
    lines = [line for part in captions.absent([chart], profile).split("; ") for line in wrap(part, plan.letters)]
    axis.set_axis_off()
    axis.text(0.02, 0.95, "\n".join(["Nothing to draw yet.", *lines]), va="top", fontsize=7, transform=axis.transAxes)


def _legend(figure: "Figure", grid: Any, drawn: Drawing, plan: Layout) -> None:
    from matplotlib.lines import Line2D

    drawn_curves = {
        plan.label(curve.method, chart): style(curve.method, tuple(each.method for each in chart.curves))
        for chart in drawn.charts
        for curve in chart.curves
        if curve.points
    }
    handles = [
        Line2D([], [], label=label, linewidth=1.1, markersize=4, **look.plotted) for label, look in drawn_curves.items()
    ]
    if any(chart.dense is not None and not chart.empty for chart in drawn.charts):
        handles.append(Line2D([], [], color=DENSE, linewidth=1.0, label="unpruned"))
    common: dict[str, Any] = {"handles": handles, "frameon": False, "fontsize": 8, "handlelength": 2.6}
    if plan.spare is not None:
        axis = grid[plan.spare[0]][plan.spare[1]]
        axis.set_axis_off()
        axis.legend(loc="center", **common)
    elif plan.columns == 1 and plan.rows == 1:
        figure.legend(loc="outside right center", **common)
    else:
        figure.legend(loc="outside lower center", ncols=plan.legend_columns, **common)
