"""The page that sets what the theory of gradient flow predicts beside what was measured."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

import numpy as np
import numpy.typing as npt

from bench.cell import DYNAMICS
from bench.suites import gradient_flow as suite
from reports.claims.finding import Evaluated, Outcome
from reports.dynamics.moments import Arrays
from reports.evidence import Evidence
from reports.flow.facts import Facts, lacking
from reports.flow.laws import NETWORKS, Seen, absent, seen
from reports.markdown import BREAK, grid
from reports.tables import purpose_notes
from reports.verdicts import Verdict
from results.record import Record

TITLE = "What the theory predicts, what we measured"

_LAWS = {
    "norm_change": (
        "Eq. 9: the squared norm of a filter changes by -2 θ·g",
        "How far the change in one step of gradient descent, per learning rate, is from it: "
        "‖measured - predicted‖ / ‖predicted‖ over all filters.",
    ),
    "expected_norm_change": (
        "Eq. 15: so does that of all parameters under SGD, in the mean over mini-batches",
        "The same relative error, of the mean over steps that each see one of two mini-batches.",
    ),
    "norm_acceleration": (
        "Eq. 12: its second derivative is 2 (‖g‖² + Θ·Hg)",
        "Relative error of the second difference over two steps, per learning rate squared. What kinks add to the "
        "curvature is not in H, which autograd takes where the network is smooth, and does not go as steps shrink, "
        "until they are so small that no unit crosses its kink; from there on the law holds to the digits there are.",
    ),
    "expected_norm_acceleration": (
        "Eq. 22: so it is under SGD, in the mean over pairs of mini-batches",
        "The same relative error, in the mean over the four ways to take two steps that each see one of two "
        "mini-batches.",
    ),
}
"""Laws with one error, and what is said of them."""


def page(facts: Facts, found: Sequence[Evaluated], arrays: Arrays) -> str:
    """Laws with their errors by step size, scale invariance, and the observations with what records say of them."""
    evidence = facts.evidence
    parts = [
        f"# {TITLE}",
        *purpose_notes(evidence.profile),
        _INTRODUCTION,
        *(_law(facts, name) for name in _LAWS),
        _bound(facts),
        _distance(facts, arrays),
        _invariance(facts),
        *_observations(found, evidence),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_INTRODUCTION = (
    "Laws are checked in double precision on eight training images, with running statistics and the temperature of "
    "training, in every run that is measured, before training "
    "(with batch norm's statistics of training images) and at its end: on the network as it is, and on the same "
    "without kinks, with softplus for ReLU and mean for maximum, and batch norm's statistics of the eight images. That "
    "is another function than the one that was trained. Steps are learning rates in units of ‖g‖ / ‖Hg‖, the time in "
    "which the gradient becomes another. Numbers are medians over runs and moments, with the range. How claims are "
    "judged, and every comparison behind them: [claims of the paper](claims.md)."
)


def _law(facts: Facts, name: str) -> str:
    title, said = _LAWS[name]
    return "\n\n".join([f"## {title}", said, _table(facts, name, "error", "step")])


def _bound(facts: Facts) -> str:
    said = (
        "Along steps of gradient descent, ‖Θ(T) - Θ(0)‖² / T minus L(0) - L(T), as a share of the latter: the most "
        "on the way, where steps that are not infinitely small go beyond 0, and what it is at the end of the path."
    )
    tables = (
        _table(facts, "distance_bound", "most", "most on the way; step"),
        _table(facts, "distance_bound", "end", "at the end; step"),
    )
    title = "## Eq. 7: the squared distance from initialisation, by time, is at most the decrease of the loss"
    return "\n\n".join([title, said, *tables])


def _distance(facts: Facts, arrays: Arrays) -> str:
    """What eq. 8 replaces by 1, by network and epoch."""
    found: dict[str, dict[int, list[float]]] = {}
    for setting, records in facts.evidence.records.items():
        if setting.score == DYNAMICS:
            for record in records.values():
                for epoch, share in _shares(record, arrays(record)):
                    found.setdefault(setting.model, {}).setdefault(epoch, []).append(share)
    epochs = sorted({epoch for each in found.values() for epoch in each})
    rows = [
        [suite.PRINTED_NAMES[model], *(_spread(found[model].get(epoch, ())) for epoch in epochs)]
        for model in suite.MODELS
        if model in found
    ]
    said = (
        "The paper takes the one for the other, as parameters begin small. ‖Θ(T) - Θ(0)‖² / ‖Θ(T)‖² over the filters "
        "of all prunable layers, by epoch of training:"
    )
    title = "## Eq. 8: the distance from initialisation is about the norm"
    return "\n\n".join(
        [title, said, grid(["", *(f"epoch {epoch}" for epoch in epochs)], rows) if rows else _nothing(facts)]
    )


def _shares(record: Record, vectors: Mapping[str, npt.NDArray[np.float32]]) -> Iterator[tuple[int, float]]:
    for place, moment in enumerate(record.dynamics):
        distance, norm = (vectors.get(f"{place}.filters.{name}") for name in ("distance", "norm"))
        if moment.epoch > 0 and distance is not None and norm is not None:
            yield moment.epoch, float((distance.astype(float) ** 2).sum() / (norm.astype(float) ** 2).sum())


def _invariance(facts: Facts) -> str:
    head = ["", "batch norm's eps", "|θ·g| / ‖θ‖‖g‖, median", "largest", "|θ·Hg + ‖g‖²| / ‖g‖², median", "largest"]
    names = ("median first", "largest first", "median second", "largest second")
    rows = []
    for model in suite.MODELS:
        found = [each for each in seen(facts, "scale_invariance", smooth=False) if each.model == model]
        for place in range(len(found[0].laws) if found else 0):
            numbers = [_spread(each.number(name, place) for each in found) for name in names]
            rows.append([suite.PRINTED_NAMES[model], f"{found[0].laws[place].step:g}", *numbers])
    said = (
        "Under batch statistics the scale of a filter does not matter, so that θ·g = 0 and θ·Hg = -‖g‖² in the limit "
        "of batch norm's eps. That is why scores take the running statistics. Training takes those of the batch, so "
        "the norms of its filters do not follow eq. 9 and 12: but for the square of a step, only weight decay changes "
        "them. What correlates with their change in training (observation 2) is no test of these laws. Over the "
        "filters that fire:"
    )
    return "\n\n".join(["## Scale invariance: how far off it is", said, grid(head, rows) if rows else _nothing(facts)])


def _nothing(facts: Facts) -> str:
    """Why a table is empty."""
    return f"Nothing has been measured yet ({lacking([absent(facts)], facts.evidence)})."


def _table(facts: Facts, name: str, number: str, corner: str) -> str:
    """Networks down, learning rates across, as they are and smooth."""
    found = {smooth: list(seen(facts, name, smooth=smooth)) for smooth in NETWORKS}
    steps = sorted({law.step for each in found[False] + found[True] for law in each.laws}, reverse=True)
    if not steps:
        return _nothing(facts)
    rows = [
        [suite.PRINTED_NAMES[model], said, *(_at(found[smooth], model, number, step) for step in steps)]
        for model in suite.MODELS
        for smooth, said in NETWORKS.items()
    ]
    return grid([corner, "", *(f"{step:g}" for step in steps)], rows)


def _at(found: Sequence[Seen], model: str, number: str, step: float) -> str:
    values = (law.numbers.get(number) for each in found if each.model == model for law in each.laws if law.step == step)
    return _spread(values)


def _spread(values: Iterable[float | None]) -> str:
    """Median and range."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = (f"{value:.2g}" for value in (min(known), max(known)))
    return f"{median(known):.2g}" if low == high else f"{median(known):.2g}{BREAK}({low} to {high})"


OBSERVATIONS = {
    "Observation 1: the larger the magnitude of parameters, the smaller the loss; kept ones make it fall faster": (
        "gf_obs1_kept_magnitude_speeds_loss",
        "gf_magnitude_converges_faster_than_loss",
        "gf_dist_init_bounds_loss_drop",
        "gf_l2_vs_dist_init_correlation",
    ),
    "Observation 2: loss preservation removes the parameters whose norm changes slowest": (
        "gf_obs2_norm_derivative_identity",
        "gf_obs2_loss_removes_slowest_params",
    ),
    "Observation 3: with further heuristics, measures by magnitude preserve the loss": (
        "gf_fig2_mask_distance_falls",
        "gf_fig2_corr_rises_as_mask_distance_falls",
        "gf_fig31_unstructured_corr_rises",
        "gf_fig35_tinyimagenet_corr_rises",
    ),
    "Observation 4: increasing the gradient norm removes what increases the loss most": (
        "gf_obs4_grasp_increases_loss",
        "gf_second_derivative_identity",
        "gf_hg_g_highly_correlated_filters",
        "gf_hg_g_highly_correlated_weights",
        "gf_hg_g_highly_correlated_tinyimagenet",
    ),
    "Observation 5: preserving the gradient norm preserves how the model evolves": (
        "gf_obs5_abs_grasp_preserves_gradnorm",
        "gf_abs_grasp_best",
        "gf_t200_not_faster_than_abs_grasp",
    ),
}
"""What the paper observes, and the claims that it rests on."""


def _observations(found: Sequence[Evaluated], evidence: Evidence) -> Iterator[str]:
    """Of a demonstration only what its records decide, as the paper's numbers are not to stand beside them."""
    shown = {
        each.claim.claim_id: each for each in found if evidence.profile.shows_published or each.finding.comparisons
    }
    for title, claims in OBSERVATIONS.items():
        rows = [_row(shown[claim], evidence) for claim in claims if claim in shown]
        text = grid(["claim", "outcome", "measured"], rows) if rows else "These records decide nothing of it."
        yield f"## {title}\n\n{text}"


def _row(each: Evaluated, evidence: Evidence) -> list[str]:
    finding = each.finding
    outcome = f"**{finding.outcome}**"
    decided = finding.outcome != Outcome.UNDECIDED
    standing = f"{Verdict.NOT_COMPARABLE}{BREAK}here: " if decided and not each.comparable else ""
    printed = finding.on_print
    shown = printed is not None and evidence.profile.shows_published
    measured = [finding.measured, f"printed: {printed.measured}" if printed and shown else ""]
    lacks = lacking(finding.absent, evidence)
    measured.append(f"lacking: {lacks}" if lacks else "")
    outcomes = [f"{standing}{outcome}", finding.share]
    outcomes.append(f"the printed numbers: {printed.outcome} {printed.share}" if printed and shown else "")
    said = f"{each.claim.statement} ({each.claim.where})"
    return [said, BREAK.join(filter(None, outcomes)), BREAK.join(filter(None, measured))]
