"""The figures of the second suite, drawn: panels in rows and networks in columns, as in the paper."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.profiles import Profile
from reports.figures import files
from reports.weights import axes, captions, panels, words
from reports.weights.layout import Layout, layout
from reports.weights.series import Drawing, to_csv
from reports.weights.styles import DENSE, label, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write(drawn: Drawing, folder: Path, profile: Profile) -> list[Path]:
    """Write ``<folder>/figure03.svg``, ``.png`` and ``.csv``; writing the same data again changes no byte.

    A figure without a curve is no file, and those of an earlier report go.
    """
    return files(folder, drawn.stem, None if drawn.empty else to_csv(drawn), lambda: draw(drawn, profile))


def draw(drawn: Drawing, profile: Profile) -> "Figure":
    """The figure: a line per method, a band of one standard deviation, a grey line for the unpruned network."""
    from matplotlib.figure import Figure

    kind, plan = drawn.figure.axis, layout(drawn)
    figure = Figure(figsize=plan.size, layout="constrained")
    grid = figure.subplots(plan.rows, plan.columns, squeeze=False)
    limits = {
        network: axes.limits(kind, [chart for chart in drawn.charts if chart.network == network])
        for network in drawn.networks
    }
    for place in plan.places(drawn):
        axis = grid[place.row][place.column]
        axis.set_title(place.title, fontsize=9)
        if place.chart.empty:
            panels.say(axis, captions.absent([place.chart], profile), plan.letters)
            continue
        panels.draw(axis, kind, place.chart, limits[place.chart.network], drawn.seeds)
        axis.set_ylabel(place.side, fontsize=8)
        axis.set_xlabel(axes.X_LABELS[kind] if place.foot else "", fontsize=8)
        axis.tick_params(labelbottom=place.foot)
    _legend(figure, grid, drawn, plan)
    if heading := _heading(drawn, profile):
        figure.suptitle(heading, fontsize=8, color="0.4")
    return figure


def _heading(drawn: Drawing, profile: Profile) -> str:
    """The network, where the titles of charts are those of panels; and what the numbers are not."""
    network, *others = drawn.networks
    titled = not others and any(chart.title for chart in drawn.charts)
    standing = "not comparable with the paper" if profile.shows_published else "a demonstration"
    said = "" if profile.comparable else f"profile {profile.name}: {standing}"
    return " - ".join(part for part in (words.title(network) if titled else "", said) if part)


def _legend(figure: "Figure", grid: Any, drawn: Drawing, plan: Layout) -> None:
    """Every curve that is drawn somewhere, once: in a free place, beside a single chart, or below."""
    from matplotlib.lines import Line2D

    curves = [(curve, chart.methods) for chart in drawn.charts for curve in chart.curves]
    there = {label(curve.method, methods) for curve, methods in curves if curve.points}
    looks = {label(curve.method, methods): style(curve.method, methods) for curve, methods in curves}
    handles = [
        Line2D([], [], label=text, linewidth=1.1, markersize=4, **look.plotted)
        for text, look in looks.items()
        if text in there
    ]
    if any(chart.dense is not None and not chart.empty for chart in drawn.charts):
        handles.append(Line2D([], [], color=DENSE, linewidth=1.0, label="unpruned"))
    common: dict[str, Any] = {"handles": handles, "frameon": False, "fontsize": 8, "handlelength": 2.6}
    if plan.spare is not None:
        axis = grid[plan.spare[0]][plan.spare[1]]
        axis.set_axis_off()
        axis.legend(loc="center", **common)
    elif plan.columns == plan.rows == 1:
        figure.legend(loc="outside right center", **common)
    else:
        figure.legend(loc="outside lower center", ncols=plan.legend_columns(len(handles)), **common)
