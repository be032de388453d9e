"""Claims about where something begins or ends on a grid: up to which sparsity, from which iteration on."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.cell import level_amount
from bench.suites.missing_the_mark import Method, Network
from reports.claims.finding import Absent, Comparison, Finding, Outcome, Tested, combined
from reports.claims.relations import at_most
from reports.weights import words
from reports.weights.claims.accuracy import Check, comparisons, to_base
from reports.weights.claims.facts import Facts, percent
from reports.weights.claims.levels import every
from reports.weights.ranges import TOLERANCE, Reach, reach
from results.published import Claim


def full_until(network: Network, *methods: Method) -> Check:
    """The highest sparsity at which a method keeps full accuracy is the printed one, for each of ``methods``."""

    def check(facts: Facts, claim: Claim) -> Finding:
        found = [(method.label, _full_until(facts, network, method, claim)) for method in methods]
        return found[0][1] if len(found) == 1 else combined(found)

    return check


def _full_until(facts: Facts, like: Network, method: Method, claim: Claim) -> Finding:
    compare = to_base(every, (method,), at_most(TOLERANCE))
    tested = tuple(comparisons(facts, (like,), (compare,), trained=True))
    network, found = facts.network(like), None
    if network is not None and any(isinstance(each, Comparison) for each in tested):
        found = reach(facts.evidence, network, method)
    if network is None or found is None:
        return Finding(outcome=Outcome.UNDECIDED, tested=tested)
    steps = (0, *sorted(network.levels))
    expected = min(steps, key=lambda level: abs(_percents(level) - (claim.value or 0.0)))
    if any(isinstance(each, Absent) for each in _around(tested, steps.index(expected))):
        return Finding(outcome=Outcome.UNDECIDED, tested=tested, measured=_reached(found))
    return on_grid(steps.index(found.level), steps.index(expected), _reached(found), tested)


def _around(tested: Sequence[Tested], place: int) -> Sequence[Tested]:
    """The comparisons at a place of the grid, of which the first is level 0, and at the next: they decide."""
    return tested[max(0, place - 1) : place + 1]


def _percents(level: int) -> float:
    return 100 * float(level_amount(level)) if level else 0.0


def _reached(found: Reach) -> str:
    but = f", but not at {', '.join(map(percent, found.except_at))}" if found.except_at else ""
    return f"{percent(found.level)}{but}"


def on_grid(found: int, expected: int, measured: str, tested: Iterable[Tested]) -> Finding:
    """HOLDS at the printed place of a grid; MIXED at the next to it, which a few seeds can do; else FAILS."""
    off = abs(found - expected)
    outcome = Outcome.HOLDS if off == 0 else Outcome.MIXED if off == 1 else Outcome.FAILS
    share = f"{off} step{'s' if off > 1 else ''} of the grid off" if off else ""
    return Finding(outcome=outcome, share=share, measured=measured, tested=tuple(tested))


def same_reach(first: Method, second: Method, networks: Sequence[Network]) -> Check:
    """Two methods keep full accuracy up to the same sparsity in each of ``networks``, or one step of the grid apart."""

    def check(facts: Facts, _claim: Claim) -> Finding:
        found = [(words.model(network), _same_reach(facts, network, first, second)) for network in networks]
        made = [(name, each) for name, each in found if each.comparisons]
        tested = tuple(test for _, each in found for test in each.tested)
        return replace(combined(made or found), tested=tested)

    return check


def _same_reach(facts: Facts, like: Network, first: Method, second: Method) -> Finding:
    compare = to_base(every, (first, second), at_most(TOLERANCE))
    tested = tuple(comparisons(facts, (like,), (compare,), trained=True))
    network = facts.network(like)
    if network is None or any(isinstance(each, Absent) for each in tested):
        return Finding(outcome=Outcome.UNDECIDED, tested=tested)
    one, other = (reach(facts.evidence, network, method) for method in (first, second))
    if one is None or other is None:
        return Finding(outcome=Outcome.UNDECIDED, tested=tested)
    steps = (0, *sorted(network.levels))
    said = f"{first.label} {_reached(one)}, {second.label} {_reached(other)}"
    return on_grid(steps.index(one.level), steps.index(other.level), said, tested)
