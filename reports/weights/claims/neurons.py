"""Claims about neurons that have no weight into them left, in percent of all, at the highest matching sparsity."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, product
from math import sqrt

from bench.cell import Cell
from bench.suites.missing_the_mark import EARLY, GRASP, MAGNITUDE, SNIP, SYNFLOW, Method, Network, ablated
from reports.claims.estimates import Estimate, Sample
from reports.claims.finding import Absent, Comparison, Finding, Tested, judged
from reports.claims.relations import above, at_most, equal
from reports.verdicts import MARGINS, standard_error
from reports.weights import words
from reports.weights.claims.accuracy import Check, Compare, Couple, comparisons
from reports.weights.claims.facts import Facts, called, place, said
from reports.weights.claims.levels import highest
from reports.weights.claims.masks import between_methods, cell_of, samples
from reports.weights.claims.printed import Place, of_masks
from reports.weights.data import on_other_images
from results.published import Claim, PublishedNumber
from results.record import Record

METRIC = "neurons_pruned_pct"
(SHUFFLED,) = ablated(SYNFLOW, "shuffle")
METHODS = (*EARLY, SHUFFLED)
"""Those whose neurons the paper counts."""
ORDER: tuple[Couple, ...] = tuple(pairwise((SYNFLOW, SNIP, GRASP, MAGNITUDE)))
"""From most neurons pruned to fewest."""
BY_SHUFFLING: tuple[Couple, ...] = ((SYNFLOW, SHUFFLED),)


def share(record: Record) -> float:
    """Percent of the neurons of a network that have no weight into them left."""
    assert record.mask is not None
    return 100 * record.mask.neurons_pruned / record.mask.neurons_total


def more(couples: Sequence[Couple]) -> Compare:
    """That the first of each couple prunes more neurons than the second."""
    return between_methods(METHODS, couples, share, above())


def collapsed(facts: Facts, network: Network) -> dict[str, Sample]:
    """Percent of neurons pruned, by the name of the cell; the methods share one spread where they vary alike."""
    return samples(facts, [cell_of(method, network) for method in METHODS], share)


def percentage(network: Network, method: Method) -> Check:
    """The percentage measured is the one that the paper prints."""

    def check(facts: Facts, claim: Claim) -> Finding:
        tested = tuple(comparisons(facts, (network,), (_as_printed(method),), trained=False))
        measured = [each.sides[0].partition(" ")[2] for each in tested if isinstance(each, Comparison)]
        found = judged(claim.strength, tested, measured=", ".join(measured))
        own = facts.network(network)
        return replace(found, comparable=own is None or not on_other_images(facts.evidence, cell_of(method, own)))

    return check


def _as_printed(method: Method) -> Compare:
    """The percentage measured minus the one that the paper prints."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        what, cell = place(network, highest(network)), cell_of(method, network)
        number = of_masks(METRIC)[network.model, method.score, method.ablation, highest(network)]
        sample = collapsed(facts, network).get(called(cell))
        yield Absent(what, (cell,)) if sample is None else _to_printed(what, cell, sample, number)

    return compare


def _to_printed(what: str, cell: Cell, sample: Sample, number: PublishedNumber) -> Comparison:
    """A number that is printed as an upper bound is compared as one."""
    n = len(sample.values)
    if is_bound(number):
        paper, difference, relation = f"paper < {number.value_text}", sample.mean, at_most(number.value)
        error = sample.spread.sd / sqrt(n)
    else:
        paper, difference = f"paper {number.value_text} ({number.replicates})", sample.mean - number.value
        relation = equal(MARGINS[METRIC], number.rounding)
        error = standard_error(sample.spread.sd, n, number.replicates or n)
    return Comparison(
        what=what,
        sides=(said(cell, sample, 1), paper),
        estimate=Estimate(difference, error, sample.spread.df),
        relation=relation,
        digits=1,
    )


def is_bound(number: PublishedNumber) -> bool:
    """Whether a number is printed as "< 1"."""
    return "upper bound" in number.note


def printed_order(couples: Sequence[Couple]) -> Finding:
    """:func:`more` on the printed percentages of all networks."""
    numbers = of_masks(METRIC)
    places = dict.fromkeys((model, level) for model, _, _, level in numbers)
    tested = [_pair(model, level, couple, numbers) for (model, level), couple in product(places, couples)]
    return judged("all cells", tested)


def _pair(model: str, level: int, couple: Couple, numbers: Mapping[Place, PublishedNumber]) -> Comparison:
    first, second = (numbers[model, method.score, method.ablation, level] for method in couple)
    return Comparison(
        what=words.MODELS[model],
        sides=tuple(f"{number.scorer}, {number.ablation} {number.value_text}" for number in (first, second)),
        estimate=Estimate(first.value - second.value),
        relation=above(),
        digits=1,
    )
