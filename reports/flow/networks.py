"""Comparisons of what was measured of each network while it trained."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from statistics import fmean

from bench.suites import gradient_flow as suite
from reports.claims.finding import Absent, Tested, judged
from reports.claims.relations import Relation
from reports.dynamics.moments import TINY, printed_name
from reports.dynamics.reading import Of
from reports.evidence import Setting
from reports.flow.facts import Check, Facts, Measure, place
from reports.flow.reading import later
from results.record import Record


def known(values: Iterable[float | None]) -> list[float]:
    """Those that are there."""
    return [value for value in values if value is not None]


@cache
def mean(of: Of) -> Measure:
    """In the mean over the epochs that have it."""

    def over_epochs(record: Record) -> float | None:
        found = known(map(of, later(record)))
        return fmean(found) if found else None

    return Measure("mean over epochs", over_epochs)


def measured_on(facts: Facts, *data: str, stand_in: bool = True) -> tuple[str, ...]:
    """Those of ``data`` on which the profile measures networks.

    Another may stand in for CIFAR-100, but not for Tiny-ImageNet, nor where a number is quoted.
    """
    dynamics = facts.evidence.profile.dynamics
    own = () if dynamics is None else dynamics.datasets
    return tuple(name for name in data if name in own) or (own if stand_in and data != (TINY,) else ())


def unmeasured(facts: Facts, *data: str, stand_in: bool = True) -> Iterator[Absent]:
    """What says so where the profile measures networks on none of ``data``."""
    if not measured_on(facts, *data, stand_in=stand_in):
        names = " and ".join(printed_name(name) for name in data)
        yield Absent(f"networks on {names}", reason=f"not measured in profile {facts.evidence.profile.name}")


Compare = Callable[[Facts, Setting], Iterable[Tested]]
"""The comparisons of one network on one data set."""


def each(compare: Compare, *data: str, stand_in: bool = True) -> Check:
    """Of each of the three networks."""

    def tested(facts: Facts) -> Iterator[Tested]:
        for name in measured_on(facts, *data, stand_in=stand_in):
            for model in suite.MODELS:
                yield from compare(facts, facts.measured(model, name))
        yield from unmeasured(facts, *data, stand_in=stand_in)

    return lambda facts, claim: judged(claim.strength, tested(facts))


def everywhere(what: str, measure: Measure, relation: Relation, *data: str, digits: int = 2) -> Check:
    """One number of each of the three networks."""

    def compare(facts: Facts, setting: Setting) -> Iterator[Tested]:
        yield facts.compare(f"{place(setting)}, {what}", [(1.0, setting, measure)], relation, digits=digits)

    return each(compare, *data)
