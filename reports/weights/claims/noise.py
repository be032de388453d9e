"""How much runs vary: one standard deviation for samples that vary alike."""

from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from statistics import median, variance
from typing import TypeVar

from scipy.stats import chi2

from reports.verdicts import Spread, pooled

K = TypeVar("K", bound=Hashable)

_FAR = 0.999
"""Probability below which a variance that is no accident is told from one that is."""


def shared(samples: Mapping[K, Sequence[float]]) -> dict[K, Spread]:
    """The spread that serves each of ``samples``; empty where none has two values.

    It is pooled over the samples that vary alike. One that varies far more than is typical (chi-squared, 0.1 %, around
    the median), as where some runs break down, stands for itself. One in which nothing varies, as at chance level, is
    not pooled and takes the spread of the others.
    """
    varying = {key: variance(sample) for key, sample in samples.items() if len(sample) > 1 and variance(sample) > 0}
    if not varying:
        freedom = sum(len(sample) - 1 for sample in samples.values() if sample)
        return dict.fromkeys(samples, Spread(0.0, freedom)) if freedom else {}
    typical = median(varying[key] / _share(0.5, len(samples[key]) - 1) for key in varying)
    far = {key for key in varying if varying[key] > typical * _share(_FAR, len(samples[key]) - 1)}
    others = pooled([samples[key] for key in varying if key not in far])
    found = {key: pooled([samples[key]]) if key in far else others for key in samples}
    return {key: spread for key, spread in found.items() if spread is not None}


@cache
def _share(probability: float, freedom: int) -> float:
    """The quantile of an estimated variance over the true one."""
    return float(chi2.ppf(probability, freedom)) / freedom
