"""Drawing panels of lines and of points."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.profiles import Profile
from reports.dynamics.panels import Drawing, Line, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of Okabe and Ito: told apart with every common colour vision."""
WIDTH, HEIGHT = 7.6, 2.7  # inches, of a row of up to three panels
_ACROSS = 3
_DASHES: Any = (0, (3, 1.5))
_TICKS = 6  # places of points up to which each has a tick
_MARKED = 30  # points of a line up to which each has a mark


def draw(drawing: Drawing, profile: Profile) -> "Figure":
    """The figure: rows of up to three panels, those without data saying what they lack."""
    from matplotlib.figure import Figure

    across = min(_ACROSS, len(drawing.panels)) if len(drawing.panels) != 4 else 2
    rows = -(-len(drawing.panels) // across)
    # A legend below needs room that the panels would lose.
    figure = Figure(figsize=(WIDTH, HEIGHT * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, across, squeeze=False).flatten()
    for axis, panel in zip(axes, drawing.panels, strict=False):
        _draw_panel(axis, panel, drawing)
    for axis in axes[len(drawing.panels) :]:
        axis.set_axis_off()
    _legend(figure, drawing)
    standing = "" if profile.comparable else f"profile {profile.name}: not comparable with the paper"
    figure.suptitle("; ".join(filter(None, (drawing.title, standing))), fontsize=8, color="0.4")
    return figure


def _draw_panel(axis: "Axes", panel: Panel, drawing: Drawing) -> None:
    axis.set_title(panel.title, fontsize=10)
    if panel.empty:
        axis.set_axis_off()
        said = "\n".join([panel.note or "No finished run.", *panel.absent])
        axis.text(0.04, 0.95, said, va="top", fontsize=8, transform=axis.transAxes)
        return
    for place, each in enumerate(panel.lines):
        _draw_line(axis, each, _colour(each, place, len(panel.lines), drawing), band=not drawing.gradual)
    if panel.dots:
        # Thousands of points are pixels in the SVG, too.
        x, y = zip(*panel.dots, strict=True)
        axis.plot(x, y, ".", color=PALETTE[0], markersize=3.5, alpha=0.4, markeredgewidth=0, rasterized=True)
        (left, right), (bottom, top) = window(x), window(y)
        axis.set_xlim(left, right)
        axis.set_ylim(bottom, top)
        inside = [(a, b) for a, b in panel.dots if left <= a <= right and bottom <= b <= top]
        outside = len(panel.dots) - len(inside)
        said = "\n".join(filter(None, (panel.note, f"{outside} of {len(panel.dots):,} outside" if outside else "")))
        panel = replace(panel, dots=tuple(inside), note=said)
        axis.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        axis.axvline(0, color="0.8", linewidth=0.6, zorder=0)
        axis.ticklabel_format(style="sci", scilimits=(-2, 3), useMathText=True)
        axis.locator_params(axis="x", nbins=4)
    measured = sorted({point.x for each in panel.lines for point in each.points})
    if 0 < len(measured) <= _TICKS:
        axis.set_xticks(measured)
    if drawing.logarithmic:
        axis.set_yscale("log")
    if drawing.limits is not None:
        axis.set_ylim(*drawing.limits)
    if panel.note:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
        across, up, anchor = _corner(panel)
        axis.text(across, up, panel.note, fontsize=8, transform=axis.transAxes, bbox=box, **anchor)
    axis.set_xlabel(drawing.x)
    axis.set_ylabel(drawing.y)
    axis.grid(axis="y", color="0.92", linewidth=0.6)
    axis.set_axisbelow(True)


def window(values: Sequence[float]) -> tuple[float, float]:
    """What an axis shows: all values, or, where a few are far away, the middle 99 of 100 with half of that around."""
    low, high = min(values), max(values)
    ordered = sorted(values)
    cut = len(ordered) // 200
    inner, outer = ordered[cut], ordered[-1 - cut]
    span = outer - inner
    if span > 0:
        low, high = max(low, inner - _AROUND * span), min(high, outer + _AROUND * span)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


_AROUND = 0.5
"""Shares of the range of most points that are shown beyond it, on either side."""


_CORNERS = (("left", "top"), ("right", "bottom"), ("left", "bottom"), ("right", "top"))
"""Where a note may stand, the usual place first."""
_LETTER = 0.02
"""Of the width of one panel among two, what a letter of a note takes."""


def _corner(panel: Panel) -> tuple[float, float, dict[str, Any]]:
    """The corner in which a note hides the fewest points: its place in the panel, and how the text is anchored."""
    wide = _LETTER * max(map(len, panel.note.splitlines()))
    hidden = dict.fromkeys(_CORNERS, 0)
    for x, y in zip(*(_shares(values) for values in zip(*panel.dots, strict=True)), strict=True) if panel.dots else ():
        for side, end in _CORNERS:
            across, up = (x if side == "left" else 1 - x), (1 - y if end == "top" else y)
            hidden[side, end] += across < wide and up < _TALL
    side, end = min(hidden, key=lambda corner: hidden[corner])
    return _NEAR[side], _NEAR[end], {"ha": side, "va": end}


_TALL = 0.2
_NEAR = {"left": 0.03, "bottom": 0.03, "right": 0.97, "top": 0.97}


def _shares(values: Sequence[float]) -> list[float]:
    """Places between the lowest and the highest value, 0 to 1."""
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


def _draw_line(axis: "Axes", each: Line, colour: Any, *, band: bool) -> None:
    xs, means = [point.x for point in each.points], [point.mean for point in each.points]
    marks: dict[str, Any] = {"marker": "o", "markersize": 2.5} if len(xs) <= _MARKED else {}
    style = _DASHES if each.dashed else "-"
    axis.plot(xs, means, color=colour, linestyle=style, linewidth=1.1, label=each.label, **marks)
    spread = [point.std or 0.0 for point in each.points]
    if band and any(spread):
        low, high = ([m + sign * s for m, s in zip(means, spread, strict=True)] for sign in (-1, 1))
        axis.fill_between(xs, low, high, color=colour, alpha=0.15, linewidth=0)


def _colour(each: Line, place: int, number: int, drawing: Drawing) -> Any:
    if not drawing.gradual:
        return PALETTE[each.colour % len(PALETTE)]
    from matplotlib import colormaps

    return colormaps["viridis"](0.9 * place / max(1, number - 1))  # whose end is too light for a line


def _legend(figure: "Figure", drawing: Drawing) -> None:
    """Once for all panels; of a scale of colours the first, the middle and the last line."""
    from matplotlib.lines import Line2D

    found: dict[str, Line2D] = {}
    for panel in drawing.panels:
        lines = list(enumerate(panel.lines))
        if drawing.gradual and len(drawing.panels) > 1:
            continue
        for place, each in lines:
            colour = _colour(each, place, len(lines), drawing)
            style: Any = _DASHES if each.dashed else "-"
            found.setdefault(each.label, Line2D([], [], color=colour, linestyle=style, label=each.label))
    if drawing.gradual and not drawing.empty:
        ends = (("first layer", 0.0), ("last layer", 0.9))
        from matplotlib import colormaps

        for label, at in ends:
            found[label] = Line2D([], [], color=colormaps["viridis"](at), label=label)
        if drawing.dashes and any(each.dashed for panel in drawing.panels for each in panel.lines):
            found[drawing.dashes] = Line2D([], [], color="0.4", linestyle=_DASHES, label=drawing.dashes)
    if found:
        handles = list(found.values())
        figure.legend(
            handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False, fontsize=8
        )
