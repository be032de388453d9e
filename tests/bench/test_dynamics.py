"""Cells that are measured while they train, really trained, on a few small digits."""

import io
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
import torch

from bench import experiment, probing
from bench.cell import DYNAMICS, Cell
from bench.executor import execute
from bench.plan import Probe, Train, plan
from bench.profiles import PROFILES, Dynamics
from bench.progress import OutOfBudget, silent
from bench.protocol import Protocol
from bench.suites import gradient_flow
from pruning import dynamics, models, scores
from pruning.dynamics.probe import IN_TRAINING
from reports.dynamics import moments as shown_in_reports
from results.registry import Registry

from . import tiny

PROBES = (0, 2, 4)

pytestmark = pytest.mark.usefixtures("one_thread")


def profile(probes=PROBES):
    return replace(tiny.profile(), dynamics=Dynamics(datasets=("digits",), seeds=(0,), probes=probes))


def cell(model="vgg13", score=DYNAMICS):
    return Cell(suite="gradient_flow", model=model, dataset="digits", score=score)


def run(folder, which, listener=silent, using=None, keep=None, **changes):
    arrays = {}
    record = experiment.run(which, using or profile(), tiny.settings(folder, **changes), listener, arrays.__setitem__)
    return record, arrays


def loaded(content):
    with np.load(io.BytesIO(content)) as file:
        return dict(file)


@pytest.fixture(scope="module")
def looked_at(one_thread, tmp_path_factory):
    """Record and arrays of a run that nothing disturbs, and what laws were looked at on, with what was found."""
    seen, theory = [], probing.laws

    def looked(net, batches, *, temperature):
        found = list(theory(net, batches, temperature=temperature))
        seen.append((net, batches, temperature, found))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probing, "laws", looked)
        return *run(tmp_path_factory.mktemp("whole"), cell()), seen


@pytest.fixture(scope="module")
def whole(looked_at):
    """That record and its arrays."""
    return looked_at[:2]


def leave_out_laws(patch):
    patch.setattr(probing, "laws", lambda *_, **__: [])


@pytest.fixture
def without_laws(monkeypatch):
    """For runs of which something else is asked; laws take most of their time."""
    leave_out_laws(monkeypatch)


@pytest.fixture(scope="module")
def lawless(one_thread, tmp_path_factory):
    """Record and arrays of the same run without laws."""
    with pytest.MonkeyPatch.context() as patch:
        leave_out_laws(patch)
        return run(tmp_path_factory.mktemp("lawless"), cell())


def test_the_plan_is_that_of_a_base_cell_with_probes_between():
    protocol = profile().protocol_of(cell())
    stages = plan(cell(), protocol)
    assert [stage.epoch for stage in stages if isinstance(stage, Probe)] == list(PROBES)
    trained = [stage for stage in stages if isinstance(stage, Train)]
    base = plan(cell(score="base"), protocol)
    assert [(each.epoch, each.lr) for each in trained] == [(each.epoch, each.lr) for each in base]
    assert [type(stage).__name__ for stage in stages] == ["Probe", *("Train", "Train", "Probe") * 2]


@pytest.mark.parametrize("model", gradient_flow.MODELS)
def test_measuring_changes_no_bit_of_the_run(tmp_path, whole, model, without_laws):
    """Those of VGG-13 with laws, too."""
    measured, _ = whole if model == "vgg13" else run(tmp_path, cell(model), using=profile((2,)))
    base, _ = run(tmp_path, cell(model, "base"))
    assert measured.metrics == base.metrics
    assert measured.curve == base.curve
    assert base.dynamics == []
    assert base.side_files == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("model", gradient_flow.MODELS)
def test_measuring_changes_no_bit_of_a_run_on_a_gpu(tmp_path, model):
    """Between replays of captured steps; two runs of the same cell agree to the bit there, or this says nothing."""
    measured, _ = run(tmp_path / "measured", cell(model), device="cuda")
    base, _ = run(tmp_path / "base", cell(model, "base"), device="cuda")
    again, _ = run(tmp_path / "again", cell(model, "base"), device="cuda")
    assert again.curve == base.curve
    assert (measured.metrics, measured.curve) == (base.metrics, base.curve)


def test_what_a_record_says_is_what_its_arrays_say(whole):
    record, arrays = whole
    assert [(each.epoch, each.recalibrated) for each in record.dynamics] == [
        (0, False),
        (0, True),
        (2, False),
        (4, False),
    ]
    (name,) = record.side_files
    assert name.startswith(record.key)
    found = loaded(arrays[name])
    filters = sum(layer.total for layer in record.layers)
    for place, moment in enumerate(record.dynamics):
        x, y = (torch.from_numpy(found[f"{place}.filters.{each}"]) for each in ("theta_g", "theta_hg"))
        assert len(x) == filters
        pearson, spearman, n = moment.correlations["filters: theta_g, theta_hg"]
        again = dynamics.correlation(x, y)
        assert (pearson, n) == (pytest.approx(again.pearson, abs=1e-5), filters)
        assert spearman == pytest.approx(again.spearman, abs=1e-4)
        assert moment.gradient_norms.keys() == {layer.name for layer in record.layers}
        assert len(found[f"{place}.weights.theta_g"]) == dynamics.SAMPLED
    start, recalibrated, middle, end = record.dynamics
    assert start.correlations != recalibrated.correlations
    assert shown_in_reports.IN_TRAINING == IN_TRAINING
    of_training = [f"{kind}: theta_g, theta_hg{IN_TRAINING}" for kind in ("filters", "weights")]
    shown = [each for each in record.dynamics if each.epoch in gradient_flow.panels(4).values()]
    assert [(each.epoch, each.recalibrated) for each in shown] == [(0, False), (0, True), (4, False)]
    for moment in record.dynamics:
        assert [name in moment.correlations for name in of_training] == [moment in shown] * 2
    assert start.distances == recalibrated.distances == start.effects == {}
    for moment in (middle, end):
        assert set(moment.distances) == {"filters", "weights", probing.NORM_AND_DISTANCE}
        assert set(moment.effects) == {"none", "magnitude", "loss", "grasp_t1", "abs_grasp"}
        assert "filters: sigma_dsigma, taylor" in moment.correlations
    assert {"filters: norm, distance"} <= set(middle.correlations)
    following = "filters: taylor, next norm change"
    assert [following in moment.correlations for moment in record.dynamics] == [False, True, True, False]
    assert record.costs.seconds["probe"] > 0
    assert record.data.score_images == 39, "one class has three of its four images among the first hundred"


def test_laws_are_looked_at_before_training_and_at_its_end(looked_at):
    """At the temperature of training, on two batches of different images of the sample, spread over its classes."""
    record, _, seen = looked_at
    at = [(moment.epoch, moment.recalibrated) for moment in record.dynamics if moment.laws]
    assert at == [(0, True), (4, False)]
    moments = [moment for moment in record.dynamics if moment.laws]
    for moment, (_, batches, temperature, found) in zip(moments, seen, strict=True):
        assert temperature == profile().protocol.temperature != 1
        images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        assert [len(part) for _, part in batches] == [4, 4]
        assert len(images.flatten(1).unique(dim=0)) == 8
        assert len(labels.unique()) > 4
        assert [(law.name, law.smooth, law.step) for law in moment.laws] == [each[:3] for each in found]
        assert [law.numbers for law in moment.laws] == [each.numbers for each in found]
        assert any(law.name == "norm_change" and law.numbers["error"] < 0.01 for law in moment.laws)
    before, after = (seen[place][0].state_dict() for place in (0, 1))
    assert not torch.equal(before["classifier.weight"], after["classifier.weight"])
    assert before["units.0.bn.running_mean"].abs().sum() > 0, "recalibrated"


def test_loss_and_gradient_after_pruning_are_those_of_what_is_left(whole):
    """None is the network itself: its loss on the sample falls while it trains."""
    record, _ = whole
    losses = [moment.effects["none"][0] for moment in record.dynamics if moment.effects]
    assert losses[1] < losses[0]
    for moment in record.dynamics[2:]:
        assert moment.effects["grasp_t1"] != moment.effects["abs_grasp"]
        assert all(loss > 0 and norm > 0 for loss, norm in moment.effects.values())


def test_what_is_pruned_for_the_observations_is_the_first_of_five_rounds(tmp_path, monkeypatch, without_laws):
    seen = []
    monkeypatch.setattr(dynamics, "effects", lambda *_, amount, temperature: seen.append((amount, temperature)) or {})
    run(tmp_path, cell(), using=profile((4,)))
    assert seen == [(Decimal("0.15"), profile().protocol.temperature)]


def test_the_observations_are_what_their_arrays_say(tmp_path, whole, without_laws):
    """Masks by norm and by distance, and what becomes of norms in the epoch after a moment."""
    record, arrays = whole
    found = loaded(arrays[record.side_files[0]])

    def filters(place, name):
        return torch.from_numpy(found[f"{place}.filters.{name}"]).double()

    amount = float(gradient_flow.amount("vgg13", "digits"))
    assert amount != 0.2
    for place in (2, 3):
        expected = dynamics.mask_distance(filters(place, "norm"), filters(place, "distance"), share=amount)
        assert record.dynamics[place].distances[probing.NORM_AND_DISTANCE] == pytest.approx(expected, abs=1e-9)
    every = profile((0, 2, 3, 4))
    record, arrays = run(tmp_path, cell(), using=every)
    found = loaded(arrays[record.side_files[0]])
    assert [moment.epoch for moment in record.dynamics] == [0, 0, 2, 3, 4]
    for place in (2, 3):  # the norms an epoch later are those of the next moment
        change = (filters(place + 1, "norm") ** 2 - filters(place, "norm") ** 2).abs()
        pearson, spearman, _ = record.dynamics[place].correlations["filters: taylor, next norm change"]
        expected = dynamics.correlation(filters(place, "taylor"), change)
        assert (pearson, spearman) == pytest.approx((expected.pearson, expected.spearman), abs=1e-3)


def test_scores_of_the_observations_are_the_suite_s():
    net = models.build("vgg13", width="0.125", seed=0).double()
    batches = [(torch.randn(4, 3, 16, 16, dtype=torch.float64), torch.arange(4))]
    net = dynamics.recalibrated(net, batches)
    found = probing.scores_of(dynamics.measure(net, batches, temperature=5.0))
    assert set(found) == {"magnitude", "loss", "grasp_t1", "abs_grasp"}
    for name, layers in found.items():
        expected = scores.filter_scores(name, net, batches, temperature=5.0)
        assert layers.keys() == expected.keys()
        for layer, values in layers.items():
            largest = float(expected[layer].abs().max())
            torch.testing.assert_close(values, expected[layer].double(), rtol=1e-8, atol=1e-9 * largest)


@pytest.mark.parametrize(("epoch", "laws"), [(1, False), (2, True), (3, False)])
def test_an_interrupted_run_goes_on_to_the_same_numbers(tmp_path, whole, lawless, monkeypatch, epoch, laws):
    """Before an epoch that is measured, after it, and after what follows it."""
    record, arrays = whole if laws else lawless
    if not laws:
        leave_out_laws(monkeypatch)

    def stop(progress):
        if progress.epoch == epoch:
            raise OutOfBudget("enough")

    with pytest.raises(OutOfBudget):
        run(tmp_path, cell(), stop)
    rest, others = run(tmp_path, cell())
    assert rest.costs.stages_cached > 0
    assert (rest.dynamics, rest.curve, rest.side_files) == (record.dynamics, record.curve, record.side_files)
    assert arrays == others


def test_other_probes_are_another_record_and_no_other_run(tmp_path, whole, without_laws):
    few, _ = run(tmp_path, cell(), using=profile((4,)))
    all_, _ = whole
    assert few.key != all_.key
    assert few.curve == all_.curve
    (last,) = few.dynamics
    assert (last.correlations, last.effects) == (all_.dynamics[-1].correlations, all_.dynamics[-1].effects)


def test_arrays_are_kept_beside_the_record(tmp_path, without_laws):
    registry = Registry(tmp_path / "runs")
    record = execute(cell(), profile((0,)), tiny.settings(tmp_path), registry).record
    (name,) = record.side_files
    assert "0.filters.theta_g" in loaded(registry.side_file(record, name))
    assert registry.path(record.profile, record.cell, record.key).with_name(name).is_file()
    registry.look_for_side_files([record])
    assert registry.problems == []


def test_where_there_are_dynamics():
    """Figures 2, 3 and 13-15 are on CIFAR-100, 35-38 on Tiny-ImageNet at CIFAR's size; the panels at 0, 40, 160."""
    found = [cell for cell in PROFILES["paper"].cells() if cell.score == DYNAMICS]
    assert len(found) == 18
    assert {cell.dataset for cell in found} == {"cifar100", "tiny_imagenet"}
    assert {cell.model for cell in found} == set(gradient_flow.MODELS)
    for cell in found:
        protocol = PROFILES["paper"].protocol_of(cell)
        assert protocol.probes == tuple(range(0, 161, 10))
        assert protocol.image_size == (32 if cell.dataset == "tiny_imagenet" else None)
        assert replace(protocol, probes=(), image_size=None) == PROFILES["paper"].protocol
    mini = [cell for cell in PROFILES["mini"].cells() if cell.score == DYNAMICS]
    assert {(cell.dataset, cell.seed) for cell in mini} == {("cifar100", seed) for seed in (0, 1, 2)}
    assert {cell.seed for cell in PROFILES["mini"].cells((5,)) if cell.score == DYNAMICS} == {5}
    demo = PROFILES["demo"]
    assert demo.dynamics.probes == (0, demo.protocol.epochs // 4, demo.protocol.epochs)


def test_a_run_that_diverges_is_one_as_a_base_run_is(tmp_path, without_laws):
    """In the epoch after a moment, whose follow-up has nothing finite to compare with."""
    found = profile((0, 2, 4))
    wild = replace(found, protocol=replace(found.protocol, lr=1e20))
    for score in (DYNAMICS, "base"):
        record, _ = run(tmp_path, cell(score=score), using=wild)
        assert record.status == "diverged"


def test_checkpoints_stay_where_arrays_cannot_be_stored(tmp_path, without_laws):
    def full(name, content):
        raise OSError("no space left on device")

    settings = tiny.settings(tmp_path)
    with pytest.raises(OSError, match="no space left"):
        experiment.run(cell(), profile((4,)), settings, silent, full)
    record, _ = run(tmp_path, cell(), using=profile((4,)))
    assert record.costs.stages_cached > 0


def test_probes_outside_training_are_refused():
    with pytest.raises(ValueError, match=r"^probes are \(0, 9\); expected epochs from 0 to 8$"):
        Protocol(epochs=8, probes=(0, 9))
