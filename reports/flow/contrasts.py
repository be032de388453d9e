"""Claims that compare accuracies, on records and on the numbers that the paper prints."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from bench.suites import gradient_flow as suite
from reports.claims.finding import Absent, Comparison, Finding, Tested, judged, without_records
from reports.claims.relations import Relation
from reports.evidence import Setting
from reports.flow.facts import Check, Facts, called, exact, in_rounds, place
from reports.quantity import ACCURACY, CHANGE, index
from results import published
from results.published import Claim

DATASETS = ("cifar10", "cifar100")

Means = Callable[[Setting], float | None]
Weighted = tuple[float, Setting]


@dataclass(frozen=True)
class Choice:
    """Of some cells the one of the highest mean accuracy, or of the lowest."""

    settings: tuple[Setting, ...]
    highest: bool

    def chosen(self, means: Means) -> Setting:
        """All of them have a mean."""
        found = {each: mean for each in self.settings if (mean := means(each)) is not None}
        return (max if self.highest else min)(found, key=lambda each: found[each])


@dataclass(frozen=True)
class Contrast:
    """A sum of accuracies times factors, and what it has to be."""

    what: str
    terms: Sequence[tuple[float, Setting | Choice]]
    relation: Relation
    offset: float = field(default=0.0)

    def settled(self, means: Means) -> Sequence[Weighted] | Absent:
        """Its terms, once it is known which cells are best and worst."""
        candidates = [each.settings if isinstance(each, Choice) else (each,) for _, each in self.terms]
        lacking = [setting for settings in candidates for setting in settings if means(setting) is None]
        if lacking:
            return Absent(self.what, tuple(setting.cell(0) for setting in lacking))
        return [(factor, each.chosen(means) if isinstance(each, Choice) else each) for factor, each in self.terms]


Claimed = Callable[[Sequence[str]], Iterable[Contrast]]
"""The comparisons of a claim on some data sets."""


def difference(first: Setting | Choice, second: Setting | Choice, relation: Relation, what: str = "") -> Contrast:
    """The first minus the second."""
    shown = first if isinstance(first, Setting) else first.settings[0]
    return Contrast(what or in_rounds(place(shown), shown.rounds), [(1.0, first), (-1.0, second)], relation)


def best(*settings: Setting) -> Choice:
    """The most accurate of ``settings``."""
    return Choice(settings, highest=True)


def worst(*settings: Setting) -> Choice:
    """The least accurate of ``settings``."""
    return Choice(settings, highest=False)


def grid(
    data: Iterable[str], rounds: Iterable[int] = suite.ROUNDS, models: Iterable[str] = suite.MODELS
) -> Iterator[tuple[str, str, int]]:
    """Model, data set and rounds."""
    rounds, data = tuple(rounds), tuple(data)
    return ((model, name, n) for model in models for name in data for n in rounds)


def accuracies(claimed: Claimed, *tables: str, data: Sequence[str] = DATASETS) -> Check:
    """All comparisons of a claim, on records, and on printed numbers of ``tables`` where these are named."""

    def check(facts: Facts, claim: Claim) -> Finding:
        here = facts.datasets(*data, stand_in=claim.strength != "single value")
        found = judged(claim.strength, [on_records(facts, each) for each in claimed(here)])
        if not tables:
            return found
        on_print = [made for each in claimed(data) if (made := _printed(each, tables)) is not None]
        return replace(found, on_print=without_records(judged(claim.strength, on_print)))

    return check


def on_records(facts: Facts, one: Contrast) -> Tested:
    """One comparison of mean accuracies."""
    terms = one.settled(facts.mean)
    if isinstance(terms, Absent):
        return terms
    measured = [(factor, setting, facts.accuracy) for factor, setting in terms]
    return facts.compare(one.what, measured, one.relation, offset=one.offset)


def _printed(one: Contrast, tables: Sequence[str]) -> Comparison | None:
    """The same of printed numbers; None where one of them is not printed."""
    numbers = printed(*tables)
    terms = one.settled(numbers.get)
    if isinstance(terms, Absent):
        return None
    value = sum(factor * numbers[setting] for factor, setting in terms) + one.offset
    said = tuple(dict.fromkeys(f"{called(setting)} {numbers[setting]:.2f}" for _, setting in terms))
    return replace(exact(one.what, "", round(value, 9), one.relation), sides=said)


@cache
def printed(*tables: str) -> dict[Setting, float]:
    """Accuracies as printed; where a table prints changes, those added to the base that it prints."""
    found: dict[Setting, float] = {}
    for table in tables:
        numbers = index(published.numbers(suite.SUITE, table))
        for (metric, setting), number in numbers.items():
            base = numbers[ACCURACY, setting.base].value if metric == CHANGE else 0.0
            found[setting] = round(base + number.value, 2)
    return found
