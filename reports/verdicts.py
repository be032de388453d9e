"""Verdicts: what our runs say about a published number.

A paper prints a mean of a few runs and at best a bound on their standard deviation. So one standard deviation, pooled
over our own cells of the same kind, serves for both sides: with d = ours - published, its standard error is
sd * sqrt(1/n_ours + 1/n_published), and t has the degrees of freedom of the pool. A printed number was rounded, so both
intervals of d are half a unit of its last decimal wider to either side. The first of these that holds counts:

EQUIVALENT: the 90 % interval of d lies within the margin, that is, both one-sided tests at the margin reject at 5 %.
CONSISTENT: 0 lies in the 95 % interval of d: neither equivalence nor a difference is shown.
DIFFERS: 0 lies outside it.

The error rates are 5 % where the runs of a pool are normal, independent and of one spread; reports.power simulates it.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from statistics import fmean, variance
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

ALPHA = 0.05
MARGINS = {
    "test_accuracy_pct": 0.5,
    "accuracy_change_pct": 0.5,
    "neurons_pruned_pct": 3.0,
    "effective_param_ratio": 0.002,
}
"""The difference that is held to be of no importance, by metric, in its own unit."""
MOST_SEEDS = 10_000

Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", float, Floats)


class Verdict(StrEnum):
    """What can be said of a published number."""

    EQUIVALENT = "EQUIVALENT"
    CONSISTENT = "CONSISTENT"
    DIFFERS = "DIFFERS"
    NOT_COMPARABLE = "NOT COMPARABLE"
    TOO_FEW = "TOO FEW"
    MISSING = "MISSING"


@dataclass(frozen=True)
class Spread:
    """A standard deviation within cells, its degrees of freedom, and those that one more seed in every cell adds."""

    sd: float
    df: float
    df_per_seed: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict and what led to it; ``seeds`` and ``bound_verdict`` are None where they do not apply."""

    verdict: Verdict
    reason: str = ""
    difference: float | None = None
    interval: tuple[float, float] | None = None  # 95 %: DIFFERS where 0 lies outside
    inner: tuple[float, float] | None = None  # 90 %: EQUIVALENT where it lies within the margin
    spread: Spread | None = None
    margin: float | None = None
    beyond: bool = False  # DIFFERS: the whole interval lies outside the margin
    seeds: int | None = None  # CONSISTENT: seeds of ours that would decide if d stayed; None: no number would
    bound_verdict: Verdict | None = None  # with the printed bound as standard deviation of the published side


def pooled(samples: Sequence[Sequence[float]]) -> Spread | None:
    """The standard deviation within ``samples``, weighted by degrees of freedom; None where every sample has n < 2."""
    usable = [sample for sample in samples if len(sample) > 1]
    df = sum(len(sample) - 1 for sample in usable)
    if df == 0:
        return None
    return Spread(math.sqrt(sum(variance(sample) * (len(sample) - 1) for sample in usable) / df), df, len(usable))


def sharing_a_base(spread: Spread) -> Spread:
    """The spread of changes against a base whose runs every cell of the pool subtracts, with its degrees of freedom.

    The k cells are not independent: their pooled variance is the mean square between seeds over k plus (k - 1)/k times
    the rest. Where accuracy and base vary alike these have expectations in proportion k + 1 to 1, and Satterthwaite's
    rule leaves 4 k/(k + 3) degrees of freedom a seed instead of k.
    """
    k = spread.df_per_seed
    return Spread(spread.sd, spread.df * 4 / (k + 3), 4 * k / (k + 3))


def compare(
    ours: Sequence[float],
    published: float,
    *,
    replicates: int | None,
    spread: Spread | None,
    margin: float,
    bound: float | None = None,
    rounding: float = 0.0,
) -> Judgement:
    """Judge the mean of ``ours`` (one value per seed) against a published mean of ``replicates`` runs.

    ``rounding`` is how far the published mean may be from the printed number: half a unit of its last decimal.
    """
    if not ours:
        return Judgement(verdict=Verdict.MISSING, reason="no finished run")
    difference = fmean(ours) - published
    if problem := _too_few(len(ours), replicates, spread):
        return Judgement(verdict=Verdict.TOO_FEW, reason=problem, difference=difference, margin=margin)
    assert spread is not None
    assert replicates is not None
    judgement = _judge(difference, len(ours), replicates, spread, _Tolerance(margin, rounding))
    if bound is None or replicates < 2:
        return judgement
    error, df = welch(spread, len(ours), Spread(bound, replicates - 1), replicates)
    return replace(judgement, bound_verdict=outcome(difference, error, df, margin, rounding))


def exact(ours: int, expected: int) -> Judgement:
    """Judge a quantity that arithmetic determines: equal, or different by so much."""
    if ours == expected:
        return Judgement(verdict=Verdict.EQUIVALENT, reason="exactly equal", difference=0.0, margin=0.0)
    reason = f"{ours - expected:+d}; {expected} expected"
    return Judgement(verdict=Verdict.DIFFERS, reason=reason, difference=ours - expected, margin=0.0, beyond=True)


def signed(value: float) -> str:
    """Two decimals and a sign, which zero has too but never a minus."""
    return "+0.00" if (text := f"{value:+.2f}") == "-0.00" else text


def outcome(difference: float, error: float, df: float, margin: float, rounding: float = 0.0) -> Verdict:
    """The verdict on a difference with this standard error and degrees of freedom."""
    if equivalent(difference, error, df, margin, rounding):
        return Verdict.EQUIVALENT
    return Verdict.DIFFERS if differs(difference, error, df, rounding) else Verdict.CONSISTENT


def equivalent(
    difference: Number, error: Number, df: float, margin: float, rounding: float = 0.0
) -> bool | npt.NDArray[np.bool_]:
    """Whether both one-sided tests at the margin reject."""
    return abs(difference) + rounding + quantile(1 - ALPHA, df) * error < margin


def differs(difference: Number, error: Number, df: float, rounding: float = 0.0) -> bool | npt.NDArray[np.bool_]:
    """Whether 0 lies outside the two-sided interval."""
    return abs(difference) - rounding > quantile(1 - ALPHA / 2, df) * error


@cache
def quantile(probability: float, df: float) -> float:
    """The quantile of Student's t; infinite degrees of freedom are the normal distribution."""
    return float(student.ppf(probability, df))


def standard_error(sd: float, ours: float, replicates: int) -> float:
    """Of the difference of two means with a common standard deviation; ``ours`` may be infinite."""
    return sd * math.sqrt(1 / ours + 1 / replicates)


def welch(a: Spread, n_a: int, b: Spread, n_b: int) -> tuple[float, float]:
    """Standard error and Welch-Satterthwaite degrees of freedom where the two sides differ in spread."""
    first, second = a.sd**2 / n_a, b.sd**2 / n_b
    if first + second == 0:
        return 0.0, a.df
    return math.sqrt(first + second), (first + second) ** 2 / (first**2 / a.df + second**2 / b.df)


def seeds_needed(
    difference: float, ours: int, replicates: int, spread: Spread, margin: float, rounding: float = 0.0
) -> int | None:
    """Seeds of ours, in every cell of the pool, from which on the verdict is not CONSISTENT; None where never.

    Should the difference and the spread stay as they are; the published side keeps its uncertainty whatever we run. A
    number above MOST_SEEDS is returned as MOST_SEEDS.
    """

    def decided(n: int) -> bool:
        df = spread.df + spread.df_per_seed * (n - ours)
        error = standard_error(spread.sd, n, replicates)
        return outcome(difference, error, df, margin, rounding) != Verdict.CONSISTENT

    limit = standard_error(spread.sd, math.inf, replicates)
    if outcome(difference, limit, math.inf, margin, rounding) == Verdict.CONSISTENT:
        return None
    return _first(decided, ours, MOST_SEEDS)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest number above ``low`` for which ``holds``, which stays true once it is; at most ``high``."""
    candidates = range(low + 1, high)
    return candidates[place] if (place := bisect_left(candidates, True, key=holds)) < len(candidates) else high


def _too_few(ours: int, replicates: int | None, spread: Spread | None) -> str:
    if ours < 2:
        return f"n = {ours}; at least 2 seeds are needed"
    if replicates is None:
        return "the paper does not say over how many runs its mean is"
    return "" if spread is not None and spread.df > 0 else "no cell of this kind has 2 seeds"


@dataclass(frozen=True)
class _Tolerance:
    margin: float
    rounding: float


def _judge(difference: float, ours: int, replicates: int, spread: Spread, within: _Tolerance) -> Judgement:
    error = standard_error(spread.sd, ours, replicates)
    half, inner = (quantile(p, spread.df) * error + within.rounding for p in (1 - ALPHA / 2, 1 - ALPHA))
    verdict = outcome(difference, error, spread.df, within.margin, within.rounding)
    beyond = verdict == Verdict.DIFFERS and abs(difference) - half > within.margin
    seeds = None
    if verdict == Verdict.CONSISTENT:
        seeds = seeds_needed(difference, ours, replicates, spread, within.margin, within.rounding)
    return Judgement(
        verdict=verdict,
        reason=_reason(verdict, difference, within.margin, beyond, seeds),
        difference=difference,
        interval=(difference - half, difference + half),
        inner=(difference - inner, difference + inner),
        spread=spread,
        margin=within.margin,
        beyond=beyond,
        seeds=seeds,
    )


def _reason(verdict: Verdict, difference: float, margin: float, beyond: bool, seeds: int | None) -> str:
    if verdict == Verdict.EQUIVALENT:
        return f"within {margin:g}"
    if verdict == Verdict.DIFFERS:
        return f"by {signed(difference)}, {'beyond' if beyond else 'not shown to be beyond'} the margin of {margin:g}"
    if seeds is None:
        return "cannot be decided from what was printed"
    return f"{'more than ' if seeds >= MOST_SEEDS else ''}{seeds} seeds of ours would decide, if the difference stayed"
