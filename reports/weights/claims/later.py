"""Which claims of section 6 and appendices E and F.2 are checked how: pruning after some iterations of training."""

from bench.suites.missing_the_mark import (
    GRASP,
    LTR,
    MAGNITUDE,
    RANDOM,
    RESNET18,
    RESNET20,
    SNIP,
    SYNFLOW,
    VGG16,
    ablated,
)
from reports.claims.relations import above, at_most, same
from reports.weights.claims.accuracy import Check, over, parts, swapped, under
from reports.weights.claims.at_initialisation import CONVOLUTIONAL, MAIN
from reports.weights.claims.behaviour import alike, by_definition
from reports.weights.claims.first_point import full_accuracy_needs, reaches_at, saturates_at, sensitive_at
from reports.weights.claims.iterations import (
    at,
    at_end,
    before_end,
    improves_more,
    later,
    mean_over,
    trend,
)

IMPROVING = (MAGNITUDE, SNIP, SYNFLOW)
SLIGHT = 1.0
"""Points: a difference in accuracy up to which it counts as slight (ours)."""
_GRASP_SHUFFLED = under((GRASP,), "shuffle")
_SYNFLOW_SHUFFLED = under((SYNFLOW,), "shuffle")
_MAGNITUDE_SHUFFLED, _MAGNITUDE_REDRAWN = ablated(MAGNITUDE, "shuffle", "reinit")

CHECKS: dict[str, Check] = {
    "mm_later_pruning_improves": over(CONVOLUTIONAL, trend(IMPROVING, above())),
    "mm_grasp_improves_little_after_init": over(CONVOLUTIONAL, improves_more(IMPROVING, GRASP)),
    "mm_random_flat_after_init": over(CONVOLUTIONAL, trend((RANDOM,), same())),
    "mm_magnitude_snip_approach_ltr": parts(
        {
            # at the end magnitude pruning and rewinding are one cell
            "magnitude": over(CONVOLUTIONAL, at(before_end, ((MAGNITUDE, LTR),), same())),
            "SNIP": over(CONVOLUTIONAL, at(at_end, ((SNIP, LTR),), same())),
            "SynFlow behind": over(CONVOLUTIONAL, at(at_end, ((LTR, SYNFLOW),), above())),
            "but close": over(CONVOLUTIONAL, at(at_end, ((LTR, SYNFLOW),), at_most(SLIGHT))),
        }
    ),
    **{f"mm_magnitude_reaches_ltr_{each.model}": reaches_at(each, MAGNITUDE, LTR) for each in CONVOLUTIONAL},
    **{
        f"mm_ltr_reference_iteration_{each.model}": by_definition(each.rewind, "iteration rewound to")
        for each in CONVOLUTIONAL
    },
    **{f"mm_ltr_saturation_iteration_{each.model}": saturates_at(each) for each in MAIN},
    "mm_full_accuracy_needs_nearly_half_training": over(CONVOLUTIONAL, full_accuracy_needs(IMPROVING)),
    **{f"mm_magnitude_sensitive_after_{each.model}": sensitive_at(each, MAGNITUDE) for each in CONVOLUTIONAL},
    "mm_vgg16_shuffle_over_reinit": parts(
        {
            "VGG-16": over((VGG16,), at(later, ((_MAGNITUDE_SHUFFLED, _MAGNITUDE_REDRAWN),), above())),
            "ResNet-18": over((RESNET18,), at(later, ((_MAGNITUDE_REDRAWN, _MAGNITUDE_SHUFFLED),), above())),
        }
    ),
    "mm_snip_behaves_like_magnitude": over(CONVOLUTIONAL, alike(SNIP, MAGNITUDE, "shuffle", "reinit")),
    "mm_grasp_after_only_shuffle_sensitive": parts(
        {
            "not to reinitialisation": over(CONVOLUTIONAL, at(later, under((GRASP,), "reinit"), same())),
            "not to shuffling on ResNet-20": over((RESNET20,), at(later, _GRASP_SHUFFLED, same())),
            "to shuffling on the others": over(
                (VGG16, RESNET18), mean_over(later, swapped(_GRASP_SHUFFLED)[0], above())
            ),
            "slightly": over((VGG16, RESNET18), at(later, swapped(_GRASP_SHUFFLED), at_most(SLIGHT))),
        }
    ),
    "mm_synflow_reinit_lower_after": over(CONVOLUTIONAL, at(later, swapped(under((SYNFLOW,), "reinit")), above())),
    "mm_synflow_shuffle_improves_alongside": parts(
        {
            "rises on ResNet-20 and VGG-16": over((RESNET20, VGG16), trend(ablated(SYNFLOW, "shuffle"), above())),
            "does not on ResNet-18": over((RESNET18,), trend(ablated(SYNFLOW, "shuffle"), same())),
            "and is lower there": over((RESNET18,), mean_over(later, swapped(_SYNFLOW_SHUFFLED)[0], above())),
        }
    ),
}
"""By claim; ResNet-50 is only asked whether rewinding saturates."""
