"""The laws of gradient flow, checked on one network at several step sizes; what :mod:`theory` predicts, in numbers."""

import copy
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn

from pruning.dynamics.calibration import recalibrated
from pruning.dynamics.theory import GradientFlow, Invariance, Pair, Smooth, scale_invariance
from pruning.scores import Batch

STEPS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8)
"""Of eq. 9, 12, 15 and 22: learning rates in units of :attr:`GradientFlow.time`; in the last no unit meets its kink."""

PATHS = ((0.1, 6), (0.025, 24), (0.0125, 48))
"""Of eq. 7: such learning rates, and numbers of steps that take as long together."""

LIMIT = 1e-30
"""An eps of batch norm that is as good as none."""

_FIRES = 1e-6
"""A filter whose gradient is so much smaller than the largest fires for no image, and is left out."""


class Law(NamedTuple):
    """What became of one law at one step size.

    ``numbers`` are, of norm_change (eq. 9), expected_norm_change (15), norm_acceleration (12) and
    expected_norm_acceleration (22), ratio and error of the :class:`Pair`; of distance_bound (7) the largest
    :attr:`Bound.excess` on the way, and that at the end; of scale_invariance, of the filters that fire, median and
    largest of both numbers, NaN if none does.
    """

    name: str
    smooth: bool
    step: float  # learning rate in units of GradientFlow.time; of scale_invariance batch norm's eps
    numbers: dict[str, float]


def laws(model: nn.Module, batches: Sequence[Batch], *, temperature: float = 1.0) -> Iterator[Law]:
    """Every law on ``model`` as it is, and those of gradient flow on the same made :class:`Smooth`.

    The smooth network has the statistics of ``batches``; it is another function than the one that was trained. For
    scale invariance, which takes batch norm, ``batches`` are one batch. Takes about 200 forward and backward passes in
    double precision, so a few images will do: the laws hold for any sample.

    Raises:
        ValueError: there is no image, or no convolution, or batches are of different sizes.
    """
    batches = [(images.double(), labels) for images, labels in batches]
    yield from _of_flow(GradientFlow(model, batches, temperature=temperature), smooth=False)
    smooth = recalibrated(Smooth(copy.deepcopy(model).double()), batches)
    yield from _of_flow(GradientFlow(smooth, batches, temperature=temperature), smooth=True)
    whole = [(torch.cat([images for images, _ in batches]), torch.cat([labels for _, labels in batches]))]
    if norms := _norms(model):
        for eps in (max(norm.eps for norm in norms), LIMIT):
            found = scale_invariance(model, whole, eps=eps, temperature=temperature)
            yield Law("scale_invariance", False, eps, _numbers(found))


def _of_flow(flow: GradientFlow, *, smooth: bool) -> Iterator[Law]:
    for name in ("norm_change", "expected_norm_change", "norm_acceleration", "expected_norm_acceleration"):
        for step in STEPS:
            pair: Pair = getattr(flow, name)(step * flow.time)
            yield Law(name, smooth, step, {"ratio": pair.ratio, "error": pair.error})
    for step, number in PATHS:
        path = list(flow.distance_bound(step * flow.time, number))
        yield Law("distance_bound", smooth, step, {"most": max(b.excess for b in path), "end": path[-1].excess})


def _numbers(found: Invariance) -> dict[str, float]:
    fires = found.slope > _FIRES * found.slope.max()
    return {
        f"{kind} {which}": float(of(values[fires])) if fires.any() else math.nan
        for which, values in (("first", found.first), ("second", found.second))
        for kind, of in (("median", torch.median), ("largest", torch.max))
    }


def _norms(model: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
