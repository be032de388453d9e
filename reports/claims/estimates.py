"""Numbers measured over seeds, each with the interval that the truth lies in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, stdev
from typing import Protocol

from scipy.stats import f as fisher
from scipy.stats import spearmanr

from reports.verdicts import ALPHA, Spread, quantile

Interval = tuple[float, float]


class Estimated(Protocol):
    """A number and where the truth lies but for a probability ``alpha``."""

    @property
    def value(self) -> float:
        """The number."""

    def interval(self, alpha: float = ALPHA) -> Interval:
        """Lower and upper end."""


@dataclass(frozen=True)
class Sample:
    """Values over seeds, and the spread that serves them."""

    label: str
    values: tuple[float, ...]
    spread: Spread

    @property
    def mean(self) -> float:
        """Over seeds."""
        return fmean(self.values)

    def said(self, digits: int = 2) -> str:
        """``SNIP 92.05 ± 0.12 (3)``: mean, standard deviation of these values, and how many."""
        return f"{self.label} {self.numbers(digits)}"

    def numbers(self, digits: int = 2) -> str:
        """The same without label."""
        return f"{self.mean:.{digits}f} ± {stdev(self.values):.{digits}f} ({len(self.values)})"


@dataclass(frozen=True)
class Estimate:
    """A number with a standard error and its degrees of freedom; both 0 and infinite where it is exact."""

    value: float
    error: float = 0.0
    df: float = math.inf

    def interval(self, alpha: float = ALPHA) -> Interval:
        """By Student's t."""
        half = quantile(1 - alpha / 2, self.df) * self.error if self.error else 0.0
        return self.value - half, self.value + half


def contrast(terms: Sequence[tuple[float, Sample]]) -> Estimate:
    """The sum of factor times mean; samples that share a spread share its degrees of freedom (Satterthwaite)."""
    variances: dict[Spread, float] = {}
    for factor, sample in terms:
        part = factor**2 * sample.spread.sd**2 / len(sample.values)
        variances[sample.spread] = variances.get(sample.spread, 0.0) + part
    total = sum(variances.values())
    value = math.fsum(factor * sample.mean for factor, sample in terms)
    if total == 0:
        return Estimate(value)
    return Estimate(value, math.sqrt(total), total**2 / sum(v**2 / spread.df for spread, v in variances.items()))


@dataclass(frozen=True)
class Correlation:
    """Spearman's correlation of ``n`` pairs, with Fisher's interval as Bonett and Wright (2000) widen it for ranks."""

    value: float
    n: int

    def interval(self, alpha: float = ALPHA) -> Interval:
        """Not beyond -1 and 1; all of it for fewer than four pairs."""
        if self.n < 4:
            return -1.0, 1.0
        middle = math.atanh(min(max(self.value, -_NEARLY), _NEARLY))
        half = quantile(1 - alpha / 2, math.inf) * math.sqrt((1 + self.value**2 / 2) / (self.n - 3))
        return math.tanh(middle - half), math.tanh(middle + half)


_NEARLY = 1 - 1e-9
"""Correlations beyond it are taken for it, as 1 has no Fisher transform."""


def correlation(x: Sequence[float], y: Sequence[float]) -> Correlation:
    """Of two lists of equal length; 0 where one of them does not vary."""
    if len(set(x)) < 2 or len(set(y)) < 2:
        return Correlation(0.0, len(x))
    return Correlation(float(spearmanr(x, y).statistic), len(x))


@dataclass(frozen=True)
class SpreadRatio:
    """One standard deviation over another, each with its degrees of freedom."""

    above: Spread
    below: Spread

    @property
    def value(self) -> float:
        """Infinite where nothing varies below."""
        return self.above.sd / self.below.sd if self.below.sd else math.inf

    def interval(self, alpha: float = ALPHA) -> Interval:
        """By Fisher's F."""
        high, low = (_f(p, self.above.df, self.below.df) for p in (alpha / 2, 1 - alpha / 2))
        return self.value / math.sqrt(low), self.value / math.sqrt(high)


@cache
def _f(probability: float, above: float, below: float) -> float:
    return float(fisher.ppf(probability, above, below))
