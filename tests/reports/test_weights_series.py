import csv
from dataclasses import replace

import pytest

from bench.suites import missing_the_mark as suite
from reports.weights.captions import absent, caption
from reports.weights.charts import drawing
from reports.weights.series import Point, Run, to_csv

from .weights_records import LENET, RESNET, base, evidence, facts, figure, full, own, pruned, record

K1 = figure("K.1")


def chart_of(name, *records, profile="paper"):
    return drawing(figure(name), evidence(*records, profile=profile)).charts[0]


def curve_of(chart, label):
    (found,) = (curve for curve in chart.curves if curve.label == label)
    return found


def test_mean_and_standard_deviation_over_seeds_at_the_last_epoch():
    records = [record(pruned(LENET, suite.SNIP, 4, seed), 90.0 + 2 * seed) for seed in range(3)]
    chart = chart_of("K.1", *records, record(base(LENET), 98.0))
    assert curve_of(chart, "SNIP").points == (Point(pytest.approx(59.04), 92.0, 2.0, 3),)
    assert chart.dense == Point(0, 98.0, None, 1)
    assert curve_of(chart, "GraSP").points == ()


def test_a_diverged_run_counts_for_nothing_but_is_known():
    cells = [pruned(LENET, suite.SNIP, 4, seed) for seed in range(3)]
    records = [record(cells[0], 90.0), record(cells[1], 10.0, status="diverged"), record(cells[2], status="timeout")]
    curve = curve_of(chart_of("K.1", *records), "SNIP")
    assert curve.points == (Point(pytest.approx(59.04), 90.0, None, 1),)
    here = [run for run in curve.runs if run.x == pytest.approx(59.04)]
    assert [(run.seed, run.state) for run in here] == [(0, "done"), (1, "diverged"), (2, "failed")]


def test_places_without_a_run_are_gaps_only_where_the_profile_runs_them():
    snip = [record(pruned(replace(LENET, dataset="digits"), suite.SNIP, 4), 90.0, profile="demo")]
    chart = chart_of("K.6", *snip, profile="demo")
    (low, high) = (100 * float(suite.level_amount(level)) for level in (4, 7))
    assert curve_of(chart, "SNIP").gaps == {high}
    iterative = curve_of(chart, "Iterative SNIP")  # the demo runs it at the higher sparsity only
    assert iterative.gaps == {high}
    assert Run(low, 0, "not run") in iterative.runs


def test_a_seed_that_the_profile_does_not_have_counts_too():
    records = [record(pruned(LENET, suite.SNIP, 4, seed), 90.0) for seed in (0, 7)]
    (point,) = curve_of(chart_of("K.1", *records), "SNIP").points
    assert point.n == 2


def test_networks_of_a_profile_are_found_by_their_model():
    found = drawing(K1, evidence(profile="demo"))
    assert found.networks[0].dataset == "digits"
    assert drawing(figure("3"), evidence(profile="demo")) is None
    assert len(drawing(figure("3"), evidence(profile="paper")).networks) == 4
    assert [network.model for network in drawing(figure("3"), evidence(profile="mini")).networks] == ["resnet20"]


def test_scores_of_ones_own_stand_beside_the_early_methods():
    mine = [own(pruned(LENET, suite.RANDOM, 4, seed), "mine", 80.0 + seed) for seed in (0, 1)]
    found = evidence(*mine, own(pruned(RESNET, suite.RANDOM, 6), "other"), record(pruned(LENET, suite.SNIP, 4)))
    drawn = drawing(K1, found)
    (chart,) = drawn.charts
    assert [curve.label for curve in chart.curves[-2:]] == ["mine", "other"]
    assert curve_of(chart, "mine").points == (Point(pytest.approx(59.04), 80.5, pytest.approx(0.5**0.5), 2),)
    assert curve_of(chart, "mine").gaps == frozenset()
    assert curve_of(chart, "other").points == ()
    assert "mine" in to_csv(drawn)
    text = caption(drawn, found.profile)
    assert "Not in the paper: mine." in text
    assert "not run" not in text
    assert [curve.label for curve in drawing(figure("K.4"), found).charts[0].curves][-1] == "Lottery-ticket rewinding"
    assert "Not in the paper" not in caption(drawing(figure("K.4"), found), found.profile)


def test_iterations_are_places_and_the_learning_rate_drops_are_those_of_the_protocol():
    at_1000 = replace(suite.MAGNITUDE, at=1000)
    rewound = replace(RESNET, rewind=500)
    chart = chart_of(
        "6", record(pruned(RESNET, at_1000, 6), 80.0), record(pruned(rewound, suite.LTR, 6), 85.0), record(base(RESNET))
    )
    assert curve_of(chart, "Magnitude").points == (Point(1000.0, 80.0, None, 1),)  # "at initialisation" is not where
    assert curve_of(chart, "Lottery-ticket rewinding").points == (Point(500.0, 85.0, None, 1),)
    assert chart.drops == (80 * 391.0, 120 * 391.0)


def test_drops_are_counted_in_iterations_of_the_images_that_were_used():
    chart = chart_of("6", record(pruned(RESNET, suite.SNIP, 6), images=129))
    assert chart.drops == (160.0, 240.0)
    assert chart_of("6").drops == ()


def test_curves_of_neurons_are_percents_and_taken_from_diverged_runs_too():
    cells = [pruned(LENET, suite.SYNFLOW, 11, seed) for seed in range(2)]
    records = [
        record(cells[0], mask=facts(curve=(1.0, 0.5, 0.25))),
        record(cells[1], None, mask=facts(curve=(1.0, 0.7, 0.25)), status="diverged"),
    ]
    curve = curve_of(chart_of("K.3", *records), "SynFlow")
    assert [(point.x, point.mean, point.n) for point in curve.points] == [
        (0.0, 100.0, 2),
        (50.0, pytest.approx(60.0), 2),
        (100.0, 25.0, 2),
    ]
    assert [run.state for run in curve.runs] == ["done", "done", "missing"]


def test_layers_are_counted_from_the_input():
    layers = [("fc1.weight", 75, 100), ("out.weight", 10, 10)]
    chart = chart_of("K.8", record(pruned(LENET, suite.RANDOM, 11), layers=layers))
    assert chart.layers == ("fc1.weight", "out.weight")
    assert curve_of(chart, "Random").points == (Point(1.0, 25.0, None, 1), Point(2.0, 0.0, None, 1))
    assert chart.dense is None


def test_the_ratio_of_paths_is_that_of_one_seed_and_then_a_mean():
    shuffled = suite.ablated(suite.SNIP, "shuffle")[0]
    records = [
        record(pruned(RESNET, method, 6, seed), mask=facts(effective))
        for method, seed, effective in [
            (suite.SNIP, 0, 100),
            (shuffled, 0, 110),
            (suite.SNIP, 1, 200),
            (shuffled, 1, 260),
            (suite.SNIP, 2, 50),
        ]
    ]
    curve = curve_of(chart_of("16", *records), "SNIP")
    assert curve.points == (Point(pytest.approx(73.7856), pytest.approx(1.2), pytest.approx(0.02**0.5), 2),)
    here = {run.seed: run.state for run in curve.runs if run.x == curve.points[0].x}
    assert here == {0: "done", 1: "done", 2: "missing"}  # of seed 2 the shuffled one is


def test_a_mask_without_any_path_has_no_ratio():
    shuffled = suite.ablated(suite.SNIP, "shuffle")[0]
    records = [record(pruned(RESNET, method, 6), mask=facts(0)) for method in (suite.SNIP, shuffled)]
    assert curve_of(chart_of("16", *records), "SNIP").points == ()


def test_a_profile_that_trains_nothing_waits_for_no_accuracy():
    chart = chart_of("3", *full("masks"), profile="masks")
    assert {run.state for run in chart.runs} == {"not run"}
    assert not drawing(figure("5"), evidence(*full("masks"), profile="masks")).empty


def test_the_csv_holds_every_point_that_is_drawn():
    records = [record(pruned(LENET, suite.SNIP, 4, seed), 90.125 + 2 * seed) for seed in range(2)]
    rows = list(csv.DictReader(to_csv(drawing(K1, evidence(*records, record(base(LENET), 98.5)))).splitlines()))
    assert [row["series"] for row in rows] == ["Unpruned", "SNIP"]
    assert rows[0] | {"mean": "98.5", "std": "", "n": "1", "x": ""} == rows[0]
    assert rows[1] == {
        "panel": "",
        "model": "lenet300_100",
        "dataset": "mnist",
        "series": "SNIP",
        "x": "59.04",
        "layer": "",
        "mean": "91.125",
        "std": str(2**0.5),
        "n": "2",
        "records": f"{records[0].key} {records[1].key}",
    }


def test_the_csv_names_layers_and_drops_and_leaves_out_what_is_not_drawn():
    layers = drawing(figure("K.8"), evidence(record(pruned(LENET, suite.SNIP, 11), layers=[("fc1.weight", 1, 4)])))
    (row,) = csv.DictReader(to_csv(layers).splitlines())
    assert (row["x"], row["layer"], row["mean"]) == ("1.0", "fc1.weight", "75.0")
    found = evidence(record(pruned(RESNET, suite.SNIP, 6), 80.0), record(base(suite.VGG16)))
    rows = list(csv.DictReader(to_csv(drawing(figure("6"), found)).splitlines()))
    assert [(row["model"], row["series"], row["x"]) for row in rows] == [
        ("resnet20", "SNIP", "0.0"),
        ("resnet20", "Learning rate drops", "31280.0"),
        ("resnet20", "Learning rate drops", "46920.0"),
    ]  # of VGG-16 the unpruned network alone is there


def test_the_caption_groups_what_is_absent():
    cells = [record(pruned(LENET, suite.SNIP, level, seed)) for level in LENET.levels for seed in range(3)]
    cells = [*cells[:-2], record(pruned(LENET, suite.SNIP, 18, 1), status="diverged")]
    found = evidence(*cells, record(base(LENET)))
    text = caption(drawing(figure("K.6"), found), found.profile)
    assert "Seeds: n = 1 to 3, unpruned 1." in text
    assert "LeNet-300-100 in profile paper: 40 epochs of 128 images a step, learning rate 0.1, no momentum" in text
    assert text.endswith(
        "LeNet-300-100 on MNIST: missing: 21 of 39 runs, unpruned (2 of 3), SNIP (1 of 18), "
        "Iterative SNIP (all of 18); diverged: 1 of 39 runs, SNIP (1 of 18)."
    )


def test_a_level_that_stands_in_for_one_the_paper_does_not_name_is_said_to():
    def of(name, network):
        found = evidence(record(base(network)))
        return caption(drawing(figure(name), found), found.profile)

    for name in ("K.3", "K.8"):
        text = of(name, LENET)
        assert "LeNet-300-100 with 91.4 % of its weights pruned, which stands in for its highest matching" in text
        assert "sparsity, as the paper names none; measured here: open: runs are missing. " in text
    assert "Modified ResNet-18 with 96.5 % of its weights pruned, which stands in" in of("L.3", suite.MODIFIED)
    assert "ResNet-20 with 73.8 % of its weights pruned. " in of("5", RESNET)


@pytest.mark.parametrize("name", ["K.3", "K.8"])
def test_the_highest_matching_sparsity_of_the_records_stands_beside_the_one_that_is_drawn(name):
    records = [record(base(LENET, seed), 98.0) for seed in range(3)]
    records += [record(pruned(LENET, suite.AFTER, level), 98.0 if level <= 7 else 97.0) for level in LENET.levels]
    found = evidence(*records)
    text = caption(drawing(figure(name), found), found.profile)
    assert "LeNet-300-100 with 91.4 % of its weights pruned, which stands in" in text
    assert "as the paper names none; measured here: 79.0 %. " in text


def test_a_caption_of_everything_lacks_nothing():
    found = evidence(*full("paper", lambda cell: cell.model == "lenet300_100"))
    text = caption(drawing(figure("K.2"), found), found.profile)
    assert "missing" not in text
    assert "not run" not in text
    assert "Seeds: n = 3." in text


def test_panels_that_a_profile_does_not_run_are_named_once():
    found = drawing(figure("K.5"), evidence(profile="demo"))
    text = absent(found.charts, evidence(profile="demo").profile)
    assert text == (
        "missing: all 4 runs; "
        "not run in profile demo: SNIP after training, GraSP after training, SynFlow after training"
    )
    (first, *_) = found.charts
    assert absent([first], evidence(profile="demo").profile) == "missing: all 4 runs"


def test_places_that_a_profile_does_not_run_are_counted():
    masks = evidence(*full("masks"), profile="masks")
    text = caption(drawing(figure("16"), masks), masks.profile)
    assert "ResNet-20 on CIFAR-10: not run in profile masks: 16 of 18 places of every curve." in text
    assert "the mask shuffled within layers over those of the unmodified one; at the grey line, 1, they are as" in text
    assert "masks at initialisation, of 2,000 training images where a score takes any" in text
    demo = evidence(profile="demo")
    assert "not run in profile demo: Iterative SNIP (1 of 2 places)" in caption(
        drawing(figure("K.6"), demo), demo.profile
    )


def test_long_lists_of_curves_are_cut():
    found = evidence(record(pruned(LENET, suite.RANDOM, 4)), record(pruned(LENET, suite.SNIP, 4)))
    text = caption(drawing(figure("K.2"), found), found.profile)
    assert "missing: 245 of 246 runs, unpruned (all of 3), Magnitude at initialisation (all of 54), " in text
    assert "SNIP unmodified (8 of 9), " in text
    assert text.endswith("SNIP variance 1 for scoring only (all of 9), and 3 more.")
