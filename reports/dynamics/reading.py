"""What is read of a measured run, and of a moment of it."""

from collections.abc import Callable

from results.record import Moment, Record

Of = Callable[[Moment], float | None]
"""A number that a moment has, or None."""


def moments(record: Record) -> list[Moment]:
    """Those while it trains, and the one before with statistics of images."""
    return [each for each in record.dynamics if each.recalibrated or each.epoch > 0]


def pearson(name: str) -> Of:
    """A correlation of the record, by what is paired."""
    return lambda moment: moment.correlations[name][0] if name in moment.correlations else None


def spearman(name: str) -> Of:
    """The same of ranks."""
    return lambda moment: moment.correlations[name][1] if name in moment.correlations else None
