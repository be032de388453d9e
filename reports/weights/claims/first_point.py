"""Claims about the first prune point at which something is so."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.cell import Cell, Point, level_amount
from bench.suites.missing_the_mark import LTR, Method, Network, ablated, base
from reports.claims.estimates import Estimate
from reports.claims.finding import Absent, Comparison, Finding, Outcome, Tested
from reports.claims.relations import Says, above, at_least, not_above
from reports.verdicts import ALPHA
from reports.weights import words
from reports.weights.claims.accuracy import Check, Compare, comparisons
from reports.weights.claims.facts import Facts
from reports.weights.claims.iterations import at, at_point, cell, every, iteration
from reports.weights.claims.levels import highest
from reports.weights.claims.reaching import on_grid
from reports.weights.places import page
from reports.weights.ranges import TOLERANCE
from results.published import Claim

NEARLY_HALF = 0.35
"""Part of training that counts as nearly half; of the paper's examples the earliest is at 0.40 (ours)."""


def reaches_at(network: Network, method: Method, reference: Method) -> Check:
    """The first prune point at which ``method`` is as accurate as the reference at its own iteration."""

    def compare(facts: Facts, where: Network) -> Iterator[Tested]:
        target = reference.cell(where, level_amount(highest(where)), 0)
        yield from (_reaches(facts, method, point, where, target) for point in where.points)

    return _first_point(network, compare, lambda tests: tests[0].says() is Says.YES)


def _reaches(facts: Facts, method: Method, point: Point, network: Network, target: Cell) -> Tested:
    terms = [(1.0, cell(method, point, network)), (-1.0, target)]
    return facts.compare(at_point(network, point), terms, at_least(-TOLERANCE))


def sensitive_at(network: Network, method: Method) -> Check:
    """The first prune point at which shuffling and reinitialisation both lower the accuracy of ``method``."""
    couples = [(method, each) for each in ablated(method, "shuffle", "reinit")]
    return _first_point(
        network,
        at(every, couples, above()),
        lambda tests: all(each.says() is Says.YES for each in tests),
    )


def saturates_at(network: Network) -> Check:
    """The first iteration to rewind to from which on rewinding later is not more accurate."""

    def check(facts: Facts, claim: Claim) -> Finding:
        nothing = tuple(comparisons(facts, (network,), (), trained=True))
        where = facts.network(network)
        if where is None or nothing:
            return Finding(outcome=Outcome.UNDECIDED, tested=nothing)
        if not where.points:
            absent = Absent(words.model(where), reason="is not pruned within training")
            return Finding(outcome=Outcome.UNDECIDED, tested=(absent,))
        return _saturates(facts, where, claim)

    return check


def _saturates(facts: Facts, network: Network, claim: Claim) -> Finding:
    tested: list[Tested] = []
    for place, earlier in enumerate(network.points):
        tested = [_gain(facts, network, earlier, point) for point in network.points[place + 1 :]]
        made = [each for each in tested if isinstance(each, Comparison)]
        if len(made) < len(tested):
            break
        # Of many later points one is higher by chance, so the intervals are those of all comparisons together.
        if all(each.says(ALPHA / len(made)) is not Says.NO for each in made):
            return _placed(network, place, claim, tested)
    return Finding(outcome=Outcome.UNDECIDED, tested=tuple(tested))


def _gain(facts: Facts, network: Network, earlier: Point, later: Point) -> Tested:
    terms = [(1.0, cell(LTR, later, network)), (-1.0, cell(LTR, earlier, network))]
    first, second = (iteration(point, network) for point in (later, earlier))
    return facts.compare(f"{words.model(network)}, rewound to {first} and {second}", terms, not_above())


def _first_point(network: Network, compare: Compare, holds: Callable[[Sequence[Comparison]], bool]) -> Check:
    """The first prune point at which ``holds`` is the printed iteration, or the next on the grid."""

    def check(facts: Facts, claim: Claim) -> Finding:
        tested = tuple(comparisons(facts, (network,), (compare,), trained=True))
        where = facts.network(network)
        if where is None or not where.points or any(isinstance(each, Absent) for each in tested):
            return Finding(outcome=Outcome.UNDECIDED, tested=tested)
        made = [each for each in tested if isinstance(each, Comparison)]
        per = len(made) // len(where.points)
        found = [place for place in range(len(where.points)) if holds(made[place * per : (place + 1) * per])]
        if not found:
            return Finding(outcome=Outcome.FAILS, measured="at no prune point", tested=tested)
        return _placed(where, found[0], claim, tested)

    return check


def _placed(network: Network, found: int, claim: Claim, tested: Iterable[Tested]) -> Finding:
    """An iteration that is no prune point of the grid is seen at the next one that is."""
    points = [iteration(point, network) for point in network.points]
    expected = next((place for place, point in enumerate(points) if point >= (claim.value or 0)), len(points) - 1)
    return on_grid(found, expected, f"{points[found]} iterations", tested)


def full_accuracy_needs(methods: Sequence[Method]) -> Compare:
    """The part of training after which pruning first keeps full accuracy, by method; all of it where none does."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for method in methods if network.points else ():
            what = f"{words.model(network)}, {method.label}"
            tests = [_reaches(facts, method, point, network, base(network, 0)) for point in network.points]
            if lacking := tuple(each for test in tests if isinstance(test, Absent) for each in test.cells):
                yield Absent(what, tuple(dict.fromkeys(lacking)))
                continue
            yield _needs(what, network, tests)

    return compare


def _needs(what: str, network: Network, tests: Sequence[Tested]) -> Comparison:
    made = [(point, test) for point, test in zip(network.points, tests, strict=True) if isinstance(test, Comparison)]
    reached = [iteration(point, network) for point, test in made if test.says() is Says.YES]
    said = f"full accuracy from iteration {reached[0]} on" if reached else "full accuracy at no prune point"
    return Comparison(
        what=what,
        sides=(f"[{said}]({page(network)}.md), of {network.iterations}",),
        estimate=Estimate(reached[0] / network.iterations if reached else 1.0),
        relation=at_least(NEARLY_HALF),
    )
