from dataclasses import replace
from math import nan

import pytest
from matplotlib import rc_context

from bench.profiles import get
from bench.suites import missing_the_mark as suite
from reports.weights import axes
from reports.weights.charts import drawing
from reports.weights.evidence import gather
from reports.weights.figures import draw, write
from reports.weights.layout import layout
from reports.weights.series import Chart, Curve, Drawing, Point
from reports.weights.styles import ABLATIONS, METHODS, label, style

from .weights_records import LENET, RESNET, base, evidence, figure, full, own, pruned, record

PAPER = get("paper")


def drawn(name, *records, profile="paper", whole=False):
    return drawing(figure(name), evidence(*records, profile=profile, whole=whole))


def curve(values, method=suite.SNIP):
    """A curve with means at 20, 36, ... percent."""
    sparsities = [100 * float(suite.level_amount(level)) for level in range(1, len(values) + 1)]
    points = (Point(x, mean, None, 1) for x, mean in zip(sparsities, values, strict=True))
    return Curve(method.label, method, tuple(points), ())


def labels(figure):
    return [text.get_text() for legend in (*figure.legends, *_inner(figure)) for text in legend.texts]


def _inner(figure):
    return [axis.get_legend() for axis in figure.axes if axis.get_legend() is not None]


@pytest.fixture(scope="module")
def everything():
    """Two levels of every network of the paper, and three prune points, with one seed."""
    profile = get("paper")
    levels = {net: (net.matching or 6, net.extreme) for net in profile.weights.protocols}
    small = {
        replace(net, levels=found, ablated=found, points=net.points[:3]): profile.weights.protocols[net]
        for net, found in levels.items()
    }
    amounts = {
        (net.model, net.dataset): [*map(suite.level_amount, found), *suite.HALVES[:2]] for net, found in levels.items()
    }

    def keep(cell):
        return cell.seed == 0 and (cell.amount is None or cell.amount in amounts[cell.model, cell.dataset])

    profile = replace(profile, weights=replace(profile.weights, protocols=small), seeds=(0,))
    return gather(profile, full("paper", keep))


@pytest.mark.parametrize("spec", suite.FIGURES, ids=lambda spec: spec.name)
def test_every_figure_is_drawn_from_records(spec, everything):
    found = drawing(spec, everything)
    assert not any(chart.empty for chart in found.charts)
    picture = draw(found, everything.profile)
    charts = [axis for axis in picture.axes if axis.get_title() or axis.lines]
    assert len(charts) == len(found.charts)
    for axis, chart in zip(charts, found.charts, strict=True):
        assert len(axis.lines) >= len(chart.curves)
    shown = {label(curve.method, chart.methods) for chart in found.charts for curve in chart.curves}
    assert shown | ({"unpruned"} if spec.axis in ("sparsity", "iteration") else set()) == set(labels(picture))


def test_writing_twice_changes_no_byte_whatever_the_settings_of_a_user(tmp_path):
    found = drawn("K.1", *full("demo"), profile="demo")
    plain = write(found, tmp_path / "plain", get("demo"))
    assert [path.name for path in plain] == ["figure_k1.svg", "figure_k1.png", "figure_k1.csv"]
    with rc_context({"font.size": 20, "lines.linewidth": 9, "axes.facecolor": "black"}):
        other = write(found, tmp_path / "other", get("demo"))
    assert [path.read_bytes() for path in plain] == [path.read_bytes() for path in other]
    assert b"<dc:date>" not in plain[0].read_bytes()


def test_a_figure_without_a_curve_is_no_file(tmp_path):
    found = drawn("K.6", record(pruned(LENET, suite.SNIP, 4)))
    assert len(write(found, tmp_path, PAPER)) == len(list(tmp_path.iterdir())) == 3
    assert write(drawn("K.6", record(base(LENET))), tmp_path, PAPER) == []
    assert list(tmp_path.iterdir()) == []


def test_a_chart_without_a_curve_says_which_runs_it_lacks():
    picture = draw(drawn("3", record(pruned(RESNET, suite.SNIP, 6)), whole=True), PAPER)
    there, *empty = picture.axes
    assert there.axison
    titles = "VGG-16 on CIFAR-10", "ResNet-18 on TinyImageNet", "ResNet-50 on ImageNet"
    for axis, name, runs in zip(empty, titles, (327, 327, 237), strict=True):
        assert not axis.axison
        assert axis.get_title() == name
        assert axis.texts[0].get_text().splitlines() == ["Nothing to draw.", f"missing: all {runs} runs"]


def test_every_fifth_that_goes_takes_the_same_room():
    places = [axes.place("sparsity", 100 * float(suite.level_amount(level))) for level in suite.GRID]
    assert places == pytest.approx(list(suite.GRID))
    assert axes.place("sparsity", 0) == 0
    assert axes.place("iteration", 500.0) == 500.0
    picture = draw(drawn("3", record(pruned(RESNET, suite.SNIP, 6)), record(base(RESNET))), PAPER)
    shown = [text.get_text() for text in picture.axes[0].get_xticklabels()]
    assert shown[:3] == ["0", "20.0", "36.0"]
    assert shown[-1] == "98.2"
    assert len(shown) == 19


def test_a_line_is_broken_where_runs_are_missing():
    records = [record(pruned(LENET, suite.SNIP, level), 90.0 + level) for level in (2, 4, 11)]
    line = draw(drawn("K.6", *records), PAPER).axes[0].lines[0]
    assert list(line.get_xdata()) == pytest.approx([2, 4, 7, 11, 15, 18])
    assert list(line.get_ydata()) == pytest.approx([92.0, 94.0, nan, 101.0, nan, nan], nan_ok=True)


def test_bands_are_one_standard_deviation_and_take_two_seeds():
    one = draw(drawn("K.6", record(pruned(LENET, suite.SNIP, 4), 90.0)), PAPER).axes[0]
    assert not one.collections
    records = [record(pruned(LENET, suite.SNIP, 4, seed), 90.0 + seed) for seed in range(3)]
    (band,) = draw(drawn("K.6", *records), PAPER).axes[0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (min(heights), max(heights)) == (90.0, 92.0)


def test_a_marker_is_hollow_where_seeds_are_missing():
    records = [record(pruned(LENET, suite.SNIP, 4, seed), 90.0) for seed in range(3)]
    axis = draw(drawn("K.6", *records, record(pruned(LENET, suite.SNIP, 7), 90.0)), PAPER).axes[0]
    fills = {round(line.get_xdata()[0]): line.get_markerfacecolor() for line in axis.lines if line.get_marker() == "s"}
    assert fills == {4: METHODS[suite.SNIP].colour, 7: "white"}


def test_the_axis_leaves_room_for_what_is_alike():
    bad, good = curve([98.0, 97.0, 20.0], suite.RANDOM), curve([98.0, 97.5, 97.0])
    chart = Chart(network=LENET, title="", curves=(bad, good), dense=Point(0, 98.0, None, 1))
    low, high = axes.limits("sparsity", [chart])
    assert 95.5 < low < 96.0  # the best is 1 below at its lowest, so one more point is shown, and a margin
    assert 98.0 < high < 98.5


def test_half_of_a_curve_stays_on_the_axis_unless_it_is_inverted():
    inverted = suite.ablated(suite.SNIP, "invert")[0]
    flat = [98.0, 98.0, 98.0]
    low = [axes.limits("sparsity", [Chart(network=LENET, title="", curves=(curve(flat), curve([50.0] * 3, method)))])
           for method in (suite.RANDOM, inverted)]  # fmt: skip
    assert low[0][0] < 50 < 90 < low[1][0]


def test_a_wedge_stands_for_what_lies_below_the_axis():
    bad, good = curve([98.0, 97.0, 20.0], suite.RANDOM), curve([98.0, 97.5, 97.0])
    chart = Chart(network=LENET, title="", curves=(bad, good))
    axis = draw(Drawing(figure("K.1"), (chart,), 1), PAPER).axes[0]
    (wedge,) = (line for line in axis.lines if line.get_marker() == 7)
    assert list(wedge.get_xdata()) == [pytest.approx(3)]
    assert list(wedge.get_ydata()) == [axis.get_ylim()[0]]


def test_the_ratios_are_shown_as_the_paper_does_and_more_where_there_is_more():
    def limits(*values):
        return axes.limits("paths", [Chart(network=RESNET, title="", curves=(curve(list(values)),))])

    assert limits(1.0, 1.01) == (0.99, 1.05)
    assert limits(0.9, 1.2) == (0.9, 1.2)
    assert axes.limits("paths", [Chart(network=RESNET, title="", curves=())]) is None


def test_networks_are_columns_and_panels_rows_and_one_network_fills_rows_with_panels():
    grid = drawn("4")
    assert (layout(grid).rows, layout(grid).columns) == (5, 3)
    places = list(layout(grid).places(grid))
    assert [place.title for place in places[:4]] == [
        "ResNet-20 on CIFAR-10", "VGG-16 on CIFAR-10", "ResNet-18 on TinyImageNet", "",
    ]  # fmt: skip
    assert places[3].side == "SNIP\ntest accuracy (%)"
    two = drawn("K.2", record(base(LENET)))
    assert (layout(two).rows, layout(two).columns, layout(two).spare) == (2, 3, (1, 2))
    assert [place.title for place in layout(two).places(two)][1:3] == ["SNIP", "GraSP"]
    assert layout(drawn("K.5", record(base(LENET)))).spare is None
    layers = layout(drawn("15", record(base(RESNET)), record(base(suite.VGG16))))
    assert (layers.rows, layers.columns) == (2, 1)


def test_methods_have_the_colours_of_the_paper():
    three = figure("3").panels[0].methods
    assert style(suite.SNIP, three) == METHODS[suite.SNIP]
    assert label(suite.SNIP, three) == "SNIP"
    snips = figure("4").panels[1].methods
    assert {method.score for method in snips} == {"snip"}
    assert [style(method, snips) for method in snips] == list(ABLATIONS.values())
    assert label(snips[1], snips) == "shuffled in layers"


def test_an_ablation_has_its_own_colour_beside_its_method_and_stands_for_it_alone():
    five, fourteen = (figure(name).panels[0].methods for name in ("5", "14"))
    shuffled = suite.ablated(suite.SYNFLOW, "shuffle")[0]
    assert style(shuffled, five) == ABLATIONS["shuffle"]
    assert style(shuffled, fourteen) == METHODS[suite.SYNFLOW]


@pytest.mark.parametrize("spec", suite.FIGURES, ids=lambda spec: spec.name)
def test_no_two_curves_of_a_chart_look_alike(spec):
    for panel in spec.panels:
        looks = [style(method, panel.methods) for method in panel.methods]
        assert len({look.colour for look in looks}) == len(looks)
        assert len({(look.marker, look.line) for look in looks}) == len(looks)


@pytest.mark.parametrize(
    "spec", [figure for figure in suite.FIGURES if figure.ablations], ids=lambda figure: figure.name
)
def test_an_ablation_looks_alike_in_every_panel(spec):
    """One legend serves all of them, whenever the panels' methods prune."""
    for panel in spec.panels:
        assert [style(method, panel.methods) for method in panel.methods] == [
            ABLATIONS[method.ablation] for method in panel.methods
        ]


def test_scores_of_ones_own_have_looks_of_their_own():
    mine = [own(pruned(LENET, suite.RANDOM, 4), f"mine_{number}") for number in range(4)]
    found = drawn("K.1", *mine, *(record(pruned(LENET, method, 4)) for method in figure("3").panels[0].methods))
    (chart,) = found.charts
    looks = [style(curve.method, chart.methods) for curve in chart.curves]
    assert len({look.colour for look in looks}) == len({look.marker for look in looks}) == 10
    assert labels(draw(found, PAPER))[-4:] == [f"mine_{number}" for number in range(4)]


def test_the_picture_says_what_it_is_not():
    assert draw(drawn("K.2", *full("demo"), profile="demo"), get("demo")).get_suptitle() == (
        "LeNet-300-100 on digits - profile demo: a demonstration"
    )
    mini = draw(drawn("3", *full("mini"), profile="mini"), get("mini")).get_suptitle()
    assert mini == "profile mini: not comparable with the paper"
    assert draw(drawn("K.6", record(pruned(LENET, suite.SNIP, 4))), PAPER).get_suptitle() == ""


def test_curves_of_one_place_stand_side_by_side():
    axis = draw(drawn("K.2", *full("demo"), profile="demo"), get("demo")).axes[0]
    xs = [float(line.get_xdata()[0]) for line in axis.lines if line.get_marker() not in ("", "None")]
    assert len(set(xs)) == len(xs) == 6


def test_learning_rate_drops_are_lines():
    axis = draw(drawn("6", record(pruned(RESNET, suite.SNIP, 6), 80.0)), PAPER).axes[0]
    upright = [line.get_xdata()[0] for line in axis.lines if list(line.get_ydata()) == [0, 1]]
    assert upright == [31280.0, 46920.0]
    assert axis.get_xlim()[0] < 0 < 62560 < axis.get_xlim()[1]  # to the end of training, although nothing is there yet
