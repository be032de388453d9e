"""docs/PROTOCOLS.md: what the code cites is there, and its tables are those of the code."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from bench.cell import BASE, END, level_amount
from bench.profiles import PROFILES
from bench.protocol import Protocol
from bench.suites import gradient_flow, missing_the_mark
from bench.suites.missing_the_mark_grids import GRIDS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "PROTOCOLS.md").read_text(encoding="utf-8")
HEADINGS = set(re.findall(r"^#{2,3} ([AB]\.[\d.]+) ", TEXT, re.MULTILINE))
CITED = re.compile(r"PROTOCOLS\s+((?:[AB]\.\d+(?:\.\d+)*)(?:(?:-|, | and )[AB]\.\d+(?:\.\d+)*)*)")
NORMALISATION = {
    ".5, .5": (0.5, 0.5),
    "MNIST": (0.1307, 0.3081),
    "ImageNet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def cited():
    """Every section that a comment, a docstring or a message names."""
    for folder in ("pruning", "bench", "results", "reports", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for found in CITED.finditer(path.read_text(encoding="utf-8")):
                yield from re.findall(r"[AB][\d.]*\d", found[1])


def test_every_cited_section_exists():
    sections = set(cited())
    assert len([section for section in sections if section.startswith("A.")]) > 8
    assert len([section for section in sections if section.startswith("B.")]) > 8
    assert sections <= HEADINGS


def body_of(section):
    body = re.split(rf"^#+ {re.escape(section)} .*$", TEXT, flags=re.MULTILINE)[1]
    return re.split(r"^#", body, flags=re.MULTILINE)[0]


def rows_of(section):
    """The first table of a section: its first column, then the other cells in order."""
    lines = re.search(r"(^\|.*\n)+", body_of(section), re.MULTILINE)[0].splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {cells[0]: cells[1:] for cells in table}


def columns_of(section):
    rows = rows_of(section)
    return [{topic: cells[n] for topic, cells in rows.items()} for n in range(len(rows[""]))]


def words(column, topic):
    """What is in backticks."""
    return re.findall(r"`(\w+)`", column[topic])


def number(text):
    return int(text.replace(",", ""))


@cache
def weight_cells(profile):
    return tuple(PROFILES[profile].cells(suites=(missing_the_mark.SUITE,)))


def test_a_profile_of_filters_has_a_column():
    assert [words(column, "") for column in columns_of("A.10")] == [[p.name] for p in PROFILES.values() if p.rounds]


@pytest.mark.parametrize("column", columns_of("A.10"), ids=lambda column: column[""].strip("`"))
def test_the_profiles_of_filters_are_those_of_the_code(column):
    profile = PROFILES[column[""].strip("`")]
    protocol = profile.protocol
    assert column["epochs; rate drops after"] == f"{protocol.epochs}; {', '.join(map(str, protocol.lr_drops))}"
    assert column["rounds"] == ", ".join(map(str, profile.rounds))
    assert column["seeds"] == ", ".join(map(str, profile.seeds))
    assert column["images scored on"] == f"{protocol.score_samples:,}"
    assert column["precision"] == protocol.precision
    assert column["cells"] == str(sum(1 for _ in profile.cells(suites=(gradient_flow.SUITE,))))
    assert column["headline accuracy"] == profile.headline
    assert_dynamics(column, profile.dynamics)
    assert column["against published numbers"] == ("yes" if profile.comparable else "no")


def assert_dynamics(column, found):
    topics = [column[f"dynamics{topic}"] for topic in (" on", ", seeds", " after epochs")]
    if found is None:
        assert topics == ["none"] * 3
        return
    datasets = {"digits": "digits", "CIFAR-100": "cifar100", "Tiny-ImageNet": "tiny_imagenet"}
    assert tuple(datasets[name] for name in topics[0].split(", ")) == found.datasets
    assert topics[1] == ", ".join(map(str, found.seeds))
    steps = [int(number) for number in re.findall(r"\d+", topics[2])]
    assert found.probes == (tuple(range(0, steps[-1] + 1, steps[1])) if "..." in topics[2] else tuple(steps))


@pytest.mark.parametrize("column", columns_of("B.12"), ids=lambda column: column[""].strip("`"))
def test_the_profiles_of_weights_are_those_of_the_code(column):
    profile = PROFILES[column[""].strip("`")]
    protocols, cells = profile.weights.protocols.values(), weight_cells(profile.name)
    asked_for = missing_the_mark.SUITE not in profile.default_suites
    assert column["run without being asked for"] == ("no" if asked_for else "yes")
    assert column["seeds"] == ", ".join(map(str, profile.seeds))
    assert column["cells"] == f"{len(cells):,}"
    assert column["of these unpruned"] == str(sum(cell.score == BASE for cell in cells))
    assert {tuple(words(column, "initialisation"))} == {(protocol.initialisation,) for protocol in protocols}
    assert {column["scoring batch"]} == {str(protocol.scoring_batch) for protocol in protocols}
    assert column["headline accuracy"] == ("last" if any(protocol.epochs for protocol in protocols) else "none")
    assert column["against published numbers"] == ("yes" if profile.comparable else "no")


NETWORKS = [column for part in ("B.12.1", "B.12.2", "B.12.4") for column in columns_of(part)]


def models_of(column):
    """The networks of a column; those of the replication tables are named above it."""
    if column[""] != "B.1.2":
        return words(column, "")
    return re.findall(r"`(\w+)`", re.search(r"^The last column is (.*?), at", body_of("B.12.2"), re.M | re.S)[1])


def networks_of(column):
    (profile,) = words(column, "profile")
    (dataset,) = words(column, "data")
    wanted = {(model, dataset) for model in models_of(column)}
    found = [network for network in GRIDS[profile].protocols if (network.model, network.dataset) in wanted]
    assert len(found) == len(wanted)
    return profile, found


def test_every_network_of_every_profile_has_one_column():
    named = [(words(column, "profile")[0], network) for column in NETWORKS for network in networks_of(column)[1]]
    assert len(named) == len(set(named))
    assert set(named) == {(profile, network) for profile, grid in GRIDS.items() for network in grid.protocols}
    assert [words(column, "")[0] for column in columns_of("B.12")] == list(GRIDS)


REST = {"initialisation": "kaiming_normal", "scoring_batch": 256, "temperature": 1.0}


def settings(column):
    """The fields of a protocol that a column gives."""
    given = {"precision": column["precision"], "epochs": int(column["epochs"])}
    if column["augmentation"] != "unused":
        (given["augmentation"],) = words(column, "augmentation")
        given["mean"], given["std"] = NORMALISATION[column["normalisation"]]
        given["score_samples"] = number(column["images scored on"])
    if "batch" in column:
        rate, drops = column["rate; drops after"].split("; ")
        momentum, decay = column["momentum; decay"].split("; ")
        given |= {
            "batch_size": number(column["batch"]),
            "lr": float(rate),
            "lr_drops": () if drops == "never" else tuple(map(int, drops.split(", "))),
            "momentum": float(momentum),
            "weight_decay": float(decay),
        }
    if "factor of a drop" in column:
        given["lr_factor"] = float(column["factor of a drop"])
    if "warm-up" in column:
        given["warmup"] = int(column["warm-up"])
    limits = column["images, training + test"]
    given["train_limit"], given["test_limit"] = (None, None) if limits == "all" else map(number, limits.split(" + "))
    size = re.search(r"(\d+)x\1", column["data"])
    return given | {"image_size": int(size[1]) if size else None}


@pytest.mark.parametrize("column", NETWORKS, ids=lambda column: f"{column['profile']}-{column['']}")
def test_protocols_of_weights_are_those_of_the_code(column):
    profile, networks = networks_of(column)
    for network in networks:
        protocol, given = GRIDS[profile].protocols[network], settings(column)
        assert {name: getattr(protocol, name) for name in given} == given
        if protocol.epochs:
            assert protocol == replace(Protocol(), **given, **REST)


OTHERS = columns_of("B.12.3")


def test_every_other_training_has_a_column():
    places = [(words(column, "")[0], words(column, "data")[0], column["in the cell's id"]) for column in OTHERS]
    found = [(net.model, net.dataset, f"`{training}`") for net, training in GRIDS["paper"].others]
    assert places == found
    assert not any(grid.others for name, grid in GRIDS.items() if name != "paper")


@pytest.mark.parametrize("column", OTHERS, ids=lambda column: column["data"])
def test_other_trainings_are_those_of_the_code(column):
    profile, (network,) = networks_of(column)
    training = column["in the cell's id"].strip("`")
    assert GRIDS[profile].others[network, training] == replace(Protocol(), **settings(column), **REST)
    place = network.model, network.dataset, training
    cells = [cell for cell in weight_cells(profile) if (cell.model, cell.dataset, cell.ablation) == place]
    assert column["cells"] == f"{len(cells):,}"


def listed(text):
    """Levels as they are written: none, 1-18, or one by one."""
    if text == "none":
        return set()
    first, _, last = text.partition("-")
    return set(range(int(first), int(last) + 1)) if last else set(map(int, text.split(", ")))


@pytest.mark.parametrize("column", NETWORKS, ids=lambda column: f"{column['profile']}-{column['']}")
def test_cells_of_weights_are_those_of_the_code(column):
    profile, networks = networks_of(column)
    places = {(network.model, network.dataset) for network in networks}
    cells = [cell for cell in weight_cells(profile) if (cell.model, cell.dataset) in places]
    cells = [cell for cell in cells if missing_the_mark.training(cell) == "none"]
    assert column["cells"] == f"{len(cells):,}"
    assert {cell.level for cell in cells} - {None} == listed(column["levels"])
    points = column["prune points"].replace("B.7", ", ".join(map(str, missing_the_mark.POINTS))).split(", ")
    pruned = [cell for cell in cells if cell.score != BASE]
    assert {cell.at for cell in pruned} == {END if point == END else int(point) for point in points}
    for network in networks:
        once = {
            "levels of ablations": network.ablated,
            "highest matching level": (network.matching,),
            "LTR's t": (network.rewind,),
        }
        for topic in once.keys() & column.keys():
            if column[topic] == "none":
                assert not any(cell.ablation != "none" or cell.rewind is not None for cell in cells)
            else:
                assert tuple(sorted(listed(re.sub(r",(?=\d)", "", column[topic])))) == once[topic]


def test_levels_and_prune_points_are_those_of_the_code():
    (row,) = (cells for first, cells in rows_of("B.7").items() if re.match(r"[\d.]+ ", first))
    first = next(first for first in rows_of("B.7") if re.match(r"[\d.]+ ", first))
    printed = [percent for cell in (first, *row) for percent in cell.split()]
    assert printed == [f"{100 * level_amount(k):.1f}" for k in missing_the_mark.GRID]
    sentence = re.search(r"Figures 6 and 10 prune after (.*?) iterations", body_of("B.7"), re.DOTALL)[1]
    assert (*map(int, re.findall(r"\d+", sentence)), END) == missing_the_mark.POINTS
    ends = re.search(r"which is ([\d,]+) on CIFAR-10 and ([\d,]+) on\s+TinyImageNet", body_of("B.7")).groups()
    assert tuple(map(number, ends)) == (missing_the_mark.VGG16.iterations, missing_the_mark.RESNET18.iterations)
    named = re.search(r"^Highest matching sparsity: (.*)\.$", body_of("B.7").replace(". The", ".\nThe"), re.MULTILINE)[
        1
    ]
    main = (missing_the_mark.RESNET20, missing_the_mark.VGG16, missing_the_mark.RESNET18, missing_the_mark.RESNET50)
    assert [int(level) for level in re.findall(r"(\d+) for", named)] == [network.matching for network in main]


def test_every_figure_has_its_row():
    printed = {name for first, cells in rows_of("B.9").items() for name in (first, *cells[1].split(", "))}
    assert printed - {"", "---", "K", "L", "K, L"} == {figure.name for figure in missing_the_mark.FIGURES}
