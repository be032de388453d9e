"""The cells of the second suite: what each profile runs, what figures and tables show, and what was published."""

import csv
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import chain, product
from pathlib import Path

import pytest

from bench.cell import BASE, END, Cell, level_amount
from bench.plan import plan
from bench.profiles import PROFILES, get
from bench.suites import gradient_flow
from bench.suites import missing_the_mark as suite
from bench.suites.missing_the_mark_grids import GRIDS
from bench.versions import versions
from pruning.versions import WEIGHT_SCORES

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
SUITES = (gradient_flow.SUITE, suite.SUITE)
IMAGES = {"digits": 1500, "mnist": 60_000, "cifar10": 50_000, "tiny_imagenet": 100_000, "imagenet": 1_281_167}
FIGURES = {figure.name: figure for figure in suite.FIGURES}
CALLED = {
    "LeNet-300-100": "lenet300_100", "ResNet-20": "resnet20", "VGG-11": "vgg11", "VGG-16": "vgg16", "VGG-19": "vgg19",
    "VGG2-16": "vgg2_16", "WRN-14-8": "wrn14_8", "WRN-14-10": "wrn14_10", "WRN-20-8": "wrn20_8", "WRN-32-2": "wrn32_2",
    "ResNet-18": "resnet18", "ResNet-18 (Modified)": "resnet18_modified", "ResNet-50": "resnet50",
    "MNIST": "mnist", "CIFAR-10": "cifar10", "TinyImageNet": "tiny_imagenet", "ImageNet": "imagenet",
}  # fmt: skip
MAIN = (suite.RESNET20, suite.VGG16, suite.RESNET18, suite.RESNET50)
NETWORKS = (*MAIN, suite.LENET, suite.MODIFIED)


@cache
def published(name):
    with (PUBLISHED / name).open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["source"] == suite.SUITE]


@cache
def cells_of(profile, seeds=None):
    return tuple(PROFILES[profile].cells(seeds, suites=(suite.SUITE,)))


def kind(cell):
    """When and how often it prunes: none, at initialisation, after iterations, at the end, or rewound."""
    if cell.score == BASE:
        return "none"
    at = "start" if cell.at == 0 else "end" if cell.at == END else "between"
    return "rewound" if cell.rewind is not None else at


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SUITES)
def test_every_cell_of_every_profile_can_be_planned(profile, name):
    """Ids are unique and read back; model, data set and score have versions; the schedule reaches the prune point."""
    seeds = PROFILES[profile].seeds[:1]
    cells = list(PROFILES[profile].cells(seeds, suites=(name,)))
    assert bool(cells) == (name in PROFILES[profile].suites)
    assert len({cell.id for cell in cells}) == len(cells)
    for cell in cells:
        assert cell.suite == name
        assert Cell.parse(cell.id) == cell
        assert versions(cell, {})["model"] == 1
    alike = {(cell.model, cell.dataset, cell.at, cell.rounds): cell for cell in cells}
    for cell in alike.values():
        protocol = PROFILES[profile].protocol_of(cell)
        images = min(IMAGES.get(cell.dataset, 10_000), protocol.train_limit or 10**6)
        assert plan(cell, protocol, images) or (protocol.epochs == 0 and cell.score == BASE)


def test_what_runs_without_being_asked_for():
    numbers = {name: (len(set(p.cells())), len(set(p.cells(suites=SUITES)))) for name, p in PROFILES.items()}
    assert numbers["paper"] == (414, 414 + len(cells_of("paper")))
    assert {name: both for name, (own, both) in numbers.items() if own == both} == {
        "demo": numbers["demo"][1],
        "released": 342,
        "masks": numbers["masks"][1],
    }


def test_the_demo_has_every_score_ablation_and_prune_point():
    cells = cells_of("demo")
    assert len(cells) == len(set(cells)) <= 30
    assert {cell.score for cell in cells} == {BASE, *WEIGHT_SCORES}
    assert {cell.ablation for cell in cells} == set(suite.ABLATIONS)
    assert {kind(cell) for cell in cells} == {"none", "start", "between", "end", "rewound"}
    assert {cell.rounds for cell in cells if cell.score == "snip"} == {1, suite.ITERATIONS}
    methods = {(cell.score, cell.at, cell.rounds) for cell in cells if cell.ablation == "none" and cell.rewind is None}
    for method in (suite.RANDOM, *suite.EARLY, suite.AFTER):
        assert (method.score, method.at, method.rounds) in methods
    protocol = PROFILES["demo"].protocol_of(cells[0])
    per_epoch = -(-IMAGES["digits"] // protocol.batch_size)
    (between,) = (cell.at for cell in cells if kind(cell) == "between")
    assert per_epoch < between < protocol.epochs * per_epoch
    assert between % per_epoch  # in the middle of an epoch


def test_lenet_runs_what_appendix_k_shows():
    levels, few = (2, 4, 7, 11, 15, 18), (4, 11, 18)
    early = (("magnitude", 1), ("snip", 1), ("grasp", 1), ("synflow", 100))
    every = [(score, n, 0, None, "none") for score, n in (("random", 1), *early)]  # Figure K.1
    every += [("magnitude", 1, END, None, "none"), ("magnitude", 1, END, 0, "none")]  # and K.4
    every += [("snip", 100, 0, None, "none")]  # Figure K.6
    every += [("grasp", 1, 0, None, "invert"), ("abs_grasp", 1, 0, None, "none")]  # Figure K.7
    every += [("grasp_class_split", 1, 0, None, "none")]  # and how its authors' code computes it
    changes = ("shuffle", "reinit", "invert", "unit_variance", "unit_variance_score")
    at_few = [(score, n, 0, None, change) for (score, n), change in product(early, changes)]  # Figure K.2
    at_few += [(score, n, END, None, change) for (score, n), change in product(early, ("none", "shuffle", "reinit"))]
    assert {cell for cell in cells_of("paper") if cell.model == "lenet300_100"} == {
        *(suite.base(suite.LENET, seed) for seed in (0, 1, 2)),
        *(
            Cell(
                suite=suite.SUITE, model="lenet300_100", dataset="mnist", granularity="weights", seed=seed,
                amount=level_amount(level), score=score, rounds=n, at=at, rewind=rewind, ablation=ablation,
            )
            for wanted, where in ((every, levels), (at_few, few))
            for (score, n, at, rewind, ablation), level, seed in product(wanted, where, (0, 1, 2))
        ),
    }  # fmt: skip
    assert sum(cell.model == "lenet300_100" for cell in cells_of("paper")) == 471


def test_figures_are_those_of_the_paper():
    names = {row["figure"].partition(" ")[0] for row in published("figures.csv")}
    assert len(FIGURES) == len(suite.FIGURES)
    assert set(FIGURES) == names - {"1", "2"}
    for row in published("figures.csv"):
        number = row["figure"].partition(" ")[0]
        shown = {CALLED[model] for model in row["models"].split(" (ResNet-50")[0].split("; ") if model}
        if number in FIGURES:
            figure = FIGURES[number]
            left_out = {"resnet50"} if number in ("4", "11", "13") else set()  # what is shown of it is not known
            assert {network.model for network in figure.networks} == shown - left_out, number


def test_replicas_show_what_the_figure_shows():
    for row in published("figures.csv"):
        number, _, original = row["figure"].partition(" (Figure ")
        if original and number != "K.7":  # which adds GraSP as released
            replica, figure = FIGURES[number], FIGURES[original.partition(" ")[0]]
            assert (replica.axis, replica.panels, replica.title) == (figure.axis, figure.panels, figure.title)
            assert replica.ablations == figure.ablations
    assert FIGURES["K.7"].panels[0].methods == (*FIGURES["13"].panels[0].methods, suite.SPLIT_GRASP)


def methods_of(name):
    return [[(m.score, m.rounds, m.at, m.rewound, m.ablation) for m in panel.methods] for panel in FIGURES[name].panels]


EARLY = [("magnitude", 1), ("snip", 1), ("grasp", 1), ("synflow", 100)]
AFTER, LTR = ("magnitude", 1, END, False, "none"), ("magnitude", 1, END, True, "none")


def plain(*scores, ablation="none"):
    return [(score, rounds, 0, False, ablation) for score, rounds in scores]


@pytest.mark.parametrize(
    ("name", "panels"),
    [
        ("3", [[*plain(("random", 1), *EARLY), AFTER]]),
        ("5", [[*plain(*EARLY), *plain(EARLY[3], ablation="shuffle")]]),
        ("6", [[*plain(("random", 1), *EARLY), LTR]]),
        ("7", [plain(("random", 1), *EARLY)]),
        ("8", [[*plain(("random", 1), EARLY[0]), AFTER, LTR]]),
        ("9", [[(s, n, END, False, a) for a in ("none", "shuffle", "reinit")] for s, n in EARLY]),
        ("10", [[(s, n, 0, False, a) for a in ("none", "shuffle", "reinit")] for s, n in EARLY]),
        ("11", [plain(("snip", 1), ("snip", 100))]),
        ("12", [[("snip", n, 0, False, a) for a in ("none", "shuffle", "reinit")] for n in (1, 100)]),
        ("13", [[*plain(EARLY[2]), *plain(EARLY[2], ablation="invert"), *plain(("abs_grasp", 1))]]),
        ("15", [[*plain(("random", 1), *EARLY), AFTER]]),
        ("16", [[(s, n, 0, False, a) for a in ("none", "shuffle")] for s, n in EARLY]),
    ],
)
def test_the_series_of_a_figure(name, panels):
    assert methods_of(name) == panels


def test_the_series_of_figures_4_and_14():
    *early, after = methods_of("4")
    for (score, rounds), panel in zip(EARLY, early, strict=True):
        assert panel == [(score, rounds, 0, False, ablation) for ablation in suite.ABLATIONS]
    assert after == [("magnitude", 1, END, False, ablation) for ablation in ("none", "shuffle", "reinit")]
    (better,) = methods_of("14")
    assert Counter(better) == Counter(
        [*plain(("random", 1), *EARLY[:2], ("abs_grasp", 1)), *plain(EARLY[3], ablation="shuffle"), AFTER]
    )


def test_axes():
    """Percent of weights pruned by level, or iterations at the one level that still matches."""
    series = FIGURES["3"].series(suite.SNIP, suite.RESNET20, 1)
    found = [(round(x, 1), cell.level, cell.at, cell.seed) for x, cell in series]
    assert found[:3] == [(20.0, 1, 0, 1), (36.0, 2, 0, 1), (48.8, 3, 0, 1)]
    assert [k for _, k, _, _ in found] == list(range(1, 19))
    assert [cell.level for _, cell in FIGURES["4"].series(suite.SNIP, suite.LENET, 0)] == [4, 11, 18]
    assert [cell.level for _, cell in FIGURES["5"].series(suite.SNIP, suite.VGG16, 0)] == [12]
    at = [(x, cell.at, cell.rewind, cell.level) for x, cell in FIGURES["6"].series(suite.SNIP, suite.RESNET18, 0)]
    assert at[:4] == [(0, 0, None, 15), (500, 500, None, 15), (1000, 1000, None, 15), (2000, 2000, None, 15)]
    back = [(x, cell.at, cell.rewind) for x, cell in FIGURES["6"].series(suite.LTR, suite.VGG16, 0)]
    assert back[:3] == [(0, END, 0), (500, END, 500), (1000, END, 1000)]
    assert back[-1] == (62_560, END, None)  # rewound to the end it is what magnitude pruning after training leaves
    assert at[-1] == (78_200, END, None, 15)
    for network in (suite.RESNET20, suite.VGG16, suite.RESNET18):
        protocol = GRIDS["paper"].protocols[network]
        per_epoch = -(-IMAGES[network.dataset] // protocol.batch_size)
        assert network.iterations == protocol.epochs * per_epoch > network.points[-2]
    rewound = [cell.rewind for _, cell in FIGURES["8"].series(suite.LTR, suite.VGG16, 0)]
    assert rewound == [2000] * 18


def test_figure_7_halves_what_is_left_ten_times():
    found = list(FIGURES["7"].series(suite.SNIP, suite.VGG11, 0))
    assert [x for x, _ in found[:3]] == [50.0, 75.0, 87.5]
    assert [str(cell.amount) for _, cell in found[-2:]] == ["0.998046875", "0.9990234375"]
    assert len(found) == 10
    assert [(network.model, network.dataset) for network in FIGURES["7"].networks] == [
        ("vgg11", "cifar10"),
        ("vgg16", "cifar10"),
        ("resnet18_modified", "cifar10"),
        ("resnet18_modified", "tiny_imagenet"),
    ]


def test_the_highest_matching_sparsities_are_the_papers():
    printed = {row["claim_id"]: row["value"] for row in published("claims.csv")}
    for network in MAIN:
        claim = printed[f"mm_highest_matching_sparsity_{network.model}"]
        assert Decimal(claim) == round(100 * level_amount(network.matching), 1)


def test_training_is_that_of_table_a3():
    table = {}
    for row in published("setup.csv"):
        if row["where"] == "Appendix A.3":
            table.setdefault(CALLED[row["model"]], {})[row["key"]] = row["value"]
    assert set(table) == {network.model for network in NETWORKS}
    for network in NETWORKS:
        printed = table[network.model]
        assert network.rewind == int(printed["rewind_iter"])
        protocol = GRIDS["paper"].protocols[network]
        assert (protocol.epochs, protocol.batch_size) == (int(printed["epochs"]), int(printed["batch_size"]))
        assert (protocol.lr, protocol.momentum) == (float(printed["lr"]), float(printed.get("momentum", 0)))
        assert protocol.weight_decay == float(printed.get("weight_decay", 0))
        drops = printed.get("lr_drop_10x_epochs", "").split("; ")
        assert protocol.lr_drops == tuple(int(drop) for drop in drops if drop)
        per_epoch = -(-IMAGES[network.dataset] // protocol.batch_size)
        partial = network == suite.RESNET50  # the table leaves its last batch of 143 images out
        assert per_epoch == int(printed["iters_per_epoch"]) + partial
        assert protocol.initialisation == "kaiming_normal"
        assert printed["init"] == "Kaiming Normal"
        assert protocol.warmup == (5 if network == suite.RESNET50 else 0)  # open_lth's


def test_scores_see_ten_images_of_every_class():
    classes = {"digits": 10, "mnist": 10, "cifar10": 10, "tiny_imagenet": 200, "tiny_imagenet_subset": 200}
    for grid in GRIDS.values():
        for network, protocol in grid.protocols.items():
            assert protocol.score_samples == 10 * classes.get(network.dataset, 1000)
            assert protocol.scoring_batch == 256


def test_networks_of_figures_are_run():
    shown = set(chain.from_iterable(figure.networks for figure in suite.FIGURES))
    assert shown <= set(GRIDS["paper"].protocols)
    assert {row.network for row in suite.TABLES} <= set(GRIDS["paper"].protocols)


@pytest.mark.parametrize("name", FIGURES)
def test_every_cell_of_a_figure_is_run(name):
    """Those of masks are cells of other figures, looked at once more."""
    run = set(cells_of("paper", (0,)))
    for network in FIGURES[name].networks:
        cells = list(FIGURES[name].cells(network, 0))
        assert cells
        assert set(cells) <= run


def test_masks_of_figure_5_and_appendix_m_need_no_training():
    run = set(cells_of("masks", (0,)))
    assert {cell.at for cell in run} == {0}
    for network, protocol in GRIDS["masks"].protocols.items():
        assert protocol.epochs == 0
        for level_, method in product((network.matching, network.extreme), suite.EARLY):
            for each in (method, *suite.ablated(method, "shuffle")):
                assert each.cell(network, level_amount(level_), 0) in run


def test_table_7_trains_the_modified_resnet_in_two_ways():
    """What it does not say of the second is as in the first: drops after a half and three quarters."""
    for network, epochs, drops in ((suite.MODIFIED_CIFAR, 160, (80, 120)), (suite.MODIFIED, 100, (50, 75))):
        place = network.model, network.dataset
        rows = [row for row in published("setup.csv") if row["where"] == "Table 7"]
        rows = [row for row in rows if (CALLED[row["model"]], CALLED[row["dataset"]]) == place]
        for training, which in (("lr0.01", "first"), ("none", "second")):
            said = {row["key"]: float(row["value"]) for row in rows if row["note"].startswith(which)}
            protocol = PROFILES["paper"].protocol_of(suite.base(network, 1, training))
            assert (protocol.lr, protocol.batch_size) == (said["lr"], said["batch_size"])
            assert protocol.lr_factor == said.get("drop_factor", 0.1)
            assert protocol.epochs == said.get("epochs", 160)
        own = GRIDS["paper"].protocols[network]
        given = {"lr": 0.01, "batch_size": 128, "lr_factor": protocol_of(network).lr_factor}
        assert protocol_of(network) == replace(own, **given, epochs=epochs, lr_drops=drops)


def protocol_of(network):
    return PROFILES["paper"].protocol_of(suite.base(network, 0, "lr0.01"))


def test_another_training_is_of_unpruned_networks_that_a_profile_has_it_for():
    cells = [cell for cell in cells_of("paper") if cell.ablation == "lr0.01"]
    assert [cell.id for cell in cells if cell.seed == 0] == [
        "missing_the_mark-resnet18_modified-cifar10-base-lr0.01-s0",
        "missing_the_mark-resnet18_modified-tiny_imagenet-base-lr0.01-s0",
    ]
    assert len(cells) == 6
    assert not any(cell.ablation == "lr0.01" for name in PROFILES if name != "paper" for cell in cells_of(name))
    with pytest.raises(ValueError, match=r"base-lr0\.01-s0: this profile does not run vgg16 on cifar10$"):
        PROFILES["paper"].protocol_of(suite.base(suite.VGG16, 0, "lr0.01"))
    assert get("paper-bf16").protocol_of(cells[0]) == replace(protocol_of(suite.MODIFIED_CIFAR), precision="bf16")


def described(model, dataset, score, amount, rounds, ablation):
    """A published number or a cell at initialisation, with the amount as the paper prints it."""
    return (model, dataset, score, amount and f"{Decimal(amount):.3f}", rounds, ablation)


def test_every_published_number_is_a_cell():
    run = {
        described(cell.model, cell.dataset, cell.score, cell.amount, cell.rounds, cell.ablation)
        for cell in cells_of("paper", (0,))
        if cell.at == 0
    }
    rows = [row for row in published("accuracy.csv") if row["reported_by"] != "reported"]
    wanted = set()
    for row in rows:
        place = CALLED[row["model"]], CALLED[row["dataset"]]
        rounds = int(row["rounds"]) if row["rounds"] else None
        wanted.add(described(*place, row["scorer"], row["amount"] or None, rounds, training_of(row)))
    assert wanted <= run
    assert len(wanted) == 84
    seven = [row for row in rows if row["table"] == "Table 7"]
    assert len({(row["model"], row["dataset"], training_of(row)) for row in seven}) == len(seven) == 6


def training_of(row):
    """The ablation, or the training that Table 7 notes; appendix D.3 speaks of that of its first row, too."""
    first = "lr=0.01" in row["note"] or row["table"] == "Appendix D.3 text"
    return "lr0.01" if first else row["ablation"]


def test_a_model_that_a_profile_does_not_have_has_no_protocol():
    foreign = suite.base(suite.RESNET20, 0)
    with pytest.raises(ValueError, match=r"^\S+-base-s0: this profile does not run resnet20 on cifar10$"):
        PROFILES["demo"].protocol_of(foreign)
    with pytest.raises(ValueError, match="this profile does not run resnet20 on mnist"):
        PROFILES["paper"].protocol_of(replace(foreign, dataset="mnist"))
    assert PROFILES["demo"].protocol_of(replace(foreign, suite="gradient_flow")) == PROFILES["demo"].protocol


@pytest.mark.parametrize("name", ["demo-bf16", "mini-tf32", "nightly-fp32", "paper-bf16", "masks-tf32"])
def test_a_precision_is_one_of_both_suites(name):
    base, _, precision = name.partition("-")
    variant, profile = get(name), PROFILES[base]
    assert list(variant.cells((0,), suites=SUITES)) == list(profile.cells((0,), suites=SUITES))
    for cell in {(cell.model, cell.dataset): cell for cell in variant.cells((0,), suites=SUITES)}.values():
        assert variant.protocol_of(cell) == replace(profile.protocol_of(cell), precision=precision)
    assert not variant.comparable


def test_ones_own_score_prunes_weights_where_only_they_are_pruned():
    own = [
        cell for cell in PROFILES["mini"].cells(extra_scores=("mine",), suites=(suite.SUITE,)) if cell.score == "mine"
    ]
    assert {(cell.model, cell.level) for cell in own} == set(product(("lenet300_100", "resnet20"), (2, 6, 11, 18)))
    assert {(cell.granularity, cell.at, cell.rounds, cell.ablation) for cell in own} == {("weights", 0, 1, "none")}
    both = [cell for cell in PROFILES["demo"].cells(extra_scores=("mine",)) if cell.score == "mine"]
    assert {cell.granularity for cell in both} == {"filters"}
    assert both
