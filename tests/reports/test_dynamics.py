"""Figures of layers and of dynamics, from records made by hand."""

import csv
import dataclasses
import io
import re

import msgspec
import numpy as np
import pytest

from bench import profiles
from bench.suites import gradient_flow as suite
from reports.dynamics import layers, moments, pages
from reports.dynamics.draw import draw, window
from reports.dynamics.panels import Drawing, Panel, Point, to_csv
from reports.evidence import gather
from results import published
from results.record import Layer, Moment
from results.registry import Registry, side_file_name

PAPER, MINI, DEMO = (profiles.get(name) for name in ("paper", "mini", "demo"))
FILTERS = 30


def names(model):
    if model == "vgg13":
        return [f"units.{k}.conv" for k in range(10)]
    if model == "mobilenet_v1":
        return ["stem.conv", *(f"blocks.{k}.pointwise" for k in range(13))]
    found = ["stem.conv"]
    for stage in range(3):
        for block in range(9):
            found += [f"stages.{stage}.{block}.conv1", f"stages.{stage}.{block}.conv2"]
            if stage and block == 0:
                found.append(f"stages.{stage}.0.shortcut")
    return found


def moment(epoch, model, r, *, recalibrated=False):
    change = dict.fromkeys(("sigma_dsigma, taylor", "sigma_dsigma, loss"), (r / 2, r / 3, FILTERS)) if epoch else {}
    return Moment(
        epoch=epoch,
        recalibrated=recalibrated,
        correlations={
            "filters: theta_g, theta_hg": (r, r - 0.1, FILTERS),
            f"filters: theta_g, theta_hg{moments.IN_TRAINING}": (r / 2, r / 4, FILTERS),
            "weights: theta_g, theta_hg": (r, r, 900),
        }
        | {f"filters: {name}": values for name, values in change.items()},
        distances={"filters": 0.1 / epoch, "weights": 0.2 / epoch} if epoch else {},
        gradient_norms={name: 1.0 + k + epoch for k, name in enumerate(names(model))},
        effects={},
    )


@pytest.fixture
def measured(make_record, registry):
    """A measured run whose correlations grow with the seed, with its arrays in ``registry``."""

    def build(model, dataset, seed=0, profile="paper", epochs=(0, 40, 160)):
        record = make_record(f"gradient_flow-{model}-{dataset}-dynamics-s{seed}", profile=profile)
        found = [moment(0, model, 0.1), *(moment(e, model, 0.8 + seed / 20, recalibrated=e == 0) for e in epochs)]
        arrays = {
            f"{place}.{kind}.{name}": np.linspace(-1, 1, FILTERS, dtype=np.float32) * (place + 1 + len(name))
            for place in range(len(found))
            for kind in ("filters", "weights")
            for name in ("theta_g", "theta_hg")
        }
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        layers_ = [Layer(name=name, kept=4, total=4) for name in names(model)]
        name = side_file_name(record.key, content.getvalue(), "npz")
        record = msgspec.structs.replace(record, dynamics=found, layers=layers_, side_files=[name])
        registry.put(record)
        registry.keep(record.profile, record.cell, name, content.getvalue())
        return record

    return build


def dynamic(number, registry, profile=PAPER):
    found = moments.drawings(gather(profile, registry.records(profile.name)), pages.arrays_of(registry))
    (one,) = (each for each in found if each.number == number)
    return one


def test_the_figures_are_those_of_the_paper(registry):
    evidence = gather(PAPER, [])
    found = [*layers.drawings(evidence), *moments.drawings(evidence, pages.arrays_of(registry))]
    printed = {int(row.figure) for row in published.figures(suite.SUITE) if "accuracy curves" not in row.title}
    assert sorted(each.number for each in found) == sorted(printed)
    assert all(each.empty for each in found)
    for each in found:
        assert all(panel.absent for panel in each.panels), each.number


def test_a_demonstration_has_every_figure_and_others_say_what_they_leave_out(registry):
    def numbers(name):
        evidence = gather(profiles.get(name), [])
        found = [*layers.drawings(evidence), *moments.drawings(evidence, pages.arrays_of(registry))]
        return sorted(each.number for each in found), [*layers.left_out(evidence), *moments.left_out(evidence)], found

    every = [2, 3, *range(13, 22), *range(31, 39)]
    assert numbers("paper")[:2] == (every, [])
    shown, left_out, found = numbers("demo")
    assert (shown, left_out) == (every, [])
    remarks = {each.number: each.remarks for each in found}
    assert (remarks[19][0], remarks[20][0]) == ("3 rounds stand in for 5.", "3 rounds stand in for 25.")
    for number, said in remarks.items():
        assert f"On digits instead of {'Tiny-ImageNet' if number >= 35 else 'CIFAR-100'}." in said
    shown, left_out, _ = numbers("mini")
    assert shown == [each for each in every if each not in (20, 35, 36, 37, 38)]
    assert left_out == [
        "Figure 20 is left out: profile mini does not prune in 25 rounds.",
        "Figures 35-38 are left out: profile mini measures nothing on Tiny-ImageNet.",
    ]
    assert numbers("nightly")[0] == [16, 17, 18, 19]


def test_a_scatter_shows_a_seed_and_the_correlation_over_all(measured, registry):
    for seed in (0, 1, 2):
        measured("resnet56", "cifar100", seed)
    drawing = dynamic(15, registry)
    assert [panel.title for panel in drawing.panels] == [
        "before training, as it is",
        "before training, recalibrated",
        "epoch 40",
        "epoch 160",
    ]
    first, second, *_ = drawing.panels
    assert first.note == "r = 0.10 ± 0.00 (3)\nρ = 0.00 ± 0.00 (3)"
    assert second.note == "r = 0.85 ± 0.05 (3)\nρ = 0.75 ± 0.05 (3)\npaper 0.85"
    assert [panel.note.splitlines()[2:] for panel in drawing.panels] == [[], ["paper 0.85"], ["paper 0.88"], []]
    assert second.dots[0] == pytest.approx((-(2 + 7), -(2 + 8)))
    assert len(second.dots) == FILTERS
    assert dynamic(3, registry).panels == drawing.panels
    weights = dynamic(34, registry)
    assert weights.panels[1].note.endswith("paper 0.745 (panel inferred)")
    rows = list(csv.reader(to_csv(drawing).splitlines()))
    assert rows[0] == ["panel", "x", "y"]
    assert len(rows) == 1 + 4 * FILTERS


def test_another_protocol_is_not_comparable_and_says_so(measured, registry):
    measured("resnet56", "cifar100", profile="mini", epochs=(0, 2, 4, 6, 8))
    drawing = dynamic(15, registry, MINI)
    assert [panel.title for panel in drawing.panels][2:] == ["epoch 2", "epoch 8"]
    assert drawing.panels[1].note == "r = 0.80 (1)\nρ = 0.70 (1)\npaper 0.85\nNOT COMPARABLE"
    assert "Not drawn: ResNet-56 s1 s2: missing." in drawing.remarks


def test_a_demonstration_prints_nothing_of_the_paper(measured, registry):
    measured("resnet56", "digits", profile="demo", epochs=(0, 2, 8))
    assert [panel.note for panel in dynamic(15, registry, DEMO).panels][1:] == ["r = 0.80 (1)\nρ = 0.70 (1)"] * 3


def test_correlations_over_epochs_leave_the_first_moment_out(measured, registry):
    for seed in (0, 1):
        measured("vgg13", "cifar100", seed)
    drawing = dynamic(2, registry)
    vgg, *others = drawing.panels
    assert [each.label for each in vgg.lines] == [
        "correlation with |θ·g|",
        "correlation with Σ|θ g|",
        "mask distance (right)",
    ]
    assert vgg.lines[0].points == (
        Point(40, pytest.approx(0.4125), pytest.approx(0.0176777, rel=1e-4), 2),
        Point(160, pytest.approx(0.4125), pytest.approx(0.0176777, rel=1e-4), 2),
    )
    assert [point.mean for point in vgg.lines[-1].points] == pytest.approx([0.1 / 40, 0.1 / 160])
    assert vgg.lines[-1].dashed
    assert vgg.absent == ("VGG-13 s2: missing",)
    assert [panel.absent for panel in others] == [("MobileNet-V1 s0 s1 s2: missing",), ("ResNet-56 s0 s1 s2: missing",)]
    assert dynamic(31, registry).panels[0].lines[-1].points[0].mean == pytest.approx(0.2 / 40)


def test_gradient_norms_are_those_of_the_layers_that_the_paper_shows(measured, registry):
    for model in suite.MODELS:
        measured(model, "cifar100")
    found = {panel.title: panel.lines for panel in dynamic(21, registry).panels}
    assert [len(lines) for lines in found.values()] == [10, 13, 18, 18, 18]
    assert [each.dashed for each in found["ResNet-56, block 2"]] == [False, True] * 9
    assert [(p.x, p.mean) for p in found["VGG-13"][3].points] == [(0, 4.0), (40, 44.0), (160, 164.0)]


def test_layers_are_counted_as_in_the_paper(make_record, evidence_of):
    """Layer 2 of the second block is the shortcut, so that first convolutions are odd from there on."""
    record = make_record("gradient_flow-resnet56-cifar100-abs_grasp-filters50-r5-s0")
    kept = {name: k for k, name in enumerate(names("resnet56"))}
    found = msgspec.structs.replace(record, layers=[Layer(name=n, kept=k, total=100) for n, k in kept.items()])
    (drawing,) = (each for each in layers.drawings(evidence_of(found)) if each.number == 19)
    lines = {panel.title: panel.lines for panel in drawing.panels}
    assert [len(each[0].points) for each in lines.values()] == [18, 19, 19]
    second = [(int(point.x), round(100 - 100 * point.mean)) for point in lines["Block 2"][0].points]
    assert second[:5] == [
        (0, kept["stages.1.0.conv1"]),
        (1, kept["stages.1.0.conv2"]),
        (2, kept["stages.1.0.shortcut"]),
        (3, kept["stages.1.1.conv1"]),
        (4, kept["stages.1.1.conv2"]),
    ]
    assert {each.label for each in lines["Block 1"]} == {"|GraSP|"}
    assert "GraSP (T=1) s0 s1 s2: missing" in drawing.panels[0].absent


def test_where_nothing_is_compared_layers_are_those_of_a_data_set_with_runs(make_record, evidence_of):
    for profile, shown in (("mini", "cifar10"), ("paper", "cifar100")):
        record = make_record("gradient_flow-vgg13-cifar10-abs_grasp-filters75-r5-s0", profile=profile)
        assert layers.dataset(evidence_of(record, profile=profile), "vgg13") == shown
    both = [
        make_record(f"gradient_flow-vgg13-{name}-r5-s0", profile="mini")
        for name in ("cifar10-abs_grasp-filters75", "cifar100-abs_grasp-filters65")
    ]
    assert layers.dataset(evidence_of(*both, profile="mini"), "vgg13") == "cifar100"
    assert layers.dataset(evidence_of(profile="mini"), "vgg13") == "cifar100"
    assert layers.dataset(evidence_of(both[0], profile="mini"), "resnet56") == "cifar100", "each network for itself"
    failed = msgspec.structs.replace(both[1], status="error")
    assert layers.dataset(evidence_of(both[0], failed, profile="mini"), "vgg13") == "cifar10", "what failed is no run"
    more = make_record("gradient_flow-vgg13-cifar10-abs_grasp-filters75-r1-s0", profile="mini")
    assert layers.dataset(evidence_of(*both, more, profile="mini"), "vgg13") == "cifar10"


def test_every_figure_is_drawn_and_its_files_do_not_change(measured, registry, make_record, tmp_path, monkeypatch):
    for model in suite.MODELS:
        measured(model, "digits", profile="demo", epochs=(0, 2, 8))
        for score, n in ((score, n) for score in ("grasp_t1", "grasp_t200", "abs_grasp") for n in (1, 3)):
            amount = int(100 * suite.amount(model, "digits"))
            record = make_record(f"gradient_flow-{model}-digits-{score}-filters{amount}-r{n}-s0", profile="demo")
            of = [Layer(name=name, kept=3 + k % 5, total=10) for k, name in enumerate(names(model))]
            registry.put(msgspec.structs.replace(record, layers=of))
    evidence = gather(DEMO, registry.records("demo"))
    pages.write_figures(evidence, registry, tmp_path / "a")
    files = {path.name: path.read_bytes() for path in (tmp_path / "a" / "figures").iterdir()}
    stems = {int(re.search(r"\d+", name)[0]) for name in files}
    assert stems == {2, 3, *range(13, 22), *range(31, 39)}
    assert len(files) == 3 * len(stems)
    kinds = [drawing for drawing in pages.drawings(evidence, registry) if drawing.number in (2, 3, 16, 21)]
    monkeypatch.setattr(pages, "drawings", lambda *_: kinds)  # one of each kind
    pages.write_figures(evidence, registry, tmp_path / "b")
    again = {path.name: path.read_bytes() for path in (tmp_path / "b" / "figures").iterdir()}
    assert len(again) == 3 * 4
    assert again.items() <= files.items()
    monkeypatch.undo()
    text = pages.pages(evidence, registry)
    assert "![Figure 16](figures/figure16.svg)" in text["layers"]
    assert "VGG-13" in text["dynamics"]


def test_a_panel_without_data_lists_the_cells_it_misses(measured, registry):
    measured("vgg13", "cifar100")
    picture = draw(dynamic(2, registry), PAPER)
    there, empty, _, right = picture.axes
    assert there.axison
    assert not empty.axison
    assert (right.get_ylabel(), [line.get_ydata()[0] for line in right.lines]) == ("mask distance", [0.1 / 40])
    assert there.get_position().width > 1.5 * empty.get_position().width
    assert empty.texts[0].get_text() == "No finished run.\nMobileNet-V1 s0 s1 s2: missing"
    page = pages.pages(gather(PAPER, registry.records("paper")), registry)["dynamics"]
    assert "There is nothing to draw (MobileNet-V1 s0 s1 s2: missing)." in page


def test_a_table_sets_correlations_beside_printed_ones(measured, registry):
    for seed in (0, 1, 2):
        measured("resnet56", "cifar100", seed, profile="mini", epochs=(0, 2, 8))
        measured("vgg13", "cifar100", seed, profile="mini", epochs=(0, 2, 8))
    text = pages.pages(gather(MINI, registry.records("mini")), registry)["dynamics"]
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(table) == 2 + 4 * 4
    where, after = "| 3, 15 | ResNet-56, CIFAR-100 | filters |", "paper 0.88, NOT COMPARABLE"
    in_training = "0.43 ± 0.02 (3) | 0.21 ± 0.01 (3)"
    assert f"{where} epoch 2 | 0.85 ± 0.05 (3) | 0.75 ± 0.05 (3) | {in_training} | {after} |" in table
    start = "0.10 ± 0.00 (3) | 0.00 ± 0.00 (3) | 0.05 ± 0.00 (3) | 0.03 ± 0.00 (3) |  |"
    assert f"{where} before training, as it is | {start}" in table
    demo = pages.pages(gather(DEMO, []), registry)["dynamics"]
    assert "## Correlations" not in demo


def test_a_record_whose_side_file_is_lost_shows_its_correlation(measured, registry):
    record = measured("resnet56", "cifar100")
    registry.path(record.profile, record.cell, record.key).with_name(record.side_files[0]).unlink()
    drawing = dynamic(15, registry)
    assert drawing.panels[1].absent == ("no side file",)
    assert drawing.panels[1].note.startswith("r = 0.80")
    shown = draw(drawing, PAPER).axes[1].texts
    assert [text.get_text() for text in shown] == ["r = 0.80 (1)\nρ = 0.70 (1)\npaper 0.85\nno side file"]
    measured("resnet56", "cifar100", 1)
    another = dynamic(15, registry)
    assert another.panels[1].note.startswith("r = 0.83 ± 0.04 (2)")
    assert len(another.panels[1].dots) == FILTERS
    assert f"θ·Hg over θ·g, all {FILTERS} filters of seed 1." in another.remarks
    assert record in Registry(registry.root).records("paper")


def test_a_few_points_far_away_do_not_shrink_the_rest():
    """199 points between 0 and 1, one at 100; all where the farthest is half as far again."""
    near = [k / 198 for k in range(199)]
    low, high = window([*near, 100.0])
    assert -0.2 < low < 0
    assert 1.4 < high < 1.7
    assert window([*near, 1.4])[1] > 1.4
    assert window([2.0, 2.0]) == (1.0, 3.0)
    dots = tuple((x, -x) for x in (*near, 100.0))
    panel = Panel(title="epoch 0", dots=dots, note="r = 1")
    axis = draw(Drawing(number=13, title="", x="", y="", panels=(panel,)), PAPER).axes[0]
    assert axis.texts[0].get_text() == "r = 1\n1 of 200 outside"
    assert len(axis.lines[0].get_xdata()) == 200


@pytest.mark.parametrize("damage", [b"", b"PK", b"no archive at all"])
def test_a_damaged_side_file_stops_no_report(measured, registry, damage):
    record = measured("resnet56", "cifar100")
    registry.path(record.profile, record.cell, record.key).with_name(record.side_files[0]).write_bytes(damage)
    assert dynamic(15, registry).panels[1].absent == ("no side file",)


def test_a_panel_takes_the_number_that_the_paper_prints_of_its_moment(measured, registry):
    """Not the next one, where a profile does not measure after a quarter of the training."""
    record = measured("resnet56", "cifar100", epochs=(0, 160))
    evidence = gather(PAPER, [record])
    few = dataclasses.replace(PAPER, dynamics=dataclasses.replace(PAPER.dynamics, probes=(0, 160)))
    found = moments.drawings(dataclasses.replace(evidence, profile=few), pages.arrays_of(registry))
    (three,) = (each for each in found if each.number == 13 + 2)
    assert [panel.note.splitlines()[2:] for panel in three.panels] == [[], ["paper 0.85"], []]


def test_lines_of_a_profile_in_another_precision_are_its_own(measured, registry):
    measured("vgg13", "cifar100")
    assert dynamic(2, registry, profiles.get("paper-bf16")).empty


@pytest.mark.parametrize(
    ("dots", "corner"),
    [
        ([(0, 0), (1, 1), (0.5, 0.5)], ("left", "top")),
        ([(0, 1), (1, 0), (0.1, 0.9), (0.9, 0.1)], ("left", "bottom")),
        ([(0, 0), (0.2, 1), (0.5, 1), (0.99, 0.5)], ("right", "bottom")),
        ([(0, 0), (0.1, 0.99), (0.9, 1), (0.95, 0.98)], ("right", "bottom")),
        ([(2, 2)], ("left", "top")),
    ],
)
def test_a_note_stands_where_the_fewest_points_are(dots, corner):
    panel = Panel(title="epoch 2", dots=tuple(dots), note="r = 0.99 (1)\npaper 0.85, NOT COMPARABLE")
    axis = draw(Drawing(number=15, title="", x="", y="", panels=(panel,)), PAPER).axes[0]
    (note,) = axis.texts
    assert (note.get_horizontalalignment(), note.get_verticalalignment()) == corner
