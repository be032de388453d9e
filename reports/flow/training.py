"""Claims about what was measured of networks while they train: Figures 2, 3, 13-15, 21, 31-38, observations 2, 4, 5."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from statistics import fmean

from bench.suites import gradient_flow as suite
from reports.claims.estimates import correlation
from reports.claims.finding import Absent, Finding, Outcome, Tested, judged
from reports.claims.relations import Relation, above, below, equal
from reports.dynamics.moments import TINY, panel_epochs, printed_name, shown_epochs
from reports.dynamics.reading import Of, moments, pearson, spearman
from reports.flow.facts import Check, Facts, Measure, parts, place
from reports.flow.reading import dominance, early_gradient, effect, later, minus, shift
from results.published import Claim
from results.record import Record

REPLICATES = 3
"""Seeds that printed correlations are means over (appendix G.1)."""
HIGH = 0.5
"""A correlation above it is called high, where the paper names no number (ours)."""
CLOSE = 0.05
"""Correlations are called equal where their Fisher transforms differ by less (ours)."""
ALIKE = 0.9
"""Masks are called identical where more of what they prune is pruned by both (ours)."""

MODELS = {"vgg13": "vgg13", "mobilenet": "mobilenet_v1", "resnet56": "resnet56"}
_READINGS = {
    "|θ·g|": "filters: sigma_dsigma, taylor",
    "Σ|θ g|": "filters: sigma_dsigma, loss",
    "|σ g_σ|": "filters: sigma_dsigma, sigma_g",
}
"""Loss preservation of a filter, in three readings."""


def _some(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


@cache
def _mean(of: Of, *, transformed: bool = False) -> Measure:
    """In the mean over the epochs that have it, of its Fisher transform if so wanted."""

    def mean(record: Record) -> float | None:
        found = _some(map(of, later(record)))
        return fmean(map(fisher, found) if transformed else found) if found else None

    return Measure("mean over epochs", mean)


def fisher(correlation: float) -> float:
    """Its inverse hyperbolic tangent, in which equal steps tell correlations apart equally well; finite also of 1."""
    return math.atanh(max(-_NEARLY, min(_NEARLY, correlation)))


_NEARLY = 1 - 1e-9


@cache
def _at(name: str, kind: str, epoch: int, *, transformed: bool = False) -> Measure:
    """A correlation at the end of an epoch, or its Fisher transform."""

    def at(record: Record) -> float | None:
        of = pearson(f"{kind}: {name}")
        found = next((of(each) for each in moments(record) if each.epoch == epoch), None)
        return fisher(found) if found is not None and transformed else found

    return Measure(f"{kind}: {name} at {epoch}", at)


def _everywhere(measures: Iterable[tuple[str, Measure]], relation: Relation, *data: str, digits: int = 2) -> Check:
    """Each measure of each of the three networks."""
    measures = tuple(measures)

    def compare(facts: Facts) -> Iterator[Tested]:
        for name in measured_on(facts, *data):
            for model in suite.MODELS:
                setting = facts.measured(model, name)
                for what, measure in measures:
                    where = ", ".join(filter(None, (place(setting), what)))
                    yield facts.compare(where, [(1.0, setting, measure)], relation, digits=digits)
        yield from _unmeasured(facts, *data)

    return lambda facts, claim: judged(claim.strength, compare(facts))


def measured_on(facts: Facts, *data: str, stand_in: bool = True) -> tuple[str, ...]:
    """Those of ``data`` on which the profile measures networks.

    Another may stand in for CIFAR-100, but not for Tiny-ImageNet, nor where a number is quoted.
    """
    dynamics = facts.evidence.profile.dynamics
    own = () if dynamics is None else dynamics.datasets
    return tuple(name for name in data if name in own) or (own if stand_in and data != (TINY,) else ())


def _unmeasured(facts: Facts, *data: str, stand_in: bool = True) -> Iterator[Absent]:
    if not measured_on(facts, *data, stand_in=stand_in):
        names = " and ".join(printed_name(name) for name in data)
        yield Absent(f"networks on {names}", reason=f"not measured in profile {facts.evidence.profile.name}")


def _falls(kind: str) -> Measure:
    """By how much the distance between masks is larger at the first moment than at the last."""

    def fall(record: Record) -> float | None:
        found = _some(each.distances.get(kind) for each in later(record))
        return found[0] - found[-1] if len(found) > 1 else None

    return Measure(f"mask distance of {kind}, first minus last", fall)


@cache
def _with_distance(name: str, kind: str) -> Measure:
    """Spearman's correlation over epochs of a correlation with the distance between masks."""

    def of(record: Record) -> float | None:
        pairs = [(pearson(name)(each), each.distances.get(kind)) for each in later(record)]
        whole = [(x, y) for x, y in pairs if x is not None and y is not None]
        return correlation(*zip(*whole, strict=True)).value if len(whole) > 2 else None

    return Measure(f"{name} with mask distance", of)


def _rises(*data: str) -> Check:
    """Figures 2 and 35, in each reading of loss preservation."""
    return parts(
        {
            reading: _everywhere([(f"{reading}, over epochs", _with_distance(name, "filters"))], below(), *data)
            for reading, name in _READINGS.items()
        }
    )


def _highly(kind: str, *data: str) -> Check:
    """theta . g and theta . Hg correlate before training, after a quarter of it, and at its end."""

    def check(facts: Facts, claim: Claim) -> Finding:
        epochs = shown_epochs(facts.evidence) if facts.evidence.profile.dynamics else ()
        measures = [(f"epoch {epoch}", _at("theta_g, theta_hg", kind, epoch)) for epoch in epochs]
        return _everywhere(measures, above(HIGH), *data)(facts, claim)

    return check


_PANEL = re.compile(
    r"gf_corr_fig\d+[abc]_(?P<model>[a-z0-9]+?)(?P<tiny>_tin)?_(?P<when>init|e40|e160)(?P<weights>_weights)?"
)
_WHEN = {"init": "a", "e40": "b", "e160": "c"}


def panel(claim_id: str) -> Check:
    """One printed correlation; the claim's name says of which network, when, and of filters or weights."""
    found = _PANEL.fullmatch(claim_id)
    assert found is not None, claim_id
    model, kind = MODELS[found["model"]], "weights" if found["weights"] else "filters"
    data = TINY if found["tiny"] else "cifar100"

    def check(facts: Facts, claim: Claim) -> Finding:
        names = measured_on(facts, data, stand_in=False)
        if not names:
            return judged(claim.strength, _unmeasured(facts, data, stand_in=False))
        epoch = panel_epochs(facts.evidence)[_WHEN[found["when"]]]
        measure = _at("theta_g, theta_hg", kind, epoch, transformed=True)
        return judged(claim.strength, [_quoted(facts, model, names[0], f"{kind}, epoch {epoch}", measure, claim)])

    return check


def _quoted(facts: Facts, model: str, data: str, what: str, measure: Measure, claim: Claim) -> Tested:
    """Fisher's transform of a correlation minus that of the number that the claim quotes."""
    printed, setting = claim.value or 0.0, facts.measured(model, data)
    half = 0.5 * 10.0 ** -len(claim.value_text.partition(".")[2])
    return facts.compare(
        f"{place(setting)}, {what}, Fisher's z minus that of {claim.value_text}",
        [(1.0, setting, measure)],
        equal(CLOSE, rounding=fisher(printed + half) - fisher(printed)),
        offset=-fisher(printed),
        replicates=REPLICATES,
    )


def _norms(facts: Facts, claim: Claim) -> Finding:
    """The correlation of norm and distance from initialisation that the paper quotes as a mean."""
    data = measured_on(facts, "cifar100", stand_in=False)
    found = [_quoted(facts, model, name, "mean over epochs", _NORMS, claim) for name in data for model in suite.MODELS]
    return judged(claim.strength, [*found, *_unmeasured(facts, "cifar100", stand_in=False)])


def _overlap(record: Record) -> float | None:
    """1 - Hamming / 2k of what norm and distance prune, in the mean over epochs; k as in the masks' rule."""
    total = sum(layer.total for layer in record.layers)
    share = float(suite.amount(str(record.cell["model"]), str(record.cell["dataset"])))
    pruned = int(share * total) + 1
    found = _some(each.distances.get("filters: norm, distance") for each in later(record))
    return fmean(1 - total * distance / (2 * pruned) for distance in found) if found else None


def _after_pruning(compared: Mapping[str, Of]) -> Check:
    """Numbers of each network that have to be above 0, in the mean over the epochs that it is measured at."""
    return parts(
        {what: _everywhere([(what, Measure(what, _mean(of).of))], above(), *_ALL) for what, of in compared.items()}
    )


_ALL = ("cifar100", TINY)


def _gradient(facts: Facts, of: Of, *, after_drop: bool) -> Measure:
    """In the mean over the moments of the first quarter of training, or over those after the first drop of the rate."""
    protocol = facts.evidence.profile.protocol
    drop = min((*protocol.lr_drops, protocol.epochs))

    def mean(record: Record) -> float | None:
        found = _some(
            of(each)
            for each in later(record)
            if (each.epoch > drop if after_drop else each.epoch <= protocol.epochs // 4)
        )
        return fmean(found) if found else None

    return Measure(f"early over late gradient, {'after the drop' if after_drop else 'at first'}", mean)


def _higher_early(facts: Facts, claim: Claim) -> Finding:
    measure = _gradient(facts, early_gradient, after_drop=False)
    return _everywhere([("log10 of early over late", measure)], above(), "cifar100")(facts, claim)


def _no_order(facts: Facts, claim: Claim) -> Finding:
    first, after = (_gradient(facts, dominance, after_drop=which) for which in (False, True))

    def of(record: Record) -> float | None:
        one, other = first.of(record), after.of(record)
        return None if one is None or other is None else other - one

    what = "mean of |log10 of early over late|, later minus at first"
    return _everywhere([(what, Measure(what, of))], below(), "cifar100")(facts, claim)


def _lost(_facts: Facts, _claim: Claim) -> Finding:
    reason = "the numbers are lost in print, so there is nothing to compare with"
    return Finding(outcome=Outcome.UNDECIDED, reason=reason, on_records=False)


_PRINTED = (
    "gf_corr_fig15a_resnet56_init",
    "gf_corr_fig15b_resnet56_e40",
    "gf_corr_fig34a_resnet56_init_weights",
    "gf_corr_fig37a_mobilenet_tin_init",
    "gf_corr_fig37b_mobilenet_tin_e40",
    "gf_corr_fig37c_mobilenet_tin_e160",
    "gf_corr_fig38a_resnet56_tin_init",
    "gf_corr_fig38b_resnet56_tin_e40",
)
_NEXT = _mean(spearman("filters: taylor, next norm change"))
_NORMS = _mean(pearson("filters: norm, distance"), transformed=True)
_LOSSES = {
    f"log10 of the loss, GraSP (T=1) minus {name}": minus(effect("grasp_t1", 0), effect(score, 0))
    for score, name in (("abs_grasp", "|GraSP|"), ("loss", "loss"), ("magnitude", "magnitude"))
}
_SHIFTS = {
    "log10 of the change of ||g||², GraSP (T=1) minus |GraSP|": minus(shift("grasp_t1"), shift("abs_grasp")),
    "log10 of ||g|| after GraSP (T=1) over before": minus(effect("grasp_t1", 1), effect("none", 1)),
}

CHECKS: dict[str, Check] = {
    "gf_l2_vs_dist_init_correlation": _norms,
    "gf_l2_and_dist_init_prune_same": _everywhere(
        [("mean over epochs", Measure("overlap", _overlap))], above(ALIKE), "cifar100"
    ),
    "gf_obs2_loss_removes_slowest_params": _everywhere([("mean over epochs", _NEXT)], above(HIGH), *_ALL),
    "gf_fig2_mask_distance_falls": _everywhere(
        [("first minus last", _falls("filters"))], above(), "cifar100", digits=3
    ),
    "gf_fig2_corr_rises_as_mask_distance_falls": _rises("cifar100"),
    "gf_fig31_unstructured_corr_rises": _everywhere(
        [("over epochs", _with_distance("weights: theta_dtheta, loss", "weights"))], below(), "cifar100"
    ),
    "gf_fig35_tinyimagenet_corr_rises": _rises(TINY),
    **{name: panel(name) for name in _PRINTED},
    "gf_corr_missing_panels": _lost,
    "gf_hg_g_highly_correlated_filters": _highly("filters", "cifar100"),
    "gf_hg_g_highly_correlated_weights": _highly("weights", "cifar100"),
    "gf_hg_g_highly_correlated_tinyimagenet": _highly("filters", TINY),
    "gf_obs4_grasp_increases_loss": _after_pruning(_LOSSES),
    "gf_obs5_abs_grasp_preserves_gradnorm": _after_pruning(_SHIFTS),
    "gf_grad_norm_higher_in_early_layers": _higher_early,
    "gf_grad_norm_no_order_after_lr_drop": _no_order,
}
"""By claim, as in results/published/claims.csv."""
