"""The sparsities that a claim looks at, as levels of a network's grid."""

from collections.abc import Callable, Sequence

from bench.suites.missing_the_mark import Network
from reports.claims.finding import Absent
from reports.weights.claims.facts import Facts

Levels = Callable[[Facts, Network], Sequence[int]]


def every(_facts: Facts, network: Network) -> Sequence[int]:
    """All that methods are compared at."""
    return network.levels


def ablated(_facts: Facts, network: Network) -> Sequence[int]:
    """All that ablations are run at."""
    return network.ablated


def highest(network: Network) -> int:
    """The highest matching level that the paper names, or the one that stands in for it."""
    return network.matching or network.extreme


def sparsest(network: Network) -> int:
    """The sparsest level that the paper considers."""
    return network.extreme


def last_ablated(network: Network) -> int:
    """The sparsest level that ablations are run at."""
    return network.ablated[-1]


def one(level: Callable[[Network], int]) -> Levels:
    """One level."""
    return lambda _facts, network: (level(network),)


def near_highest(_facts: Facts, network: Network) -> Sequence[int]:
    """Of the ablated ones the highest matching and the next to either side."""
    return [level for level in network.ablated if abs(level - highest(network)) <= 1]


def matching(_facts: Facts, network: Network) -> Sequence[int]:
    """Up to the highest matching one."""
    return [level for level in network.levels if level <= highest(network)]


def extreme(_facts: Facts, network: Network) -> Sequence[int]:
    """Beyond the highest matching one."""
    return [level for level in network.levels if level > highest(network)]


def nontrivial(facts: Facts, network: Network) -> Sequence[int]:
    """Beyond those at which random pruning keeps full accuracy; none where that is open."""
    trivial = facts.trivial(network)
    return [] if isinstance(trivial, Absent) else [level for level in network.levels if level > trivial]


def matching_nontrivial(facts: Facts, network: Network) -> Sequence[int]:
    """Beyond those at which random pruning keeps full accuracy, up to the highest matching one."""
    return [level for level in nontrivial(facts, network) if level <= highest(network)]


def but_the_last(_facts: Facts, network: Network) -> Sequence[int]:
    """All that ablations are run at but for the sparsest."""
    return network.ablated[:-1]


def up_to(level: int) -> Levels:
    """No sparser than ``level``."""
    return lambda _facts, network: [each for each in network.levels if each <= level]


def beyond(level: int) -> Levels:
    """Sparser than ``level``."""
    return lambda _facts, network: [each for each in network.levels if each > level]


def only(level: int) -> Levels:
    """``level``, where the grid has it."""
    return lambda _facts, network: [each for each in network.levels if each == level]


def lower(levels: Levels) -> Levels:
    """The lower half of ``levels``; the middle of an odd number is in neither half."""

    def half(facts: Facts, network: Network) -> Sequence[int]:
        found = levels(facts, network)
        return found[: len(found) // 2]

    return half


def upper(levels: Levels) -> Levels:
    """The upper half of ``levels``; the middle of an odd number is in neither half."""

    def half(facts: Facts, network: Network) -> Sequence[int]:
        found = levels(facts, network)
        return found[(len(found) + 1) // 2 :]

    return half


def last_third(levels: Levels) -> Levels:
    """The sparsest third of ``levels``."""

    def third(facts: Facts, network: Network) -> Sequence[int]:
        found = levels(facts, network)
        return found[len(found) - len(found) // 3 :]

    return third
