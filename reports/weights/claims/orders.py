"""Claims about the order of methods, and about places where one of them comes first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from statistics import fmean

from bench.cell import level_amount
from bench.suites.missing_the_mark import Method, Network
from reports.claims.estimates import Estimate, Sample
from reports.claims.finding import Absent, Comparison, Finding, Tested, judged
from reports.claims.relations import Relation, Says, above, not_below
from reports.weights import words
from reports.weights.claims.accuracy import Check, Compare, best, comparisons, lead, pairs
from reports.weights.claims.facts import Facts, place
from reports.weights.claims.levels import Levels, extreme, matching
from reports.weights.places import page
from results.published import Claim


def beats_somewhere(networks: Sequence[Network], levels: Levels, methods: Sequence[Method], other: Method) -> Check:
    """In every network every method is more accurate than ``other`` at one sparsity at least."""

    def check(facts: Facts, claim: Claim) -> Finding:
        tested: list[Tested] = []
        for network in networks:
            for method in methods:
                compare = pairs(levels, ((method, other),), above())
                found = comparisons(facts, (network,), (compare,), trained=True)
                tested += _somewhere(f"{words.model(network)}, {method.label}", found)
        return judged(claim.strength, tested)

    return check


def each_is_first_somewhere(networks: Sequence[Network], levels: Levels, methods: Sequence[Method]) -> Check:
    """Every method is the most accurate of all at one sparsity of one network at least."""

    def check(facts: Facts, claim: Claim) -> Finding:
        tested: list[Tested] = []
        for method in methods:
            others = best(*(other for other in methods if other != method))
            compare = lead(levels, best(method), others, above())
            tested += _somewhere(method.label, comparisons(facts, networks, (compare,), trained=True))
        return judged(claim.strength, tested)

    return check


def _somewhere(what: str, found: Iterator[Tested]) -> Iterator[Tested]:
    """The comparison that comes nearest to showing it, unless others that may do so have no runs; and what is absent.

    The best of many is above by chance, so its interval is that of all of them together.
    """
    tested = list(found)
    made = [each for each in tested if isinstance(each, Comparison)]
    lacking = tuple(dict.fromkeys(cell for each in tested if isinstance(each, Absent) for cell in each.cells))
    nearest = max(made, key=lambda each: each.estimate.interval()[0], default=None)
    if nearest is not None:
        where = f"{what}: {nearest.what}, best of {len(made)}"
        nearest = replace(nearest, what=where, relation=_of_many(above(), len(made)))
    if nearest is not None and (not lacking or nearest.says() is Says.YES):
        yield nearest
    elif lacking:
        yield Absent(what, lacking)
    yield from (each for each in tested if isinstance(each, Absent) and each.reason)


def _of_many(relation: Relation, number: int) -> Relation:
    return Relation(f"{relation.name} once", lambda found, alpha: relation.says(found, alpha / max(1, number)))


def same_order_beyond(level: int, methods: Sequence[Method]) -> Compare:
    """Beyond ``level`` no two methods come in the other order than they do by their means at ``level``."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        ranked = _means(facts, network, level, methods)
        if isinstance(ranked, Absent):
            yield ranked
            return
        order = sorted(methods, key=lambda method: -ranked[method])
        yield from pairs(extreme, tuple(combinations(order, 2)), not_below())(facts, network)

    return compare


def rank_improves(method: Method, methods: Sequence[Method]) -> Compare:
    """The mean rank of ``method`` at matching sparsities minus that at extreme ones; rank 1 is the most accurate."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        ranks: dict[str, list[int]] = {}
        for name, levels in (("matching", matching), ("extreme", extreme)):
            for level in levels(facts, network):
                means = _means(facts, network, level, methods)
                if isinstance(means, Absent):
                    yield means
                    return
                ranks.setdefault(name, []).append(sum(mean >= means[method] for mean in means.values()))
        found = {name: fmean(each) for name, each in ranks.items()}
        if len(found) == 2:
            yield Comparison(
                what=words.model(network),
                sides=tuple(
                    f"[mean rank {rank:.2f}]({page(network)}.md) at {name} sparsities" for name, rank in found.items()
                ),
                estimate=Estimate(found["matching"] - found["extreme"]),
                relation=above(),
            )

    return compare


def _means(facts: Facts, network: Network, level: int, methods: Sequence[Method]) -> Mapping[Method, float] | Absent:
    found: dict[Method, Sample | None] = {
        method: facts.sample(method.cell(network, level_amount(level), 0)) for method in methods
    }
    lacking = [method for method, sample in found.items() if sample is None]
    if lacking:
        amount = level_amount(level)
        return Absent(place(network, level), tuple(method.cell(network, amount, 0) for method in lacking))
    return {method: sample.mean for method, sample in found.items() if sample}
