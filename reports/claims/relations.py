"""What a comparison has to show: on which side of a bound a difference lies, or that there is none."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from reports.claims.estimates import Estimated
from reports.verdicts import ALPHA

RESOLUTION = 1.0
"""Points: an interval that reaches further to either side is too wide to show that two accuracies are alike (ours)."""
_EXACT = 1e-9
"""Sums of floats that are equal on paper differ by less."""


class Says(StrEnum):
    """What one comparison says of a claim."""

    YES = "shows it"
    NO = "shows the contrary"
    OPEN = "shows neither"


@dataclass(frozen=True)
class Relation:
    """What a difference must be; ``by_chance`` is how often it seems not to be although it is."""

    name: str
    says: Callable[[Estimated, float], Says]
    by_chance: float = 0.0


def above(bound: float = 0.0) -> Relation:
    """The interval lies above ``bound``; the contrary where it lies below."""

    def says(found: Estimated, alpha: float) -> Says:
        low, high = found.interval(alpha)
        return Says.YES if low > bound else Says.NO if high < bound else Says.OPEN

    return Relation(f"> {bound:g}", says)


def below(bound: float = 0.0) -> Relation:
    """The interval lies below ``bound``; the contrary where it lies above."""

    def says(found: Estimated, alpha: float) -> Says:
        low, high = found.interval(alpha)
        return Says.YES if high < bound else Says.NO if low > bound else Says.OPEN

    return Relation(f"< {bound:g}", says)


def not_below(bound: float = 0.0, resolution: float = RESOLUTION) -> Relation:
    """The interval does not lie below ``bound``, and is narrow enough to have shown it."""

    def says(found: Estimated, alpha: float) -> Says:
        low, high = found.interval(alpha)
        if high < bound - _EXACT:
            return Says.NO
        return Says.YES if low >= bound or found.value - low <= resolution else Says.OPEN

    return Relation(f"≥ {bound:g}", says, ALPHA / 2)


def not_above(bound: float = 0.0, resolution: float = RESOLUTION) -> Relation:
    """The interval does not lie above ``bound``, and is narrow enough to have shown it."""

    def says(found: Estimated, alpha: float) -> Says:
        low, high = found.interval(alpha)
        if low > bound + _EXACT:
            return Says.NO
        return Says.YES if high <= bound or high - found.value <= resolution else Says.OPEN

    return Relation(f"≤ {bound:g}", says, ALPHA / 2)


def same(resolution: float = RESOLUTION) -> Relation:
    """0 lies in the interval, and that is narrow enough to have shown a difference."""

    def says(found: Estimated, alpha: float) -> Says:
        low, high = found.interval(alpha)
        if low > _EXACT or high < -_EXACT:
            return Says.NO
        return Says.YES if (high - low) / 2 <= resolution else Says.OPEN

    return Relation("= 0", says, ALPHA)


def between(low: float, high: float, name: str = "") -> Relation:
    """The number lies between printed bounds, both included; the contrary where its interval lies outside."""

    def says(found: Estimated, alpha: float) -> Says:
        if low - _EXACT <= found.value <= high + _EXACT:
            return Says.YES
        lower, upper = found.interval(alpha)
        return Says.NO if lower > high + _EXACT or upper < low - _EXACT else Says.OPEN

    return Relation(name or f"{low:g} to {high:g}", says)


def at_most(bound: float, rounding: float = 0.0) -> Relation:
    """The number is no larger than a printed bound, which was rounded by so much."""
    return between(-math.inf, bound + rounding, f"at most {bound:g}")


def at_least(bound: float, rounding: float = 0.0) -> Relation:
    """The number is no smaller than a printed bound, which was rounded by so much."""
    return between(bound - rounding, math.inf, f"at least {bound:g}")


def equal(margin: float, rounding: float = 0.0) -> Relation:
    """The difference from a printed number: as the verdicts EQUIVALENT, DIFFERS and CONSISTENT are given."""

    def says(found: Estimated, alpha: float) -> Says:
        low, high = found.interval(2 * alpha)
        if low - rounding > -margin and high + rounding < margin:
            return Says.YES
        low, high = found.interval(alpha)
        return Says.NO if low > rounding or high < -rounding else Says.OPEN

    return Relation(f"equal, ± {margin:g}", says)


def within(margin: float) -> Relation:
    """Two one-sided tests: the 90 % interval lies within the margin; the contrary where the 95 % one lies beyond."""

    def says(found: Estimated, alpha: float) -> Says:
        low, high = found.interval(2 * alpha)
        if low > -margin and high < margin:
            return Says.YES
        low, high = found.interval(alpha)
        return Says.NO if low > margin or high < -margin else Says.OPEN

    return Relation(f"within {margin:g} of 0", says)


def exactly(value: float) -> Relation:
    """An exact number is ``value``."""

    return Relation(f"= {value:g}", lambda found, _alpha: Says.YES if abs(found.value - value) < _EXACT else Says.NO)
