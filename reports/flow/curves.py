"""Claims about how fast pruned networks learn: Figures 1, 4-12 and 22-30."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from statistics import fmean
from typing import Any

from bench.suites import gradient_flow as suite
from reports.claims.finding import Absent, Finding, Tested, judged
from reports.claims.relations import Relation, above, below, not_below, within
from reports.evidence import Setting
from reports.flow.contrasts import DATASETS, grid
from reports.flow.facts import Check, Facts, Measure, in_rounds, parts, place
from results.published import Claim
from results.record import Record

MARGIN = 1.0
"""Points within which convergence is about the same, as the paper names no number (ours)."""


@cache
def mean_of(column: str, first: int, last: int) -> Measure:
    """The mean of a column of the curve over epochs from ``first`` to ``last``."""

    def of(record: Record) -> float | None:
        values = getattr(record.curve, column)
        found = [
            value
            for epoch, value in zip(record.curve.epoch, values, strict=False)
            if first <= epoch <= last and value is not None
        ]
        return fmean(found) if len(found) == last - first + 1 else None

    return Measure(f"{column}, epochs {first} to {last}", of)


def _until_drop(facts: Facts, n: int) -> tuple[int, int]:
    """Epochs after the last of ``n`` rounds, until the learning rate first drops."""
    protocol = facts.evidence.profile.protocol
    return n + 1, min((*protocol.lr_drops, protocol.epochs))


def _until_end(facts: Facts, n: int) -> tuple[int, int]:
    return n + 1, facts.evidence.profile.protocol.epochs


def faster(
    first_score: str,
    second_score: str,
    relation: Relation,
    columns: Sequence[str] = ("train_accuracy", "test_accuracy"),
    *,
    when: Callable[[Facts, int], tuple[int, int]] = _until_drop,
    models: Sequence[str] = suite.MODELS,
    rounds: Sequence[int] = suite.ROUNDS,
) -> Check:
    """The mean of each column over epochs, of the first score minus the second."""

    def compare(facts: Facts) -> Iterator[Tested]:
        for model, name, n in grid(facts.datasets(*DATASETS), rounds, models):
            first, last = when(facts, n)
            one, other = (Setting(model, name, score, n) for score in (first_score, second_score))
            for column in columns:
                what = f"{in_rounds(place(one), n)}, {column.replace('_', ' ')}"
                if n not in facts.evidence.profile.rounds:
                    yield Absent(what, (one.cell(0), other.cell(0)))
                elif first > last:
                    reason = f"the learning rate drops, after epoch {last}, before an epoch follows the last round"
                    yield Absent(in_rounds("", n).strip(", "), reason=reason)
                else:
                    measure = mean_of(column, first, last)
                    terms = [(1.0, one, measure), (-1.0, other, measure)]
                    yield facts.compare(what, terms, relation, digits=4 if column == "train_loss" else 2)

    def check(facts: Facts, claim: Claim) -> Finding:
        return judged(claim.strength, compare(facts))

    return check


_FIGURE_1: dict[str, Any] = {"models": ("resnet56",), "rounds": (25,)}

CHECKS: dict[str, Check] = {
    "gf_obs1_kept_magnitude_speeds_loss": faster("loss", "magnitude", above(), ("train_loss",), when=_until_end),
    "gf_magnitude_converges_faster_than_loss": faster("magnitude", "loss", above()),
    "gf_fig1_convergence_order_resnet56_25": parts(
        {
            "magnitude, proposed": faster("magnitude", "proposed", not_below(), **_FIGURE_1),
            "proposed, loss": faster("proposed", "loss", not_below(), **_FIGURE_1),
        }
    ),
    "gf_proposed_converges_faster_than_loss": parts(
        {
            "faster than loss": faster("proposed", "loss", above()),
            "like magnitude": faster("proposed", "magnitude", within(MARGIN)),
        }
    ),
    "gf_t200_not_faster_than_abs_grasp": faster("grasp_t200", "abs_grasp", below(MARGIN)),
}
"""By claim, as in results/published/claims.csv."""
