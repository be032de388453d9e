"""Drawing panels of lines and of points."""

from collections.abc import Sequence
from textwrap import wrap
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
    ratios = [_SAYS_WHY if rows == 1 and panel.empty else 1 for panel in drawing.panels[:across]]
    spread = ratios if 1 in ratios else None
    axes = figure.subplots(rows, across, squeeze=False, gridspec_kw={"width_ratios": spread}).flatten()
    for axis, panel in zip(axes, drawing.panels, strict=False):
        _draw_panel(axis, panel, drawing, across)
    _one_scale(list(zip(axes, drawing.panels, strict=False)))
    spare = list(axes[len(drawing.panels) :])
    for axis in spare:
        axis.set_axis_off()
    if drawing.gradual and spare and not drawing.empty:
        _explain(spare[0], drawing)
    else:
        _legend(figure, drawing)
    standing = "" if profile.comparable else f"profile {profile.name}: not comparable with the paper"
    figure.suptitle("; ".join(filter(None, (drawing.title, standing))), fontsize=8, color="0.4")
    return figure


_SAYS_WHY = 0.55
"""The width of a panel without data, which says what it lacks, as a share of one with."""
_LETTERS = 42
"""Of a line of text in a panel as wide as a third of the figure."""


def _one_scale(panels: Sequence[tuple["Axes", Panel]]) -> None:
    for name in {panel.scale for _, panel in panels if panel.scale}:
        alike = [axis for axis, panel in panels if panel.scale == name and not panel.empty]
        limits = [axis.get_ylim() for axis in alike]
        for axis in alike:
            axis.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))


def _draw_panel(axis: "Axes", panel: Panel, drawing: Drawing, across: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_title(panel.title, fontsize=10)
    if panel.empty:
        axis.set_axis_off()
        lines = [*(panel.note or "No finished run.").splitlines(), *panel.absent]
        said = "\n".join(part for each in lines for part in wrap(each, _LETTERS))
        axis.text(0.04, 0.95, said, va="top", fontsize=8, transform=axis.transAxes)
        return
    right = axis.twinx() if any(each.right for each in panel.lines) else axis
    for place, each in enumerate(panel.lines):
        colour = _colour(each, place, len(panel.lines), drawing)
        _draw_line(right if each.right else axis, each, colour, band=not drawing.gradual)
    if right is not axis:
        right.set_ylim(bottom=0)
        right.set_ylabel(drawing.right)
    measured = sorted({point.x for each in panel.lines for point in each.points})
    if 0 < len(measured) <= _TICKS:
        axis.set_xticks(measured)
    elif panel.lines:  # epochs and layers, of which there are whole ones
        axis.xaxis.set_major_locator(MaxNLocator(_TICKS, integer=True))
    if drawing.logarithmic:
        _logarithmic(axis)
    if drawing.limits is not None:
        axis.set_ylim(*drawing.limits)
    if panel.dots:
        _draw_points(axis, panel, across)
    elif panel.note:
        _write(axis, panel.note, (), across)
    axis.set_xlabel(drawing.x)
    axis.set_ylabel(drawing.y)
    axis.grid(axis="y", color="0.92", linewidth=0.6, which="both")
    axis.set_axisbelow(True)


def _logarithmic(axis: "Axes") -> None:
    """Plain numbers at 1, 2 and 5 of each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def _draw_points(axis: "Axes", panel: Panel, across: int) -> None:
    """Those in the window, and how many are outside."""
    x, y = zip(*panel.dots, strict=True)
    # Thousands of points are pixels in the SVG, too.
    axis.plot(x, y, ".", color=PALETTE[0], markersize=3.5, alpha=0.4, markeredgewidth=0, rasterized=True)
    (left, right), (bottom, top) = window(x), window(y)
    axis.set_xlim(left, right)
    axis.set_ylim(bottom, top)
    places = [((a - left) / (right - left), (b - bottom) / (top - bottom)) for a, b in panel.dots]
    inside = [(a, b) for a, b in places if 0 <= a <= 1 and 0 <= b <= 1]
    outside = len(places) - len(inside)
    said = (panel.note, f"{outside:,} of {len(places):,} outside" if outside else "")
    _write(axis, "\n".join(filter(None, said)), inside, across)
    axis.axhline(0, color="0.8", linewidth=0.6, zorder=0)
    axis.axvline(0, color="0.8", linewidth=0.6, zorder=0)
    axis.ticklabel_format(style="sci", scilimits=(-2, 3), useMathText=True)
    axis.locator_params(axis="x", nbins=4)


def _write(axis: "Axes", note: str, points: Sequence[tuple[float, float]], across: int) -> None:
    if note:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
        side, up, anchor = _corner(note, points, across)
        axis.text(side, up, note, fontsize=8, transform=axis.transAxes, bbox=box, **anchor)


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
_LETTER, _LINE = 0.01, 0.075
"""What a letter of a note takes of the figure's width, and a line of it of a panel's height."""


def _corner(note: str, points: Sequence[tuple[float, float]], across: int) -> tuple[float, float, dict[str, Any]]:
    """The corner in which a note hides the fewest ``points``, which are places in the panel from 0 to 1.

    Its own place there, and how the text is anchored.
    """
    lines = note.splitlines()
    wide, tall = _LETTER * across * max(map(len, lines)), _LINE * len(lines)
    hidden = dict.fromkeys(_CORNERS, 0)
    for x, y in points:
        for side, end in _CORNERS:
            along, up = (x if side == "left" else 1 - x), (1 - y if end == "top" else y)
            hidden[side, end] += along < wide + _NEAR["left"] and up < tall + _NEAR["bottom"]
    side, end = min(hidden, key=lambda corner: hidden[corner])
    return _NEAR[side], _NEAR[end], {"ha": side, "va": end}


_NEAR = {"left": 0.03, "bottom": 0.03, "right": 0.97, "top": 0.97}


def _draw_line(axis: "Axes", each: Line, colour: Any, *, band: bool) -> None:
    xs, means = [point.x for point in each.points], [point.mean for point in each.points]
    marks: dict[str, Any] = {"marker": "o", "markersize": 2.5} if len(xs) <= _MARKED else {}
    style = _DASHES if each.dashed else "-"
    axis.plot(xs, means, color=colour, linestyle=style, linewidth=1.1, label=each.label, **marks)
    spread = [point.std or 0.0 for point in each.points]
    if band and any(spread):
        low, high = ([m + sign * s for m, s in zip(means, spread, strict=True)] for sign in (-1, 1))
        axis.fill_between(xs, low, high, color=colour, alpha=0.1, linewidth=0)


def _colour(each: Line, place: int, number: int, drawing: Drawing) -> Any:
    if not drawing.gradual:
        return PALETTE[each.colour % len(PALETTE)]
    from matplotlib import colormaps

    return colormaps["viridis"](0.9 * place / max(1, number - 1))  # whose end is too light for a line


def _legend(figure: "Figure", drawing: Drawing) -> None:
    """Once for all panels; of a scale of colours the first and the last line."""
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
    if found:
        handles = list(found.values())
        figure.legend(
            handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False, fontsize=8
        )


def _explain(axis: "Axes", drawing: Drawing) -> None:
    """In a place without a panel: which colour is which layer's, and what dashes are."""
    from matplotlib import colormaps

    scale = axis.inset_axes((0.08, 0.62, 0.84, 0.07))
    scale.imshow([[0.9 * k / 255 for k in range(256)]], cmap=colormaps["viridis"], vmin=0, vmax=1, aspect="auto")
    scale.set_yticks([])
    scale.set_xticks([0, 255], ["first layer", "last layer"], fontsize=8)
    scale.set_title("layers of a panel", fontsize=8)
    if drawing.dashes and any(each.dashed for panel in drawing.panels for each in panel.lines):
        axis.plot([0.08, 0.3], [0.25, 0.25], color="0.4", linestyle=_DASHES, transform=axis.transAxes)
        axis.text(0.36, 0.25, drawing.dashes, fontsize=8, va="center", transform=axis.transAxes)
