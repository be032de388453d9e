"""How much runs vary: one standard deviation for samples that vary alike."""

from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from math import fsum, sqrt
from statistics import fmean, median
from typing import TypeVar

from scipy.stats import chi2

from reports.verdicts import Spread

K = TypeVar("K", bound=Hashable)

_FAR = 0.999
"""Probability below which a variance that is no accident is told from one that is."""


def shared(samples: Mapping[K, Sequence[float]]) -> dict[K, Spread]:
    """The spread that serves each of ``samples``; empty where none has two values.

    It is pooled over the samples that vary alike. One that varies far more than is typical (chi-squared, 0.1 %, around
    the median), as where some runs break down, stands for itself. One in which nothing varies, as at chance level, is
    not pooled and takes the spread of the others.
    """
    found = {key: _own(sample) for key, sample in samples.items() if len(sample) > 1}
    varying = {key: spread for key, spread in found.items() if spread.sd > 0}
    if not varying:
        freedom = sum(spread.df for spread in found.values())
        return dict.fromkeys(samples, Spread(0.0, freedom)) if freedom else {}
    typical = median(spread.sd**2 / _share(0.5, spread.df) for spread in varying.values())
    far = {key for key, spread in varying.items() if spread.sd**2 > typical * _share(_FAR, spread.df)}
    others = _pool([spread for key, spread in varying.items() if key not in far])
    return {key: varying[key] if key in far else others for key in samples}


def _own(sample: Sequence[float]) -> Spread:
    """In plain floats: the exact fractions of the statistics module take most of a page's time."""
    mean, df = fmean(sample), len(sample) - 1
    if len(set(sample)) == 1:  # whose mean may be another number, by rounding
        return Spread(0.0, df)
    return Spread(sqrt(fsum((value - mean) ** 2 for value in sample) / df), df)


def _pool(spreads: Sequence[Spread]) -> Spread:
    df = sum(spread.df for spread in spreads)
    return Spread(sqrt(sum(spread.sd**2 * spread.df for spread in spreads) / df), df)


@cache
def _share(probability: float, freedom: float) -> float:
    """The quantile of an estimated variance over the true one."""
    return float(chi2.ppf(probability, freedom)) / freedom
