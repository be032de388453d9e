"""Claims about the papers' own tables, and the numbers they print of masks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from bench.cell import level_amount
from bench.suites.missing_the_mark import GRID, SUITE
from reports.claims.estimates import Estimate
from reports.claims.finding import Comparison, Finding, judged, without_records
from reports.claims.relations import Relation, exactly
from reports.weights.claims.accuracy import Check
from reports.weights.claims.facts import Facts
from reports.weights.words import MODELS
from results import published
from results.published import Claim, PublishedNumber

NAMES = {printed: name for name, printed in MODELS.items()} | {"ResNet-18 (Modified)": "resnet18_modified"}
"""Our names of networks by the paper's."""

Place = tuple[str, str, str, int]  # model, score, ablation, level
OnPrint = Callable[[Claim], Finding]


@dataclass(frozen=True)
class Difference:
    """Two printed numbers, one minus the other, in points."""

    what: str
    value: Decimal
    said: str


@cache
def of_masks(metric: str) -> Mapping[Place, PublishedNumber]:
    """The printed numbers of one quantity of masks."""
    found = {}
    for number in published.numbers(SUITE):
        if number.metric == metric and number.amount is not None:
            found[NAMES[number.model], number.scorer, number.ablation, level_of(number.amount)] = number
    return found


def level_of(amount: Decimal) -> int:
    """The level whose amount is printed as ``amount``, with three decimals."""
    return next(level for level in GRID if round(level_amount(level), 3) == amount)


def differences(table: str, model: str, metric: str = "test_accuracy_pct", *, base: bool = False) -> list[Difference]:
    """The paper's own number minus the one that it quotes, by percent pruned, exactly as printed.

    Of the unpruned network where ``base``; else of the pruned ones. What diverged has no number.
    """
    rows = [
        number
        for number in published.numbers(SUITE, table)
        if (number.model, number.metric, number.amount is None) == (model, metric, base)
    ]
    quoted = {row.amount: Decimal(row.value_text) for row in rows if row.reported_by == "reported"}
    own = {row.amount: Decimal(row.value_text) for row in rows if row.reported_by == "ours"}
    return [
        Difference(_what(model, amount), value - quoted[amount], f"own {value}, quoted {quoted[amount]}")
        for amount, value in own.items()
        if value.is_finite()
    ]


def _what(model: str, amount: Decimal | None) -> str:
    return f"{model}, unpruned" if amount is None else f"{model}, {amount * 100:.0f} %"


def printed(found: Iterable[Difference], relation: Relation) -> Check:
    """Every one of some printed differences, in points."""
    found = tuple(found)

    def check(_facts: Facts, claim: Claim) -> Finding:
        return without_records(judged(claim.strength, [_exact(each, relation) for each in found]))

    return check


def quoted(found: Iterable[Difference], pick: Callable[[Iterable[Decimal]], Decimal]) -> Check:
    """The largest or smallest of some printed differences, or the only one, is the number that the claim quotes."""
    found = tuple(found)

    def check(_facts: Facts, claim: Claim) -> Finding:
        value = pick(each.value for each in found)
        chosen = next(each for each in found if each.value == value)
        said = ", ".join(f"{each.value:.1f}" for each in found)
        return without_records(judged(claim.strength, [_exact(chosen, exactly(claim.value or 0.0))], measured=said))

    return check


def _exact(one: Difference, relation: Relation) -> Comparison:
    estimate = Estimate(float(one.value))
    return Comparison(what=one.what, sides=(one.said,), estimate=estimate, relation=relation, digits=1)


def also_printed(check: Check, on_print: OnPrint) -> Check:
    """``check``, and beside it the same claim on the numbers that the paper prints."""
    return lambda facts, claim: replace(check(facts, claim), on_print=without_records(on_print(claim)))


def turned(found: Iterable[Difference]) -> list[Difference]:
    """The same differences, the quoted number minus the paper's own."""
    return [replace(each, value=-each.value) for each in found]
