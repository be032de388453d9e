"""Claims about pruning after so many iterations of training, at the highest matching sparsity."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

from bench.cell import Cell, Point, level_amount
from bench.suites.missing_the_mark import Method, Network
from reports.claims.estimates import correlation
from reports.claims.finding import Absent, Comparison, Tested
from reports.claims.relations import Relation, above
from reports.weights import words
from reports.weights.claims.accuracy import Compare, Couple, merged
from reports.weights.claims.facts import Facts
from reports.weights.claims.levels import highest
from reports.weights.places import page

Points = Callable[[Network], Sequence[Point]]


def every(network: Network) -> Sequence[Point]:
    """All of the grid."""
    return network.points


def later(network: Network) -> Sequence[Point]:
    """After initialisation."""
    return [point for point in network.points if point != 0]


def at_end(network: Network) -> Sequence[Point]:
    """After training."""
    return network.points[-1:]


def before_end(network: Network) -> Sequence[Point]:
    """The last one within training."""
    return network.points[-2:-1]


def cell(method: Method, point: Point, network: Network) -> Cell:
    """``method`` at a prune point, without seed; a rewound one goes back to it."""
    there, where = method.after(point, network)
    return there.cell(where, level_amount(highest(network)), 0)


def at(points: Points, couples: Iterable[Couple], relation: Relation) -> Compare:
    """Accuracy of the first of each couple minus that of the second, pruned after as many iterations."""
    couples = tuple(couples)

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for point, (first, second) in product(points(network), couples):
            terms = [(1.0, cell(first, point, network)), (-1.0, cell(second, point, network))]
            yield facts.compare(at_point(network, point), terms, relation)

    return compare


def mean_over(points: Points, couple: Couple, relation: Relation) -> Compare:
    """The same, in the mean over prune points."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        found = points(network)
        terms = [
            (sign / len(found), cell(method, point, network))
            for point in found
            for method, sign in zip(couple, (1.0, -1.0), strict=True)
        ]
        if found:
            yield facts.compare(f"{words.model(network)}, mean over {len(found)} prune points", terms, relation)

    return compare


def improves_more(methods: Sequence[Method], other: Method) -> Compare:
    """What each of ``methods`` gains from the first prune point to the last, minus what ``other`` does."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for method in methods if network.points else ():
            first, final = network.points[0], network.points[-1]
            terms = [
                (sign * factor, cell(each, point, network))
                for each, sign in ((method, 1.0), (other, -1.0))
                for point, factor in ((final, 1.0), (first, -1.0))
            ]
            yield facts.compare(f"{words.model(network)}, {method.label}", merged(terms), above())

    return compare


def trend(methods: Sequence[Method], relation: Relation) -> Compare:
    """The rank correlation of accuracy with the prune point, over all runs of a method."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for method in methods if network.points else ():
            what = f"{words.model(network)}, {method.label}"
            samples = {point: facts.sample(cell(method, point, network)) for point in network.points}
            if lacking := [point for point, sample in samples.items() if sample is None]:
                yield Absent(what, tuple(cell(method, point, network) for point in lacking))
                continue
            runs = [
                (iteration(point, network), value)
                for point, sample in samples.items()
                if sample
                for value in sample.values
            ]
            found = correlation([when for when, _ in runs], [value for _, value in runs])
            sides = (f"rank correlation over [{len(runs)} runs]({page(network)}.md) at {len(samples)} prune points",)
            yield Comparison(what=what, sides=sides, estimate=found, relation=relation)

    return compare


def iteration(point: Point, network: Network) -> int:
    """Where a prune point lies in training."""
    return network.iterations if isinstance(point, str) else point


def at_point(network: Network, point: Point) -> str:
    """``ResNet-20, after 500 iterations``."""
    return f"{words.model(network)}, after {iteration(point, network)} iterations"
