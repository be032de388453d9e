"""The speed benchmarks measure what they say, run at a tiny size, and their table and check read what they wrote."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn

from bench.marks import asks_for
from bench.places import checkout
from bench.speed import competitors, images, measurement, memory, networks, peaks, race, regression, roofline, table
from bench.speed.__main__ import main
from bench.speed.measurement import Ratio
from bench.speed.roofline import Convolution, Device, Floor, Work
from bench.speed.sizes import FULL, TINY
from bench.speed.textbook_scores import TEXTBOOK, Sample
from bench.speed.textbook_surgery import rebuilt, threshold_mask
from bench.suites.gradient_flow import MODELS
from pruning import amounts, data, masks, models, scores, surgery, training
from pruning.data import Split
from pruning.rounds import FLOOR
from pruning.training import Recipe
from results.record import Environment

CHECKOUT = Path(__file__).resolve().parents[2]
ONE_OF_EACH = {
    "test_training_step[vgg13-pruned-fp32]": {"released", "resident", "engine"},
    "test_networks_at_once[vgg13-pruned-2-fp32]": {"released", "resident", "engine", "at once"},
    "test_masked_step[resnet20]": {"whole", "updates", "updates of the whole", "masked"},
    "test_networks_on_a_stack[16]": {"engine", "stack"},
    "test_score[loss-resnet56]": {"textbook", "filter_scores"},
    "test_product[resnet56]": {"textbook", "a pass per class", "filter_scores"},
    "test_probe[resnet56-once]": {"training", "probe"},
    "test_mask_and_surgery[vgg13]": {"textbook", "global_mask + shrink"},
    "test_registry_load[few]": {"json.loads", "Registry.records"},
    "test_report": {"python -m reports"},
}


pytestmark = pytest.mark.usefixtures("one_thread")


def start_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    unwanted = ("PYTEST", "COV", "PRUNING_BENCH")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--registry={folder}", *arguments],
        cwd=CHECKOUT,
        env=inherited | {"XDG_CACHE_HOME": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of one benchmark of each group, without real data: what it printed, and the file it wrote."""
    folder = tmp_path_factory.mktemp("speed")
    groups = (
        "vgg13-pruned-fp32",
        "vgg13-pruned-2-fp32",
        "masked_step[resnet20]",
        "stack[16]",
        "loss-resnet56",
        "test_product",
        "test_probe[resnet56-once]",
        "surgery[vgg13]",
        "few",
    )
    chosen = " or ".join((*groups, "test_report"))
    options = ["--device=cpu", "--speed-size=tiny", "--speed-rounds=1", f"--benchmark-json={folder / 'speed.json'}"]
    done = start_pytest(folder, "-m", "speed", "-k", chosen, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, folder / "speed.json"


def test_every_group_runs_and_says_what_it_measured(ran):
    output, file = ran
    rows = table.read(file)
    assert {name: set(row.seconds) for name, row in rows.items()} == ONE_OF_EACH
    assert table.markdown(rows) in output
    assert "10 passed" in output
    for row in rows.values():
        assert (row.n, row.size, row.environment.device, row.environment.threads) == (1, "tiny", "cpu", 1)
        baselines = set(row.seconds) - {row.subject}
        assert set(row.ratios) == baselines
        for name in baselines:
            assert row.ratios[name].median == pytest.approx(row.seconds[name] / row.seconds[row.subject])


def test_a_training_step_is_timed_over_all_images_and_has_a_floor(ran):
    row = table.read(ran[1])["test_training_step[vgg13-pruned-fp32]"]
    about = {"model": "vgg13", "network": "pruned", "precision": "fp32", "data": "random", "batch": 16}
    assert (row.setup, row.images) == (about, 24)
    for name, seconds in row.seconds.items():
        assert row.images_per_second[name] == pytest.approx(24 / seconds)
    macs = models.macs(networks.network("vgg13", "pruned", "0.25"), (3, 32, 32))
    assert row.floor.flop == 6 * 24 * macs


def test_masked_networks_train_as_published():
    found = networks.published_recipe("lenet300_100", 16)
    assert (found.batch_size, found.momentum, found.weight_decay) == (16, 0, 0)
    assert (found.temperature, found.augmentation, found.mean) == (1.0, "none", 0.1307)
    for model in ("resnet20", "vgg16"):
        found = networks.published_recipe(model, 32)
        assert (found.batch_size, found.momentum, found.weight_decay) == (32, 0.9, 1e-4)
        assert (found.temperature, found.augmentation, found.mean) == (1.0, "flip_crop", (0.485, 0.456, 0.406))


def test_updates_are_those_of_a_masked_step():
    """Of an epoch: what is removed stays zero, and with decay the rest shrinks as often as there are steps."""
    net, recipe = models.build("resnet20", width="0.25", seed=0), Recipe(batch_size=16, weight_decay=0.5, momentum=0.0)
    seen = []
    held = competitors.Held

    def noted(net, mask, velocity):
        seen.append((net, mask))
        return held(net, mask, velocity)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(competitors, "Held", noted)
        competitors.updates(net, images.noise(40), recipe, mask=True)()
    (moved, mask), name = seen[0], "classifier.weight"
    before, after, keep = net.get_parameter(name), moved.get_parameter(name), mask[name]
    assert (after[~keep] == 0).all()
    torch.testing.assert_close(after[keep], before[keep] * (1 - competitors.LR * 0.5) ** 3)


def test_a_score_says_what_memory_it_took(capsys):
    assert memory.main(["--model", "resnet20", "--score", "snip", "--images", "4", "8", "--side", "8"]) == 0
    out = capsys.readouterr().out
    assert "resnet20 at 8 × 8, float32, 1 threads" in out
    rows = [[part.strip() for part in line.split("|")[1:-1]] for line in out.splitlines() if line.startswith("| snip")]
    assert [row[:2] for row in rows] == [["snip", "4"], ["snip", "8"]]
    assert rows[0][3] == "1.000"
    assert all(0.1 < float(row[2]) < 8 for row in rows)


def test_pytest_benchmark_times_the_project_itself_beyond_the_warm_up(ran):
    for each in json.loads(ran[1].read_text())["benchmarks"]:
        inner = each["extra_info"]["seconds"][each["extra_info"]["subject"]]
        assert each["stats"]["rounds"] == 1
        assert inner <= each["stats"]["max"] < 1.5 * inner + 0.1  # the outer clock sees the inner one, and little else
        assert each["group"] == each["extra_info"]["group"]


@pytest.mark.parametrize(
    ("expression", "asks"),
    [
        ("speed", True),
        ("speed and not gpu", True),
        ("speed or benchmark", True),
        ("", False),
        ("benchmark", False),
        ("not gpu", False),
        ("not speed", False),
        ("speed and", False),
    ],
)
def test_only_a_mark_that_names_them_asks_for_speed_benchmarks(expression, asks):
    assert asks_for(expression, "speed") is asks


def test_a_mark_that_merely_does_not_exclude_them_collects_none(tmp_path):
    done = start_pytest(tmp_path, "--collect-only", "-q", "-m", "not gpu", "bench")
    assert "test_training_step" not in done.stdout


def test_cells_and_speed_benchmarks_do_not_mix(tmp_path):
    done = start_pytest(tmp_path, "--collect-only", "-q", "-m", "speed or benchmark")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "cells and speed benchmarks run apart; ask for one of them with -m" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--speed-rounds=0",), "--speed-rounds is 0; it must be at least 1"),
        (("-n", "2"), "speed benchmarks run one at a time, or they would slow each other down; leave out -n"),
    ],
)
def test_a_bad_question_is_answered_in_one_sentence(tmp_path, arguments, sentence):
    done = start_pytest(tmp_path, "-m", "speed", *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {sentence}\n" in done.stderr


# The competitors do the same.


@pytest.fixture(scope="module")
def small():
    return networks.network("vgg13", "dense", "0.25")


BLACK = Split(torch.zeros(24, 32, 32, 3, dtype=torch.uint8), torch.full((24,), 3))
"""Images that neither crops nor flips nor another order change."""


def test_the_engine_sees_the_images_that_the_plain_loop_sees(small):
    one_step = Recipe(batch_size=24)
    plain, ours = (make(small, images.noise(24), one_step) for make in (competitors.resident, competitors.engine))
    assert ours(1).loss == pytest.approx(plain(1).loss, rel=1e-5)  # not augmented, or otherwise, it is 1e-2 away


def test_the_engine_learns_what_the_plain_loop_learns(small):
    small = training.place(small, "cpu")  # batch norm rounds at 1e-4 in another layout, and two steps multiply that
    plain, ours = (make(small, BLACK, Recipe(batch_size=16)) for make in (competitors.resident, competitors.engine))
    assert [ours(1).loss, ours(2).loss] == pytest.approx([plain(1).loss, plain(2).loss], rel=1e-5)


def test_released_code_learns_what_the_plain_loop_learns_where_augmentation_changes_nothing(small):
    released, plain = (
        make(small, BLACK, Recipe(batch_size=16)) for make in (competitors.released, competitors.resident)
    )
    results = [released(1), released(2)]
    assert results == [plain(1), plain(2)]
    assert results[1].loss < results[0].loss


def test_the_engine_also_trains_in_bf16_and_leaves_the_network_it_was_given(small):
    before = copy.deepcopy(small.state_dict())
    epoch = competitors.engine(small, images.noise(24), Recipe(batch_size=16, precision="bf16"))
    assert 0 < epoch(1).loss < 5
    assert all(torch.equal(tensor, before[name]) for name, tensor in small.state_dict().items())


def test_released_images_are_cropped_from_zeros_flipped_and_normalised():
    white = Split(torch.full((200, 32, 32, 3), 255, dtype=torch.uint8), torch.arange(200) % 10)
    items = competitors.PILImages(white, Recipe())
    torch.manual_seed(0)
    found = [items[number] for number in range(200)]
    pixels = torch.stack([image for image, _ in found])
    assert pixels.shape == (200, 3, 32, 32)
    assert pixels.unique().tolist() == [-1, 1]
    black_rows = (pixels[:, 0] == -1).all(2).sum(1)
    assert set(black_rows.tolist()) == {0, 1, 2, 3, 4}  # offsets of 0 to 8 pixels into a padding of 4
    assert [label for _, label in found] == white.labels.tolist()
    ramp = Split(torch.arange(32).view(1, 1, 32, 1).expand(1, 32, 32, 3).contiguous().to(torch.uint8), torch.zeros(1))
    rising = [bool(competitors.PILImages(ramp, Recipe())[0][0][0, 16, 10:20].diff().sum() > 0) for _ in range(20)]
    assert set(rising) == {True, False}


def test_baselines_run_with_pytorchs_own_settings_which_are_put_back():
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.conv.fp32_precision
    try:
        cudnn.deterministic, cudnn.conv.fp32_precision = True, "ieee"
        with competitors.defaults():
            assert (cudnn.deterministic, cudnn.conv.fp32_precision) == (False, "tf32")
        assert (cudnn.deterministic, cudnn.conv.fp32_precision) == (True, "ieee")
    finally:
        cudnn.deterministic, cudnn.conv.fp32_precision = before


@pytest.fixture(scope="module")
def scored(small):
    net, split = copy.deepcopy(small), images.noise(20)
    batches = [training.inputs(net, split, index, Recipe(), None) for index in torch.arange(20).split(8)]
    networks.settle_norms(net, batches[0])
    initial = {name: p.detach() for name, p in models.build("vgg13", width="0.25", seed=1).named_parameters()}
    return net, Sample(list(scores.filter_layers(net)), [(x.contiguous(), y) for x, y in batches], initial)


def test_the_textbook_has_every_score():
    assert list(TEXTBOOK) == scores.names()


@pytest.mark.parametrize("score", TEXTBOOK)
def test_the_textbook_computes_the_scores_that_we_compute(score, scored):
    net, sample = scored
    ours = scores.filter_scores(score, net, sample.batches, initial=sample.initial)
    theirs = TEXTBOOK[score](net, sample)
    assert list(theirs) == list(ours)
    for layer, values in ours.items():
        if score == "random":
            assert theirs[layer].shape == values.shape
        else:
            torch.testing.assert_close(theirs[layer], values, rtol=1e-3, atol=1e-4 * float(values.abs().max()))


def test_the_textbook_leaves_each_layer_its_share():
    found = {"a": torch.tensor([1.0, 2, 3, 4]), "b": torch.tensor([10.0, 11, 12, 13]), "c": torch.tensor([0.0, 0.5])}
    mask = threshold_mask(found, 4, ("c",), 0.5)
    assert {name: keep.int().tolist() for name, keep in mask.items()} == {
        "a": [0, 0, 1, 1],
        "b": [0, 0, 1, 1],
        "c": [1, 1],
    }
    ours = masks.global_mask(found, "0.4", floor="0.5", protected=["c"])
    assert all(torch.equal(mask[name], keep) for name, keep in ours.items())


@pytest.mark.parametrize("model", MODELS)
def test_the_textbook_keeps_the_filters_that_we_keep_and_builds_the_same_network(model):
    net = networks.network(model, "dense", "0.25")
    found, stays, amount = scores.filter_scores("magnitude", net, []), networks.protected(net), networks.amount(model)
    number = amounts.count(amount, sum(len(score) for score in found.values()))
    mask = threshold_mask(found, number, stays, float(FLOOR))
    ours = masks.global_mask(found, amount, floor=FLOOR, protected=stays)
    assert all(torch.equal(mask[layer], keep) for layer, keep in ours.items())
    theirs, small = rebuilt(net, mask).state_dict(), surgery.shrink(net, ours).state_dict()
    assert list(theirs) == list(small)
    assert all(torch.equal(theirs[name], tensor) for name, tensor in small.items())


@pytest.mark.parametrize(("model", "left"), [("vgg13", 736), ("mobilenet_v1", 1496), ("resnet56", 2128)])
def test_pruned_networks_keep_the_papers_share(model, left):
    width = "1" if model == "resnet56" else "0.25"
    net = networks.network(model, "pruned", width)
    assert sum(len(kept) for kept in models.kept_channels(net).values()) == left - amounts.count(
        {"vgg13": "0.75", "mobilenet_v1": "0.75", "resnet56": "0.6"}[model], left
    )


def test_norms_take_the_statistics_of_one_batch(small):
    net, batch = copy.deepcopy(small), (torch.randn(8, 3, 32, 32), torch.zeros(8))
    networks.settle_norms(net, batch)
    first = next(module for module in net.modules() if isinstance(module, nn.BatchNorm2d))
    conv = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    torch.testing.assert_close(first.running_mean, conv(batch[0]).relu().mean((0, 2, 3)))
    assert first.momentum == 0.1


def test_images_are_cifars_where_there_are_any(tmp_path, monkeypatch):
    missing = images.images(tmp_path, 5)
    assert (missing.name, len(missing.split)) == ("random", 5)
    assert torch.equal(missing.split.images, images.noise(5).images)
    train = Split(torch.ones(7, 32, 32, 3, dtype=torch.uint8), torch.zeros(7))
    monkeypatch.setattr(data, "load", lambda name, root: data.Dataset(name, 10, train, train, "0"))
    there = images.images(tmp_path, 5)
    assert (there.name, len(there.split), int(there.split.images.sum())) == ("cifar10", 5, 5 * 32 * 32 * 3)


# The race, with a clock that only its competitors move.


class Pedantic:
    """What a race uses of pytest-benchmark."""

    def __init__(self):
        self.name, self.group, self.extra_info = "test_it[x]", None, {}

    def pedantic(self, target, setup, rounds, warmup_rounds):
        for _ in range(warmup_rounds + rounds):
            setup()
            target()


def test_competitors_take_turns_and_the_warm_up_does_not_count(monkeypatch):
    now, order = 0.0, []

    def work(name, *spent):
        left = iter(spent)

        def run():
            nonlocal now
            order.append(name)
            now += next(left)

        return run

    monkeypatch.setattr(race.time, "perf_counter", lambda: now)
    benchmark, rows = Pedantic(), {}
    found = race.Race(benchmark, "cpu", TINY, rows).run(
        {"a": work("a", 90, 4, 8, 9), "b": work("b", 90, 2, 2, 3)},
        ("ours", work("ours", 1, 2, 2, 1)),
        rounds=3,
        group="G",
        setup={"model": "m"},
        images=16,
    )
    assert order == ["a", "b", "ours"] * 4
    assert found.n == 3
    assert found.seconds == {"a": 8, "b": 2, "ours": 2}
    assert found.images_per_second == {"a": 2, "b": 8, "ours": 8}
    assert found.ratios["a"] == Ratio(median=4, lowest=2, highest=9)
    assert found.ratios["b"] == Ratio(median=1, lowest=1, highest=3)
    assert rows == {"test_it[x]": found}
    assert benchmark.group == "G"
    assert benchmark.extra_info["ratios"]["a"] == {"median": 4, "lowest": 2, "highest": 9}
    assert benchmark.extra_info["environment"]["threads"] == torch.get_num_threads()


# Floors.


def test_arithmetic_and_traffic_of_two_layers_by_hand():
    conv, linear = Convolution(3, 16, 9, 1024), Convolution(64, 10, 1, 1)
    assert conv.macs == 442_368
    assert linear.macs == 640
    work = roofline.work([conv, linear])
    assert work == Work(macs=443_008, activations=16_384)
    assert roofline.flop(work, 128) == 340_230_144
    assert roofline.traffic(work, 128, 4) == 134_217_728
    assert roofline.traffic(work, 128, 2) == 67_108_864


@pytest.mark.parametrize(
    ("device", "seconds", "bound"),
    [(Device(1e9, 1e9), 0.340230144, "compute"), (Device(1e12, 1e9), 0.134217728, "memory")],
)
def test_the_floor_is_the_larger_of_computing_and_moving(device, seconds, bound):
    found = roofline.floor(Work(443_008, 16_384), 128, 4, device)
    assert (found.seconds, found.bound) == (pytest.approx(seconds), bound)


@pytest.mark.parametrize(
    ("model", "flop", "gigabytes"),
    [("vgg13", 1.75e11, 1.02), ("mobilenet_v1", 0.356e11, 1.69), ("resnet56", 0.966e11, 2.23)],
)
def test_floors_of_the_papers_networks(model, flop, gigabytes):
    work = roofline.work(networks.shapes(networks.network(model, "dense", "1"), (3, 32, 32)))
    assert roofline.flop(work, 128) == pytest.approx(flop, rel=5e-3)
    assert roofline.traffic(work, 128, 2) == pytest.approx(gigabytes * 1e9, rel=2e-2)


@pytest.mark.parametrize("model", MODELS)
def test_shapes_count_the_multiply_adds_of_a_network(model):
    net = networks.network(model, "pruned", "0.5")
    assert roofline.work(networks.shapes(net, (3, 32, 32))).macs == models.macs(net, (3, 32, 32))
    assert not any(module._forward_hooks for module in net.modules())


def test_peaks_are_those_of_the_fastest_repeat(monkeypatch):
    times = iter([9, 3, 2, 4, 4, 4, 9, 8, 7, 6, 4, 5])
    monkeypatch.setattr(peaks, "seconds", lambda work, device: (work(), next(times))[1])
    assert peaks.peak("cpu", "bf16", 8, 1000) == Device(flops=2 * 512 / 2, bandwidth=2 * 1000 / 4)


# Table and check.

ENVIRONMENT = Environment(
    device="cpu",
    device_name="A processor",
    threads=2,
    python="3.11.7",
    torch="2.11.0",
    cuda=None,
    platform="Linux x86_64",
    commit="0123456789abcdef",
    dirty=True,
)
FAST = "test_training_step[vgg13-dense-fp32]"


def step(model="vgg13", released=(2.0, 4.0, 3.0), size=FULL.name, environment=ENVIRONMENT):
    floor = Floor(flop=1, traffic_bytes=1, peak_flops=130e9, peak_bandwidth=20e9, seconds=0.5, bound="memory")
    return measurement.measurement(
        {"released": released, "engine": [1.0, 1.0, 1.0]},
        subject="engine",
        group="Training",
        size=size,
        setup={"model": model, "precision": "fp32"},
        environment=environment,
        images=1500,
        floor=floor,
    )


def score():
    return measurement.measurement(
        {"textbook": [0.5], "filter_scores": [0.0025]},
        subject="filter_scores",
        group="Score",
        size=FULL.name,
        setup={"score": "loss"},
        environment=ENVIRONMENT,
    )


def written(path, rows):
    others = [{"name": "test_cell[x]", "extra_info": {}}]
    benchmarks = [{"name": name, "extra_info": msgspec.to_builtins(row)} for name, row in rows.items()]
    path.write_text(json.dumps({"machine_info": {}, "benchmarks": others + benchmarks}))
    return path


TABLE = """\
A processor, 2 threads, Linux x86_64, torch 2.11.0, Python 3.11.7, commit 0123456789ab with changes. \
Medians of n rounds in which the competitors took turns; × says how many times as fast as another we are, with the \
lowest and the highest round in brackets.

### Training, images per second

| model   | precision   | n   | released   | engine   | × released       | of the floor   |
|---------|-------------|-----|------------|----------|------------------|----------------|
| vgg13   | fp32        | 3   | 500        | 1,500    | 3.00 (2.00–4.00) | 50 % (memory)  |

The floor in fp32: 130 GFLOP/s, the best matrix product, and 20 GB/s, the best copy.

### Score, milliseconds

| score   | n   | textbook   | filter_scores   | × textbook             |
|---------|-----|------------|-----------------|------------------------|
| loss    | 1   | 500        | 2.5             | 200.00 (200.00–200.00) |
"""


def test_the_table_of_a_file(tmp_path, capsys):
    file = written(tmp_path / "speed.json", {FAST: step(), "test_score[loss]": score()})
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == TABLE


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{]", "is not what `pytest -m speed --benchmark-json=FILE` writes: JSON is malformed"),
        ('{"benchmarks": []}', "holds no speed benchmark; `pytest -m speed --benchmark-json="),
        ('{"benchmarks": [{"name": "x", "extra_info": {"subject": 1}}]}', "is not what `pytest -m speed"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_of_something_else(tmp_path, capsys, content, sentence):
    file = tmp_path / "speed.json"
    if content is not None:
        file.write_text(content)
    assert main([str(file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"python -m bench.speed: {file}")
    assert sentence in said


def test_ratios_are_stored_by_machine_beside_what_is_there(tmp_path, capsys):
    file, kept = written(tmp_path / "speed.json", {FAST: step()}), tmp_path / "performance.json"
    kept.write_text('{"another": {"t": {"b": 1.5}}, "A processor, 2 threads": {"old": {"b": 2}}}')
    assert main([str(file), "--store", str(kept)]) == 0
    assert capsys.readouterr().out == f"stored in {kept} for A processor, 2 threads\n"
    assert json.loads(kept.read_text()) == {
        "A processor, 2 threads": {"old": {"b": 2}, FAST: {"released": 3}},
        "another": {"t": {"b": 1.5}},
    }
    assert kept.read_text().endswith("}\n")


def test_a_ratio_that_fell_by_more_than_a_fifth_fails_the_check(tmp_path, capsys):
    file, kept = tmp_path / "speed.json", tmp_path / "performance.json"
    written(file, {FAST: step(released=(2.5,) * 3)})
    main([str(file), "--store", str(kept)])
    assert main([str(file), "--check", str(kept)]) == 0
    written(file, {FAST: step(released=(2.0,) * 3)})  # exactly four fifths
    assert main([str(file), "--check", str(kept)]) == 0
    capsys.readouterr()
    written(file, {FAST: step(released=(1.99,) * 3)})
    assert main([str(file), "--check", str(kept)]) == 1
    assert capsys.readouterr().out == (
        f"{FAST} is 1.99 times as fast as released, less than 0.8 x the 2.50 stored for A processor, 2 threads\n"
    )


def test_the_check_looks_at_ratios_and_never_at_times():
    slow = {FAST: step()}
    slow[FAST] = msgspec.structs.replace(slow[FAST], seconds={"released": 300, "engine": 100})
    assert regression.check(slow, {"A processor, 2 threads": {FAST: {"released": 3.0}}}) == ([], [])


def test_what_cannot_be_compared_is_said():
    stored = {"A processor, 2 threads": {FAST: {"released": 3.0, "resident": 1.0}, "gone": {"b": 1.0}}}
    verdict = regression.check({FAST: step(), "new": step()}, stored)
    assert verdict.fallen == []
    assert verdict.missing == [
        "gone against b was not measured",
        "new against released was not stored",
        f"{FAST} against resident was not measured",
    ]


ELSEWHERE = msgspec.structs.replace(ENVIRONMENT, threads=1)


def test_a_machine_without_stored_ratios_is_told_from_a_question_without_an_answer(tmp_path, capsys):
    file, kept = written(tmp_path / "speed.json", {FAST: step(environment=ELSEWHERE)}), tmp_path / "performance.json"
    kept.write_text(json.dumps({"A processor, 2 threads": {FAST: {"released": 3.0}}}))
    assert main([str(file), "--check", str(kept)]) == 3
    said = "no ratio is stored for 'A processor, 1 thread' (stored: A processor, 2 threads); --store adds this run's"
    assert capsys.readouterr().out == f"{said}\n"
    assert main([str(tmp_path / "none.json"), "--check", str(kept)]) == 2


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ({FAST: step(size="tiny")}, f"{FAST} was measured at size tiny; only ratios of size full are compared"),
        (
            {FAST: step(), "b": step(environment=ELSEWHERE)},
            "the rows come from several machines: A processor, 1 thread; A processor, 2 threads; compare one at a time",
        ),
    ],
)
def test_rows_that_may_not_be_compared(tmp_path, capsys, rows, sentence):
    kept = tmp_path / "performance.json"
    kept.write_text(json.dumps({"A processor, 2 threads": {FAST: {"released": 3.0}}}))
    assert main([str(written(tmp_path / "speed.json", rows)), "--check", str(kept)]) == 2
    assert capsys.readouterr().err == f"python -m bench.speed: {sentence}\n"


def test_a_store_of_something_else(tmp_path, capsys):
    file, kept = written(tmp_path / "speed.json", {FAST: step()}), tmp_path / "performance.json"
    kept.write_text('{"A processor, 2 threads": 3}')
    assert main([str(file), "--check", str(kept)]) == 2
    assert f"{kept} holds no ratios by machine, test and baseline" in capsys.readouterr().err


def test_every_file_of_tests_that_need_a_gpu_is_listed_as_not_run(request):
    """Of those that are collected, which in a run of all tests are all."""
    listed = (checkout() / "docs" / "PERFORMANCE.md").read_text(encoding="utf-8")
    files = {item.path.relative_to(checkout()) for item in request.session.items if item.get_closest_marker("gpu")}
    assert [file for file in sorted(files) if file.name not in listed] == []
