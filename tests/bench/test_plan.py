"""The chain of stages, and what its keys depend on."""

import pytest

from bench.plan import Prune, Score, Train, is_shared, keys, learning_rate, plan
from bench.protocol import Protocol

from . import tiny

PAPER = Protocol()
VERSIONS = dict.fromkeys(("model", "dataset", "score", "training", "augmentation", "masks", "surgery"), 1)


def chain(cell=None, protocol=PAPER, versions=VERSIONS, surroundings=None):
    cell = tiny.cell() if cell is None else cell
    return keys(cell, protocol, plan(cell, protocol), versions, surroundings or {"threads": 2})


@pytest.mark.parametrize(("epoch", "rate"), [(1, 0.1), (80, 0.1), (81, 0.01), (120, 0.01), (121, 0.001), (160, 0.001)])
def test_the_papers_rates(epoch, rate):
    assert learning_rate(epoch, PAPER) == rate


def test_a_drop_may_be_to_a_fifth():
    protocol = Protocol(lr=0.01, lr_factor=0.2)
    assert [learning_rate(epoch, protocol) for epoch in (80, 81, 120, 121, 160)] == [0.01, 0.002, 0.002, 4e-4, 4e-4]
    rates = [stage.lr for stage in plan(tiny.cell("base"), protocol) if isinstance(stage, Train)]
    assert [rates.count(rate) for rate in (0.01, 0.002, 4e-4)] == [80, 40, 40]


@pytest.mark.parametrize("rounds", [1, 5, 25])
def test_rounds_train_an_epoch_each_and_count_into_the_160(rounds):
    stages = plan(tiny.cell(rounds=rounds), PAPER)
    assert [type(stage) for stage in stages[: 3 * rounds]] == [Train, Score, Prune] * rounds
    epochs = [stage for stage in stages if isinstance(stage, Train)]
    assert [stage.epoch for stage in epochs] == list(range(1, 161))
    assert [stage.round for stage in epochs] == [*range(1, rounds + 1), *[None] * (160 - rounds)]
    # 80 - n epochs at 0.1 after the rounds, then 40 and 40 (PROTOCOLS A.4.1)
    final = [stage.lr for stage in epochs[rounds:]]
    assert [final.count(rate) for rate in (0.1, 0.01, 0.001)] == [80 - rounds, 40, 40]


def test_rounds_go_on_at_the_first_rate_after_a_drop():
    protocol = Protocol(epochs=8, lr_drops=(4, 6))
    rates = [stage.lr for stage in plan(tiny.cell(rounds=5), protocol) if isinstance(stage, Train)]
    assert rates == [0.1] * 5 + [0.01] + [0.001] * 2


def test_only_the_first_epoch_and_the_scores_after_it_are_shared():
    assert [is_shared(stage) for stage in plan(tiny.cell(rounds=2), Protocol(epochs=4))] == [True] * 2 + [False] * 6


def test_what_a_users_score_says_is_for_one_cell():
    """Its version is that of one file, which may import others."""
    own = plan(tiny.cell("squared", rounds=2), Protocol(epochs=4))
    assert [is_shared(stage) for stage in own] == [True] + [False] * 7


def test_keys_part_where_cells_do():
    one, other = chain(tiny.cell("loss")), chain(tiny.cell("magnitude"))
    assert one[0] == other[0]
    assert not set(one[1:]) & set(other[1:])
    assert chain(tiny.cell("base"))[0] == one[0]
    assert len(set(one)) == len(one)


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": Protocol(temperature=1.0)},
        {"protocol": Protocol(train_limit=10)},
        {"protocol": Protocol(width="0.5")},
        {"versions": {**VERSIONS, "training": 2}},
        {"versions": {**VERSIONS, "model": 2}},
        {"surroundings": {"threads": 1}},
        {"cell": tiny.cell(seed=1)},
        {"cell": tiny.cell(model="resnet56")},
    ],
)
def test_whatever_decides_the_first_epoch_is_in_its_key(changed):
    assert chain(**changed)[0] != chain()[0]


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": Protocol(score_samples=10)},
        {"protocol": Protocol(scoring_batch=10)},
        {"versions": {**VERSIONS, "score": 2}},
        {"cell": tiny.cell("grasp_t1")},
    ],
)
def test_whatever_decides_only_the_scores_leaves_the_first_epoch_shared(changed):
    assert chain(**changed)[0] == chain()[0]
    assert chain(**changed)[1] != chain()[1]


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": Protocol(floor="released")},
        {"versions": {**VERSIONS, "masks": 2}},
        {"versions": {**VERSIONS, "surgery": 2}},
        {"cell": tiny.cell(amount="0.5")},
        {"cell": tiny.cell(rounds=3)},
    ],
)
def test_whatever_decides_only_the_pruning_leaves_the_first_scores_shared(changed):
    assert chain(**changed)[:2] == chain()[:2]
    assert chain(**changed)[2] != chain()[2]
