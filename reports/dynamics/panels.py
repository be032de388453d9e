"""Panels of lines and of points, as values."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev


@dataclass(frozen=True)
class Point:
    """A mean over seeds; ``std`` is None for one."""

    x: float
    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Line:
    """One curve, on the axis to the ``right`` or the left; ``colour`` is a place in the palette."""

    label: str
    points: tuple[Point, ...]
    colour: int = 0
    dashed: bool = False
    right: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Lines over one axis, or points of one seed, ``dots``; ``absent`` says what there is no run for."""

    title: str
    lines: tuple[Line, ...] = ()
    dots: tuple[tuple[float, float], ...] = ()
    note: str = ""  # within the panel
    scale: str = ""  # panels of one name have one vertical scale
    absent: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.lines and not self.dots


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure of the paper."""

    number: int
    title: str
    x: str
    y: str
    right: str = ""  # what the axis of lines on the right is of
    panels: tuple[Panel, ...]
    remarks: tuple[str, ...] = field(default=())  # for the caption
    gradual: bool = False  # whether colours are a scale, from the first line to the last
    dashes: str = ""  # what dashed lines are, where colours are a scale
    logarithmic: bool = False
    limits: tuple[float, float] | None = None  # of the vertical axis

    @property
    def name(self) -> str:
        """Stem of its files."""
        return f"figure{self.number:02d}"

    @property
    def empty(self) -> bool:
        """Whether no panel has anything to draw."""
        return all(panel.empty for panel in self.panels)

    @property
    def dotted(self) -> bool:
        """Whether its panels are of points."""
        return any(panel.dots for panel in self.panels)


def line(
    label: str, values: dict[float, list[float]], colour: int = 0, *, dashed: bool = False, right: bool = False
) -> Line:
    """The line through the means of ``values`` by their place."""
    points = (
        Point(x, fmean(of), stdev(of) if len(of) > 1 else None, len(of)) for x, of in sorted(values.items()) if of
    )
    return Line(label, tuple(points), colour, dashed, right)


def to_csv(drawing: Drawing) -> str:
    """Every point that is drawn, one a line."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["panel", "x", "y"] if drawing.dotted else ["panel", "line", "x", "mean", "std", "n"])
    lines.writerows(_rows(drawing))
    return text.getvalue()


def _rows(drawing: Drawing) -> Iterator[Sequence[object]]:
    for panel in drawing.panels:
        yield from ([panel.title, f"{x:.6g}", f"{y:.6g}"] for x, y in panel.dots)
        for each in panel.lines:
            yield from ([panel.title, each.label, point.x, point.mean, point.std, point.n] for point in each.points)
