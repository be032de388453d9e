"""Which claims of appendices B-D are checked how: the paper's replication tables, as they are printed."""

from decimal import Decimal

from bench.suites.missing_the_mark import (
    GRASP,
    MAGNITUDE,
    MODIFIED,
    MODIFIED_CIFAR,
    RANDOM,
    SNIP,
    SYNFLOW,
    TABLES,
    VGG11,
    VGG16,
)
from reports.claims.relations import above, between, exactly
from reports.weights.claims.accuracy import Check, over, parts
from reports.weights.claims.behaviour import by_definition, diverged, never_measured
from reports.weights.claims.halved import collapses, overtaken, stays_above_chance
from reports.weights.claims.printed import differences, printed, quoted, turned

_WIDE = ("WRN-14-8", "WRN-14-10", "WRN-20-8")
_VGG19 = next(row.network for row in TABLES if row.network.model == "vgg19")
_SNIP_BASES = [each for model in _WIDE for each in differences("Table 2", model, base=True)]
_SNIP_VGG19 = differences("Table 3", "VGG-19")
_SNIP_RESNET50 = [*differences("Table 3", "ResNet-50", base=True), *differences("Table 3", "ResNet-50")]
_GRASP = {model: turned(differences("Table 5", model)) for model in ("VGG-19", "WRN-32-2", "ResNet-50")}
_GRASP_BASES = {model: turned(differences("Table 5", model, base=True)) for model in ("VGG-19", "WRN-32-2")}
_DROPS = [each for model in _GRASP_BASES for each in differences("Table 5", model, "accuracy_change_pct")]

CHECKS: dict[str, Check] = {
    "mm_snip_repl_vgg16_base_gap": quoted(differences("Table 2", "VGG-16", base=True), max),
    "mm_snip_repl_wrn_base_gap_min": quoted(_SNIP_BASES, min),
    "mm_snip_repl_wrn_base_gap_max": quoted(_SNIP_BASES, max),
    "mm_snip_vgg19_diverged_runs": diverged(_VGG19, SNIP, Decimal("0.98"), (3, 5)),
    "mm_snip_vgg19_equal_at_90_95": printed(_SNIP_VGG19, exactly(0.0)),
    "mm_snip_resnet50_higher_than_reported": printed(_SNIP_RESNET50, above()),
    "mm_grasp_repl_vgg19_base_gap": quoted(_GRASP_BASES["VGG-19"], max),
    "mm_grasp_repl_vgg19_gap_min": quoted(_GRASP["VGG-19"], min),
    "mm_grasp_repl_vgg19_gap_max": quoted(_GRASP["VGG-19"], max),
    "mm_grasp_repl_wrn32_base_gap": quoted(_GRASP_BASES["WRN-32-2"], max),
    "mm_grasp_repl_wrn32_gap_min": quoted(_GRASP["WRN-32-2"], min),
    "mm_grasp_repl_wrn32_gap_max": quoted(_GRASP["WRN-32-2"], max),
    "mm_grasp_repl_drop_difference_max": printed(_DROPS, between(-0.2, 0.2)),
    "mm_grasp_repl_resnet50_gap_min": quoted(_GRASP["ResNet-50"], min),
    "mm_grasp_repl_resnet50_gap_max": quoted(_GRASP["ResNet-50"], max),
    "mm_synflow_repl_snip_layer_collapse": over((VGG11, VGG16), collapses(SNIP)),
    "mm_synflow_repl_resnet18_not_best": parts(
        {
            "SynFlow not best": over((MODIFIED_CIFAR, MODIFIED), overtaken(SYNFLOW, RANDOM, MAGNITUDE, SNIP, GRASP)),
            "magnitude above chance": over((MODIFIED_CIFAR, MODIFIED), stays_above_chance(MAGNITUDE)),
        }
    ),
    "mm_synflow_iterations": by_definition(SYNFLOW.rounds, "iterations of SynFlow"),
    "mm_synflow_score_is_path_norm_derivative": never_measured(
        "an identity between two formulas, which a test of the score checks and no cell measures"
    ),
    "mm_synflow_single_precision_overflow": never_measured("every cell scores SynFlow in double precision"),
}
"""By claim."""
