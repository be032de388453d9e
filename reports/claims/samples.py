"""Samples over seeds of what varies alike."""

from collections.abc import Callable, Mapping

from reports.claims.estimates import Sample
from reports.claims.noise import K, shared

LEAST = 2
"""Seeds that a mean needs to be compared."""


def together(measured: Mapping[K, Mapping[int, float]], called: Callable[[K], str] = str) -> dict[K, Sample]:
    """Samples of values by seed, which share a spread where they vary alike; those of one seed are left out.

    ``measured`` are one quantity of one network by different methods, and ``called`` are their labels.
    """
    values = {key: tuple(by_seed.values()) for key, by_seed in measured.items()}
    spreads = shared(values)
    return {key: Sample(called(key), each, spreads[key]) for key, each in values.items() if len(each) >= LEAST}
