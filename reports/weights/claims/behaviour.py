"""Claims about how methods behave that are not about one being more accurate than another."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from statistics import variance

from scipy.stats import fisher_exact

from bench.cell import Point, level_amount
from bench.suites.missing_the_mark import Method, Network, ablated
from reports.claims.estimates import Estimate, SpreadRatio
from reports.claims.finding import Absent, Comparison, Finding, Outcome, Tested, judged, without_records
from reports.claims.relations import Relation, Says, above, exactly
from reports.verdicts import ALPHA, Spread, pooled
from reports.weights import words
from reports.weights.claims.accuracy import Check, Compare, comparisons
from reports.weights.claims.facts import Facts, linked, place
from reports.weights.claims.iterations import at_point, cell, later
from reports.weights.claims.levels import Levels, matching
from results.published import Claim


def alike(first: Method, second: Method, *ablations: str) -> Compare:
    """Each ablation lowers, raises or leaves the accuracy of two methods alike, pruned after as many iterations."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for point in later(network):
            for name in ablations:
                what = f"{at_point(network, point)}, {name}"
                yield _alike(what, [_effect(facts, network, point, each, name) for each in (first, second)])

    return compare


def _effect(facts: Facts, network: Network, point: Point, method: Method, ablation: str) -> Tested:
    (changed,) = ablated(method, ablation)
    terms = [(1.0, cell(changed, point, network)), (-1.0, cell(method, point, network))]
    return facts.compare("", terms, above())


def _alike(what: str, effects: Sequence[Tested]) -> Tested:
    made = [each for each in effects if isinstance(each, Comparison)]
    if len(made) < len(effects):
        return Absent(what, tuple(lost for each in effects if isinstance(each, Absent) for lost in each.cells))

    def says(_found: object, alpha: float) -> Says:
        one, other = (each.says(alpha) for each in made)
        return Says.YES if one is other else Says.OPEN if Says.OPEN in (one, other) else Says.NO

    first, second = (each.estimate.value for each in made)
    sides = tuple(side for each in made for side in each.sides)
    return Comparison(what=what, sides=sides, estimate=Estimate(first - second), relation=Relation("alike", says))


def unstable(levels: Levels, method: Method) -> Compare:
    """The standard deviation of ``method`` over that at matching sparsities is above 1."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        usual_cells = [method.cell(network, level_amount(level), 0) for level in matching(facts, network)]
        usual = pooled([tuple(facts.evidence.accuracy(each).values()) for each in usual_cells])
        for level in levels(facts, network):
            one = method.cell(network, level_amount(level), 0)
            values = tuple(facts.evidence.accuracy(one).values())
            if usual is None or len(values) < 2:
                yield Absent(place(network, level), (one, *(usual_cells if usual is None else ())))
                continue
            found = SpreadRatio(Spread(variance(values) ** 0.5, len(values) - 1), usual)
            sides = (f"{linked(one)} standard deviation {found.above.sd:.2f}", f"usually {found.below.sd:.2f}")
            yield Comparison(what=place(network, level), sides=sides, estimate=found, relation=above(1.0))

    return compare


def diverged(network: Network, method: Method, amount: Decimal, printed: tuple[int, int]) -> Check:
    """How many runs diverge is not other than the printed number of so many (Fisher's exact test), and some do."""

    def check(facts: Facts, claim: Claim) -> Finding:
        absent = tuple(comparisons(facts, (network,), (), trained=True))
        one = method.cell(facts.network(network) or network, amount, 0)
        broken, runs = facts.evidence.diverged(one), sum(each.final for each in facts.evidence.seeds(one).values())
        if absent or runs == 0:
            return judged(claim.strength, absent or (Absent(words.model(network), (one,)),))
        times, of = printed
        other = fisher_exact([[broken, runs - broken], [times, of - times]]).pvalue < ALPHA
        outcome = Outcome.FAILS if other else Outcome.HOLDS if broken else Outcome.UNDECIDED
        reason = f"{broken} of {runs} is not shown to be other than {times} of {of}"
        return Finding(
            outcome=outcome,
            measured=f"{broken} of {runs} runs diverged",
            reason=reason if outcome is Outcome.UNDECIDED else "",
        )

    return check


def by_definition(value: int, what: str) -> Check:
    """A setting of the cells is the one that is printed."""

    def check(_facts: Facts, claim: Claim) -> Finding:
        comparison = Comparison(
            what=what,
            sides=("as the cells are defined",),
            estimate=Estimate(value),
            relation=exactly(claim.value or 0.0),
            digits=0,
        )
        return without_records(judged(claim.strength, [comparison], measured=str(value)))

    return check


def never_measured(reason: str) -> Check:
    """No cell measures it."""
    return lambda _facts, _claim: Finding(outcome=Outcome.UNDECIDED, reason=reason)
