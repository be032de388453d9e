"""Which claims of section 4 and appendices G and J are checked how: accuracies when pruning at initialisation."""

from bench.suites.missing_the_mark import (
    AFTER,
    EARLY,
    GRASP,
    ITERATIVE_SNIP,
    LTR,
    MAGNITUDE,
    RANDOM,
    RESNET18,
    RESNET20,
    RESNET50,
    SNIP,
    SYNFLOW,
    VGG16,
    Method,
    Network,
)
from reports.claims.relations import above, at_least, at_most, not_below, same
from reports.weights.claims.accuracy import (
    Check,
    against,
    best,
    bounded,
    lead,
    over,
    pairs,
    parts,
    to_base,
    under,
    where_trivial_is_known,
    worst,
)
from reports.weights.claims.behaviour import never_measured
from reports.weights.claims.levels import (
    ablated,
    beyond,
    every,
    extreme,
    highest,
    matching,
    matching_nontrivial,
    nontrivial,
    one,
    only,
    up_to,
)
from reports.weights.claims.orders import beats_somewhere, each_is_first_somewhere, rank_improves, same_order_beyond
from reports.weights.claims.reaching import full_until, same_reach

CONVOLUTIONAL = (RESNET20, VGG16, RESNET18)
MAIN = (*CONVOLUTIONAL, RESNET50)
"""The four networks of the paper's body."""
_ROUNDING = 0.05
_COMPETITIVE = 0.5
"""Points behind the best that still are competitive (ours)."""
ALIKE = 1.0
"""Points from the worst method to the best up to which all of them are similar (ours)."""


def others(*methods: Method) -> tuple[Method, ...]:
    """The early methods but for these."""
    return tuple(method for method in EARLY if method not in methods)


def _gap(network: Network, method: Method, bound: float) -> Check:
    return bounded((network,), lead(matching, best(*others(method)), best(method), at_most(bound, _ROUNDING)), max)


def _span(network: Network, bound: float) -> Check:
    return bounded((network,), lead(one(highest), best(*EARLY), worst(*EARLY), at_most(bound)), max)


CHECKS: dict[str, Check] = {
    "mm_highest_matching_sparsity_resnet20": full_until(RESNET20, AFTER),
    "mm_highest_matching_sparsity_vgg16": full_until(VGG16, AFTER),
    "mm_highest_matching_sparsity_resnet18": full_until(RESNET18, AFTER),
    "mm_highest_matching_sparsity_resnet50": full_until(RESNET50, AFTER),
    "mm_vgg16_snip_full_until": full_until(VGG16, SNIP),
    "mm_vgg16_synflow_full_until": full_until(VGG16, SYNFLOW),
    "mm_vgg16_random_full_until": full_until(VGG16, RANDOM),
    "mm_resnet18_snip_full_until": full_until(RESNET18, SNIP),
    "mm_resnet18_synflow_full_until": full_until(RESNET18, SYNFLOW),
    "mm_resnet18_random_full_until": full_until(RESNET18, RANDOM),
    "mm_resnet20_resnet50_no_full_accuracy": over(
        (RESNET20, RESNET50), where_trivial_is_known(to_base(nontrivial, EARLY, above()))
    ),
    "mm_methods_beat_random": over(
        MAIN, where_trivial_is_known(pairs(matching_nontrivial, against(EARLY, (RANDOM,)), above()))
    ),
    "mm_methods_beat_random_somewhere": beats_somewhere(MAIN, matching, EARLY, RANDOM),
    "mm_no_single_sota": each_is_first_somewhere(MAIN, every, EARLY),
    "mm_magnitude_after_beats_all": over(
        MAIN, where_trivial_is_known(lead(matching_nontrivial, best(AFTER), best(RANDOM, *EARLY), above()))
    ),
    "mm_resnet20_magnitude_best": parts(
        {
            "all similar": over((RESNET20,), lead(matching, best(*EARLY), worst(*EARLY), at_most(ALIKE))),
            "magnitude highest": over(
                (RESNET20,), pairs(matching, against((MAGNITUDE,), others(MAGNITUDE)), not_below())
            ),
        }
    ),
    "mm_vgg16_synflow_over_snip_until": over(
        (VGG16,),
        pairs(up_to(11), ((SYNFLOW, SNIP),), not_below()),
        pairs(beyond(11), ((SNIP, SYNFLOW),), above()),
    ),
    "mm_vgg16_magnitude_gap_max": _gap(VGG16, MAGNITUDE, 0.4),
    "mm_vgg16_grasp_gap_max": _gap(VGG16, GRASP, 0.9),
    "mm_resnet18_snip_synflow_even_until": over(
        (RESNET18,),
        pairs(up_to(7), ((SNIP, SYNFLOW),), same()),
        pairs(beyond(7), ((SNIP, SYNFLOW),), above()),
    ),
    "mm_resnet18_magnitude_gap_max": _gap(RESNET18, MAGNITUDE, 2.1),
    "mm_resnet18_grasp_gap_max": _gap(RESNET18, GRASP, 2.6),
    "mm_resnet50_above_grasp_min": bounded(
        (RESNET50,), pairs(matching, against(others(GRASP), (GRASP,)), at_least(0.5, _ROUNDING)), min
    ),
    "mm_resnet50_above_grasp_max": bounded(
        (RESNET50,), pairs(matching, against(others(GRASP), (GRASP,)), at_most(1.0, _ROUNDING)), max
    ),
    "mm_resnet20_grasp_overtakes": over((RESNET20,), pairs(only(18), against((GRASP,), others(GRASP)), above())),
    "mm_resnet20_synflow_worst_extreme": over(
        (RESNET20,), lead(extreme, worst(*others(SYNFLOW)), best(SYNFLOW), above())
    ),
    "mm_resnet50_synflow_best_extreme": over(
        (RESNET50,), lead(extreme, best(SYNFLOW), best(*others(SYNFLOW)), above())
    ),
    "mm_resnet18_grasp_overtakes_two": parts(
        {
            "above magnitude": over((RESNET18,), pairs(extreme, ((GRASP, MAGNITUDE),), above())),
            "above SynFlow": over((RESNET18,), pairs(extreme, ((GRASP, SYNFLOW),), above())),
            "below SNIP": over((RESNET18,), pairs(extreme, ((SNIP, GRASP),), above())),
        }
    ),
    "mm_vgg16_same_order_extreme": over((VGG16,), same_order_beyond(12, EARLY)),
    "mm_grasp_worst_matching": parts(
        {
            "worst at matching sparsities": over(MAIN, lead(matching, worst(*others(GRASP)), best(GRASP), above())),
            "rank improves beyond": over(MAIN, rank_improves(GRASP, EARLY)),
        }
    ),
    "mm_fig1_within_one_point": never_measured(
        "Figure 1 illustrates the cost of training ResNet-50 on ImageNet by methods that no cell runs"
    ),
    "mm_ltr_and_magnitude_after_similar": parts(
        {
            "accuracies": over(MAIN, pairs(every, ((LTR, AFTER),), same())),
            "full accuracy until": same_reach(LTR, AFTER, MAIN),
        }
    ),
    "mm_iterative_snip_no_change": over(CONVOLUTIONAL, pairs(every, ((ITERATIVE_SNIP, SNIP),), same())),
    "mm_iterative_snip_ablations_no_effect": over(
        CONVOLUTIONAL,
        pairs(ablated, under((SNIP, ITERATIVE_SNIP), "shuffle", "reinit"), same()),
    ),
    "mm_gap_worst_best_resnet20": _span(RESNET20, 1.0),
    "mm_gap_worst_best_vgg16": _span(VGG16, 1.5),
    "mm_gap_worst_best_resnet18": _span(RESNET18, 2.5),
    "mm_gap_worst_best_resnet50": _span(RESNET50, 1.0),
    "mm_grasp_never_best_at_highest_matching": over(
        MAIN, lead(one(highest), best(*others(GRASP)), best(GRASP), above())
    ),
    "mm_data_free_methods_competitive": over(
        MAIN, lead(matching, best(SNIP, GRASP), best(SYNFLOW, MAGNITUDE), at_most(_COMPETITIVE))
    ),
}
"""By claim."""
