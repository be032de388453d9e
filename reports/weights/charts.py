"""Charts of the second suite's figures from records: means over seeds, and what became of every run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bench.cell import Cell
from bench.suites.missing_the_mark import AFTER, Figure, Method, Network, Panel, base
from reports.weights import words
from reports.weights.evidence import Evidence, State
from reports.weights.ranges import reach, up_to
from reports.weights.series import ACCURACY, Chart, Curve, Drawing, Run, Value, point


def drawing(figure: Figure, evidence: Evidence) -> Drawing | None:
    """What there is of ``figure`` in a profile; None where the profile has none of its networks."""
    found = tuple(_networks(figure, evidence))
    charts = tuple(_chart(figure, panel, network, evidence) for panel in _panels(figure, evidence) for network in found)
    return Drawing(figure, charts, len(evidence.profile.seeds)) if charts else None


def _networks(figure: Figure, evidence: Evidence) -> Iterator[Network]:
    """Those of the figure as the profile has them: on its data set, at its levels."""
    found = (words.own(evidence.profile, network) for network in figure.networks)
    yield from dict.fromkeys(network for network in found if network is not None)


def _panels(figure: Figure, evidence: Evidence) -> tuple[Panel, ...]:
    """The panels as they are drawn: of paths the paper shows all methods in one, the shuffled over the unmodified mask.

    A method that prunes at the iteration on the axis does not do so at initialisation, as its label says. Scores of the
    user's own stand beside the early methods.
    """
    if figure.name in _WITH_OWN:
        return tuple(replace(panel, methods=(*panel.methods, *evidence.own_methods)) for panel in figure.panels)
    if figure.axis == "paths":
        methods = (replace(panel.methods[0], label=panel.title) for panel in figure.panels)
        return (Panel(title="", methods=tuple(methods)),)
    if figure.axis != "iteration":
        return figure.panels
    return tuple(
        Panel(
            title=_anywhere(panel.title),
            methods=tuple(replace(method, label=_anywhere(method.label)) for method in panel.methods),
        )
        for panel in figure.panels
    )


_WITH_OWN = ("3", "K.1", "L.1")
"""Figures of the accuracies of early methods, by network."""


def _anywhere(label: str) -> str:
    return label.replace(" at initialisation", "")


def _chart(figure: Figure, panel: Panel, network: Network, evidence: Evidence) -> Chart:
    chart = Chart(
        network=network,
        title=panel.title,
        curves=tuple(_curve(figure, method, network, evidence) for method in panel.methods),
        matching=up_to(network, reach(evidence, network, AFTER)) if words.stands_in(network) else "",
    )
    if figure.axis == "layers":
        return replace(chart, layers=_layers(figure, panel, network, evidence))
    if figure.axis not in ACCURACY:
        return chart
    dense = base(network, 0)
    return replace(
        chart,
        dense=point(0, _of(evidence, dense, evidence.accuracy(dense))),
        dense_runs=tuple(_runs(0, dense, evidence, _trained)),
        drops=_drops(network, evidence) if figure.axis == "iteration" else (),
    )


def _curve(figure: Figure, method: Method, network: Network, evidence: Evidence) -> Curve:
    cells = tuple(figure.series(method, network, 0))
    values = _VALUES[figure.axis](cells, evidence)
    points = (point(x, numbers) for x, numbers in values.items())
    there = _masked if figure.axis in ("neurons", "layers") else _connected if figure.axis == "paths" else _trained
    runs = tuple(run for x, cell in cells for run in _runs(x, cell, evidence, there))
    if method in evidence.own_methods:  # no profile runs it by itself
        runs = tuple(run for run in runs if run.state != "not run")
    return Curve(method.label, method, tuple(found for found in points if found is not None), runs)


def _runs(x: float, cell: Cell, evidence: Evidence, state: "_Judge") -> Iterator[Run]:
    for seed in sorted({*evidence.profile.seeds, *evidence.seeds(cell)}):
        yield Run(x, seed, state(replace(cell, seed=seed), evidence))


_Judge = Callable[[Cell, Evidence], State]


def _trained(cell: Cell, evidence: Evidence) -> State:
    """A profile that trains nothing has no accuracies to wait for."""
    return evidence.state(cell) if evidence.profile.protocol_of(cell).epochs else "not run"


def _masked(cell: Cell, evidence: Evidence) -> State:
    """A mask is there whatever became of the training."""
    return "done" if cell.seed in evidence.masks(cell) else evidence.state(cell)


def _connected(cell: Cell, evidence: Evidence) -> State:
    """A ratio takes a mask and the same one shuffled, so of the two states the one that lacks more counts."""
    both = (_masked(each, evidence) for each in (cell, _shuffled(cell)))
    return max(both, key=_LACKING.index)


_LACKING: Sequence[State] = ("done", "diverged", "failed", "missing", "not run")


def _shuffled(cell: Cell) -> Cell:
    return replace(cell, ablation="shuffle")


Cells = Sequence[tuple[float, Cell]]
Values = dict[float, list[Value]]
"""Numbers by place, one for each seed."""


def _of(evidence: Evidence, cell: Cell, numbers: Mapping[int, float]) -> list[Value]:
    """Numbers of ``cell`` by seed, each with the key of its record."""
    records = evidence.seeds(cell)
    return [(number, (records[seed].key,)) for seed, number in numbers.items()]


def _accuracies(cells: Cells, evidence: Evidence) -> Values:
    """Test accuracy in percent after the last epoch."""
    return {x: _of(evidence, cell, evidence.accuracy(cell)) for x, cell in cells}


def _ratios(cells: Cells, evidence: Evidence) -> Values:
    """Effective weights of the shuffled mask over those of the unmodified one, seed by seed (appendix M)."""
    found: Values = {}
    for x, cell in cells:
        own, shuffled = evidence.masks(cell), evidence.masks(_shuffled(cell))
        both = [seed for seed in own if seed in shuffled and own[seed].effective_weights]
        records = [evidence.seeds(each) for each in (cell, _shuffled(cell))]
        found[x] = [
            (shuffled[seed].effective_weights / own[seed].effective_weights, tuple(each[seed].key for each in records))
            for seed in both
        ]
    return found


def _neurons(cells: Cells, evidence: Evidence) -> Values:
    """Percent of the neurons whose sparsity is at least so many percent (Figure 5)."""
    found: Values = {}
    for _, cell in cells:
        for seed, mask in evidence.masks(cell).items():
            last, keys = len(mask.neuron_curve) - 1, (evidence.seeds(cell)[seed].key,)
            for place, share in enumerate(mask.neuron_curve):
                found.setdefault(100 * place / last, []).append((100 * share, keys))
    return found


def _sparsities(cells: Cells, evidence: Evidence) -> Values:
    """Percent pruned of the weights of each layer, counted from 1 in forward order (Figure 15)."""
    found: Values = {}
    for _, cell in cells:
        for seed, layers in evidence.layers(cell).items():
            keys = (evidence.seeds(cell)[seed].key,)
            for number, layer in enumerate(layers, start=1):
                found.setdefault(float(number), []).append((100 * (1 - layer.kept / layer.total), keys))
    return found


_VALUES: Mapping[str, Callable[[Cells, Evidence], Values]] = {
    "sparsity": _accuracies,
    "iteration": _accuracies,
    "neurons": _neurons,
    "layers": _sparsities,
    "paths": _ratios,
}


def _layers(figure: Figure, panel: Panel, network: Network, evidence: Evidence) -> tuple[str, ...]:
    """Names of the tensors of a network, from any record of the panel."""
    for method in panel.methods:
        for _, cell in figure.series(method, network, 0):
            for layers in evidence.layers(cell).values():
                return tuple(layer.name for layer in layers)
    return ()


def _drops(network: Network, evidence: Evidence) -> tuple[float, ...]:
    """Iterations after which the learning rate drops; records say how many images an epoch has."""
    protocol, images = words.networks(evidence.profile)[network], _images(network, evidence)
    per_epoch = -(-images // protocol.batch_size)
    return tuple(float(epoch * per_epoch) for epoch in protocol.lr_drops) if images else ()


def _images(network: Network, evidence: Evidence) -> int:
    """Training images of one epoch; 0 where no record says."""
    for cell, seeds in evidence.records.items():
        if (cell.model, cell.dataset) == (network.model, network.dataset):
            for record in seeds.values():
                if record.data is not None:
                    return record.data.train_images
    return 0
