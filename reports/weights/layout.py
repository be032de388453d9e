"""How the charts of a figure are arranged: rows are panels and columns networks; one network's panels fill rows."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.suites.missing_the_mark import ABLATIONS, Method
from reports.weights import words
from reports.weights.axes import Y_LABELS
from reports.weights.series import Chart, Drawing

_WIDTHS = {1: 7.6, 2: 8.6, 3: 10.5, 4: 12.5}  # inches, by columns
_HEIGHTS = {1: 3.4, 2: 2.8, 3: 2.7, 4: 2.7}  # of a row
_FOOT = 0.7  # of the legend below, and the labels of the lowest row
_LAYERS = 2.6  # of a row of layers, with their names


@dataclass(frozen=True)
class Place:
    """A chart, where it stands, and what is written around it."""

    chart: Chart
    row: int
    column: int
    title: str
    side: str
    foot: bool  # whether labels of the x axis stand below it


@dataclass(frozen=True)
class Layout:
    """The grid of a figure."""

    rows: int
    columns: int
    size: tuple[float, float]  # inches
    spare: tuple[int, int] | None = None  # row and column of a place that the legend can have

    @property
    def letters(self) -> int:
        """How many of a small text stand side by side in a chart."""
        return int(14 * self.size[0] / self.columns)

    @property
    def legend_columns(self) -> int:
        """Of a legend below the charts."""
        return {1: 4, 2: 4}.get(self.columns, 6)
