"""Cells that prune weights, really trained, on a few small digits."""

import itertools
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import partial
from math import floor

import pytest
import torch
from PIL import Image

from bench import experiment
from bench.cell import BASE, END, level_amount
from bench.executor import executing
from bench.plan import Alter, Sparsify, Train
from bench.profiles import get
from bench.progress import OutOfBudget, silent
from bench.protocol import Protocol
from bench.run_state import State
from bench.suites import missing_the_mark as suite
from bench.suites.missing_the_mark import Method
from bench.suites.missing_the_mark_grids import Grid
from bench.together import Together
from bench.weight_pruning import alter, sparsify
from bench.width import Width
from pruning import masks, training
from pruning.data import MissingData, image_folder
from pruning.held import Held
from pruning.steps import finished
from results.registry import Registry

from . import tiny

NETWORK = suite.Network(model="lenet300_100", dataset="digits", levels=(4, 7))
PROTOCOL = Protocol(
    width="0.1", image_size=8, train_limit=100, test_limit=50, mean=0.5, std=0.5, augmentation="none",
    initialisation="kaiming_normal", epochs=3, batch_size=32, lr=0.05, lr_drops=(2,), momentum=0.9, weight_decay=1e-4,
    temperature=1.0, score_samples=30, scoring_batch=16,
)  # fmt: skip
SEVENTH = level_amount(7)
ITERATIONS = 4  # of 32 images in 100


pytestmark = pytest.mark.usefixtures("one_thread")


def profile(**changes):
    grid = Grid(protocols={NETWORK: replace(PROTOCOL, **changes)}, pruned=lambda network, seed: ())
    return replace(tiny.profile(), weights=grid)


def cell(score="magnitude", amount=SEVENTH, seed=0, **changes):
    return Method(label="", score=score, **changes).cell(NETWORK, amount, seed)


def run(folder, which, listener=silent, using=None, **changes):
    return experiment.run(which, using or profile(), tiny.settings(folder, **changes), listener)


def numbers(record):
    return record.metrics, record.curve, record.layers, record.mask


@pytest.mark.parametrize(("score", "rounds"), [("random", 1), ("magnitude", 1), ("snip", 3), ("synflow", 5)])
@pytest.mark.parametrize("amount", [level_amount(4), Decimal("0.98")])
def test_exactly_as_many_weights_are_gone_as_the_rule_says(score, rounds, amount, tmp_path):
    record = run(tmp_path, cell(score, amount, rounds=rounds))
    total = 30 * 192 + 10 * 30 + 10 * 10
    assert record.metrics.weights_total == total
    assert record.metrics.weights_pruned == floor(Fraction(amount) * total + Fraction(1, 2))
    assert sum(layer.total - layer.kept for layer in record.layers) == record.metrics.weights_pruned
    assert record.metrics.params_dense - record.metrics.params == record.metrics.weights_pruned
    assert record.metrics.macs_dense == total
    assert record.metrics.macs == total - record.metrics.weights_pruned  # a perceptron uses every weight once
    assert record.mask.effective_weights <= total - record.metrics.weights_pruned
    assert record.mask.neurons_total == 40
    assert len(record.curve.epoch) == 3


@pytest.mark.parametrize("score", ["snip", "grasp", "grasp_class_split", "abs_grasp"])
def test_scores_with_data_see_as_many_images_of_every_class(score, tmp_path):
    assert run(tmp_path, cell(score)).data.score_images == 30


def test_every_ablation_changes_the_run_in_its_own_way(tmp_path):
    plain = run(tmp_path, cell())
    found = {name: run(tmp_path, cell(ablation=name)) for name in suite.ABLATIONS if name != "none"}
    for one, other in itertools.combinations([plain, *found.values()], 2):
        assert one.curve != other.curve
    assert found["shuffle"].layers == plain.layers == found["reinit"].layers
    assert found["shuffle"].mask != plain.mask == found["reinit"].mask
    assert found["invert"].layers != plain.layers
    # The widest layer has the smallest weights at initialisation, unless all have the same variance.
    uneven = [layer.kept / layer.total for layer in plain.layers]
    even = [layer.kept / layer.total for layer in found["unit_variance"].layers]
    assert uneven[0] < 0.2 < uneven[2]
    assert max(even) - min(even) < max(uneven) - min(uneven)
    assert found["unit_variance"].layers == found["unit_variance_score"].layers


def test_the_dense_run_is_trained_once_for_all_that_prune_after_it(tmp_path):
    base = run(tmp_path, suite.base(NETWORK, 0))
    later = run(tmp_path, cell(at=END))
    assert later.costs.stages_cached == 3
    assert later.costs.stages_run == 4
    assert later.curve.test_loss[:3] == base.curve.test_loss
    assert later.curve.round == [1, 1, 1, None, None, None]
    assert later.curve.lr == [0.05, 0.05, 0.005] * 2, "the whole schedule again"
    assert numbers(later) == numbers(run(tmp_path / "anew", cell(at=END)))
    assert run(tmp_path, cell(at=END, seed=1)).costs.stages_cached == 0


def test_a_prune_point_in_an_epoch(tmp_path):
    record = run(tmp_path, cell(at=ITERATIONS + 2))
    assert record.curve.epoch == [1, 2, 3, 4, 5]
    assert record.curve.round == [1, 1, None, None, None]
    assert record.curve.lr == [0.05, 0.05, 0.05, 0.05, 0.005]
    assert numbers(record) != numbers(run(tmp_path, cell(at=ITERATIONS + 1)))


def sparsified(folder, which):
    """The state right after the weights are masked, and the network at initialisation."""
    going = experiment.Run(which, profile(), tiny.settings(folder), silent)
    state = State(training.place(going.trial.fresh(), "cpu"))
    for stage in going.stages:
        if state.mask is not None and isinstance(stage, Train):
            Held(state.net, state.mask, {})  # as the first step of training does
            return state, going
        if isinstance(stage, Sparsify):
            sparsify(going.trial, stage, state)
        else:
            if isinstance(stage, Alter) and stage.rewind is not None:
                finished(going._rewind(stage.rewind, state))
            finished(going._train(stage, state)) if isinstance(stage, Train) else alter(going.trial, stage, state)
    raise AssertionError


@pytest.mark.parametrize("rewind", [0, 3, ITERATIONS + 1])
def test_rewinding_puts_back_the_weights_of_that_iteration(rewind, tmp_path):
    late = replace(cell(at=END), rewind=rewind)
    state, going = sparsified(tmp_path, late)
    trained, _ = sparsified(tmp_path, cell(at=END))
    assert all(torch.equal(state.mask[name], trained.mask[name]) for name in trained.mask), "the mask of the end"
    expected = sparsified(tmp_path, cell("random", at=rewind))[0].net if rewind else going.trial.fresh()
    # What that other run pruned is zero there.
    for name, weight in state.net.named_parameters():
        other = expected.get_parameter(name)
        both = (weight != 0) & (other != 0)
        assert both.any()
        assert torch.equal(weight[both], other[both])
    masked = {name: weight.detach() for name, weight in state.net.named_parameters() if name in state.mask}
    assert all((weight[~state.mask[name]] == 0).all() for name, weight in masked.items())


def test_what_is_rewound_to_is_trained_once(tmp_path):
    """Its iterations are charged to the cell that trains them, and the next one finds them."""

    def epochs(rewind, folder=tmp_path):
        seen = []
        record = run(folder, replace(cell(at=END), rewind=rewind), seen.append)
        return [progress.epoch for progress in seen], record

    first, one = epochs(ITERATIONS + 1)
    assert first == [1, 2, 3, 1, 2, 4, 5, 6], "the whole schedule, an epoch and an iteration again, the schedule again"
    second, other = epochs(ITERATIONS + 1)
    assert second == [4, 5, 6]
    assert numbers(one) == numbers(other)
    run(tmp_path, cell("snip", at=2))
    assert epochs(2)[0] == [4, 5, 6], "where another cell was pruned"
    assert numbers(epochs(2)[1]) == numbers(epochs(2, tmp_path / "anew")[1])


def test_an_interrupted_rewinding_is_done_again_and_no_more(tmp_path):
    seen = []

    def stop(progress):
        seen.append(progress.epoch)
        if seen == [1, 2, 3, 1]:
            raise OutOfBudget

    late = replace(cell(at=END), rewind=ITERATIONS + 1)
    with pytest.raises(OutOfBudget):
        run(tmp_path, late, stop)
    del seen[:]
    rest = run(tmp_path, late, stop)
    assert seen == [2, 4, 5, 6]
    assert numbers(rest) == numbers(run(tmp_path / "anew", late))


def test_pruned_weights_stay_zero_to_the_end(tmp_path):
    going = experiment.Run(cell("snip", at=END), profile(), tiny.settings(tmp_path), silent)
    state = State(training.place(going.trial.fresh(), "cpu"))
    finished(going._finish(0, state))
    kept = {name: int((state.net.get_parameter(name) != 0).sum()) for name in state.mask}
    assert kept == {name: int(keep.sum()) for name, keep in state.mask.items()}


def test_reinitialised_weights_are_those_of_a_network_never_seen(tmp_path):
    state, going = sparsified(tmp_path, cell(ablation="reinit"))
    before = going.trial.fresh()
    masks.zero_(before, state.mask)
    for name, weight in state.net.named_parameters():
        moved = weight != before.get_parameter(name)
        assert moved[state.mask[name]].all() if name in state.mask else moved.all()


def test_an_interrupted_run_goes_on_to_the_same_numbers(tmp_path):
    def stop(progress):
        if progress.epoch == 5:
            raise OutOfBudget

    late = cell("snip", at=END)
    with pytest.raises(OutOfBudget):
        run(tmp_path, late, stop)
    rest = run(tmp_path, late)
    assert rest.costs.stages_cached == 6
    assert rest.costs.stages_run == 1
    assert numbers(rest) == numbers(run(tmp_path / "anew", late))


def test_seeds_and_only_seeds_change_the_numbers(tmp_path):
    one, again, other = (run(tmp_path / str(i), cell("synflow", seed=s)) for i, s in enumerate((0, 0, 1)))
    assert numbers(one) == numbers(again) != numbers(other)


def test_without_epochs_there_is_a_mask_and_no_accuracy(tmp_path):
    record = run(tmp_path, cell("snip"), using=profile(epochs=0))
    assert record.status == "done"
    assert record.metrics.test_accuracy_last is None
    assert record.metrics.test_accuracy_best is None
    assert record.curve.epoch == []
    assert record.mask == run(tmp_path, cell("snip")).mask


def test_batch_norm_sees_the_scoring_batch(tmp_path):
    """A network with batch norm scores otherwise on other batches of the same images; the perceptron does not."""
    resnet = replace(NETWORK, model="resnet20")

    def layers(network, size):
        protocol = replace(PROTOCOL, epochs=0, scoring_batch=size, width="0.25")
        using = replace(tiny.profile(), weights=Grid(protocols={network: protocol}, pruned=lambda network, seed: ()))
        snip = Method(label="", score="snip").cell(network, level_amount(4), 0)
        return run(tmp_path, snip, using=using).layers

    assert layers(resnet, 8) != layers(resnet, None)
    assert layers(NETWORK, 8) == layers(NETWORK, None)


def test_a_run_that_turns_non_finite_has_diverged(tmp_path):
    record = run(tmp_path, cell(), using=profile(lr=1e30))
    assert record.status == "diverged"
    assert record.mask is not None


OWN = """
from pruning import scores

def small_first(model, batches, *, parameters):
    return {name: weight.detach() for name, weight in parameters.items()}
"""


def test_a_score_of_ones_own_over_weights(tmp_path, monkeypatch):
    (tmp_path / "own_weights.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    own = run(tmp_path, cell("small_first"), score_references={"small_first": "own_weights:small_first"})
    assert own.status == "done"
    assert own.layers != run(tmp_path, cell()).layers


def test_every_score_of_weights_can_be_a_cell():
    from pruning import scores
    from pruning.versions import WEIGHT_SCORES

    assert set(WEIGHT_SCORES) == set(scores.names("weights"))


def test_the_demo_has_both_suites():
    assert {found.suite for found in get("demo").cells()} == {"gradient_flow", suite.SUITE}
    assert sum(found.score == BASE for found in get("demo").cells(suites=(suite.SUITE,))) == 1


def test_a_mask_that_needs_no_images_asks_for_none(tmp_path):
    unseen = replace(NETWORK, dataset="cifar10")
    using = replace(
        tiny.profile(), weights=Grid(protocols={unseen: replace(PROTOCOL, epochs=0)}, pruned=lambda network, seed: ())
    )
    for score in ("random", "magnitude", "synflow"):
        record = run(tmp_path, Method(label="", score=score).cell(unseen, SEVENTH, 0), using=using)
        assert record.data.train_images == 0
        assert record.data.score_images is None
        assert record.metrics.weights_pruned > 0
    with pytest.raises(MissingData):
        run(tmp_path, Method(label="", score="snip").cell(unseen, SEVENTH, 0), using=using)


@pytest.fixture
def imagenet(tmp_path, monkeypatch):
    """Five images of each of two classes, and a profile that trains on them for an epoch."""
    monkeypatch.setattr(image_folder, "IMAGENET", (2, 6, 4))
    for label, number in itertools.product((0, 1), range(5)):
        folder = tmp_path / "imagenet" / ("train" if number < 3 else "val") / f"n{label}"
        folder.mkdir(parents=True, exist_ok=True)
        grey = torch.randint(256, (240, 250), generator=torch.Generator().manual_seed(10 * label + number))
        Image.fromarray(grey.to(torch.uint8).numpy()).save(folder / f"{number}.png")
    network = replace(NETWORK, dataset="imagenet")
    protocol = replace(
        PROTOCOL, image_size=None, train_limit=None, test_limit=None, augmentation="resized_crop_flip", epochs=2,
        batch_size=4, lr_drops=(), warmup=1, score_samples=4, scoring_batch=3,
    )  # fmt: skip
    return replace(
        tiny.profile(), weights=Grid(protocols={network: protocol}, pruned=lambda network, seed: ())
    ), network


@pytest.mark.filterwarnings("ignore:.*use of fork\\(\\) may lead to deadlocks:DeprecationWarning")
@pytest.mark.parametrize("changes", [{}, {"rounds": 3}, {"at": 1}], ids=["snip", "iterative", "later"])
def test_images_on_disk_are_trained_and_scored_on(tmp_path, imagenet, changes):
    using, network = imagenet
    which = Method(label="", score="snip", **changes).cell(network, SEVENTH, 0)
    record = experiment.run(which, using, tiny.settings(tmp_path, data_root=tmp_path), silent)
    assert record.status == "done"
    assert (record.data.train_images, record.data.test_images, record.data.score_images) == (6, 4, 4)
    assert record.curve.lr[-2:] == [0.05, 0.05]  # climbed, then constant
    assert record.metrics.weights_pruned == floor(record.metrics.weights_total * Fraction(SEVENTH) + Fraction(1, 2))
    again = experiment.run(which, using, tiny.settings(tmp_path / "new", data_root=tmp_path), silent)
    assert numbers(again) == numbers(record)


@pytest.mark.filterwarnings("ignore:.*use of fork\\(\\) may lead to deadlocks:DeprecationWarning")
def test_a_warm_up_is_one(tmp_path, imagenet):
    """Its first step has no rate, so that rewinding to it is rewinding to the start; without one it is not."""
    using, network = imagenet
    (protocol,) = using.weights.protocols.values()
    cold = replace(using, weights=replace(using.weights, protocols={network: replace(protocol, warmup=0)}))
    which = Method(label="", score="magnitude", at=END, rewound=True).cell(replace(network, rewind=1), SEVENTH, 0)
    settings = tiny.settings(tmp_path, data_root=tmp_path)

    def losses(profile, iteration):
        return experiment.run(replace(which, rewind=iteration), profile, settings, silent).curve.train_loss

    warm, unwarmed = losses(using, 0), losses(cold, 0)
    assert losses(using, 1)[2:] == warm[2:]
    assert losses(cold, 1)[2:] != unwarmed[2:]
    assert warm[0] != unwarmed[0]  # the dense network's


def test_cells_on_a_stack_come_out_as_one_by_one(tmp_path):
    """But for rounding: the same masks, and losses to 1e-5; each in its own time, with its own mask and momentum."""
    cells = [
        cell("snip"), cell("magnitude", at=END), cell("magnitude", at=END, rewound=True), cell("random", at=5),
        cell("grasp", seed=1), cell(ablation="unit_variance"), suite.base(NETWORK, 0),
    ]  # fmt: skip
    settings = tiny.settings(tmp_path, stacked=3)
    registry = Registry(tmp_path / "stacked")

    def begin(which, crowd):
        return executing(which, profile(), settings, registry, crowd=crowd)

    stack = Together(begin, partial(experiment.lane, "cpu"), Width.fixed(4), coming=cells)
    for which in cells:
        ours = stack.result(which).record
        alone = run(tmp_path / "alone", which)
        assert (ours.status, ours.layers, ours.mask) == (alone.status, alone.layers, alone.mask)
        assert ours.curve.train_loss == pytest.approx(alone.curve.train_loss, rel=1e-5)
        assert ours.curve.test_loss == pytest.approx(alone.curve.test_loss, rel=1e-5)
        assert (ours.environment.stacked, alone.environment.stacked) == (3, 1)
        assert ours.environment.at_once > 1


def test_what_one_stack_left_in_the_cache_is_none_of_another_s(tmp_path):
    dense = suite.base(NETWORK, 0)
    run(tmp_path, dense)
    assert run(tmp_path, dense).costs.stages_run == 0
    for number in (2, 3):
        assert run(tmp_path, dense, stacked=number).costs.stages_run == 3


def test_images_on_disk_cannot_be_limited(tmp_path, imagenet):
    using, network = imagenet
    short = replace(using, weights=replace(using.weights, protocols={network: replace(PROTOCOL, image_size=None)}))
    with pytest.raises(ValueError, match=r"^ImageNet is decoded as it is used, at its own size and whole; a protocol"):
        experiment.run(suite.base(network, 0), short, tiny.settings(tmp_path, data_root=tmp_path), silent)


def test_a_mask_is_there_for_its_ablations(tmp_path):
    """And they come out as they would without it."""
    plain = run(tmp_path, cell("synflow", rounds=3))
    for name in ("shuffle", "reinit"):
        after = run(tmp_path, cell("synflow", rounds=3, ablation=name))
        assert after.costs.stages_cached == 1
        assert after.layers == plain.layers
        assert numbers(after) == numbers(run(tmp_path / name, cell("synflow", rounds=3, ablation=name)))
    for changed in (cell("synflow", rounds=3, ablation="invert"), cell("synflow", level_amount(4), rounds=3)):
        assert run(tmp_path, changed).costs.stages_cached == 0
