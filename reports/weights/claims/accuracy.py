"""Claims that compare accuracies of methods at sparsities of a network's grid."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

from bench.cell import Cell, level_amount
from bench.suites.missing_the_mark import Method, Network, ablated, base
from reports.claims.finding import Absent, Finding, Outcome, Tested, combined, judged
from reports.claims.relations import Relation, Says, above
from reports.weights import words
from reports.weights.claims.facts import Facts, place
from reports.weights.claims.levels import Levels
from results.published import Claim

Check = Callable[[Facts, Claim], Finding]
Compare = Callable[[Facts, Network], Iterable[Tested]]
Couple = tuple[Method, Method]


def over(networks: Sequence[Network], *compares: Compare, trained: bool = True) -> Check:
    """All comparisons of ``compares`` in all of ``networks``; those that the profile does not have are absent."""

    def check(facts: Facts, claim: Claim) -> Finding:
        return judged(claim.strength, comparisons(facts, networks, compares, trained=trained))

    return check


def comparisons(
    facts: Facts, networks: Sequence[Network], compares: Sequence[Compare], *, trained: bool
) -> Iterator[Tested]:
    """What :func:`over` judges."""
    name = facts.evidence.profile.name
    for network in dict.fromkeys(facts.network(like) or like for like in networks):
        if facts.network(network) is None:
            yield Absent(words.model(network), reason=f"not run in profile {name}")
        elif trained and not facts.trained(network):
            yield Absent(words.model(network), reason=f"not trained in profile {name}")
        else:
            for compare in compares:
                yield from compare(facts, network)


def bounded(
    networks: Sequence[Network], compare: Compare, pick: Callable[[Iterable[float]], float], *, trained: bool = True
) -> Check:
    """A bound on the largest or smallest of some numbers: one number shown beyond it is enough to fail it.

    UNDECIDED where one lies beyond and is not shown to; ``pick`` takes the number that is quoted.
    """

    def check(facts: Facts, claim: Claim) -> Finding:
        found = judged(claim.strength, comparisons(facts, networks, (compare,), trained=trained))
        says = {each.says() for each in found.comparisons}
        if not says:
            return found
        outcome = Outcome.FAILS if Says.NO in says else Outcome.UNDECIDED if Says.OPEN in says else Outcome.HOLDS
        value = pick(each.estimate.value for each in found.comparisons)
        return replace(found, outcome=outcome, measured=f"{value:.{found.comparisons[0].digits}f}")

    return check


def parts(checks: Mapping[str, Check]) -> Check:
    """A claim of several parts, each with its name."""

    def check(facts: Facts, claim: Claim) -> Finding:
        return combined([(name, each(facts, claim)) for name, each in checks.items()])

    return check


def on_each(networks: Sequence[Network], *compares: Compare, trained: bool = True) -> Check:
    """A claim that names its networks, of which each is a part: that most comparisons show it says it of none."""
    return parts({words.model(network): over((network,), *compares, trained=trained) for network in networks})


def pairs(levels: Levels, couples: Iterable[Couple], relation: Relation) -> Compare:
    """Accuracy of the first of each couple minus that of the second."""
    couples = tuple(couples)

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for level, (first, second) in product(levels(facts, network), couples):
            yield facts.pair(network, level, first, second, relation)

    return compare


def where_trivial_is_known(compare: Compare) -> Compare:
    """``compare``, which looks at sparsities that are not trivial; where it is open which are, that is absent."""

    def known(facts: Facts, network: Network) -> Iterable[Tested]:
        trivial = facts.trivial(network)
        return [trivial] if isinstance(trivial, Absent) else compare(facts, network)

    return known


def against(first: Iterable[Method], second: Iterable[Method]) -> tuple[Couple, ...]:
    """Every one of the first with every other of the second."""
    return tuple((one, other) for one, other in product(tuple(first), tuple(second)) if one != other)


def under(methods: Iterable[Method], *ablations: str) -> tuple[Couple, ...]:
    """Each method under each ablation, with itself unmodified."""
    return tuple((each, method) for method in methods for each in ablated(method, *ablations))


def swapped(couples: Iterable[Couple]) -> tuple[Couple, ...]:
    """The second of each couple first."""
    return tuple((second, first) for first, second in couples)


def to_base(levels: Levels, methods: Sequence[Method], relation: Relation) -> Compare:
    """Accuracy of the unpruned network minus that of each method."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for level, method in product(levels(facts, network), methods):
            terms = [(1.0, base(network, 0)), (-1.0, method.cell(network, level_amount(level), 0))]
            yield facts.compare(place(network, level), terms, relation)

    return compare


@dataclass(frozen=True)
class Group:
    """Of some methods, at each sparsity, the one of the highest mean accuracy, or of the lowest."""

    methods: tuple[Method, ...]
    sign: int

    def chosen(self, facts: Facts, network: Network, level: int) -> Cell | Absent:
        """The cell of that method at a level."""
        return self.at(facts, network, level_amount(level), place(network, level))

    def at(self, facts: Facts, network: Network, amount: Decimal, where: str) -> Cell | Absent:
        """The cell of that method at an amount, which is called ``where``."""
        cells = [method.cell(network, amount, 0) for method in self.methods]
        means = {cell: sample.mean for cell in cells if (sample := facts.sample(cell)) is not None}
        if lacking := tuple(cell for cell in cells if cell not in means):
            return Absent(where, lacking)
        return max(cells, key=lambda cell: self.sign * means[cell])


def best(*methods: Method) -> Group:
    """The most accurate of ``methods``."""
    return Group(methods, 1)


def worst(*methods: Method) -> Group:
    """The least accurate of ``methods``."""
    return Group(methods, -1)


def lead(levels: Levels, first: Group, second: Group, relation: Relation) -> Compare:
    """Accuracy of the chosen of one group minus that of the chosen of another."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for level in levels(facts, network):
            one, other = (group.chosen(facts, network, level) for group in (first, second))
            if isinstance(one, Absent) or isinstance(other, Absent):
                yield Absent(
                    place(network, level),
                    tuple(cell for each in (one, other) if isinstance(each, Absent) for cell in each.cells),
                )
            else:
                yield facts.compare(place(network, level), [(1.0, one), (-1.0, other)], relation)

    return compare


def mean_gain(levels: Levels, first: Couple, second: Couple | None = None) -> Compare:
    """That the first of a couple is more accurate than its second, in the mean over ``levels``.

    With another couple, that it is so by more than there.
    """

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        terms = [*gain(facts, network, levels, first, 1.0)]
        terms += gain(facts, network, levels, second, -1.0) if second else []
        if terms:
            yield facts.compare(f"{words.model(network)}, mean over sparsities", merged(terms), above())

    return compare


def gain(facts: Facts, network: Network, levels: Levels, couple: Couple, factor: float) -> Iterator[tuple[float, Cell]]:
    """The terms of a mean over ``levels`` of the first of a couple minus the second."""
    found = levels(facts, network)
    for level, (method, sign) in product(found, zip(couple, (factor, -factor), strict=True)):
        yield sign / len(found), method.cell(network, level_amount(level), 0)


def merged(terms: Iterable[tuple[float, Cell]]) -> list[tuple[float, Cell]]:
    """``terms`` with one for each cell."""
    sums: dict[Cell, float] = {}
    for factor, cell in terms:
        sums[cell] = sums.get(cell, 0.0) + factor
    return [(factor, cell) for cell, factor in sums.items()]


def more_on(network: Network, elsewhere: Sequence[Network], levels: Levels, couples: Sequence[Couple]) -> Check:
    """That the first of each couple leads its second by more on ``network`` than on others, in the mean over levels."""

    def check(facts: Facts, claim: Claim) -> Finding:
        absent = list(comparisons(facts, (network, *elsewhere), (), trained=True))
        here = facts.network(network)
        tested = [
            facts.compare(
                f"{words.model(here)} and {words.model(there)}, mean over sparsities",
                [*gain(facts, here, levels, couple, 1.0), *gain(facts, there, levels, couple, -1.0)],
                above(),
            )
            for there in map(facts.network, elsewhere)
            for couple in couples
            if here is not None and there is not None and facts.trained(here) and facts.trained(there)
        ]
        return judged(claim.strength, [*tested, *absent])

    return check
