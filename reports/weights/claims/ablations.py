"""Which claims of section 5 and appendix F.1 are checked how: ablations at initialisation and after training."""

from dataclasses import replace

from bench.cell import END
from bench.suites.missing_the_mark import (
    ABS_GRASP,
    AFTER,
    EARLY,
    GRASP,
    MAGNITUDE,
    RANDOM,
    RESNET18,
    RESNET20,
    SNIP,
    SYNFLOW,
    VGG16,
    Method,
    Network,
)
from bench.suites.missing_the_mark import ablated as modified
from reports.claims.relations import above, not_below, same
from reports.weights.claims.accuracy import Check, more_on, on_each, over, pairs, parts, swapped, under
from reports.weights.claims.at_initialisation import CONVOLUTIONAL, MAIN, others
from reports.weights.claims.behaviour import unstable
from reports.weights.claims.layers import uniform
from reports.weights.claims.levels import ablated, every, extreme, last_third, lower, near_highest, upper
from reports.weights.claims.reaching import full_until
from reports.weights.words import model

SNIP_AT_END, GRASP_AT_END, SYNFLOW_AT_END = (replace(method, at=END) for method in (SNIP, GRASP, SYNFLOW))
VARIANCE_1 = modified(MAGNITUDE, "unit_variance")[0]


def _hurts(method: Method, ablation: str) -> Check:
    return over(CONVOLUTIONAL, pairs(near_highest, swapped(under((method,), ablation)), above()))


def _reinit_over_shuffle(network: Network) -> Check:
    shuffled, redrawn = modified(AFTER, "shuffle", "reinit")
    return parts(
        {
            "shuffling better at lower sparsities": over(
                (network,), pairs(lower(ablated), ((shuffled, redrawn),), above())
            ),
            "reinitialising at higher ones": over((network,), pairs(upper(ablated), ((redrawn, shuffled),), above())),
        }
    )


CHECKS: dict[str, Check] = {
    "mm_shuffle_maintains": over(CONVOLUTIONAL, pairs(ablated, under(EARLY, "shuffle"), not_below())),
    "mm_shuffle_hurts_magnitude_after": _hurts(AFTER, "shuffle"),
    "mm_reinit_maintains": over(CONVOLUTIONAL, pairs(ablated, under(EARLY, "reinit"), same())),
    "mm_reinit_hurts_magnitude_after": _hurts(AFTER, "reinit"),
    "mm_invert_hurts_magnitude_snip_synflow": over(
        CONVOLUTIONAL, pairs(ablated, swapped(under(others(GRASP), "invert")), above())
    ),
    "mm_grasp_invert_no_change": over(CONVOLUTIONAL, pairs(ablated, under((GRASP,), "invert"), same())),
    "mm_abs_grasp_improves": over(MAIN, pairs(every, ((ABS_GRASP, GRASP),), above())),
    "mm_magnitude_unit_variance_like_random": parts(
        {
            "as accurate as random pruning": over(CONVOLUTIONAL, pairs(ablated, ((VARIANCE_1, RANDOM),), same())),
            "below magnitude pruning": over(CONVOLUTIONAL, pairs(ablated, ((MAGNITUDE, VARIANCE_1),), above())),
            "layers alike": over(CONVOLUTIONAL, uniform(VARIANCE_1), trained=False),
        }
    ),
    "mm_unit_variance_no_effect_others": over(
        CONVOLUTIONAL, pairs(ablated, under(others(MAGNITUDE), "unit_variance", "unit_variance_score"), same())
    ),
    "mm_synflow_shuffle_improves_extreme": on_each(
        (RESNET20, RESNET18), pairs(extreme, under((SYNFLOW,), "shuffle"), above())
    ),
    "mm_resnet20_after_ablation_full_until": full_until(RESNET20, *modified(AFTER, "shuffle", "reinit")),
    "mm_after_reinit_overtakes_shuffle": parts(
        {"VGG-16": _reinit_over_shuffle(VGG16), "ResNet-18": _reinit_over_shuffle(RESNET18)}
    ),
    "mm_after_snip_resnet18_sensitive": parts(
        {
            f"more than {model(elsewhere)}": more_on(
                RESNET18, (elsewhere,), ablated, swapped(under((SNIP_AT_END,), "shuffle", "reinit"))
            )
            for elsewhere in (RESNET20, VGG16)
        }
    ),
    "mm_after_snip_unstable_highest": on_each((RESNET20, VGG16), unstable(last_third(every), SNIP_AT_END)),
    "mm_after_grasp_limited_effect": parts(
        {
            "shuffling better on VGG-16": over(
                (VGG16,), pairs(lower(ablated), under((GRASP_AT_END,), "shuffle"), above())
            ),
            "no effect on ResNet-20": over(
                (RESNET20,), pairs(ablated, under((GRASP_AT_END,), "shuffle", "reinit"), same())
            ),
            "shuffling worse on ResNet-18": over(
                (RESNET18,), pairs(extreme, swapped(under((GRASP_AT_END,), "shuffle")), above())
            ),
        }
    ),
    "mm_after_synflow_mixed": parts(
        {
            "better on ResNet-20": over((RESNET20,), pairs(ablated, under((SYNFLOW_AT_END,), "shuffle"), above())),
            "worse on the others": on_each(
                (VGG16, RESNET18), pairs(upper(ablated), swapped(under((SYNFLOW_AT_END,), "shuffle")), above())
            ),
        }
    ),
}
"""By claim."""
