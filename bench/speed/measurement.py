"""What one speed benchmark found: pytest-benchmark stores it as the ``extra_info`` of the test."""

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from bench.speed.roofline import Floor
from results.record import Environment

Times = Mapping[str, Sequence[float]]
"""Seconds of every round, by competitor."""


class Ratio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many times as fast as another way the subject is: its time over ours, formed in every round."""

    median: float
    lowest: float
    highest: float


class Measurement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The competitors of one test, ``subject`` being this project's own way; the others are baselines."""

    group: str
    subject: str
    size: str  # name of a bench.speed.sizes.Size
    n: int  # rounds, the first one (warm-up) not counted
    setup: dict[str, str | int]  # what was run, on which data, in which precision
    seconds: dict[str, float]  # median of a round, by competitor
    images: int | None = None  # in a round, where images are what is worked on
    images_per_second: dict[str, float] = {}
    ratios: dict[str, Ratio] = {}  # by baseline
    floor: Floor | None = None  # of a round
    environment: Environment

    @property
    def reached(self) -> float | None:
        """The share of the floor's speed that the subject reaches."""
        return None if self.floor is None else self.floor.seconds / self.seconds[self.subject]


def measurement(
    times: Times,
    *,
    subject: str,
    group: str,
    size: str,
    setup: Mapping[str, str | int],
    environment: Environment,
    images: int | None = None,
    floor: Floor | None = None,
) -> Measurement:
    """Medians and ratios of ``times``, which holds as many rounds of the subject as of every baseline."""
    seconds = {name: median(spent) for name, spent in times.items()}
    return Measurement(
        group=group,
        subject=subject,
        size=size,
        n=len(times[subject]),
        setup=dict(setup),
        seconds=seconds,
        images=images,
        images_per_second={} if images is None else {name: images / spent for name, spent in seconds.items()},
        ratios={name: _ratio(spent, times[subject]) for name, spent in times.items() if name != subject},
        floor=floor,
        environment=environment,
    )


def machine(environment: Environment) -> str:
    """The kind of machine whose ratios may be compared."""
    return f"{environment.device_name}, {environment.threads} thread{'s' * (environment.threads != 1)}"


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> Ratio:
    found = [their / our for their, our in zip(theirs, ours, strict=True)]
    return Ratio(median=median(found), lowest=min(found), highest=max(found))
