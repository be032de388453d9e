"""What the claims read of a measured moment of training."""

import math
from statistics import fmean

from reports.dynamics.reading import Of
from reports.flow.layers import thirds
from results.record import Moment, Record


def later(record: Record) -> list[Moment]:
    """Those while it trains."""
    return [each for each in record.dynamics if each.epoch > 0]


def effect(score: str, which: int) -> Of:
    """The logarithm, to base 10, of loss (0) or gradient norm (1) right after pruning."""

    def of(moment: Moment) -> float | None:
        found = moment.effects.get(score, (None, None))[which]
        return math.log10(found) if found else None

    return of


def shift(score: str) -> Of:
    """The logarithm of how far the squared gradient norm is from what it was before pruning."""

    def of(moment: Moment) -> float | None:
        after, before = (moment.effects.get(name, (None, None))[1] for name in (score, "none"))
        if after is None or before is None or after == before:
            return None
        return math.log10(abs(after**2 - before**2))

    return of


def minus(one: Of, other: Of) -> Of:
    """The difference of two, where a moment has both."""

    def of(moment: Moment) -> float | None:
        first, second = one(moment), other(moment)
        return None if first is None or second is None else first - second

    return of


def early_gradient(moment: Moment) -> float | None:
    """The logarithm of the mean gradient norm of the first third of layers over that of the last third.

    Of MobileNet pointwise convolutions, of ResNet-56 the mean over its three blocks, as in Figure 21's panels.
    """
    panels: dict[str, list[float]] = {}
    for name, norm in moment.gradient_norms.items():
        if not name.endswith("shortcut") and not name.startswith("stem"):
            block = ".".join(name.split(".")[:2]) if name.startswith("stages.") else ""
            panels.setdefault(block, []).append(norm or 0.0)
    pairs = [[fmean(part) for part in thirds(norms)] for norms in panels.values() if len(norms) >= _THIRDS]
    if not pairs or min(map(min, pairs)) <= 0:
        return None
    return fmean(math.log10(early / late) for early, late in pairs)


_THIRDS = 3
"""Fewer layers have none."""


def dominance(moment: Moment) -> float | None:
    """How far it is from 0, on whichever side."""
    found = early_gradient(moment)
    return None if found is None else abs(found)
