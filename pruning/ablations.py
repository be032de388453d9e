"""Ablations on masks: what a method chose, with one part of the choice taken away (Frankle et al. 2021, section 5).

Reinitialisation, the third, draws new weights under an old mask: :func:`pruning.models.initialise`. All three are in
PROTOCOLS B.6.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from pruning.masks import Mask


def shuffled(mask: Mapping[str, Tensor], generator: torch.Generator) -> Mask:
    """``mask`` with the places inside each tensor permuted at random: as many stay of each, but others.

    The permutations are drawn in the order of the names, one for each tensor, on the generator's device.
    """
    result = {}
    for name, keep in mask.items():
        order = torch.randperm(keep.numel(), generator=generator, device=generator.device)
        result[name] = keep.flatten()[order.to(keep.device)].view(keep.shape)
    return result


def inverted(scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Scores by which the most important goes first: the negative ones."""
    return {name: -score for name, score in scores.items()}
