"""Batch norm's statistics estimated anew, for a network that has not been trained."""

import copy
from collections.abc import Iterable

import torch
from torch import nn

from pruning.scores import Batch


@torch.no_grad()
def recalibrated(model: nn.Module, batches: Iterable[Batch]) -> nn.Module:
    """A copy of ``model`` whose running statistics are plain means of those of ``batches``.

    With fresh statistics, mean 0 and variance 1, activations fade with depth, and so do gradients by the weights, so
    that measures at initialisation say little (PROTOCOLS A.5.1). Weights are those of ``model``, as are the modes.

    Raises:
        ValueError: there is no batch.
    """
    found = copy.deepcopy(model)
    norms = [module for module in found.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # which asks for the cumulative mean
    found.train()
    number = 0
    devices = {parameter.device for parameter in found.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)):  # dropout draws
        for images, _ in batches:
            found(images)
            number += 1
    if not number:
        raise ValueError("statistics are estimated on images, and there is not one batch")
    for module, other in zip(found.modules(), model.modules(), strict=True):
        module.training = other.training
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    return found
