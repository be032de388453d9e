"""Frankle, Dziugaite, Roy & Carbin, "Pruning Neural Networks at Initialization" (ICLR 2021), as methods and figures.

Weights are pruned once, at a prune point, and the network is trained for the whole schedule afterwards. A figure is
made of panels, a panel of methods; many figures share cells.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from typing import Literal

from bench.cell import BASE, END, Cell, Point, level_amount

SUITE = "missing_the_mark"
ITERATIONS = 100
"""Of SynFlow, and of SNIP where it is called iterative (appendices D and G)."""

GRID = tuple(range(1, 19))
"""Levels of the paper's sparsity axis (PROTOCOLS B.7)."""

POINTS: tuple[Point, ...] = (
    *(0, 500, 1000, 2000, 4000, 6000, 8000, 10_000, 15_000, 20_000, 25_000, 30_000, 35_000, 40_000, 50_000),
    END,
)
"""Iterations after which Figures 6 and 10 prune; the paper does not list its own (PROTOCOLS B.7)."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A model on a data set, and where the paper looks at it."""

    model: str
    dataset: str
    matching: int | None = None  # highest level at which magnitude pruning after training loses nothing (section 4)
    extreme: int = 18
    rewind: int = 0  # iteration that lottery-ticket rewinding goes back to (table A.3)
    levels: tuple[int, ...] = GRID
    ablated: tuple[int, ...] = GRID  # levels of the ablations
    points: tuple[Point, ...] = ()
    iterations: int = 0  # of its whole schedule, where the end of training lies on the axis of prune points


LENET = Network(model="lenet300_100", dataset="mnist", matching=11, levels=(2, 4, 7, 11, 15, 18), ablated=(4, 11, 18))
"""Appendix K, on six of its levels; it does not name its highest matching sparsity, so its figures are drawn at 11."""
RESNET20 = Network(model="resnet20", dataset="cifar10", matching=6, rewind=1000, points=POINTS, iterations=62_560)
VGG16 = Network(model="vgg16", dataset="cifar10", matching=12, rewind=2000, points=POINTS, iterations=62_560)
RESNET18 = Network(
    model="resnet18", dataset="tiny_imagenet", matching=15, rewind=1000, points=POINTS, iterations=78_200
)
MODIFIED = Network(model="resnet18_modified", dataset="tiny_imagenet", matching=15, rewind=1000)
"""Appendix L; it does not name its highest matching sparsity either, so that of ResNet-18 stands in."""
RESNET50 = Network(
    model="resnet50", dataset="imagenet", matching=5, extreme=13, rewind=6255, levels=GRID[:13], ablated=GRID[:13]
)
VGG11 = Network(model="vgg11", dataset="cifar10")
MODIFIED_CIFAR = Network(model="resnet18_modified", dataset="cifar10")

HALVES = tuple(1 - Decimal("0.5") ** k for k in range(1, 11))
"""Amounts of Figure 7: what is left is halved ten times (appendix D.4)."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to prune: everything about a cell but the network, the amount and the seed."""

    label: str = field(compare=False)
    score: str
    rounds: int = 1
    at: Point = 0
    rewound: bool = False  # lottery-ticket rewinding, to the network's iteration
    ablation: str = "none"

    def cell(self, network: Network, amount: Decimal, seed: int) -> Cell:
        """The cell that prunes ``amount`` of the weights of ``network`` in this way."""
        return Cell(
            suite=SUITE,
            model=network.model,
            dataset=network.dataset,
            score=self.score,
            granularity="weights",
            amount=amount,
            rounds=self.rounds,
            at=self.at,
            rewind=network.rewind if self.rewound else None,
            ablation=self.ablation,
            seed=seed,
        )

    def after(self, point: Point, network: Network) -> tuple["Method", Network]:
        """The method at another prune point; a rewound one goes back to that iteration, at the end to none."""
        if not self.rewound:
            return replace(self, at=point), network
        if isinstance(point, str):
            return replace(self, rewound=False), network
        return self, replace(network, rewind=point)


RANDOM = Method(label="Random", score="random")
MAGNITUDE = Method(label="Magnitude at initialisation", score="magnitude")
SNIP = Method(label="SNIP", score="snip")
GRASP = Method(label="GraSP", score="grasp")
SYNFLOW = Method(label="SynFlow", score="synflow", rounds=ITERATIONS)
AFTER = Method(label="Magnitude after training", score="magnitude", at=END)
LTR = Method(label="Lottery-ticket rewinding", score="magnitude", at=END, rewound=True)
ITERATIVE_SNIP = Method(label="Iterative SNIP", score="snip", rounds=ITERATIONS)
ABS_GRASP = Method(label="|GraSP|", score="abs_grasp")
SPLIT_GRASP = Method(label="GraSP, classes split", score="grasp_class_split")

EARLY = (MAGNITUDE, SNIP, GRASP, SYNFLOW)
ABLATIONS = {
    "none": "unmodified",
    "shuffle": "shuffled in layers",
    "reinit": "reinitialised",
    "invert": "inverted",
    "unit_variance": "variance 1",
    "unit_variance_score": "variance 1 for scoring only",
}
"""What they are called in figures; PROTOCOLS B.6 says what they do."""
TRAININGS = {"lr0.01": "lr=0.01"}
"""What Table 7 notes of the further trainings of its unpruned networks, by the ablation of their cells."""


def ablated(method: Method, *names: str) -> tuple[Method, ...]:
    """``method`` under each of the ablations."""
    return tuple(replace(method, ablation=name, label=f"{method.label}, {ABLATIONS[name]}") for name in names)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Curves over one axis."""

    title: str
    methods: tuple[Method, ...]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure: a row of panels for each network. Those of masks look at one level and at no accuracy."""

    name: str  # "3", "K.1"
    title: str
    axis: Literal["sparsity", "iteration", "neurons", "layers", "paths"]
    networks: tuple[Network, ...]
    panels: tuple[Panel, ...]
    ablations: bool = False  # on the levels of ablations
    amounts: tuple[Decimal, ...] = ()  # in place of the levels of its networks

    def cells(self, network: Network, seed: int) -> Iterator[Cell]:
        """The cells of one network that the figure is drawn from, but for its base run."""
        for panel in self.panels:
            for method in panel.methods:
                yield from (cell for _, cell in self.series(method, network, seed))

    def series(self, method: Method, network: Network, seed: int) -> Iterator[tuple[float, Cell]]:
        """The cells of one curve by their place on the axis: percent of weights pruned, or iterations."""
        matching = network.matching or network.extreme
        if self.axis == "iteration":
            for point in network.points:
                there, where = method.after(point, network)
                x = network.iterations if isinstance(point, str) else point
                yield float(x), there.cell(where, level_amount(matching), seed)
            return
        one = self.axis in ("neurons", "layers")
        levels = (matching,) if one else network.ablated if self.ablations else network.levels
        for amount in self.amounts or map(level_amount, levels):
            yield 100 * float(amount), method.cell(network, amount, seed)


def _panel(method: Method, *names: str) -> Panel:
    return Panel(title=method.label, methods=ablated(method, *names))


_AT_END = tuple(replace(method, at=END, label=f"{method.label.partition(' ')[0]} after training") for method in EARLY)
_EARLY_ABLATIONS = tuple(ABLATIONS)
_LATE_ABLATIONS = ("none", "shuffle", "reinit")
_MAIN = (RESNET20, VGG16, RESNET18)
_WITH_RESNET50 = ("3", "5", "8", "14", "15", "16")
"""Figures whose cells on ResNet-50 are known (PROTOCOLS B.9)."""
_SHUFFLED_SYNFLOW = ablated(SYNFLOW, "shuffle")


def _figures() -> Iterator[Figure]:
    def everywhere(
        name: str, lenet: str | None, modified: str | None, title: str, axis: str, panels: Iterable[Panel]
    ) -> Iterator[Figure]:
        """The figure of the main networks, and its replicas in appendices K and L."""
        main = (*_MAIN, RESNET50) if name in _WITH_RESNET50 else _MAIN
        places = ((name, main), (lenet, (LENET,)), (modified, (MODIFIED,)))
        panels = tuple(panels)
        ablations = any(method.ablation != "none" for panel in panels for method in panel.methods)
        for number, networks in places:
            if number:
                yield Figure(
                    name=number,
                    title=title,
                    axis=axis,  # type: ignore[arg-type]
                    networks=networks,
                    panels=panels,
                    ablations=ablations and name in ("4", "9", "12"),
                )

    one = (Panel(title="", methods=(RANDOM, *EARLY, AFTER)),)
    yield from everywhere("3", "K.1", "L.1", "Accuracy of early pruning methods", "sparsity", one)
    ablations = (*(_panel(method, *_EARLY_ABLATIONS) for method in EARLY), _panel(AFTER, *_LATE_ABLATIONS))
    yield from everywhere("4", "K.2", "L.2", "Ablations of early pruning methods", "sparsity", ablations)
    collapse = (Panel(title="", methods=(*EARLY, *_SHUFFLED_SYNFLOW)),)
    yield from everywhere("5", "K.3", "L.3", "Sparsity of neurons", "neurons", collapse)
    points = (Panel(title="", methods=(RANDOM, *EARLY, LTR)),)
    yield from everywhere("6", None, None, "Accuracy by pruning iteration", "iteration", points)
    replicated = (Panel(title="", methods=(RANDOM, *EARLY)),)
    yield Figure(
        name="7",
        title="Replication of SynFlow",
        axis="sparsity",
        networks=(VGG11, VGG16, MODIFIED_CIFAR, MODIFIED),
        panels=replicated,
        amounts=HALVES,
    )
    baselines = (Panel(title="", methods=(RANDOM, MAGNITUDE, AFTER, LTR)),)
    yield from everywhere("8", "K.4", "L.4", "Baselines", "sparsity", baselines)
    late = tuple(_panel(method, *_LATE_ABLATIONS) for method in _AT_END)
    yield from everywhere("9", "K.5", "L.5", "Ablations after training", "sparsity", late)
    early = tuple(_panel(method, *_LATE_ABLATIONS) for method in EARLY)
    yield from everywhere("10", None, None, "Ablations by pruning iteration", "iteration", early)
    snips = (Panel(title="", methods=(SNIP, ITERATIVE_SNIP)),)
    yield from everywhere("11", "K.6", None, "Iterative SNIP", "sparsity", snips)
    both = tuple(_panel(method, *_LATE_ABLATIONS) for method in (SNIP, ITERATIVE_SNIP))
    yield from everywhere("12", None, None, "Ablations of iterative SNIP", "sparsity", both)
    grasps = (Panel(title="", methods=(*ablated(GRASP, "none", "invert"), ABS_GRASP)),)
    yield from everywhere("13", None, "L.6", "Variants of GraSP", "sparsity", grasps)
    with_split = (Panel(title="", methods=(*grasps[0].methods, SPLIT_GRASP)),)
    yield from everywhere("", "K.7", None, "Variants of GraSP, and GraSP as released", "sparsity", with_split)
    better = (Panel(title="", methods=(RANDOM, MAGNITUDE, SNIP, ABS_GRASP, *_SHUFFLED_SYNFLOW, AFTER)),)
    yield from everywhere("14", None, None, "Improved early pruning methods", "sparsity", better)
    layers = (Panel(title="", methods=(RANDOM, *EARLY, AFTER)),)
    yield from everywhere("15", "K.8", "L.7", "Sparsity of layers", "layers", layers)
    paths = tuple(_panel(method, "none", "shuffle") for method in EARLY)
    yield from everywhere("16", None, None, "Effective parameters of shuffled masks", "paths", paths)


FIGURES: tuple[Figure, ...] = tuple(_figures())


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network in a replication table, how it is trained and pruned, and how much; the unpruned one always runs."""

    table: str
    network: Network
    method: Method
    amounts: tuple[str, ...]
    training: str = "none"


def _cifar(model: str) -> Network:
    return Network(model=model, dataset="cifar10")


TABLES: tuple[Row, ...] = (
    Row(table="Table 2", network=VGG16, method=SNIP, amounts=("0.97",)),
    *(
        Row(table="Table 2", network=_cifar(model), method=SNIP, amounts=("0.95",))
        for model in ("vgg2_16", "wrn14_8", "wrn14_10", "wrn20_8")
    ),
    *(
        Row(table=table, network=network, method=method, amounts=amounts)
        for table, method in (("Table 3", SNIP), ("Table 5", GRASP))
        for network, amounts in (
            (_cifar("vgg19"), ("0.90", "0.95", "0.98")),
            (_cifar("wrn32_2"), ("0.90", "0.95", "0.98")),
            (RESNET50, ("0.60", "0.80", "0.90")),
        )
    ),
    *(
        Row(table="Table 7", network=network, method=SYNFLOW, amounts=())
        for network in (VGG11, VGG16, MODIFIED_CIFAR, MODIFIED)
    ),
    *(
        Row(table="Table 7", network=network, method=SYNFLOW, amounts=(), training="lr0.01")
        for network in (MODIFIED_CIFAR, MODIFIED)
    ),
)
"""Tables 2, 3, 5 and 7."""


@cache
def stops(model: str, dataset: str) -> tuple[int, ...]:
    """Iterations of the unpruned network that some of its cells begin from, after the first."""
    figures = (network for figure in FIGURES for network in figure.networks)
    networks = [each for each in dict.fromkeys(figures) if (each.model, each.dataset) == (model, dataset)]
    found = {point for each in networks for point in (*each.points, each.rewind) if isinstance(point, int)}
    return tuple(sorted(found - {0}))


def base(network: Network, seed: int, training: str = "none") -> Cell:
    """The run of ``network`` that prunes nothing; ``training`` is its usual one, or one of TRAININGS."""
    return Cell(suite=SUITE, model=network.model, dataset=network.dataset, score=BASE, ablation=training, seed=seed)


def training(cell: Cell) -> str:
    """How the network of ``cell`` is trained: one of TRAININGS, or none of them."""
    return cell.ablation if cell.ablation in TRAININGS else "none"
