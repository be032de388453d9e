"""Claims about the sparsity of layers, in percent of their weights."""

from collections.abc import Iterator, Sequence
from math import sqrt
from statistics import fmean

from bench.cell import Cell
from bench.suites.missing_the_mark import AFTER, EARLY, GRASP, Method, Network
from reports.claims.estimates import Estimate, contrast
from reports.claims.finding import Absent, Comparison, Tested
from reports.claims.relations import Relation, above, at_most
from reports.claims.samples import together
from reports.verdicts import ALPHA, quantile
from reports.weights.claims.accuracy import Compare
from reports.weights.claims.facts import Facts, called, linked, place
from reports.weights.claims.levels import highest
from reports.weights.claims.masks import cell_of, compared
from results.record import Layer, Record


def sparsity(layer: Layer) -> float:
    """Percent of its weights that are pruned."""
    return 100 * (1 - layer.kept / layer.total)


def weights(record: Record) -> tuple[int, int]:
    """Those that are left, and all that there were."""
    return sum(layer.kept for layer in record.layers), sum(layer.total for layer in record.layers)


def is_shortcut(name: str) -> bool:
    """Whether a layer is the 1x1 convolution of a skip connection."""
    return "shortcut" in name or "downsample" in name


def rise(record: Record) -> float:
    """Mean sparsity of the later half of the layers minus that of the earlier; shortcuts and output are left out."""
    body = [sparsity(layer) for layer in record.layers[:-1] if not is_shortcut(layer.name)]
    half = len(body) // 2
    return fmean(body[-half:]) - fmean(body[:half])


def output_spared(record: Record) -> float:
    """Sparsity of all layers together minus that of the output layer."""
    kept, total = weights(record)
    return 100 * (1 - kept / total) - sparsity(record.layers[-1])


def names(facts: Facts, cells: Sequence[Cell]) -> list[str]:
    """Of the layers, as records of ``cells`` have them."""
    records = (record for cell in cells for record in facts.evidence.seeds(cell).values() if record.mask is not None)
    return [layer.name for layer in next((record.layers for record in records), [])]


def early_layers(method: Method, prefixes: tuple[str, ...], relation: Relation) -> Compare:
    """The sparsity of every layer whose name begins so."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        cell = cell_of(method, network)
        found = together(
            {
                name: facts.masks(cell, lambda record, of=name: _of(record, of))  # type: ignore[misc]
                for name in names(facts, [cell])
                if name.startswith(prefixes)
            }
        )
        if not found:
            yield Absent(place(network, highest(network)), (cell,))
        for sample in found.values():
            yield Comparison(
                what=f"{place(network, highest(network))}, {linked(cell)}",
                sides=(sample.said(1),),
                estimate=contrast([(1.0, sample)]),
                relation=relation,
                digits=1,
            )

    return compare


def _of(record: Record, name: str) -> float:
    return next(sparsity(layer) for layer in record.layers if layer.name == name)


def nearest_to_after(facts: Facts, network: Network) -> Iterator[Tested]:
    """How much further than GraSP's the layers of the nearest other method are from magnitude pruning after training.

    Distances are means over layers of the absolute difference in sparsity, between masks of the same seed.
    """
    after, what = cell_of(AFTER, network), place(network, highest(network))
    target = facts.evidence.layers(after)
    cells = {method: cell_of(method, network) for method in EARLY}
    found = together(
        {
            called(cell): {
                seed: fmean(
                    abs(sparsity(one) - sparsity(other)) for one, other in zip(layers, target[seed], strict=True)
                )
                for seed, layers in facts.evidence.layers(cell).items()
                if seed in target
            }
            for cell in cells.values()
        }
    )
    if lacking := tuple(cell for cell in cells.values() if called(cell) not in found):
        yield Absent(what, (after, *lacking))
        return
    others = [cell for method, cell in cells.items() if method != GRASP]
    nearest = min(others, key=lambda cell: found[called(cell)].mean)
    yield compared(what, [nearest, cells[GRASP]], found, above())


def uniform(method: Method, levels: Sequence[str] = ("matching", "extreme")) -> Compare:
    """That chance explains how far the sparsity of each layer is from that of the whole network.

    The furthest layer of all runs, in standard deviations of a random draw, against what the furthest of so many is.
    """

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        for level in dict.fromkeys(highest(network) if name == "matching" else network.extreme for name in levels):
            cell = cell_of(method, network, level)
            found = [
                (abs(_deviation(layer, record)), layer.name)
                for record in facts.evidence.seeds(cell).values()
                if record.mask is not None
                for layer in record.layers
            ]
            if not found:
                yield Absent(place(network, level), (cell,))
                continue
            limit = quantile(1 - ALPHA / 2 / len(found), float("inf"))
            furthest, name = max(found)
            yield Comparison(
                what=f"{place(network, level)}, {linked(cell)}",
                sides=(f"{name} {furthest:.2f} standard deviations off; of {len(found)} layers {limit:.2f} by chance",),
                estimate=Estimate(furthest),
                relation=at_most(limit),
            )

    return compare


def _deviation(layer: Layer, record: Record) -> float:
    """How far the weights left in a layer are from its share, in standard deviations of drawing without replacement."""
    kept, total = weights(record)
    part, share = layer.total / total, kept / total
    return (layer.kept - layer.total * share) / sqrt(max(layer.total * share * (1 - share) * (1 - part), 1e-12))
