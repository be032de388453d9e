"""Which claims of sections 3 and 5 and appendices J and M are checked how: what masks do to a network, untrained."""

from statistics import median

from bench.suites.missing_the_mark import (
    AFTER,
    EARLY,
    GRASP,
    MAGNITUDE,
    RANDOM,
    RESNET18,
    RESNET20,
    RESNET50,
    SNIP,
    SYNFLOW,
)
from reports.claims.relations import above, at_most, below, between
from reports.weights.claims.accuracy import Check, bounded, over, parts
from reports.weights.claims.at_initialisation import MAIN
from reports.weights.claims.layers import early_layers, nearest_to_after, output_spared, rise, uniform
from reports.weights.claims.levels import ablated, highest, one, sparsest
from reports.weights.claims.masks import between_methods, each_of
from reports.weights.claims.neurons import BY_SHUFFLING, ORDER, SHUFFLED, more, percentage, printed_order
from reports.weights.claims.paths import picked, printed, ratio, rounds_alike
from reports.weights.claims.printed import also_printed
from reports.weights.claims.shortcuts import emptied, share_of_neurons, shortcuts

RESIDUAL = (RESNET20, RESNET18, RESNET50)
_RATIO = 0.00005
"""Half a unit of the last printed decimal."""
_EARLY_LAYERS = ("stem", "stages.0.")
"""Of ResNet-20: up to where the map is first made smaller (ours)."""
_NEARLY_HALF = (40.0, 50.0)
"""Percent that are nearly half (ours)."""
_COUNTED = {"synflow": SYNFLOW, "snip": SNIP, "grasp": GRASP, "magnitude": MAGNITUDE, "synflow_shuffled": SHUFFLED}

CHECKS: dict[str, Check] = {
    **{
        f"mm_neurons_{name}_{network.model}": percentage(network, method)
        for name, method in _COUNTED.items()
        for network in MAIN
    },
    "mm_neuron_collapse_order": also_printed(
        over(MAIN, more(ORDER), trained=False), lambda _claim: printed_order(ORDER)
    ),
    "mm_shuffle_reduces_neuron_collapse": also_printed(
        over(MAIN, more(BY_SHUFFLING), trained=False), lambda _claim: printed_order(BY_SHUFFLING)
    ),
    "mm_resnet50_shuffled_neurons_in_pruned_layers": over((RESNET50,), share_of_neurons(*_NEARLY_HALF), trained=False),
    "mm_resnet20_synflow_early_layers_sparsity": over(
        (RESNET20,), early_layers(SYNFLOW, _EARLY_LAYERS, below(30.0)), trained=False
    ),
    "mm_resnet20_grasp_early_layers_sparsity": over(
        (RESNET20,), early_layers(GRASP, _EARLY_LAYERS, above(60.0)), trained=False
    ),
    "mm_snip_synflow_prune_later_layers": parts(
        {
            method.label: over(MAIN, between_methods(EARLY, ((method, GRASP),), rise, above()), trained=False)
            for method in (SNIP, SYNFLOW)
        }
    ),
    "mm_grasp_layerwise_resembles_magnitude_after": over(RESIDUAL, nearest_to_after, trained=False),
    "mm_synflow_prunes_skip_connections": over(RESIDUAL, shortcuts, trained=False),
    "mm_resnet50_synflow_downsample_pruned": over((RESNET50,), emptied(3), trained=False),
    "mm_output_layer_pruned_less": over(MAIN, each_of((*EARLY, AFTER), output_spared, above()), trained=False),
    "mm_random_layerwise_uniform": over(MAIN, uniform(RANDOM), trained=False),
    "mm_effective_ratio_max_matching": also_printed(
        bounded(MAIN, ratio(one(highest), at_most(1.0026, _RATIO)), max, trained=False), printed(MAIN, highest, max)
    ),
    "mm_effective_ratio_typical_matching": also_printed(
        picked(MAIN, highest, median, _RATIO), printed(MAIN, highest, median)
    ),
    "mm_effective_ratio_max_extreme": also_printed(
        bounded(MAIN, ratio(one(sparsest), at_most(1.0353, _RATIO)), max, trained=False), printed(MAIN, sparsest, max)
    ),
    "mm_effective_ratio_typical_extreme": also_printed(
        picked(MAIN, sparsest, median, _RATIO), printed(MAIN, sparsest, median)
    ),
    "mm_fig16_ratio_range": over(MAIN, ratio(ablated, between(0.99, 1.05)), trained=False),
    "mm_effective_sparsity_rounds_to_actual": over(MAIN, rounds_alike(ablated), trained=False),
}
"""By claim."""
