"""Masks over weights, in one go or in many iterations of scoring and pruning (Frankle et al. 2021, appendix D.1)."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from pruning.amounts import Amount, densities
from pruning.masks import Mask, global_mask, zero_

WeightScores = Callable[[Any], Mapping[str, Tensor]]
"""Scores of a network's weights by parameter name; the lowest are pruned first."""


def weight_mask(net: nn.Module, score_function: WeightScores, amount: Amount, *, iterations: int = 1) -> Mask:
    """The mask that prunes ``amount`` of all weights that ``score_function`` scores, globally, lowest first.

    Iteration n of N scores the network with the weights pruned so far at zero and leaves a density of
    (1 - amount)^(n/N); what is pruned stays so and is not ranked again. ``net`` is left as it is. Raises ValueError as
    :func:`pruning.masks.global_mask` does, and where ``iterations`` is not positive.
    """
    pruned, mask = copy.deepcopy(net), None
    for density in densities(amount, iterations):
        mask = global_mask(score_function(pruned), 1 - density, previous=mask)
        zero_(pruned, mask)
    assert mask is not None
    return mask
