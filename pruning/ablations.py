"""Ablations of a pruning method (Frankle et al. 2021, section 5): what its masks and scores owe to their details.

Another initialisation after pruning is :func:`pruning.models.initialise`, as is the one of variance 1.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from pruning.masks import Mask


def shuffled(mask: Mapping[str, Tensor], generator: torch.Generator) -> Mask:
    """``mask`` with the entries of every tensor in random order: layers keep their densities, not their weights.

    ``generator``, on the CPU, is drawn from once for each tensor, in the order of ``mask``.
    """
    result = {}
    for name, keep in mask.items():
        order = torch.randperm(keep.numel(), generator=generator).to(keep.device)
        result[name] = keep.flatten()[order].view(keep.shape)
    return result


def inverted(scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``scores`` with their signs turned, so that the most important weights are pruned first."""
    return {name: -score for name, score in scores.items()}
