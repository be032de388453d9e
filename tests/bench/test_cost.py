from collections import Counter
from dataclasses import replace
from math import exp
from statistics import median

import pytest
from msgspec.structs import replace as changed

from bench.cell import Cell
from bench.cost import error, estimates, informative, multiply_adds, total, work
from bench.cost_model import Machine, Run, any_seed, fitted, misses, usual
from bench.profiles import get
from bench.protocol import Protocol
from results.record import Costs, Environment, Record
from results.registry import Registry, default_root

DEMO, MINI = get("demo"), get("mini")
ONE, TWO = Machine(1, "core"), Machine(2, "core")


def cell(model="vgg13", score="base", rounds=None, seed=0, dataset="cifar10"):
    pruned = "" if rounds is None else f"-filters75-r{rounds}"
    return Cell.parse(f"gradient_flow-{model}-{dataset}-{score}{pruned}-s{seed}")


VGG, RESNET = cell(), cell("resnet56")


def record(of, seconds, status="done", machine=ONE, device="cpu", protocol=MINI.protocol, **costs):
    return Record(
        key=of.id, cell=of.to_dict(), profile="mini", protocol=protocol.to_dict(), versions={},
        status=status, costs=Costs(**{"seconds_total": seconds, "stages_run": 1, **costs}),
        environment=Environment(
            device=device, device_name=machine.device_name, threads=machine.threads, python="", torch="", cuda=None,
            platform="", commit=None, dirty=None,
        ),
        started="2026-01-01T00:00:00+00:00", finished="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def estimate(of, records, device="cpu"):
    return estimates([of], MINI, records, device)[of]


def test_multiply_adds_by_hand():
    assert multiply_adds("vgg13", "cifar10", Protocol()) == pytest.approx(160 * 160_000 * 228.3e6)
    small = Protocol(width="0.5", train_limit=10, test_limit=5, epochs=2, image_size=16)
    assert multiply_adds("vgg13", "cifar10", small) == pytest.approx(2 * 35 * 228.3e6 / 4 / 4)


@pytest.mark.parametrize(
    ("rounds", "kept"),
    [
        (None, 4.0),  # no epoch loses anything
        (1, 1 + 0.25 + 0.25 + 0.25),  # the first epoch is dense, the round after it takes all
        (3, 1 + 0.75 + 0.50 + 0.25),  # a quarter of the original goes in each round
    ],
)
def test_work_counts_what_is_left_in_each_epoch(rounds, kept):
    protocol = Protocol(train_limit=10, test_limit=5, epochs=4)
    pruned = cell(score="base" if rounds is None else "loss", rounds=rounds)
    assert work(pruned, protocol) == pytest.approx(kept * 35 * 228.3e6)


def test_disk_counts_what_cells_share_once():
    """Weights and momentum of VGG-13 after the first epoch, 4 bytes each; weights again beside what a score says."""
    one, record_ = 4 * 9.4e6, 30_000

    def disk(*cells):
        return total(estimates(cells, MINI, [], "cpu")).disk_bytes

    assert disk(VGG) == 2 * one + record_
    assert disk(VGG, cell(score="loss", rounds=1), cell(score="loss", rounds=5)) == 3 * one + 3 * record_
    assert disk(cell(score="loss", rounds=1), cell(score="grasp_t1", rounds=1)) == 4 * one + 2 * record_
    assert disk(VGG, cell(seed=1)) == 4 * one + 2 * record_
    assert disk(cell(score="squared", rounds=1)) == 2 * one + record_  # a user's, which no other cell goes on from


def test_disk_counts_dense_states_and_the_masks_that_are_kept():
    """LeNet-300-100 on MNIST has no momentum: .27 million weights of four bytes; a mask is a byte for each more."""
    one, record_ = 4 * 0.27e6, 30_000
    paper = get("paper")

    def disk(*ids):
        cells = [Cell.parse(f"missing_the_mark-{each}") for each in ids]
        return total(estimates(cells, paper, [], "cpu")).disk_bytes - record_ * len(cells)

    lenet = "lenet300_100-mnist"
    assert disk(f"{lenet}-base-s0") == disk(f"{lenet}-base-s0", f"{lenet}-magnitude-k4-atend-from0-s0") == one
    assert disk(f"{lenet}-magnitude-k4-s0", f"{lenet}-random-k4-s0", f"{lenet}-snip-k4-invert-s0") == 0
    assert disk(f"{lenet}-snip-k4-s0", f"{lenet}-snip-k4-shuffle-s0") == 1.25 * one
    assert disk(f"{lenet}-snip-k4-s0", f"{lenet}-snip-k7-s0", f"{lenet}-snip-k4-atend-s0") == (3 * 1.25 + 1) * one
    resnet = "resnet20-cifar10"
    trained = 2 * one  # as many weights, with momentum; after 160 epochs, and in 14 on the way
    assert disk(f"{resnet}-base-s0") == disk(f"{resnet}-base-s0", f"{resnet}-magnitude-k6-atend-s0") == 15 * trained
    assert disk(f"{resnet}-base-s0", f"{resnet}-magnitude-k6-atend-from1000-s0") == 16 * trained
    two = [f"resnet18_modified-cifar10-base{training}-s0" for training in ("", "-lr0.01")]
    assert disk(*two) == 2 * disk(two[0]), "another training has states of its own"


def test_without_a_record_speed_is_assumed_and_small_operations_cost_too():
    batches = 8 * (3 * 5000 + 1000) / 128  # forward passes; a training image counts three
    wide = estimate(VGG, [])
    operations = 33 * batches * 0.2e-3
    assert wide.source == "assumed"
    assert wide.seconds == pytest.approx(multiply_adds("vgg13", "cifar10", MINI.protocol) / 0.08e12 + operations)
    on_gpu = estimate(VGG, [], "cuda:0")
    assert on_gpu.seconds == pytest.approx(
        multiply_adds("vgg13", "cifar10", MINI.protocol) / 11e12 + 33 * batches * 2.5e-6
    )
    half = get("mini-bf16")
    assert estimates([VGG], half, [], "cuda")[VGG].seconds < 0.1 * on_gpu.seconds + 33 * batches * 2.5e-6
    narrow = cell("mobilenet_v1", dataset="digits")
    multiplying = multiply_adds("mobilenet_v1", "digits", DEMO.protocol) / 0.08e12
    assert estimates([narrow], DEMO, [], "cpu")[narrow].seconds > 5 * multiplying


def lawful(of, machine=ONE):
    """A run that obeys a law of one factor for each of model, score and rounds, and half the time on twice threads."""
    factor = {"vgg13": 1.0, "mobilenet_v1": 3.0, "resnet56": 2.0}[of.model]
    factor *= {"base": 1.2, "loss": 1.0, "magnitude": 0.9, "grasp_t1": 1.6, "abs_grasp": 1.5}[of.score]
    factor *= {None: 1.0, 1: 1.0, 5: 1.3}[of.rounds]
    return Run(cell=of, machine=machine, assumed=100.0, seconds=100 * factor / machine.threads)


LAWFUL = [
    lawful(of, machine)
    for machine in (ONE, ONE._replace(device_name="other"))
    for model in ("vgg13", "mobilenet_v1", "resnet56")
    for of in (
        cell(model),
        *(cell(model, score, n) for score in ("loss", "magnitude", "grasp_t1", "abs_grasp") for n in (1, 5)),
    )
]


@pytest.mark.parametrize(
    ("held_out", "within"),
    [
        (cell("vgg13", "loss", 1), 0.05),
        (cell("resnet56", "grasp_t1", 5), 0.05),
        (cell("mobilenet_v1"), 0.2),  # without pruning nothing of this model was seen
    ],
)
def test_a_law_of_factors_is_found_again(held_out, within):
    law = fitted([run for run in LAWFUL if run.cell != held_out])
    assert 100 * law.factor(held_out, ONE) == pytest.approx(lawful(held_out).seconds, rel=within)


HESSIAN = ("grasp_t1", "abs_grasp")


@pytest.mark.parametrize(
    ("slow", "held_out"),
    [
        (lambda of: of.model == "resnet56" and of.rounds == 5, cell("resnet56", "proposed", 5)),
        (lambda of: of.model == "resnet56" and of.score == "loss", cell("resnet56", "loss", 5)),
        (lambda of: of.score in HESSIAN and of.rounds == 5, cell("resnet56", "grasp_t200", 5)),
        (lambda of: of.score in HESSIAN and of.model == "resnet56", cell("resnet56", "grasp_t200", 5)),
    ],
    ids=["model and rounds", "model and score", "kind and rounds", "model and kind"],
)
def test_two_traits_together_may_take_longer_than_either(slow, held_out):
    plain = [run for run in LAWFUL if run.cell != held_out]
    runs = [replace(run, seconds=run.seconds * (4 if slow(run.cell) else 1)) for run in plain]
    assert fitted(runs).factor(held_out, ONE) > 2.7 * fitted(plain).factor(held_out, ONE)


def test_misses_are_those_of_fitting_again_without_the_cell():
    runs = [replace(run, seconds=run.seconds * exp(0.3 * (-1) ** n)) for n, run in enumerate(LAWFUL)]
    expected = []
    for run in runs:
        others = fitted([other for other in runs if other.cell != run.cell])
        expected.append(abs(run.assumed * others.factor(run.cell, run.machine) / run.seconds - 1))
    assert sorted(misses(runs)) == pytest.approx(sorted(expected))


def test_other_seeds_of_a_cell_do_not_foretell_it_when_it_is_left_out():
    seeds = [replace(lawful(cell(seed=seed)), seconds=1000.0) for seed in range(5)]
    others = [lawful(cell("resnet56", "loss", n, seed=seed)) for n in (1, 5) for seed in range(2)]
    assert sum(miss > 0.5 for miss in misses([*seeds, *others])) >= 5


def test_a_law_of_nothing_is_arithmetic():
    assert fitted([]).factor(VGG, ONE) == 1
    assert usual([]) is None


def test_one_run_speaks_for_all_cells():
    law = fitted([Run(cell=VGG, machine=ONE, assumed=10.0, seconds=30.0)])
    assert law.factor(RESNET, TWO) == pytest.approx(3)


def test_the_usual_machine_is_the_most_common():
    runs = [Run(cell=VGG, machine=machine, assumed=1.0, seconds=1.0) for machine in (TWO, ONE, ONE)]
    assert usual(runs) == ONE


def test_scores_of_second_derivatives_are_alike_and_a_user_score_is_like_the_rest():
    runs = [lawful(cell(score=score, rounds=1)) for score in ("loss", "magnitude", "grasp_t1", "abs_grasp")]
    law = fitted(runs)
    hessian, first_order = (law.factor(cell(score=score, rounds=1), ONE) for score in ("grasp_t200", "squared"))
    assert hessian == pytest.approx(1.55, rel=0.1)
    assert first_order == pytest.approx(0.95, rel=0.1)


def records_of(runs):
    """Records of the mini profile that obey the same law."""
    return [record(run.cell, run.seconds / 100 * work(run.cell, MINI.protocol) / 1e11) for run in runs]


def test_an_estimate_says_what_it_rests_on():
    records = [record(cell(seed=seed), seconds) for seed, seconds in enumerate((10, 30, 20))]
    found = estimates([cell(seed=7), RESNET], MINI, records, "cpu")
    assert [one.source for one in found.values()] == ["measured", "fitted"]
    assert found[cell(seed=7)].seconds == pytest.approx(20)
    assert found[RESNET].seconds == pytest.approx(20 * 125.8 / 228.3, rel=0.2)
    assert total(found).sources == {"measured": 1, "fitted": 1}


def test_fitted_seconds_of_a_held_out_cell():
    held_out = cell("resnet56", "magnitude", 5)
    records = records_of(run for run in LAWFUL if run.cell != held_out)
    [truth] = records_of([lawful(held_out)])
    found = estimate(held_out, records)
    assert (found.source, found.seconds) == ("fitted", pytest.approx(truth.costs.seconds_total, rel=0.1))


def test_a_score_of_the_users_own_is_estimated_before_and_after_it_was_run():
    own, records = cell(score="squared", rounds=1), records_of(LAWFUL)
    [like_loss] = records_of([lawful(cell(score="loss", rounds=1))])
    before = estimate(own, records)
    assert (before.source, before.seconds) == ("fitted", pytest.approx(like_loss.costs.seconds_total, rel=0.2))
    slow = record(cell("resnet56", "squared", 1), 1e5)
    assert estimate(own, [*records, slow]).seconds > 2 * before.seconds


def test_a_record_on_more_threads_does_not_spoil_the_others():
    records = [record(run.cell, work(run.cell, MINI.protocol) / 1e11) for run in LAWFUL]
    elsewhere = records[4]
    halved = record(Cell.from_dict(elsewhere.cell), elsewhere.costs.seconds_total / 2, machine=TWO)
    mixed = [one for one in records if one.cell != elsewhere.cell] + [halved]
    held_out = cell("vgg13", "grasp_t200", 1)
    assert estimate(held_out, mixed).seconds == pytest.approx(estimate(held_out, records).seconds, rel=0.05)
    of_it = estimate(replace(Cell.from_dict(elsewhere.cell), seed=1), mixed)  # as it would be on the usual one thread
    assert (of_it.source, of_it.seconds) == ("measured", pytest.approx(elsewhere.costs.seconds_total, rel=0.2))


@pytest.mark.parametrize("slow", [Machine(1, "slow core"), TWO])
def test_a_slow_machine_is_not_taken_for_slow_cells(slow):
    records = [record(run.cell, work(run.cell, MINI.protocol) / 1e11) for run in LAWFUL]
    cells = [cell("mobilenet_v1", "proposed", n) for n in (1, 5)]
    on_slow = [record(of, 5 * work(of, MINI.protocol) / 1e11, machine=slow) for of in cells]
    held_out = cell("vgg13", "proposed", 1)
    spoilt = [record(of, 5 * work(of, MINI.protocol) / 1e11) for of in cells]
    alone, beside, among = (estimate(held_out, [*records, *more]).seconds for more in ([], on_slow, spoilt))
    assert alone < beside < alone + 0.7 * (among - alone)


def test_a_record_of_twice_the_epochs_says_half_of_its_seconds():
    longer = record(VGG, 100, protocol=replace(MINI.protocol, epochs=16))
    assert estimate(cell(seed=1), [longer]).seconds == pytest.approx(50)


def test_cells_that_ran_at_once_share_their_seconds():
    alone = record(VGG, 80, device="cuda")
    together = changed(alone, environment=changed(alone.environment, at_once=4))
    assert estimate(cell(seed=1), [together], "cuda").seconds == pytest.approx(20)


@pytest.mark.parametrize(
    "useless",
    [
        record(VGG, 1, status="error"),
        record(VGG, 1, status="diverged"),
        record(VGG, 1, stages_run=0),
        record(VGG, 0),
        record(VGG, 1, device="cuda"),
        changed(record(VGG, 1), cell={"colour": "red"}),
        changed(record(VGG, 1), protocol={"epochs": "many"}),
    ],
    ids=["failed", "stopped early", "cached", "free", "elsewhere", "unknown cell", "unknown protocol"],
)
def test_what_failed_or_cost_nothing_or_ran_elsewhere_is_no_measure(useless):
    assert estimate(VGG, [useless]).source == "assumed"
    assert informative([useless], "cpu") == 0


def test_there_is_no_error_of_fewer_than_five_cells():
    records = [record(cell(seed=seed), 10) for seed in range(5)]
    assert error(records, "cpu") is None
    assert error([], "cpu") is None
    few = [
        record(cell(model, score, n), 10)
        for model in ("vgg13", "resnet56")
        for score, n in (("base", None), ("loss", 1))
    ]
    assert error(few, "cpu") is None
    assert error([*few, record(cell("mobilenet_v1"), 10)], "cpu") > 0


def test_error_is_the_median_miss():
    assert error(records_of(LAWFUL), "cpu") < 0.1
    assert error(records_of(LAWFUL), "cuda") is None


@pytest.fixture(scope="module")
def mini():
    records = Registry(default_root()).records("mini")
    cpu = [one for one in records if one.environment.device == "cpu"]
    if len(cpu) < 20:
        pytest.skip("fewer than 20 records of profile mini on a CPU are committed")
    return cpu


def test_committed_records_foretell_each_other(mini):
    assert error(mini, "cpu") < 0.2
    assert informative(mini, "cpu") > 0.9 * len(mini)


def test_most_committed_cells_are_within_thirty_percent(mini):
    cells = [any_seed(Cell.from_dict(one.cell)) for one in mini]
    machines = [(one.environment.threads, one.environment.device_name) for one in mini]
    [(common, _)] = Counter(machines).most_common(1)  # estimates are for this one
    found = []
    for one, of, machine in zip(mini, cells, machines, strict=True):
        others = [other for other, its in zip(mini, cells, strict=True) if its != of]
        if machine == common:
            found.append(abs(estimate(of, others).seconds / one.costs.seconds_total - 1))
    assert median(found) < 0.2
    assert sum(miss <= 0.3 for miss in found) >= 0.85 * len(found)


def test_masks_without_training_cost_something_too():
    profile = get("masks")
    found = estimates(profile.cells((0,)), profile, [], "cpu")
    assert all(estimate.seconds > 0 for estimate in found.values())
    by_score = {(cell.model, cell.score): estimate.seconds for cell, estimate in found.items()}
    assert by_score["resnet20", "synflow"] > by_score["resnet20", "magnitude"]
    assert by_score["vgg16", "synflow"] > by_score["resnet20", "synflow"]
