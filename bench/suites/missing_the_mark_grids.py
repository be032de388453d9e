"""Which cells of the second suite a profile runs, and by which protocol: literal values (PROTOCOLS B.1-B.3)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bench.cell import Cell, level_amount
from bench.protocol import Precision, Protocol
from bench.suites import missing_the_mark as suite
from bench.suites.missing_the_mark import Method, Network

_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}

_CIFAR = Protocol(
    **_IMAGENET,  # type: ignore[arg-type]
    augmentation="flip_crop",
    initialisation="kaiming_normal",
    epochs=160,
    batch_size=128,
    lr=0.1,
    lr_drops=(80, 120),
    momentum=0.9,
    weight_decay=1e-4,
    temperature=1.0,
    score_samples=100,  # ten of each class
    scoring_batch=256,
)
_MNIST = replace(
    _CIFAR, mean=0.1307, std=0.3081, augmentation="none", epochs=40, lr_drops=(), momentum=0.0, weight_decay=0.0
)
_TINY = replace(
    _CIFAR,
    augmentation="resized_crop_flip",
    epochs=200,
    batch_size=256,
    lr=0.2,
    lr_drops=(100, 150),
    score_samples=2000,
)
_RESNET50 = replace(
    _CIFAR,
    augmentation="resized_crop_flip",
    epochs=90,
    batch_size=1024,
    lr=0.4,
    lr_drops=(30, 60, 80),
    warmup=5,
    score_samples=10_000,
)
_DIGITS = replace(_MNIST, image_size=16, mean=0.5, std=0.5, epochs=8, batch_size=32, lr_drops=(4, 6))

Pruned = Callable[[Network, int], Iterable[Cell]]
"""What is pruned of a network with a seed."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The networks of a profile with their protocols, and what is done to each.

    ``others`` are further trainings of unpruned networks, by their names in the suite.
    """

    protocols: Mapping[Network, Protocol]
    pruned: Pruned
    bases: bool = True  # whether the unpruned networks run
    precision: Precision | None = None  # None: that of the protocols
    others: Mapping[tuple[Network, str], Protocol] = field(default_factory=dict)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(dict.fromkeys(network.dataset for network in self.protocols))

    @property
    def trainings(self) -> Iterator[tuple[Network, str, Protocol]]:
        """Every network with its usual training, named none, and then with the others."""
        yield from ((network, "none", protocol) for network, protocol in self.protocols.items())
        yield from ((*named, protocol) for named, protocol in self.others.items() if named[0] in self.protocols)

    def protocol(self, cell: Cell) -> Protocol:
        """How ``cell`` is run. Raises ValueError for a model, data set or training that the grid does not have."""
        wanted = cell.model, cell.dataset, suite.training(cell)
        for network, training, protocol in self.trainings:
            if (network.model, network.dataset, training) == wanted:
                return protocol if self.precision is None else replace(protocol, precision=self.precision)
        raise ValueError(f"{cell.id}: this profile does not run {cell.model} on {cell.dataset}")

    def cells(self, seeds: Sequence[int], extra_scores: Sequence[str] = ()) -> Iterator[Cell]:
        """Every cell, seed by seed, base runs first; ``extra_scores`` prune at initialisation, in one go."""
        own = [Method(label=score, score=score) for score in extra_scores]
        for seed in seeds:
            if self.bases:
                yield from (suite.base(network, seed, training) for network, training, _ in self.trainings)
            for network in self.protocols:
                extra = (method.cell(network, level_amount(k), seed) for method in own for k in network.levels)
                yield from dict.fromkeys((*self.pruned(network, seed), *extra))


def _published(network: Network, seed: int) -> Iterator[Cell]:
    """Everything that a figure or a table shows of ``network``."""
    for figure in suite.FIGURES:
        if network in figure.networks:
            yield from figure.cells(network, seed)
    for row in suite.TABLES:
        if row.network == network:
            yield from (row.method.cell(network, Decimal(amount), seed) for amount in row.amounts)


def _masks(network: Network, seed: int) -> Iterator[Cell]:
    """At initialisation, at the highest matching and the highest sparsity."""
    for level in (network.matching or network.extreme, network.extreme):
        for method in (suite.RANDOM, *suite.EARLY):
            for each in (method, *suite.ablated(method, "shuffle")):
                yield each.cell(network, level_amount(level), seed)


def _every_method(network: Network, seed: int) -> Iterator[Cell]:
    """Every method and every ablation once, and the methods of Figure 3 at a second level."""
    once = (
        suite.RANDOM,
        *suite.EARLY,
        suite.SPLIT_GRASP,
        suite.ABS_GRASP,
        suite.ITERATIVE_SNIP,
        suite.AFTER,
        suite.LTR,
        replace(suite.MAGNITUDE, at=50),
        *suite.ablated(suite.MAGNITUDE, *tuple(suite.ABLATIONS)[1:]),
        *suite.ablated(suite.SNIP, "shuffle", "reinit"),
        *suite.ablated(suite.GRASP, "invert"),
        *suite.ablated(suite.SYNFLOW, "shuffle"),
        *suite.ablated(suite.AFTER, "shuffle", "reinit"),
    )
    low, high = network.levels
    for method in once:
        yield method.cell(network, level_amount(high), seed)
    for method in (suite.RANDOM, *suite.EARLY, suite.AFTER):
        yield method.cell(network, level_amount(low), seed)


def _figure_3(network: Network, seed: int) -> Iterator[Cell]:
    (figure,) = (figure for figure in suite.FIGURES if figure.name == "3")
    yield from figure.cells(network, seed)


def _limited(protocol: Protocol, epochs: int, drops: tuple[int, ...]) -> Protocol:
    return replace(protocol, train_limit=5000, test_limit=1000, epochs=epochs, lr_drops=drops)


_DEMO = Network(model="lenet300_100", dataset="digits", matching=7, levels=(4, 7), ablated=(7,))
_FEW = (2, 6, 11, 18)
_SMALL_RESNET, _SMALL_LENET = replace(suite.RESNET20, levels=_FEW), replace(suite.LENET, levels=_FEW)
_IN_FIGURES = {network for figure in suite.FIGURES for network in figure.networks}
_TABLE_NETWORKS = tuple(dict.fromkeys(row.network for row in suite.TABLES if row.network not in _IN_FIGURES))

GRIDS: dict[str, Grid] = {
    "demo": Grid(protocols={_DEMO: _DIGITS}, pruned=_every_method),
    "mini": Grid(
        protocols={_SMALL_LENET: _limited(_MNIST, 8, ()), _SMALL_RESNET: _limited(_CIFAR, 8, (4, 6))},
        pruned=_figure_3,
    ),
    "nightly": Grid(
        protocols={
            _SMALL_LENET: _MNIST,
            _SMALL_RESNET: replace(_CIFAR, epochs=20, lr_drops=(10, 15), precision="bf16"),
        },
        pruned=_figure_3,
    ),
    "paper": Grid(
        protocols={
            suite.LENET: _MNIST,
            suite.RESNET20: _CIFAR,
            suite.VGG16: _CIFAR,
            suite.RESNET18: _TINY,
            suite.RESNET50: _RESNET50,
            suite.MODIFIED: replace(_TINY, augmentation="flip_shift"),
            suite.VGG11: _CIFAR,
            suite.MODIFIED_CIFAR: replace(_CIFAR, batch_size=256, lr=0.2),
            **dict.fromkeys(_TABLE_NETWORKS, _CIFAR),
        },
        pruned=_published,
        others={
            (suite.MODIFIED_CIFAR, "lr0.01"): replace(_CIFAR, lr=0.01, lr_factor=0.2),
            (suite.MODIFIED, "lr0.01"): replace(
                _TINY, augmentation="flip_shift", epochs=100, batch_size=128, lr=0.01, lr_drops=(50, 75)
            ),
        },
    ),
    "masks": Grid(
        protocols={
            suite.RESNET20: replace(_CIFAR, epochs=0),
            suite.VGG16: replace(_CIFAR, epochs=0),
            replace(suite.RESNET18, dataset="tiny_imagenet_subset"): replace(_TINY, epochs=0),
            suite.RESNET50: replace(_RESNET50, epochs=0, warmup=0),
        },
        pruned=_masks,
        bases=False,
    ),
}
"""By profile; ``released`` has none, as no code was released with this paper."""
