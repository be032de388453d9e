"""The stages of cells that prune weights: where they prune, what they train afterwards, and what they share."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bench.cell import END, Cell, level_amount
from bench.plan import Alter, Sparsify, Train, dense, initialisation, is_shared, keys, plan
from bench.protocol import Protocol
from bench.suites.missing_the_mark import ABLATIONS, POINTS, stops

IMAGES = 100  # four iterations an epoch, the last with four images
PROTOCOL = Protocol(
    epochs=4, lr_drops=(2, 3), batch_size=32, initialisation="kaiming_normal", scoring_batch=256, score_samples=100
)
VERSIONS = dict.fromkeys(("model", "dataset", "score", "training", "augmentation", "masks", "analysis"), 1)
PLACE = {"suite": "missing_the_mark", "model": "resnet20", "dataset": "cifar10"}
BASE = Cell(**PLACE)
SNIP = Cell(**PLACE, score="snip", granularity="weights", amount=level_amount(6), rounds=1)
AFTER = replace(SNIP, score="magnitude", at=END)


def chain(cell, protocol=PROTOCOL, versions=VERSIONS, surroundings=None):
    return keys(cell, protocol, plan(cell, protocol, IMAGES), versions, surroundings or {"threads": 2})


def trained(epoch, lr, round_=None, steps=None, *, shared=False):
    return Train(epoch=epoch, lr=lr, round=round_, steps=steps, shared=shared)


def whole(first):
    """The schedule from its start, in the epochs from ``first`` on."""
    return [trained(first + n, lr) for n, lr in enumerate((0.1, 0.1, 0.01, 0.001))]


def mask(iterations=1, ablation="none", *, shared=True):
    return Sparsify(iterations=iterations, amount=level_amount(6), ablation=ablation, shared=shared)


def altered(ablation="none", rewind=None):
    return Alter(ablation=ablation, rewind=rewind)


DENSE = [trained(1, 0.1, 1), trained(2, 0.1, 1), trained(3, 0.01, 1), trained(4, 0.001, 1, shared=True)]


def test_a_base_cell_is_the_schedule_and_others_go_on_from_its_end():
    assert plan(BASE, PROTOCOL, IMAGES) == [*whole(1)[:3], trained(4, 0.001, shared=True)]


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        ({}, [mask(), *whole(1)]),
        ({"rounds": 100}, [mask(100), *whole(1)]),
        ({"at": 1}, [trained(1, 0.1, 1, 1, shared=True), mask(), *whole(2)]),
        ({"at": 4}, [trained(1, 0.1, 1, shared=True), mask(), *whole(2)]),
        ({"at": 6}, [trained(1, 0.1, 1), trained(2, 0.1, 1, 2, shared=True), mask(), *whole(3)]),
        ({"at": 8}, [trained(1, 0.1, 1), trained(2, 0.1, 1, shared=True), mask(), *whole(3)]),
        ({"at": 11}, [*DENSE[:2], trained(3, 0.01, 1, 3, shared=True), mask(), *whole(4)]),
        ({"at": 16}, [*DENSE, mask(), *whole(5)]),
        ({"at": END}, [*DENSE, mask(), *whole(5)]),
        ({"at": END, "rewind": 0}, [*DENSE, mask(), altered(rewind=0), *whole(5)]),
        ({"at": END, "rewind": 6}, [*DENSE, mask(), altered(rewind=6), *whole(5)]),
    ],
)
def test_weights_are_pruned_once_and_the_whole_schedule_follows(changes, stages):
    assert plan(replace(SNIP, **changes), PROTOCOL, IMAGES) == stages


def test_the_rate_climbs_through_the_epochs_of_a_warm_up():
    """Before pruning and after it; an epoch that ends early climbs as steeply."""
    warm = replace(PROTOCOL, warmup=2)
    first, second, *rest = plan(replace(SNIP, at=6), warm, IMAGES)
    assert [(stage.lr_from, stage.lr, stage.steps) for stage in (first, second)] == [(0.0, 0.05, None), (0.05, 0.1, 2)]
    assert [(stage.lr_from, stage.lr) for stage in rest[1:]] == [(0.0, 0.05), (0.05, 0.1), (None, 0.01), (None, 0.001)]
    assert set(chain(BASE, warm)).isdisjoint(chain(BASE))
    longer = [stage.lr for stage in plan(BASE, replace(PROTOCOL, warmup=3), IMAGES)]
    assert longer == pytest.approx([0.1 / 3, 0.2 / 3, 0.01, 0.001])


def test_filters_have_no_warm_up():
    cell = Cell(suite="gradient_flow", model="vgg13", dataset="cifar10")
    with pytest.raises(
        ValueError, match=r"^\S+-base-s0: warmup is 2; rounds of filters begin at the whole rate, with 0$"
    ):
        plan(cell, replace(PROTOCOL, warmup=2))


def test_ablations_of_scores_make_another_mask_and_the_others_alter_it():
    for ablation in ABLATIONS:
        late = ablation in ("shuffle", "reinit")
        between = [mask(), altered(ablation)] if late else [mask(ablation=ablation, shared=ablation == "none")]
        cell = replace(AFTER, score="snip", ablation=ablation)
        assert plan(cell, PROTOCOL, IMAGES) == [*DENSE, *between, *whole(5)]
    both = replace(AFTER, ablation="shuffle", rewind=6)
    assert plan(both, PROTOCOL, IMAGES)[4:6] == [mask(shared=False), altered("shuffle", 6)]


def test_a_mask_is_shared_with_its_ablations():
    iterative = replace(SNIP, score="synflow", rounds=100)
    shuffled = replace(iterative, ablation="shuffle")
    assert [is_shared(stage) for stage in plan(iterative, PROTOCOL, IMAGES)] == [True, *[False] * 4]
    assert chain(iterative)[0] == chain(shuffled)[0]
    for score in ("squared", "random", "magnitude"):  # a user's, and those that take no time
        assert not any(map(is_shared, plan(replace(iterative, score=score), PROTOCOL, IMAGES)))
    for ablation in ("invert", "unit_variance", "unit_variance_score"):  # which nobody goes on from
        assert not any(map(is_shared, plan(replace(iterative, ablation=ablation), PROTOCOL, IMAGES)))
    assert chain(iterative)[0] != chain(replace(iterative, ablation="invert"))[0]
    assert chain(shuffled)[1] != chain(replace(iterative, ablation="reinit"))[1]


def test_epochs_of_a_plan_are_counted_through():
    for at in (0, 1, 4, 6, 16, END):
        epochs = [stage.epoch for stage in plan(replace(SNIP, at=at), PROTOCOL, IMAGES) if isinstance(stage, Train)]
        assert epochs == list(range(1, len(epochs) + 1))


def test_without_epochs_there_is_only_the_mask():
    masks_only = replace(PROTOCOL, epochs=0)
    assert plan(SNIP, masks_only, IMAGES) == [mask()]
    assert plan(BASE, masks_only, IMAGES) == []


@pytest.mark.parametrize("iteration", [17, 18, 20, 1000])
def test_an_iteration_beyond_the_schedule_is_an_error(iteration):
    sentence = rf"^iteration {iteration} comes after 4 epochs of 4 iterations$"
    with pytest.raises(ValueError, match=sentence):
        plan(replace(SNIP, at=iteration), PROTOCOL, IMAGES)
    with pytest.raises(ValueError, match=sentence):
        list(dense(iteration, PROTOCOL, IMAGES))


def test_another_training_of_the_unpruned_network_follows_its_own_rates():
    protocol = replace(PROTOCOL, lr=0.01, lr_factor=0.2)
    slow = replace(BASE, ablation="lr0.01")
    assert [stage.lr for stage in plan(slow, protocol, IMAGES)] == [0.01, 0.01, 0.002, 0.0004]
    assert not set(chain(slow, protocol)) & set(chain(BASE))


def test_a_rewinding_beyond_the_schedule_is_an_error_before_anything_is_trained():
    with pytest.raises(ValueError, match=r"^iteration 17 comes after 4 epochs of 4 iterations$"):
        plan(replace(AFTER, rewind=17), PROTOCOL, IMAGES)


def test_what_this_suite_cannot_do_is_refused():
    with pytest.raises(ValueError, match=r"^no ablation is called 'shufle'; did you mean shuffle\?$"):
        plan(replace(SNIP, ablation="shufle"), PROTOCOL, IMAGES)
    with pytest.raises(ValueError, match=r"suite missing_the_mark prunes weights, not filters$"):
        plan(replace(SNIP, granularity="filters"), PROTOCOL, IMAGES)
    with pytest.raises(ValueError, match=r"^no ablation is called 'lr0.01'"):
        plan(replace(SNIP, ablation="lr0.01"), PROTOCOL, IMAGES)


def test_iterations_count_the_last_partial_batch():
    assert plan(replace(SNIP, at=4), PROTOCOL, 97)[:2] == [trained(1, 0.1, 1, shared=True), mask()]
    assert plan(replace(SNIP, at=4), PROTOCOL, 96)[1] == trained(2, 0.1, 1, 1, shared=True)


def test_weights_of_the_other_suite_are_refused():
    with pytest.raises(ValueError, match="suite gradient_flow prunes filters, and there are no ablations of those"):
        plan(replace(SNIP, suite="gradient_flow"), PROTOCOL, IMAGES)


def test_others_go_on_from_the_last_dense_stage_and_from_the_mask():
    for cell in (replace(SNIP, at=END), replace(SNIP, at=6), replace(SNIP, at=END, rewind=6)):
        stages = plan(cell, PROTOCOL, IMAGES)
        (cut,) = (number for number, stage in enumerate(stages) if isinstance(stage, Sparsify))
        assert [is_shared(stage) for stage in stages] == [number in (cut - 1, cut) for number in range(len(stages))]


def test_whole_epochs_that_cells_begin_in_are_kept_by_whoever_trains_them():
    """Iterations 5 and 9 of four an epoch lie in the second and the third one; 100 is never reached."""
    found = list(dense(END, PROTOCOL, IMAGES, (5, 9, 100)))
    assert [stage.epoch for stage in found if stage.shared] == [1, 2, 4]
    part = list(dense(9, PROTOCOL, IMAGES, (5, 9, 100)))
    assert [(stage.epoch, stage.steps) for stage in part if stage.shared] == [(1, None), (2, None), (3, 1)]
    assert part[:2] == [replace(stage, round=None) for stage in found[:2]]
    assert [stage.epoch for stage in dense(4, PROTOCOL, IMAGES, (2,)) if stage.shared] == [1], "0 is no epoch"


def test_where_the_papers_cells_begin():
    assert stops("resnet20", "cifar10") == tuple(point for point in POINTS[1:] if point != END)
    assert stops("resnet50", "imagenet") == (6255,)
    assert stops("lenet300_100", "mnist") == stops("vgg16", "mnist") == ()
    shared = [stage.epoch for stage in plan(BASE, replace(PROTOCOL, epochs=160), 50_000) if is_shared(stage)]
    per_epoch = 1563  # of 32 images
    assert shared == sorted({point // per_epoch for point in stops("resnet20", "cifar10")} - {0} | {160})


@pytest.mark.parametrize(
    "cell",
    [
        AFTER,
        replace(AFTER, seed=0, rewind=6),
        replace(AFTER, score="synflow", rounds=100),
        replace(AFTER, amount=Decimal("0.97")),
        replace(AFTER, at=16),
        *(replace(AFTER, ablation=ablation) for ablation in ABLATIONS if ablation != "unit_variance"),
    ],
)
def test_the_dense_run_is_that_of_the_base_cell(cell):
    assert chain(cell)[:4] == chain(BASE)
    assert len(set(chain(cell))) == 9 + (cell.rewind is not None or cell.ablation in ("shuffle", "reinit"))


def test_a_part_of_an_epoch_is_no_whole_one():
    base, some, all_of_it = chain(BASE), chain(replace(SNIP, at=6)), chain(replace(SNIP, at=8))
    assert some[0] == all_of_it[0] == base[0]
    assert all_of_it[1] == base[1]
    assert some[1] != base[1]
    assert chain(replace(SNIP, at=7))[1] not in (some[1], base[1])
    assert chain(replace(SNIP, at=6, score="grasp", ablation="reinit"))[:2] == some[:2]


@pytest.mark.parametrize(
    "cell",
    [
        replace(AFTER, seed=1),
        replace(AFTER, model="vgg16"),
        replace(AFTER, dataset="cifar100"),
        replace(AFTER, ablation="unit_variance"),
    ],
)
def test_another_start_shares_nothing(cell):
    assert not set(chain(cell)) & set(chain(AFTER))


def test_networks_of_variance_1_share_their_dense_run():
    one = replace(AFTER, ablation="unit_variance")
    assert chain(one)[:4] == chain(replace(one, score="snip", rounds=100))[:4]
    assert initialisation(one, PROTOCOL) == "unit_variance"
    scored_only = replace(AFTER, ablation="unit_variance_score")
    assert initialisation(scored_only, PROTOCOL) == initialisation(AFTER, PROTOCOL) == "kaiming_normal"


@pytest.mark.parametrize(
    "changes",
    [
        {"score": "snip"},
        {"amount": level_amount(7)},
        {"rounds": 100},
        {"rewind": 0},
        {"rewind": 6},
        *({"ablation": ablation} for ablation in ("shuffle", "reinit", "invert", "unit_variance_score")),
    ],
)
def test_whatever_decides_the_mask_is_in_every_key_after_it(changes):
    other = chain(replace(AFTER, **changes))
    assert other[:4] == chain(AFTER)[:4]
    late = "rewind" in changes or changes.get("ablation") in ("shuffle", "reinit")
    assert set(other[4:]) & set(chain(AFTER)[4:]) == ({chain(AFTER)[4]} if late else set()), "the mask, where it is old"


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": replace(PROTOCOL, score_samples=200)},
        {"protocol": replace(PROTOCOL, scoring_batch=None)},
        {"versions": {**VERSIONS, "score": 2}},
        {"versions": {**VERSIONS, "masks": 2}},
    ],
)
def test_whatever_decides_only_the_scores_leaves_the_dense_run_shared(changed):
    assert chain(AFTER, **changed)[:4] == chain(AFTER)[:4]
    assert not set(chain(AFTER, **changed)[4:]) & set(chain(AFTER)[4:])


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": replace(PROTOCOL, initialisation="default")},
        {"protocol": replace(PROTOCOL, augmentation="none")},
        {"protocol": replace(PROTOCOL, mean=0.25)},
        {"protocol": replace(PROTOCOL, std=0.25)},
        {"protocol": replace(PROTOCOL, temperature=1.0)},
        {"protocol": replace(PROTOCOL, batch_size=16)},
        {"protocol": replace(PROTOCOL, train_limit=50)},
        {"versions": {**VERSIONS, "model": 2}},
        {"versions": {**VERSIONS, "dataset": 2}},
        {"versions": {**VERSIONS, "augmentation": 2}},
        {"surroundings": {"threads": 1}},
    ],
)
def test_a_mask_at_initialisation_has_whatever_decides_it_in_its_key(changed):
    assert chain(SNIP, **changed)[0] != chain(SNIP)[0]
    assert chain(AFTER, **changed)[0] != chain(AFTER)[0]


def test_what_only_training_needs_is_not_in_the_key_of_a_mask_at_initialisation():
    changed = chain(SNIP, replace(PROTOCOL, lr=0.2))
    assert changed[0] == chain(SNIP)[0]
    assert not set(changed[1:]) & set(chain(SNIP)[1:])
