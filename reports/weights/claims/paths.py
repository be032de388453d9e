"""Claims about weights on a path from an input to a logit: of shuffled masks over those of unmodified ones."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from bench.suites.missing_the_mark import EARLY, Method, Network, ablated
from reports.claims.estimates import Estimate, Sample, contrast
from reports.claims.finding import Absent, Comparison, Finding, Tested, judged
from reports.claims.relations import Relation, at_most, exactly
from reports.claims.samples import together
from reports.weights.claims.accuracy import Check, Compare, comparisons
from reports.weights.claims.facts import Facts, called, linked, place, said
from reports.weights.claims.layers import weights
from reports.weights.claims.levels import Levels, one
from reports.weights.claims.masks import cell_of
from reports.weights.claims.printed import OnPrint, of_masks
from results.published import Claim
from results.record import Record

METRIC = "effective_param_ratio"
DIGITS = 4
Level = Callable[[Network], int]
Pick = Callable[[Sequence[float]], float]


def ratios(facts: Facts, network: Network, level: int) -> dict[str, Sample]:
    """Effective weights shuffled over unmodified, of the same seed, by the name of the unmodified cell."""
    return together({called(cell_of(each, network, level)): ratio_of(facts, network, level, each) for each in EARLY})


def ratio_of(facts: Facts, network: Network, level: int, method: Method) -> dict[int, float]:
    """The ratio of one method, by seed."""
    moved, plain = (facts.masks(cell_of(each, network, level), _effective) for each in (shuffled(method), method))
    return {seed: value / plain[seed] for seed, value in moved.items() if plain.get(seed)}


def shuffled(method: Method) -> Method:
    """``method`` with its mask shuffled within layers."""
    return ablated(method, "shuffle")[0]


def _effective(record: Record) -> float:
    assert record.mask is not None
    return float(record.mask.effective_weights)


def ratio(levels: Levels, relation: Relation) -> Compare:
    """The ratio of every early method."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for level in levels(facts, network):
            found = ratios(facts, network, level)
            for method in EARLY:
                cells = tuple(cell_of(each, network, level) for each in (method, shuffled(method)))
                sample = found.get(called(cells[0]))
                yield (
                    Absent(place(network, level), cells)
                    if sample is None
                    else Comparison(
                        what=place(network, level),
                        sides=(f"{linked(cells[1])} over {said(cells[0], sample, DIGITS)}",),
                        estimate=contrast([(1.0, sample)]),
                        relation=relation,
                        digits=DIGITS,
                    )
                )

    return compare


def picked(networks: Sequence[Network], level: Level, pick: Pick, rounding: float) -> Check:
    """One ratio that stands for those of all networks and methods, their median, is at most the quoted number."""

    def check(facts: Facts, claim: Claim) -> Finding:
        compare = ratio(one(level), at_most(claim.value or 0.0, rounding))
        tested = tuple(comparisons(facts, networks, (compare,), trained=False))
        values = [each.estimate.value for each in tested if isinstance(each, Comparison)]
        if not values:
            return judged(claim.strength, tested)
        absent = [each for each in tested if isinstance(each, Absent)]
        return _judged(claim, pick(values), f"of {len(values)} measured ratios", rounding, absent)

    return check


def printed(networks: Sequence[Network], level: Level, pick: Pick) -> OnPrint:
    """The same of the ratios that the paper prints."""

    def on_print(claim: Claim) -> Finding:
        numbers = of_masks(METRIC)
        values = [
            numbers[network.model, method.score, "shuffle", level(network)].value
            for network, method in product(networks, EARLY)
        ]
        return _judged(claim, pick(values), f"of {len(values)} printed ratios")

    return on_print


def _judged(claim: Claim, value: float, side: str, rounding: float = 0.0, absent: Sequence[Absent] = ()) -> Finding:
    bound = at_most(claim.value or 0.0, rounding)
    comparison = Comparison(
        what="all networks", sides=(side,), estimate=Estimate(value), relation=bound, digits=DIGITS + 1
    )
    return judged("all cells", [comparison, *absent], f"{value:.{DIGITS + 1}f}")


def rounds_alike(levels: Levels) -> Compare:
    """Effective sparsity is the actual one to a tenth of a percent, with and without shuffling, in every run."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for level, early in product(levels(facts, network), EARLY):
            for method in (early, shuffled(early)):
                cell = cell_of(method, network, level)
                found = facts.masks(cell, _rounded_apart)
                yield (
                    Absent(place(network, level), (cell,))
                    if not found
                    else Comparison(
                        what=place(network, level),
                        sides=(f"{linked(cell)}, effective minus actual sparsity of {len(found)} runs, both to 0.1 %",),
                        estimate=Estimate(max(found.values(), key=abs)),
                        relation=exactly(0.0),
                        digits=1,
                    )
                )

    return compare


def _rounded_apart(record: Record) -> float:
    kept, total = weights(record)
    return round(100 * (1 - _effective(record) / total), 1) - round(100 * (1 - kept / total), 1)
