"""The accuracy curves of Figures 1, 4-12 and 22-30 as values: the mean over seeds, epoch by epoch."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev
from typing import Literal

from bench.profiles import Profile
from bench.suites import gradient_flow as suite
from reports.evidence import Evidence, Setting
from reports.tables import rounds_text
from results.record import Curve, Record

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("test", "train")
STANDARD = {"magnitude": "Magnitude", "proposed": "Proposed", "loss": "Loss-pres."}
GRADIENT_NORM = {"grasp_t200": "GraSP (T=200)", "abs_grasp": "|GraSP|", "grasp_t1": "GraSP (T=1)"}
"""The series of a figure, in the order of the paper's legend."""


@dataclass(frozen=True)
class FigureSpec:
    """A figure of the paper: a model pruned in a number of rounds, a panel per data set."""

    number: int
    model: str
    rounds: int
    scores: Mapping[str, str] = field(default_factory=lambda: STANDARD)  # with their labels
    instead: int | None = None  # rounds of the paper's figure, where ``rounds`` stand in for them

    @property
    def name(self) -> str:
        """Stem of the files."""
        return f"figure{self.number:02d}"


FIGURES = (
    FigureSpec(1, "resnet56", 25),
    *(
        FigureSpec(first + 3 * row + column, model, rounds, scores)
        for first, scores in ((4, STANDARD), (22, GRADIENT_NORM))
        for row, model in enumerate(suite.MODELS)
        for column, rounds in enumerate(suite.ROUNDS)
    ),
)
"""Figures 1, 4-12 and 22-30. Figure 1 of the paper is its Figure 12, shown early.

The paper leaves GraSP (T=1) out of Figure 30, as its networks are at chance; here it is drawn.
"""


def rounds_in(profile: Profile, rounds: int) -> int | None:
    """The profile's number of rounds for a figure of so many in the paper; None where it has none.

    In a demonstration the most that there are stand in for those that it does not run.
    """
    if rounds in profile.rounds:
        return rounds
    return None if profile.shows_published else max(profile.rounds)


def figures_of(profile: Profile) -> Iterator[FigureSpec]:
    """Those of :data:`FIGURES` that a profile has rounds for."""
    for spec in FIGURES:
        shown = rounds_in(profile, spec.rounds)
        if shown is not None:
            yield spec if shown == spec.rounds else replace(spec, rounds=shown, instead=spec.rounds)


def without_rounds(numbers: Mapping[int, int], profile: Profile) -> Iterator[str]:
    """A sentence for each of ``numbers``, figures with their rounds, that a profile has no rounds for."""
    for number, rounds in numbers.items():
        if rounds_in(profile, rounds) is None:
            yield f"Figure {number} is left out: profile {profile.name} does not prune in {rounds_text(rounds)}."


def stand_in(rounds: int, instead: int | None) -> str:
    """``3 rounds stand in for 25.``; empty where none do."""
    return "" if instead is None else f"{rounds_text(rounds).capitalize()} stand in for {instead}."


@dataclass(frozen=True)
class Point:
    """Accuracy in percent at the end of an epoch, over the seeds that reached it; ``std`` is None for one seed."""

    epoch: int
    round: int | None
    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Series:
    """One curve: a score and a split."""

    score: str
    split: Split
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Panel:
    """The curves on one data set, and what became of the seeds that are not in them."""

    dataset: str
    series: tuple[Series, ...]
    seeds: tuple[int, ...]  # seeds behind each score, in the order of the figure's scores
    absent: tuple[str, ...]  # "Magnitude s0 s1: missing", "Loss-pres. s2: diverged"

    @property
    def empty(self) -> bool:
        """Whether there is no curve."""
        return not self.series

    @property
    def pruned_after(self) -> tuple[int, ...]:
        """The epochs at whose end a round of pruning took place."""
        return tuple(sorted({p.epoch for series in self.series for p in series.points if p.round is not None}))


@dataclass(frozen=True)
class FigureData:
    """All panels of a figure."""

    spec: FigureSpec
    panels: tuple[Panel, ...]

    @property
    def empty(self) -> bool:
        """Whether no panel has a curve."""
        return all(panel.empty for panel in self.panels)


def figure_data(spec: FigureSpec, evidence: Evidence) -> FigureData:
    """The curves of one figure."""
    return FigureData(spec, tuple(_panel(spec, dataset, evidence) for dataset in evidence.profile.datasets))


def to_csv(data: FigureData) -> str:
    """Every point that is drawn, one a line, with the precision of the record."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["dataset", "score", "split", "epoch", "round", "accuracy_mean", "accuracy_std", "n"])
    for panel in data.panels:
        for series in panel.series:
            head = (panel.dataset, series.score, series.split)
            lines.writerows([*head, p.epoch, p.round, p.mean, p.std, p.n] for p in series.points)
    return text.getvalue()


def _panel(spec: FigureSpec, dataset: str, evidence: Evidence) -> Panel:
    done: dict[str, list[Record]] = {}
    absent: list[str] = []
    for score in spec.scores:
        setting = Setting(spec.model, dataset, score, spec.rounds)
        records = evidence.seeds(setting)
        done[score] = [
            record for _, record in sorted(records.items()) if record.status == "done" and record.curve.epoch
        ]
        absent += evidence.absent(setting, spec.scores[score])
    series = tuple(
        Series(score, split, points)
        for score in spec.scores
        for split in SPLITS
        if (points := mean_curve(done[score], split))
    )
    return Panel(dataset, series, tuple(len(done[score]) for score in spec.scores), tuple(absent))


def mean_curve(records: Sequence[Record], split: Split) -> tuple[Point, ...]:
    """The mean over ``records`` at every epoch that any of them has an accuracy for."""
    found: dict[int, list[float]] = {}
    rounds: dict[int, int | None] = {}
    for record in records:
        curve = record.curve
        for epoch, n, value in zip(curve.epoch, curve.round, _values(curve, split), strict=False):  # may be left out
            if value is not None:
                found.setdefault(epoch, []).append(value)
                rounds[epoch] = n
    return tuple(_point(epoch, rounds[epoch], values) for epoch, values in sorted(found.items()))


def _values(curve: Curve, split: Split) -> list[float | None]:
    return curve.train_accuracy if split == "train" else curve.test_accuracy


def _point(epoch: int, n: int | None, values: list[float]) -> Point:
    return Point(epoch, n, fmean(values), stdev(values) if len(values) > 1 else None, len(values))
