"""Claims about pruning after so many iterations of training, at the highest matching sparsity."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

from bench.cell import Cell, level_amount
from bench.suites.missing_the_mark import LTR, Method, Network, ablated, base
from reports.verdicts import ALPHA
from reports.weights import words
from reports.weights.claims.accuracy import Check, Compare, Couple, comparisons, merged
from reports.weights.claims.estimates import Estimate, correlation
from reports.weights.claims.facts import Facts
from reports.weights.claims.finding import Absent, Comparison, Finding, Outcome, Tested
from reports.weights.claims.levels import highest
from reports.weights.claims.reaching import on_grid
from reports.weights.claims.relations import Relation, Says, above, at_least, not_above
from reports.weights.ranges import TOLERANCE
from results.published import Claim

Points = Callable[[Network], Sequence[int]]


def later(network: Network) -> Sequence[int]:
    """After initialisation."""
    return [point for point in network.points if point > 0]


def last(network: Network) -> Sequence[int]:
    """The last one."""
    return network.points[-1:]


def cell(method: Method, point: int, network: Network) -> Cell:
    """``method`` at a prune point, without seed; a rewound one goes back to it."""
    there, where = method.after(point, network)
    return there.cell(where, level_amount(highest(network)), 0)


def at(points: Points, couples: Iterable[Couple], relation: Relation) -> Compare:
    """Accuracy of the first of each couple minus that of the second, pruned after as many iterations."""
    couples = tuple(couples)

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for point, (first, second) in product(points(network), couples):
            terms = [(1.0, cell(first, point, network)), (-1.0, cell(second, point, network))]
            yield facts.compare(_place(network, point), terms, relation)

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
            runs = [(point, value) for point, sample in samples.items() if sample for value in sample.values]
            found = correlation([point for point, _ in runs], [value for _, value in runs])
            sides = (f"rank correlation over {len(runs)} runs at {len(samples)} prune points",)
            yield Comparison(what=what, sides=sides, estimate=found, relation=relation)

    return compare


def reaches_at(network: Network, method: Method, reference: Method) -> Check:
    """The first prune point at which ``method`` is as accurate as the reference at its own iteration."""

    def compare(facts: Facts, where: Network) -> Iterator[Tested]:
        target = reference.cell(where, level_amount(highest(where)), 0)
        yield from (_reaches(facts, method, point, where, target) for point in where.points)

    return _first_point(network, compare, lambda tests: tests[0].says() is Says.YES)


def _reaches(facts: Facts, method: Method, point: int, network: Network, target: Cell) -> Tested:
    terms = [(1.0, cell(method, point, network)), (-1.0, target)]
    return facts.compare(_place(network, point), terms, at_least(-TOLERANCE))


def sensitive_at(network: Network, method: Method) -> Check:
    """The first prune point at which shuffling and reinitialisation both lower the accuracy of ``method``."""
    couples = [(method, each) for each in ablated(method, "shuffle", "reinit")]
    return _first_point(
        network,
        at(lambda where: where.points, couples, above()),
        lambda tests: all(each.says() is Says.YES for each in tests),
    )


def saturates_at(network: Network) -> Check:
    """The first iteration to rewind to from which on rewinding later is not more accurate."""

    def check(facts: Facts, claim: Claim) -> Finding:
        nothing = tuple(comparisons(facts, (network,), (), trained=True))
        where = facts.network(network)
        if where is None or nothing:
            return Finding(outcome=Outcome.UNDECIDED, tested=nothing)
        return _saturates(facts, where, claim)

    return check


def _saturates(facts: Facts, network: Network, claim: Claim) -> Finding:
    tested: list[Tested] = []
    for earlier in network.points:
        tested = [_gain(facts, network, earlier, point) for point in network.points if point > earlier]
        made = [each for each in tested if isinstance(each, Comparison)]
        if len(made) < len(tested):
            break
        # Of many later points one is higher by chance, so the intervals are those of all comparisons together.
        if all(each.says(ALPHA / len(made)) is not Says.NO for each in made):
            return _placed(network.points, earlier, claim, tested)
    return Finding(outcome=Outcome.UNDECIDED, tested=tuple(tested))


def _gain(facts: Facts, network: Network, earlier: int, later: int) -> Tested:
    terms = [(1.0, cell(LTR, later, network)), (-1.0, cell(LTR, earlier, network))]
    return facts.compare(f"{words.model(network)}, rewound to {later} and {earlier}", terms, not_above())


def _first_point(network: Network, compare: Compare, holds: Callable[[Sequence[Comparison]], bool]) -> Check:
    """The first prune point at which ``holds`` is the printed iteration, or the next on the grid."""

    def check(facts: Facts, claim: Claim) -> Finding:
        tested = tuple(comparisons(facts, (network,), (compare,), trained=True))
        where = facts.network(network)
        if where is None or not where.points or any(isinstance(each, Absent) for each in tested):
            return Finding(outcome=Outcome.UNDECIDED, tested=tested)
        made = [each for each in tested if isinstance(each, Comparison)]
        per = len(made) // len(where.points)
        found = [point for place, point in enumerate(where.points) if holds(made[place * per : (place + 1) * per])]
        if not found:
            return Finding(outcome=Outcome.FAILS, measured="at no prune point", tested=tested)
        return _placed(where.points, found[0], claim, tested)

    return check


def _placed(points: Sequence[int], found: int, claim: Claim, tested: Iterable[Tested]) -> Finding:
    """An iteration that is no point of the grid is seen at the next one that is."""
    expected = next((point for point in points if point >= (claim.value or 0)), points[-1])
    return on_grid(points.index(found), points.index(expected), f"{found} iterations", tested)


NEARLY_HALF = 0.35
"""Part of training that counts as nearly half; of the paper's examples the earliest is at 0.40 (ours)."""


def full_accuracy_needs(methods: Sequence[Method]) -> Compare:
    """The part of training after which pruning first keeps full accuracy, by method; all of it where none does."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for method in methods if network.points else ():
            what = f"{words.model(network)}, {method.label}"
            tests = [_reaches(facts, method, point, network, base(network, 0)) for point in network.points]
            if lacking := tuple(each for test in tests if isinstance(test, Absent) for each in test.cells):
                yield Absent(what, tuple(dict.fromkeys(lacking)))
                continue
            yield _needs(facts, what, network, tests)

    return compare


def _needs(facts: Facts, what: str, network: Network, tests: Sequence[Tested]) -> Tested:
    """Of the iterations of the unpruned network's training, as its records tell them."""
    total = _iterations(facts, network)
    if total is None:
        return Absent(what, reason="no record of the unpruned network says how many images it was trained on")
    made = [(point, test) for point, test in zip(network.points, tests, strict=True) if isinstance(test, Comparison)]
    first = next((point for point, test in made if test.says() is Says.YES), None)
    said = "full accuracy at no prune point" if first is None else f"full accuracy from iteration {first} on"
    part = 1.0 if first is None else first / total
    return Comparison(
        what=what, sides=(f"{said}, of {total}",), estimate=Estimate(part), relation=at_least(NEARLY_HALF)
    )


def _iterations(facts: Facts, network: Network) -> int | None:
    protocol = words.networks(facts.evidence.profile)[network]
    for record in facts.evidence.seeds(base(network, 0)).values():
        if record.data is not None:
            return protocol.epochs * -(-record.data.train_images // protocol.batch_size)
    return None


def _place(network: Network, point: int) -> str:
    return f"{words.model(network)}, after {point} iterations"
