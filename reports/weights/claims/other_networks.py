"""Which claims of appendices K and L are checked how: LeNet-300-100 on MNIST and modified ResNet-18."""

from bench.suites.missing_the_mark import (
    ABS_GRASP,
    AFTER,
    EARLY,
    GRASP,
    ITERATIVE_SNIP,
    LENET,
    MAGNITUDE,
    MODIFIED,
    RANDOM,
    SNIP,
    SYNFLOW,
)
from reports.claims.relations import above, below, not_above, not_below, same
from reports.weights.claims.accuracy import (
    Check,
    against,
    best,
    lead,
    mean_gain,
    over,
    pairs,
    parts,
    swapped,
    under,
    worst,
)
from reports.weights.claims.at_initialisation import others
from reports.weights.claims.levels import ablated, but_the_last, every, last_ablated, last_third, lower, one, upper
from reports.weights.claims.neurons import BY_SHUFFLING, more

_GAP = 1.0
"""Points that a small fraction of a percent is less than."""
_MOVED = {method: under((method,), "shuffle")[0] for method in EARLY}
_GRASP_ABLATED = under((GRASP,), "shuffle", "reinit")

CHECKS: dict[str, Check] = {
    "mm_lenet_snip_best_magnitude_worst": parts(
        {
            "SNIP best": over((LENET,), lead(upper(every), best(SNIP), best(*others(SNIP)), above())),
            "magnitude worst": over((LENET,), lead(upper(every), worst(*others(MAGNITUDE)), best(MAGNITUDE), above())),
        }
    ),
    "mm_lenet_small_gap_to_after": over((LENET,), pairs(every, against((AFTER,), EARLY), below(_GAP))),
    "mm_lenet_shuffle_hurts_only_extreme": parts(
        {
            "no method loses before": over((LENET,), pairs(but_the_last, under(EARLY, "shuffle"), not_below())),
            "none gains at the highest": over(
                (LENET,), pairs(one(last_ablated), under(others(MAGNITUDE), "shuffle"), not_above())
            ),
            "magnitude unaffected there": over(
                (LENET,), pairs(one(last_ablated), under((MAGNITUDE,), "shuffle"), same())
            ),
        }
    ),
    "mm_lenet_grasp_invert_hurts": over((LENET,), pairs(ablated, swapped(under((GRASP,), "invert")), above())),
    "mm_lenet_grasp_shuffle_reinit": parts(
        {
            "raised at lower sparsities": over((LENET,), pairs(lower(ablated), _GRASP_ABLATED, above())),
            "lowered at higher ones": over((LENET,), pairs(upper(ablated), swapped(_GRASP_ABLATED), above())),
        }
    ),
    "mm_lenet_iterative_snip_improves_extreme": over(
        (LENET,), pairs(last_third(every), ((ITERATIVE_SNIP, SNIP),), above())
    ),
    "mm_modresnet18_magnitude_then_grasp": parts(
        {
            "magnitude best at lower sparsities": over(
                (MODIFIED,), lead(lower(every), best(MAGNITUDE), best(*others(MAGNITUDE)), above())
            ),
            "GraSP best at higher ones": over(
                (MODIFIED,), lead(upper(every), best(GRASP), best(*others(GRASP)), above())
            ),
        }
    ),
    "mm_modresnet18_synflow_like_random": over((MODIFIED,), pairs(every, ((SYNFLOW, RANDOM),), not_above())),
    "mm_modresnet18_shuffle": parts(
        {
            "no method loses": over((MODIFIED,), pairs(ablated, under(EARLY, "shuffle"), not_below())),
            "SynFlow gains most": over(
                (MODIFIED,), *(mean_gain(ablated, _MOVED[SYNFLOW], _MOVED[each]) for each in others(SYNFLOW))
            ),
            "SNIP gains": over((MODIFIED,), mean_gain(ablated, _MOVED[SNIP])),
        }
    ),
    "mm_modresnet18_other_ablations": parts(
        {
            "reinitialisation": over((MODIFIED,), pairs(ablated, under(EARLY, "reinit"), same())),
            "variance 1": over(
                (MODIFIED,),
                pairs(ablated, under(others(MAGNITUDE), "unit_variance"), same()),
                pairs(ablated, swapped(under((MAGNITUDE,), "unit_variance")), above()),
            ),
            "inversion": over(
                (MODIFIED,),
                pairs(ablated, under((GRASP,), "invert"), same()),
                pairs(ablated, swapped(under(others(GRASP), "invert")), above()),
            ),
        }
    ),
    "mm_modresnet18_neuron_collapse": over(
        (MODIFIED,), more((*against((SYNFLOW,), others(SYNFLOW)), *BY_SHUFFLING)), trained=False
    ),
    "mm_modresnet18_abs_grasp_no_change": over((MODIFIED,), pairs(every, ((ABS_GRASP, GRASP),), same())),
}
"""By claim."""
