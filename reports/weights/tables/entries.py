"""What stands in a place of the second paper's tables: our values, the printed number, and the verdict on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bench.cell import BASE, Cell
from bench.suites.missing_the_mark import TABLES, Method, Network, base
from reports.claims.estimates import Sample
from reports.claims.finding import Absent
from reports.verdicts import MARGINS, Judgement, Spread, Verdict, compare, pooled, sharing_a_base
from reports.weights import words
from reports.weights.claims.facts import Facts, called
from reports.weights.claims.lacking import lacking
from reports.weights.claims.masks import cell_of
from reports.weights.claims.neurons import collapsed, is_bound, share
from reports.weights.claims.paths import ratio_of, ratios, shuffled
from reports.weights.data import OTHER_IMAGES, on_other_images
from results.published import PublishedNumber

ACCURACY, CHANGE = "test_accuracy_pct", "accuracy_change_pct"
NEURONS, RATIO = "neurons_pruned_pct", "effective_param_ratio"
DIGITS = {ACCURACY: 2, CHANGE: 2, NEURONS: 1, RATIO: 4}
"""Decimals that our means are shown with, by metric."""
_AS_PRINTED = 10**9
"""Runs of a printed mean that is taken to be exact, as the paper does not say over how many it was taken."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One number of a table; ``lacks`` says what is missing of our runs."""

    where: str
    metric: str
    ours: tuple[float, ...]
    seeds: int  # that the profile has
    number: PublishedNumber | None
    judgement: Judgement | None
    lacks: str = ""
    cells: tuple[Cell, ...] = ()  # that it is made of, the first of which it is named after

    @property
    def bound(self) -> bool:
        """Whether the printed number is an upper bound."""
        return self.number is not None and is_bound(self.number)

    @property
    def as_printed(self) -> bool:
        """Whether the printed number was taken to be exact."""
        judged = self.judgement is not None and self.judgement.interval is not None
        return judged and self.number is not None and self.number.replicates is None


def accuracy(facts: Facts, cell: Cell, where: str, number: PublishedNumber | None) -> Entry:
    """Test accuracy of ``cell`` in percent; its network's cells in all tables share a spread."""
    spread = pooled([tuple(facts.evidence.accuracy(each).values()) for each in _shown(facts, cell)])
    values = tuple(facts.evidence.accuracy(cell).values())
    return _entry(facts, where, ACCURACY, values, number, spread, (cell,))


def change(facts: Facts, cell: Cell, where: str, number: PublishedNumber | None) -> Entry:
    """Accuracy of ``cell`` minus that of the unpruned network of the same seed, in points."""
    own = base(_network(facts, cell), 0)
    spread = pooled([_changes(facts, each, own) for each in _shown(facts, cell) if each.score != BASE])
    shared = None if spread is None else sharing_a_base(spread)
    return _entry(facts, where, CHANGE, _changes(facts, cell, own), number, shared, (cell, own))


def neurons(facts: Facts, network: Network, method: Method, where: str, number: PublishedNumber) -> Entry | None:
    """Percent of neurons without input at the highest matching sparsity; None where the profile does not run it."""
    cell = cell_of(method, network)
    sample = collapsed(facts, network).get(called(cell))
    values = tuple(facts.masks(cell, share).values())
    return _of_masks(facts, where, NEURONS, values, number, sample, (cell,))


def ratio(
    facts: Facts, network: Network, method: Method, level: int, where: str, number: PublishedNumber
) -> Entry | None:
    """Effective weights of the shuffled mask over those of the unmodified one; None where not both are run."""
    cells = tuple(cell_of(each, network, level) for each in (method, shuffled(method)))
    sample = ratios(facts, network, level).get(called(cells[0]))
    values = tuple(ratio_of(facts, network, level, method).values())
    return _of_masks(facts, where, RATIO, values, number, sample, cells)


def _of_masks(
    facts: Facts,
    where: str,
    metric: str,
    ours: tuple[float, ...],
    number: PublishedNumber,
    sample: Sample | None,
    cells: tuple[Cell, ...],
) -> Entry | None:
    evidence = facts.evidence
    if any(cell not in evidence.planned and not evidence.seeds(cell) for cell in cells):
        return None
    return _entry(facts, where, metric, ours, number, None if sample is None else sample.spread, cells)


def _entry(
    facts: Facts,
    where: str,
    metric: str,
    ours: tuple[float, ...],
    number: PublishedNumber | None,
    spread: Spread | None,
    cells: Sequence[Cell],
) -> Entry:
    judgement = None
    if number is not None and number.value_text != "nan":
        reason = _not_judged(facts, cells if metric in (ACCURACY, CHANGE) else ())
        judgement = (
            Judgement(verdict=Verdict.NOT_COMPARABLE, reason=reason) if reason else _judged(ours, number, spread)
        )
        if ours and any(on_other_images(facts.evidence, cell) for cell in cells):
            judgement = replace(judgement, verdict=Verdict.NOT_COMPARABLE, reason=reason or OTHER_IMAGES)
    seeds = len(facts.evidence.profile.seeds)
    lacks = lacking([Absent(where, tuple(cells))], facts.evidence) if len(ours) < seeds else ""
    return Entry(
        where=where,
        metric=metric,
        ours=ours,
        seeds=seeds,
        number=number,
        judgement=judgement,
        lacks=lacks,
        cells=tuple(cells),
    )


def _judged(ours: Sequence[float], number: PublishedNumber, spread: Spread | None) -> Judgement:
    """A number that is printed as "< 1" is 0.5 with a rounding of 0.5."""
    value, rounding = (number.value / 2,) * 2 if is_bound(number) else (number.value, number.rounding)
    return compare(
        ours,
        value,
        replicates=number.replicates or _AS_PRINTED,
        spread=spread,
        margin=MARGINS[number.metric],
        rounding=rounding,
    )


def _not_judged(facts: Facts, cells: Sequence[Cell]) -> str:
    """Why a mean is not held against a printed one; empty where it is."""
    if reason := words.why_not_comparable(facts.evidence.profile):
        return reason
    for cell in cells:
        if broken := facts.evidence.diverged(cell):
            runs = len(facts.evidence.seeds(cell))
            return f"{broken} of {runs} runs of {called(cell)} diverged, and the others are a selection"
    return ""


def _changes(facts: Facts, cell: Cell, own: Cell) -> tuple[float, ...]:
    unpruned = facts.evidence.accuracy(own)
    pruned = facts.evidence.accuracy(cell)
    return tuple(value - unpruned[seed] for seed, value in pruned.items() if seed in unpruned)


def _shown(facts: Facts, cell: Cell) -> list[Cell]:
    """Every cell of a network that a table shows, but for those that diverged; the pool is one for all tables."""
    network = _network(facts, cell)
    rows = [row for row in TABLES if facts.network(row.network) == network]
    dense = (base(network, 0, row.training) for row in rows)
    pruned = (row.method.cell(network, Decimal(amount), 0) for row in rows for amount in row.amounts)
    return [each for each in dict.fromkeys((base(network, 0), *dense, *pruned)) if not facts.evidence.diverged(each)]


def _network(facts: Facts, cell: Cell) -> Network:
    like = Network(model=cell.model, dataset=cell.dataset)
    return facts.network(like) or like
