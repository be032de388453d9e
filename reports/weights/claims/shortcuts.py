"""Claims about skip connections: the 1x1 convolutions of residual networks where they sample down."""

from collections.abc import Iterator
from dataclasses import replace
from math import isqrt
from statistics import fmean

from bench.suites.missing_the_mark import EARLY, SYNFLOW, Network, ablated
from reports.claims.estimates import Estimate
from reports.claims.finding import Absent, Comparison, Tested
from reports.claims.relations import above, between, exactly, not_above
from reports.verdicts import MARGINS
from reports.weights.claims.accuracy import Compare
from reports.weights.claims.facts import Facts, place
from reports.weights.claims.layers import is_shortcut, names, sparsity
from reports.weights.claims.levels import highest
from reports.weights.claims.masks import Quantity, cell_of, samples, single
from reports.weights.places import run_address
from results.record import Layer, Record

SIMILAR = MARGINS["neurons_pruned_pct"]
"""Percentage points that sparsities may differ by and still be similar (ours)."""
ENTIRELY = "100.0"
"""Percent, as the paper prints sparsities, at which a layer is pruned entirely; a weight in 2,000 may be left."""
(SHUFFLED,) = ablated(SYNFLOW, "shuffle")


def shortcuts(facts: Facts, network: Network) -> Iterator[Tested]:
    """SynFlow prunes each shortcut more than its neighbours, and the other methods at most similarly."""
    what, cells = place(network, highest(network)), [cell_of(method, network) for method in EARLY]
    found = [name for name in names(facts, cells) if is_shortcut(name)]
    if not found:
        yield Absent(what, tuple(cells))
    for name in found:
        measured = samples(facts, cells, _beyond_neighbours(name))
        for method, cell in zip(EARLY, cells, strict=True):
            relation = above() if method == SYNFLOW else not_above(SIMILAR, SIMILAR)
            yield single(what, cell, measured, relation, note=name)


def _beyond_neighbours(shortcut: str) -> Quantity:
    """Sparsity of a shortcut minus the mean of the layers before and behind it."""

    def measure(record: Record) -> float:
        layers = record.layers
        place = next(place for place, layer in enumerate(layers) if layer.name == shortcut)
        return sparsity(layers[place]) - fmean(sparsity(layers[near]) for near in (place - 1, place + 1))

    return measure


def emptied(count: int) -> Compare:
    """How many shortcuts SynFlow prunes entirely, as sparsities are printed, and what is left of each, by seed."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        cell = cell_of(SYNFLOW, network)
        found = facts.evidence.layers(cell)
        if not found:
            yield Absent(place(network, highest(network)), (cell,))
        for seed, layers in found.items():
            shown = [layer for layer in layers if is_shortcut(layer.name)]
            yield Comparison(
                what=f"{place(network, highest(network))}, [seed {seed}]({run_address(replace(cell, seed=seed))})",
                sides=tuple(map(_left, shown)),
                estimate=Estimate(sum(_printed(layer) == ENTIRELY for layer in shown)),
                relation=exactly(count),
                digits=0,
            )

    return compare


def _printed(layer: Layer) -> str:
    return f"{sparsity(layer):.1f}"


def _left(layer: Layer) -> str:
    """``layer2.0.downsample.0 100.0 %, 20 of 131,072 weights left``."""
    return f"{layer.name.removesuffix('.weight')} {_printed(layer)} %, {layer.kept:,} of {layer.total:,} weights left"


def share_of_neurons(low: float, high: float) -> Compare:
    """Percent of the neurons that shuffled SynFlow prunes that are in shortcuts of which nothing is left."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        cell = cell_of(SHUFFLED, network)
        yield single(place(network, highest(network)), cell, samples(facts, [cell], _share), between(low, high))

    return compare


def _share(record: Record) -> float:
    assert record.mask is not None
    inside = sum(_outputs(record, layer) for layer in _empty(record))
    return 100 * inside / max(1, record.mask.neurons_pruned)


def _empty(record: Record) -> list[Layer]:
    return [layer for layer in record.layers if is_shortcut(layer.name) and layer.kept == 0]


def _outputs(record: Record, shortcut: Layer) -> int:
    """Output channels of a bottleneck's shortcut: those of the 1x1 convolution before it, into which a quarter go."""
    before = record.layers[record.layers.index(shortcut) - 1]
    return 2 * isqrt(before.total)
