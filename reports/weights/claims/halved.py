"""Claims of appendix D.4 about Figure 7, in which what is left of the weights is halved ten times."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from bench.suites.missing_the_mark import HALVES, Method, Network
from reports.claims.finding import Absent, Tested
from reports.claims.relations import above, at_most
from reports.weights import words
from reports.weights.claims.accuracy import Compare, best
from reports.weights.claims.facts import Facts

CHANCE = {"cifar10": 10.0, "tiny_imagenet": 0.5}
"""Percent of test images that a network gets right which says the same of all, by data set of Figure 7."""
AT_CHANCE = 1.0
"""Points above chance up to which a network is taken to be at it (ours)."""
SPARSEST = HALVES[-3:]
"""The most extreme third of the sparsities of Figure 7."""


def collapses(method: Method) -> Compare:
    """The lowest accuracy of ``method`` over all amounts is chance."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        bound = CHANCE[network.dataset] + AT_CHANCE
        cells = {amount: method.cell(network, amount, 0) for amount in HALVES}
        means = {amount: found.mean for amount, cell in cells.items() if (found := facts.sample(cell)) is not None}
        lacking = tuple(cell for amount, cell in cells.items() if amount not in means)
        lowest = min(means, key=means.__getitem__, default=None)
        if lowest is None or (lacking and means[lowest] > bound):
            yield Absent(words.title(network), lacking)
        else:
            yield facts.compare(_place(network, lowest), [(1.0, cells[lowest])], at_most(bound))

    return _where_chance_is_known(compare)


def overtaken(method: Method, *others: Method) -> Compare:
    """Another method is more accurate than ``method`` at the most extreme sparsities."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for amount in SPARSEST:
            where, own = _place(network, amount), method.cell(network, amount, 0)
            first = best(*others).at(facts, network, amount, where)
            if isinstance(first, Absent):
                yield first
            else:
                yield facts.compare(where, [(1.0, first), (-1.0, own)], above())

    return compare


def stays_above_chance(method: Method) -> Compare:
    """``method`` is more accurate than chance at the most extreme sparsities."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        relation = above(CHANCE[network.dataset] + AT_CHANCE)
        for amount in SPARSEST:
            yield facts.compare(_place(network, amount), [(1.0, method.cell(network, amount, 0))], relation)

    return _where_chance_is_known(compare)


def _where_chance_is_known(compare: Compare) -> Compare:
    def known(facts: Facts, network: Network) -> Iterable[Tested]:
        if network.dataset in CHANCE:
            return compare(facts, network)
        return [Absent(words.title(network), reason="Figure 7 is of other data")]

    return known


def _place(network: Network, amount: Decimal) -> str:
    return f"{words.title(network)}, {100 * float(amount):.1f} %"
