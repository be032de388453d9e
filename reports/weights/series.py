"""The figures of the second suite as values: a chart for each panel and network, its curves, and what they lack."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from bench.suites.missing_the_mark import Figure, Method, Network
from reports.weights.evidence import State

ACCURACY = ("sparsity", "iteration")
"""Axes of figures that show accuracies; the others show masks, for which nothing is trained after pruning."""


@dataclass(frozen=True)
class Point:
    """A place on a curve: the mean over ``n`` seeds and their sample standard deviation, None for one seed."""

    x: float  # percent pruned, iterations, percent of a neuron's inputs, or the number of a layer from 1
    mean: float
    std: float | None
    n: int
    records: tuple[str, ...] = field(default=(), compare=False)  # keys of those that it is made of


@dataclass(frozen=True)
class Run:
    """One seed at one place of an axis, and what became of it."""

    x: float
    seed: int
    state: State


@dataclass(frozen=True)
class Curve:
    """What one method did, in percent, or as a ratio where paths are counted."""

    label: str
    method: Method
    points: tuple[Point, ...]
    runs: tuple[Run, ...]

    @property
    def gaps(self) -> frozenset[float]:
        """Places that the profile runs and that have no point."""
        return frozenset(run.x for run in self.runs if run.state != "not run") - {point.x for point in self.points}


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One panel of a figure for one network."""

    network: Network
    title: str  # of the panel
    curves: tuple[Curve, ...]
    dense: Point | None = None  # the unpruned network, where accuracies are shown
    dense_runs: tuple[Run, ...] = ()
    drops: tuple[float, ...] = ()  # iterations at which the learning rate drops
    layers: tuple[str, ...] = ()  # names of tensors, in forward order
    matching: str = ""  # up to where sparsities match by the records, where the paper does not name it

    @property
    def methods(self) -> tuple[Method, ...]:
        """Of its curves."""
        return tuple(curve.method for curve in self.curves)

    @property
    def empty(self) -> bool:
        """Whether no method has a point; the unpruned network alone is not worth a panel."""
        return not any(curve.points for curve in self.curves)

    @property
    def places(self) -> frozenset[float]:
        """Where on the axis there are points."""
        return frozenset(point.x for curve in self.curves for point in curve.points)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Of the pruned networks."""
        return tuple(run for curve in self.curves for run in curve.runs)


@dataclass(frozen=True)
class Drawing:
    """All charts of a figure, panel by panel, and those of a panel in the order of the networks."""

    figure: Figure
    charts: tuple[Chart, ...]
    seeds: int  # of the profile

    @property
    def stem(self) -> str:
        """Of the names of its files."""
        name = self.figure.name
        return f"figure{int(name):02d}" if name.isdigit() else f"figure_{name.lower().replace('.', '')}"

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return all(chart.empty for chart in self.charts)

    @property
    def networks(self) -> tuple[Network, ...]:
        """In the order of the columns."""
        return tuple(dict.fromkeys(chart.network for chart in self.charts))


def to_csv(drawn: Drawing) -> str:
    """Everything that is drawn, a line each, with the precision of the records."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["panel", "model", "dataset", "series", "x", "layer", "mean", "std", "n", "records"])
    for chart in drawn.charts:
        lines.writerows([chart.title, chart.network.model, chart.network.dataset, *line] for line in _lines(chart))
    return text.getvalue()


def _lines(chart: Chart) -> Iterator[list[Any]]:
    if chart.empty:
        return
    if chart.dense is not None:
        yield ["Unpruned", "", "", chart.dense.mean, chart.dense.std, chart.dense.n, _keys(chart.dense)]
    for curve in chart.curves:
        for point in curve.points:
            layer = chart.layers[int(point.x) - 1] if chart.layers else ""
            yield [curve.label, round(point.x, 9), layer, point.mean, point.std, point.n, _keys(point)]
    yield from (["Learning rate drops", drop, *[""] * 5] for drop in chart.drops)


def _keys(point: Point) -> str:
    return " ".join(point.records)


Value = tuple[float, tuple[str, ...]]
"""A number of one seed, and the keys of the records that it comes from."""


def point(x: float, values: Iterable[Value]) -> Point | None:
    """Mean and sample standard deviation of ``values``, one per seed; None of none."""
    found = tuple(values)
    if not found:
        return None
    numbers = [number for number, _ in found]
    keys = tuple(key for _, keys in found for key in keys)
    return Point(x, fmean(numbers), stdev(numbers) if len(numbers) > 1 else None, len(numbers), keys)
