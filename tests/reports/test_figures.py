import csv

import pytest

from bench import profiles
from reports.curves import (
    FIGURES,
    STANDARD,
    FigureSpec,
    Point,
    figure_data,
    figures_of,
    mean_curve,
    to_csv,
    without_rounds,
)
from reports.evidence import gather
from reports.figures import caption, draw, write
from results import published
from results.record import Curve

PAPER = profiles.get("paper")
VGG5 = FigureSpec(5, "vgg13", 5)
CELL = "gradient_flow-vgg13-cifar10-magnitude-filters75-r5-s"


def curve(*test, train=()):
    epochs = len(test)
    return Curve(
        epoch=list(range(1, epochs + 1)),
        round=[1, 2, *[None] * (epochs - 2)],
        test_accuracy=list(test),
        train_accuracy=list(train),
    )


def test_figures_are_those_of_the_paper():
    names = {"VGG-13": "vgg13", "MobileNet-V1": "mobilenet_v1", "ResNet-56": "resnet56"}
    rows = [row for row in published.figures("gradient_flow") if "accuracy curves" in row.title]
    assert len(rows) == 19
    assert {(int(row.figure), names[row.models], int(row.rounds)) for row in rows} == {
        (spec.number, spec.model, spec.rounds) for spec in FIGURES
    }
    for row in rows:
        (spec,) = (spec for spec in FIGURES if spec.number == int(row.figure))
        assert ("Proposed" in row.series) == (spec.scores is STANDARD)
        if row.figure != "30":  # which leaves one out
            drawn = {name for name in spec.scores.values() if name in row.series}
            assert drawn == set(spec.scores.values()), row.series


@pytest.mark.parametrize(
    ("name", "shown", "instead"),
    [("paper", [1, 5, 25], [None, None, None]), ("mini", [1, 5], [None, None]), ("demo", [1, 3, 3], [None, 5, 25])],
)
def test_a_figure_of_rounds_that_a_profile_does_not_run_is_left_out_but_of_a_demonstration(name, shown, instead):
    profile = profiles.get(name)
    found = [spec for spec in figures_of(profile) if spec.number in (4, 5, 6)]
    assert [spec.rounds for spec in found] == shown
    assert [spec.instead for spec in found] == instead
    sentence = "Figure 6 is left out: profile mini does not prune in 25 rounds."
    assert list(without_rounds({4: 1, 6: 25}, profile)) == [sentence] * (name == "mini")


def test_mean_curve_by_hand(make_record):
    one = make_record(f"{CELL}0", curve=curve(10.0, 20.0, None))
    two = make_record(f"{CELL}1", curve=curve(14.0, 20.0, 50.0))
    assert mean_curve([one, two], "test") == (
        Point(1, 1, 12.0, pytest.approx(8**0.5), 2),
        Point(2, 2, 20.0, 0.0, 2),
        Point(3, None, 50.0, None, 1),
    )
    assert mean_curve([one, two], "train") == ()


def test_the_csv_is_the_curve_of_the_record(make_record, evidence_of):
    record = make_record(f"{CELL}0", curve=curve(10.125, 20.25, 30.0, train=(1.0, 2.0, 3.1)))
    rows = list(csv.DictReader(to_csv(figure_data(VGG5, evidence_of(record))).splitlines()))
    for split, values in (("test", record.curve.test_accuracy), ("train", record.curve.train_accuracy)):
        drawn = [row for row in rows if row["split"] == split]
        assert [float(row["accuracy_mean"]) for row in drawn] == values
        assert [row["round"] for row in drawn] == ["1", "2", ""]
        assert {(row["dataset"], row["score"], row["n"], row["accuracy_std"]) for row in drawn} == {
            ("cifar10", "magnitude", "1", "")
        }
    assert len(rows) == 6


def test_a_panel_without_data_lists_what_is_absent(make_record, evidence_of):
    done = make_record(f"{CELL}0", curve=curve(10.0, 20.0, 30.0))
    diverged = make_record(f"{CELL}1", curve=curve(10.0, 1.0, 1.0), status="diverged")
    left, right = figure_data(VGG5, evidence_of(done, diverged)).panels
    assert left.seeds == (1, 0, 0)
    assert left.pruned_after == (1, 2)
    assert left.absent[:3] == ("Magnitude s1: diverged", "Magnitude s2: missing", "Proposed s0 s1 s2: missing")
    assert right.series == ()
    figure = draw(figure_data(VGG5, evidence_of(done, diverged)), PAPER)
    assert [len(axis.lines) for axis in figure.axes] == [2, 0]  # the test curve and the marks of the rounds
    (listed,) = figure.axes[1].texts
    assert listed.get_text().splitlines()[1:] == list(right.absent)
    assert not figure.axes[1].axison


def test_the_axis_leaves_out_the_start_of_training(make_record, evidence_of):
    record = make_record(f"{CELL}0", curve=curve(1.0, 80.0, 90.0))
    axis = draw(figure_data(VGG5, evidence_of(record)), PAPER).axes[0]
    assert axis.get_ylim()[0] == 60.0
    near = make_record(f"{CELL}0", curve=curve(70.0, 80.0, 90.0))
    assert 65 < draw(figure_data(VGG5, evidence_of(near)), PAPER).axes[0].get_ylim()[0] < 70


def test_the_caption_says_n_protocol_and_what_is_absent(make_record, evidence_of):
    evidence = evidence_of(make_record(f"{CELL}0", curve=curve(10.0, 20.0, 30.0)))
    text = caption(figure_data(VGG5, evidence), evidence)
    assert "VGG-13 pruned in 5 rounds. Profile paper: 160 epochs, all training images." in text
    assert (
        "CIFAR-10, 75% of filters, seeds: Magnitude 1, Proposed 0, Loss-pres. 0; not drawn: Magnitude s1 s2: missing"
        in text
    )


def test_writing_twice_changes_no_byte(full, tmp_path):
    evidence = gather(profiles.get("demo"), full("demo"))
    data = figure_data(FigureSpec(4, "vgg13", 1), evidence)
    before = {path.name: path.read_bytes() for path in write(data, tmp_path, profiles.get("demo"))}
    assert set(before) == {"figure04.svg", "figure04.png", "figure04.csv"}
    assert {path.name: path.read_bytes() for path in write(data, tmp_path, profiles.get("demo"))} == before
    assert b"<dc:date>" not in before["figure04.svg"]


def test_the_settings_of_a_user_do_not_change_a_figure(full, tmp_path):
    from matplotlib import rc_context

    data = figure_data(FigureSpec(4, "vgg13", 1), gather(profiles.get("demo"), full("demo")))
    plain = write(data, tmp_path / "plain", profiles.get("demo"))
    with rc_context({"font.size": 20, "lines.linewidth": 9, "axes.facecolor": "black"}):
        other = write(data, tmp_path / "other", profiles.get("demo"))
    assert [path.read_bytes() for path in plain] == [path.read_bytes() for path in other]


def test_a_figure_without_a_curve_is_no_file(make_record, evidence_of, tmp_path):
    drawn = figure_data(VGG5, evidence_of(make_record(f"{CELL}0", curve=curve(10.0, 20.0, 30.0))))
    assert len(write(drawn, tmp_path, PAPER)) == len(list(tmp_path.iterdir())) == 3
    assert write(figure_data(VGG5, evidence_of()), tmp_path, PAPER) == []
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_drawn_is_in_the_legend_and_the_title_says_what_it_is_and_is_not(make_record, evidence_of):
    record = make_record(f"{CELL}0", curve=curve(10.0, 20.0, 30.0), profile="mini")
    mini = evidence_of(record, profile="mini")
    figure = draw(figure_data(VGG5, mini), mini.profile)
    assert [text.get_text() for text in figure.legends[0].texts] == ["Magnitude", "test", "train", "pruning rounds"]
    assert figure.get_suptitle() == "VGG-13, 5 rounds; profile mini: not comparable with the paper"
    assert draw(figure_data(VGG5, evidence_of()), PAPER).get_suptitle() == "VGG-13, 5 rounds"
