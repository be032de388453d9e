"""The accuracy curves of Figures 1, 4-12 and 22-30, drawn."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.profiles import Profile
from bench.suites import gradient_flow as suite
from reports.curves import FigureData, FigureSpec, Panel, Series, stand_in, to_csv
from reports.evidence import Evidence
from reports.tables import percent, rounds_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "magnitude": "#0072B2", "proposed": "#D55E00", "loss": "#009E73",
    "grasp_t200": "#CC79A7", "abs_grasp": "#0072B2", "grasp_t1": "#E69F00",
}  # fmt: skip
"""Of Okabe and Ito: told apart with every common colour vision."""
DASHES: dict[str, Any] = {"test": "-", "train": (0, (3, 1.5))}
WIDTH, HEIGHT = 7.6, 3.5  # inches; text of 9 points stays readable at the width of a page
STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "pruning-bench",  # ids in the file would be random
}
_SAYS_WHY = 0.4
"""The width of a panel without a curve, which says what it lacks, as a share of one with."""
SPAN = 30
"""Points below the lowest final accuracy at which an axis is cut: the start of training would flatten the rest."""


def write(data: FigureData, folder: Path, profile: Profile) -> list[Path]:
    """Write ``<folder>/figureNN.svg``, ``.png`` and ``.csv``; writing the same data again changes no byte.

    A figure without a curve is no file, and those of an earlier report go.
    """
    return files(folder, data.spec.name, None if data.empty else to_csv(data), lambda: draw(data, profile))


def files(folder: Path, stem: str, table: str | None, drawn: Callable[[], "Figure"]) -> list[Path]:
    """The three files of a figure whose data are ``table``; None is a figure without a curve."""
    from matplotlib import style

    paths = [folder / f"{stem}.{kind}" for kind in ("svg", "png", "csv")]
    if table is None:
        for path in paths:
            path.unlink(missing_ok=True)
        return []
    folder.mkdir(parents=True, exist_ok=True)
    svg, png, beside = paths
    beside.write_text(table, encoding="utf-8")
    with style.context(["default", STYLE]):  # a user's own settings would change the files
        figure = drawn()
        figure.savefig(svg, metadata={"Date": None, "Creator": None})
        figure.savefig(png, dpi=150, metadata={"Software": None})
    return paths


def draw(data: FigureData, profile: Profile) -> "Figure":
    """The figure: a panel per data set, a colour per score, solid for test and dashed for train accuracy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH if len(data.panels) > 1 else 0.66 * WIDTH, HEIGHT), layout="constrained")
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr, call-arg]
    ratios = {"width_ratios": [_SAYS_WHY if panel.empty else 1 for panel in data.panels]}
    axes = figure.subplots(1, len(data.panels), squeeze=False, gridspec_kw=ratios)[0]
    for axis, panel in zip(axes, data.panels, strict=True):
        _draw_panel(axis, panel)
    _legend(figure, data)
    standing = "" if profile.comparable else f"profile {profile.name}: not comparable with the paper"
    what = f"{suite.PRINTED_NAMES[data.spec.model]}, {rounds_text(data.spec.rounds)}"
    figure.suptitle("; ".join(filter(None, (what, standing))), fontsize=8, color="0.4")
    return figure


def caption(data: FigureData, evidence: Evidence) -> str:
    """What is drawn, over how many seeds, by which protocol, and what is absent."""
    spec, protocol = data.spec, evidence.profile.protocol
    images = "all" if protocol.train_limit is None else f"{protocol.train_limit:,}"
    parts = [
        f"Test and train accuracy of {suite.PRINTED_NAMES[spec.model]} pruned in {rounds_text(spec.rounds)}.",
        stand_in(spec.rounds, spec.instead),
        f"Profile {evidence.profile.name}: {protocol.epochs} epochs, {images} training images.",
        "Train accuracy is measured during the epoch, on augmented images." if protocol.augmentation != "none" else "",
        "Accuracy at the end of an epoch is that before the pruning that follows it; a band is one standard deviation "
        "over seeds.",
        f"An axis starts at most {SPAN} points below the lowest final accuracy.",
        *(_counted(panel, spec) for panel in data.panels),
    ]
    return " ".join(part for part in parts if part)


def _counted(panel: Panel, spec: FigureSpec) -> str:
    counts = ", ".join(f"{label} {n}" for label, n in zip(spec.scores.values(), panel.seeds, strict=True))
    absent = f"; not drawn: {', '.join(panel.absent)}" if panel.absent else ""
    place = f"{suite.PRINTED_NAMES[panel.dataset]}, {percent(spec.model, panel.dataset)} of filters"
    return f"{place}, seeds: {counts}{absent}."


def _draw_panel(axis: "Axes", panel: Panel) -> None:
    axis.set_title(suite.PRINTED_NAMES[panel.dataset], fontsize=10)
    if not panel.series:
        _list_absent(axis, panel.absent)
        return
    for series in panel.series:
        _draw_series(axis, series)
    _mark_rounds(axis, panel.pruned_after)
    _cut(axis, panel)
    axis.set_xlabel("epoch")
    axis.set_ylabel("accuracy (%)")
    axis.grid(axis="y", color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.margins(x=0.02)


def _draw_series(axis: "Axes", series: Series) -> None:
    colour = COLOURS[series.score]
    epochs = [point.epoch for point in series.points]
    means = [point.mean for point in series.points]
    spreads = [point.std or 0.0 for point in series.points]
    test = series.split == "test"
    axis.plot(epochs, means, color=colour, linestyle=DASHES[series.split], linewidth=1.4 if test else 1.0)
    if any(spreads):
        low = [mean - spread for mean, spread in zip(means, spreads, strict=True)]
        high = [mean + spread for mean, spread in zip(means, spreads, strict=True)]
        axis.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)


def _mark_rounds(axis: "Axes", epochs: Sequence[int]) -> None:
    """A grey band over the rounds, and a tick at the foot for every pruning."""
    if not epochs:
        return
    axis.axvspan(epochs[0] - 0.5, epochs[-1] + 0.5, color="0.93", linewidth=0, zorder=0)
    axis.plot(epochs, [0.02] * len(epochs), "k|", markersize=5, transform=axis.get_xaxis_transform(), clip_on=False)


def _list_absent(axis: "Axes", absent: Sequence[str]) -> None:
    axis.set_axis_off()
    axis.text(0.04, 0.95, "\n".join(["No finished run.", *absent]), va="top", fontsize=8, transform=axis.transAxes)


def _cut(axis: "Axes", panel: Panel) -> None:
    """Leave out the start of training, and what no accuracy can reach."""
    low, high = axis.get_ylim()
    final = min(series.points[-1].mean for series in panel.series)
    axis.set_ylim(max(low, final - SPAN), min(high, 100.5))


def _legend(figure: "Figure", data: FigureData) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    drawn = {series.score for panel in data.panels for series in panel.series}
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=COLOURS[score], label=text) for score, text in data.spec.scores.items() if score in drawn
    ]
    handles += [Line2D([], [], color="0.3", linestyle=style, label=split) for split, style in DASHES.items()]
    handles.append(Patch(color="0.88", label="pruning rounds"))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=6 if len(data.panels) > 1 else 3,
        frameon=False,
        fontsize=8,
        handlelength=1.8,
    )
