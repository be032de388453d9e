"""How the charts of a figure are arranged: rows are panels and columns networks; one network's panels fill rows."""

from collections.abc import Iterator
from dataclasses import dataclass

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

    def legend_columns(self, entries: int) -> int:
        """Of a legend below the charts, so that its rows are alike."""
        most = 6 if self.columns > 2 else 4
        return -(-entries // -(-entries // most))

    def places(self, drawn: Drawing) -> Iterator[Place]:
        """Every chart of ``drawn`` in its place."""
        count, wide = len(drawn.networks), drawn.figure.axis == "layers"
        beside = count > 1 and not wide
        spots = [divmod(number, count if beside else self.columns) for number in range(len(drawn.charts))]
        last = {
            column: row for chart, (row, column) in zip(drawn.charts, spots, strict=True) if not chart.empty
        }  # of each column
        label = Y_LABELS[drawn.figure.axis]
        for chart, (row, column) in zip(drawn.charts, spots, strict=True):
            side = f"{chart.title}\n{label}" if beside and chart.title and column == 0 else label
            yield Place(
                chart,
                row,
                column,
                title=_title(chart, row, beside=beside),
                side=side if column == 0 else "",
                foot=wide or not beside or last.get(column) == row,
            )


def layout(drawn: Drawing) -> Layout:
    """The grid for the charts of ``drawn``."""
    networks, charts = len(drawn.networks), len(drawn.charts)
    if drawn.figure.axis == "layers":
        return Layout(charts, 1, (10.0, _LAYERS * charts + 0.6))
    if networks > 1:
        rows = charts // networks
        return Layout(rows, networks, _size(rows, networks))
    columns = {1: 1, 2: 2, 4: 2}.get(charts, 3)
    rows = -(-charts // columns)
    spare = (rows - 1, columns - 1) if charts < rows * columns else None
    return Layout(rows, columns, _size(rows, columns), spare)


def _size(rows: int, columns: int) -> tuple[float, float]:
    return _WIDTHS[columns], rows * _HEIGHTS[columns] + (0.0 if rows == columns == 1 else _FOOT)


def _title(chart: Chart, row: int, *, beside: bool) -> str:
    """Networks are named above their column; a panel of one network has its own name."""
    if beside:
        return words.title(chart.network) if row == 0 else ""
    return chart.title or words.title(chart.network)
