"""How closely two measures of the same filters, or of the same weights, go together."""

from typing import NamedTuple

import torch
from scipy import stats
from torch import Tensor


class Correlation(NamedTuple):
    """Pearson's and Spearman's coefficient over n pairs; None where one side is the same everywhere, or not finite."""

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
    ranks = (torch.from_numpy(stats.rankdata(each.flatten().double().cpu().numpy())) for each in (x, y))
    return Correlation(pearson, _pearson(*ranks), x.numel())


def _pearson(x: Tensor, y: Tensor) -> float | None:
    if x.numel() < 2 or (x == x[0]).all() or (y == y[0]).all():
        return None
    x, y = x.double(), y.double()
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x.norm() * y.norm()))
