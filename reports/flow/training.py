"""Claims about what was measured of networks while they train: Figures 2, 3, 13-15, 21, 31-38, observations 2, 4, 5."""

from collections.abc import Mapping
from statistics import fmean

from bench.suites import gradient_flow as suite
from reports.claims.finding import Finding, Outcome
from reports.claims.relations import above, below
from reports.dynamics.moments import TINY
from reports.dynamics.reading import Of, moments, spearman
from reports.flow.correlated import falls_with_distance, high, highly, norms, panel, rises
from reports.flow.facts import Check, Facts, Measure, parts
from reports.flow.networks import everywhere, known, mean
from reports.flow.reading import dominance, early_gradient, effect, later, minus, shift
from results.published import Claim
from results.record import Record

ALIKE = 0.9
"""Masks are called identical where more of what they prune is pruned by both (ours)."""


def _falls(kind: str) -> Measure:
    """By how much the distance between masks is larger at the first moment than at the last."""

    def fall(record: Record) -> float | None:
        found = known(each.distances.get(kind) for each in later(record))
        return found[0] - found[-1] if len(found) > 1 else None

    return Measure(f"mask distance of {kind}, first minus last", fall)


def _overlap(record: Record) -> float | None:
    """1 - Hamming / 2k of what norm and distance prune, in the mean over epochs; k as in the masks' rule."""
    total = sum(layer.total for layer in record.layers)
    share = float(suite.amount(str(record.cell["model"]), str(record.cell["dataset"])))
    pruned = int(share * total) + 1
    found = known(each.distances.get("filters: norm, distance") for each in later(record))
    return fmean(1 - total * distance / (2 * pruned) for distance in found) if found else None


def _after_pruning(compared: Mapping[str, Of]) -> Check:
    """Numbers of each network that have to be above 0, in the mean over the epochs that it is measured at."""
    return parts({what: everywhere(what, mean(of), above(), *_ALL) for what, of in compared.items()})


_ALL = ("cifar100", TINY)


def _gradient(facts: Facts, of: Of, *, after_drop: bool) -> Measure:
    """In the mean over the moments of the first quarter of training, or over those after the first drop of the rate.

    The first of all is that before training, with batch norm's statistics of images.
    """
    protocol = facts.evidence.profile.protocol
    drop = min((*protocol.lr_drops, protocol.epochs))

    def of_part(record: Record) -> float | None:
        found = known(
            of(each)
            for each in moments(record)
            if (each.epoch > drop if after_drop else each.epoch <= protocol.epochs // 4)
        )
        return fmean(found) if found else None

    return Measure(f"early over late gradient, {'after the drop' if after_drop else 'at first'}", of_part)


def _higher_early(facts: Facts, claim: Claim) -> Finding:
    measure = _gradient(facts, early_gradient, after_drop=False)
    return everywhere("log10 of early over late", measure, above(), "cifar100")(facts, claim)


def _no_order(facts: Facts, claim: Claim) -> Finding:
    first, after = (_gradient(facts, dominance, after_drop=which) for which in (False, True))

    def of(record: Record) -> float | None:
        one, other = first.of(record), after.of(record)
        return None if one is None or other is None else other - one

    what = "mean of |log10 of early over late|, later minus at first"
    return everywhere(what, Measure(what, of), below(), "cifar100")(facts, claim)


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
_NEXT = spearman("filters: taylor, next norm change")
_LOSSES = {
    f"log10 of the loss, GraSP (T=1) minus {name}": minus(effect("grasp_t1", 0), effect(score, 0))
    for score, name in (("abs_grasp", "|GraSP|"), ("loss", "loss"), ("magnitude", "magnitude"))
}
_SHIFTS = {
    "log10 of the change of ||g||², GraSP (T=1) minus |GraSP|": minus(shift("grasp_t1"), shift("abs_grasp")),
    "log10 of ||g|| after GraSP (T=1) over before": minus(effect("grasp_t1", 1), effect("none", 1)),
}

CHECKS: dict[str, Check] = {
    "gf_l2_vs_dist_init_correlation": norms,
    "gf_l2_and_dist_init_prune_same": everywhere(
        "mean over epochs", Measure("overlap", _overlap), above(ALIKE), "cifar100"
    ),
    "gf_obs2_loss_removes_slowest_params": high(_NEXT, *_ALL),
    "gf_fig2_mask_distance_falls": everywhere("first minus last", _falls("filters"), above(), "cifar100", digits=3),
    "gf_fig2_corr_rises_as_mask_distance_falls": rises("cifar100"),
    "gf_fig31_unstructured_corr_rises": falls_with_distance("", "weights: theta_dtheta, loss", "weights", "cifar100"),
    "gf_fig35_tinyimagenet_corr_rises": rises(TINY),
    **{name: panel(name) for name in _PRINTED},
    "gf_corr_missing_panels": _lost,
    "gf_hg_g_highly_correlated_filters": highly("filters", "cifar100"),
    "gf_hg_g_highly_correlated_weights": highly("weights", "cifar100"),
    "gf_hg_g_highly_correlated_tinyimagenet": highly("filters", TINY),
    "gf_obs4_grasp_increases_loss": _after_pruning(_LOSSES),
    "gf_obs5_abs_grasp_preserves_gradnorm": _after_pruning(_SHIFTS),
    "gf_grad_norm_higher_in_early_layers": _higher_early,
    "gf_grad_norm_no_order_after_lr_drop": _no_order,
}
"""By claim, as in results/published/claims.csv."""
