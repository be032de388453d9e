"""How closely two measures of the same filters, or of the same weights, go together."""

from typing import NamedTuple

import torch
from torch import Tensor


class Correlation(NamedTuple):
    """Pearson's and Spearman's coefficient over n pairs; None where one side hardly varies, or is not finite."""

    pearson: float | None
    spearman: float | None
    n: int


def correlation(x: Tensor, y: Tensor) -> Correlation:
    """That of numbers paired by their place, computed in float64; ties have the mean of their ranks.

    The paper names no coefficient (PROTOCOLS A.8); its figures print one number, here taken for Pearson's.

    Raises:
        ValueError: the numbers do not pair up.
    """
    if x.shape != y.shape:
        raise ValueError(f"numbers of shapes {list(x.shape)} and {list(y.shape)} do not pair up")
    if not (x.isfinite().all() and y.isfinite().all()):
        return Correlation(None, None, x.numel())
    pearson = _pearson(x.flatten(), y.flatten())
    return Correlation(pearson, _pearson(_ranks(x.flatten()), _ranks(y.flatten())), x.numel())


def _pearson(x: Tensor, y: Tensor) -> float | None:
    if x.numel() < 2 or (x == x[0]).all() or (y == y[0]).all():
        return None
    x, y = x.double(), y.double()
    x, y = x - x.mean(), y - y.mean()
    size = float(x.norm() * y.norm())
    return max(-1.0, min(1.0, float((x * y).sum()) / size)) if size > 0 else None


def _ranks(values: Tensor) -> Tensor:
    """From 1 on, where ``values`` are: millions of weights are ranked, which a GPU does in no time."""
    ascending, places = _sorted(values)
    _, which, counts = torch.unique_consecutive(ascending, return_inverse=True, return_counts=True)
    means = counts.cumsum(0) - (counts.double() - 1) / 2
    return torch.empty_like(values, dtype=torch.float64).index_copy_(0, places, means[which])


def _sorted(values: Tensor) -> tuple[Tensor, Tensor]:
    """What orders ``values`` as they are ordered, ascending, and the place of each among ``values``.

    NumPy sorts whole numbers several times as fast as PyTorch, or either of them, finds out an order. So of single
    precision on a CPU, the bits and the place are one number.
    """
    if values.dtype != torch.float32 or values.device.type != "cpu":
        ascending, places = values.sort()
        return ascending, places
    bits = (values + 0.0).view(torch.int32)  # of two zeros, -0.0 becomes the other
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # numbers below zero ascend with their bits' complement
    both = (ordered.long() << 32) | torch.arange(len(values))
    both.numpy().sort()
    return both >> 32, both & 0xFFFFFFFF
