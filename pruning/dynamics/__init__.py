"""What changes while a network trains: measures of a moment, and how they go together (gradient-flow paper, section 4).

>>> found = measure(net, batches, temperature=5.0, before=an_epoch_ago, initial=at_the_start)  # doctest: +SKIP
>>> found.correlations["filters: theta_g, theta_hg"].pearson  # doctest: +SKIP
0.88
"""

from pruning.dynamics.calibration import recalibrated
from pruning.dynamics.correlation import Correlation, correlation
from pruning.dynamics.effects import Effect, by_layer, effect, effects
from pruning.dynamics.mask_distance import mask_distance
from pruning.dynamics.probe import FILTER_PAIRS, SAMPLED, WEIGHT_PAIRS, Measured, filter_norms, measure

__all__ = [
    "FILTER_PAIRS",
    "SAMPLED",
    "WEIGHT_PAIRS",
    "Correlation",
    "Effect",
    "Measured",
    "by_layer",
    "correlation",
    "effect",
    "effects",
    "filter_norms",
    "mask_distance",
    "measure",
    "recalibrated",
]
