"""A run with a budget, through pytest and by hand; and the queue that it follows."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.budget import Budget, budget, upcoming
from bench.cell import Cell
from bench.options import STACKED, parse
from bench.progress import OutOfBudget, Progress, within
from bench.queue import Entry
from results import bundle
from results.registry import Registry

from . import tiny

VGG = ("-m", "benchmark", "--model=vgg13", "--rounds=1")  # nine cells
A, B, C = (Cell(suite="gradient_flow", model="vgg13", dataset="digits", seed=seed) for seed in range(3))


def request(folder, **said):
    places = {"registry": str(folder / "runs"), "cache-root": str(folder), "device": "cpu"}
    return parse(lambda name: {**places, **said}.get(name))


def step(epoch, epochs=4):
    return Progress(cell_id="c", epoch=epoch, epochs=epochs, train_loss=1, test_accuracy=2, seconds_left=3)


def test_a_cell_stops_before_the_epoch_that_would_end_too_late():
    now, heard = [0.0], []
    listen = within(heard.append, 10.0, clock=lambda: now[0])
    for epoch, now[0] in ((1, 3.0), (2, 6.0)):
        listen(step(epoch))
    now[0] = 9.0
    with pytest.raises(OutOfBudget, match=r"^the budget was used up after epoch 3 of 4$"):
        listen(step(3))
    assert len(heard) == 3


def test_a_cell_that_ends_is_never_stopped():
    listen = within(lambda progress: None, 1.0, clock=lambda: 5.0)
    listen(step(4))
    with pytest.raises(OutOfBudget):
        listen(step(1))


def test_the_first_epoch_counts_from_the_beginning():
    now = [0.0]
    listen = within(lambda progress: None, 10.0, clock=lambda: now[0])
    now[0] = 6.0
    with pytest.raises(OutOfBudget, match="after epoch 1 of 4"):
        listen(step(1))


def test_what_fits_whole_comes_first_and_an_epoch_is_a_part_of_it(tmp_path):
    first, second, third = tiny.cell("loss"), tiny.cell("random"), tiny.cell("magnitude")
    costs = {first: 80, second: 16, third: 8}
    entries = [Entry(cell=cell, seconds=seconds, begun=False, waiting={}) for cell, seconds in costs.items()]
    found = budget(entries, request(tmp_path, budget="30s"), deadline=5.0)
    assert list(found.epoch_seconds.items()) == [(second, 2.0), (third, 1.0), (first, 10.0)]
    assert next(iter(budget(entries, request(tmp_path, budget="30s"), 5.0, workers=4).epoch_seconds)) == first


def test_no_cell_is_begun_that_cannot_end_an_epoch():
    found = Budget(deadline=10.0, epoch_seconds={A: 3.0, B: 1.0}, clock=lambda: 8.0)
    assert (found.lasts(A), found.lasts(B), found.lasts(C)) == (False, True, True)
    assert not replace(found, clock=lambda: 10.5).lasts(C)
    assert [found.lasts(B, beside) for beside in (0, 1, 2)] == [True, True, False], "an epoch takes 1, 2 and 3 seconds"


def test_unfinished_cells_lead_and_answered_ones_are_left_out(lab):
    lab.plan = {"loss": "interrupt"}
    lab.pytest(*VGG, "--score=loss")
    lab.plan = {}
    said = {"model": ["vgg13"], "rounds": ["1"], "registry": str(lab.registry)}
    found = upcoming(parse(lambda name: said.get(name)), Registry(lab.registry))
    assert (found[0].cell.score, found[0].begun) == ("loss", True)
    assert not any(entry.begun for entry in found[1:])
    assert "base" not in [entry.cell.score for entry in found], "it ran before"


def test_a_run_within_its_budget_is_a_run(lab):
    result = lab.pytest(*VGG, "--budget=50s", f"--bundle={lab.folder / 'new.jsonl'}")
    assert result.returncode == 0, result.stdout
    assert len(lab.ran()) == 9
    other = Registry(lab.folder / "other")
    assert bundle.import_(other, lab.folder / "new.jsonl").new == 9
    again = lab.pytest(*VGG, "--budget=50s")
    assert again.returncode == 0
    assert "no cell is missing: all 9 have a final record" in again.stdout
    assert lab.ran() == []


def test_a_budget_that_is_used_up_stops_cells_begins_none_and_is_no_failure(lab):
    lab.plan = {"": "slow"}
    first = lab.pytest(*VGG, "--budget=0.001s", "--require-run")
    assert "not begun 9 cells: the budget is used up; the same command goes on from here" in first.stdout
    assert first.returncode == pytest.ExitCode.TESTS_FAILED, "nothing at all was done, and --require-run is on in demo"
    assert lab.records() == []


def test_a_cell_that_is_stopped_is_recorded_and_led_with_next_time(lab):
    """The stub's first epoch ends after the deadline: stopped there, it is unfinished, and no failure."""
    lab.plan = {"": "slow"}
    (lab.folder / "early.py").write_text("import bench.budget as b\nb.Budget.lasts = lambda self, cell, beside: True\n")
    result = lab.pytest(*VGG, "--score=loss", "-p", "early", "--budget=0.01s")
    assert result.returncode == 0, result.stdout
    assert [record["status"] for record in lab.records()] == ["interrupted"] * 2
    assert re.search(r"interrupted 2 cells: the budget was used up after epoch 1 of 2", result.stdout)
    lab.plan = {}
    assert lab.pytest(*VGG, "--score=loss", "--budget=50s").returncode == 0
    found = Registry(lab.registry).records("demo")
    assert [record.status for record in found] == ["done"] * 2


def test_workers_share_the_budget_and_the_order(lab):
    result = lab.pytest(*VGG, "--budget=50s", "-n", "2", f"--bundle={lab.folder / 'new.jsonl'}")
    assert result.returncode == 0, result.stdout
    assert len(lab.records()) == 9
    assert len((lab.folder / "new.jsonl").read_text().splitlines()) == 9
    said = {"model": ["vgg13"], "rounds": ["1"], "registry": str(lab.folder / "none"), "device": "cpu"}
    queue = [entry.cell.id for entry in upcoming(parse(lambda name: said.get(name)), Registry(lab.folder / "none"))]
    assert {*lab.ran()[:4]} <= {*queue[:6]}, "workers take the queue from its head, not each a long piece of it"


def test_at_once_and_workers_do_not_go_together(lab):
    result = lab.pytest(*VGG, "--at-once=2", "-n", "2")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--at-once is for one process, and -n for several; use one of them" in result.stderr


def test_a_stack_and_workers_do_not_go_together(lab):
    result = lab.pytest("-m", "benchmark", "--model=lenet300_100", "--stacked=2", "-n", "2")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--stacked is for one process, and -n for several; use one of them" in result.stderr


def test_what_can_be_stacked_has_no_batch_norm():
    from pruning import models

    for name in models.names():
        with torch.device("meta"):
            net = models.build(name, image_size=32)
        assert (name in STACKED) == (not list(net.buffers())), name


def test_several_at_once_in_one_process(lab):
    result = lab.pytest(*VGG, "--at-once=3")
    assert result.returncode == 0, result.stdout
    assert len(re.findall(r"-s0 +ran ", result.stdout)) == 9, "none of them was there before"
    assert all(1 < record["environment"]["at_once"] <= 3 for record in lab.records())
    assert len(lab.ran()) == 9


def test_a_failure_among_several_at_once_fails_its_own_test_alone(lab):
    lab.plan = {"proposed": "error"}
    result = lab.pytest(*VGG, "--at-once=4")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 8 passed" in result.stdout


def test_an_interruption_leaves_a_record_of_every_cell_under_way(lab):
    lab.plan = {"magnitude": "interrupt"}
    result = lab.pytest(*VGG, "--at-once=4")
    assert result.returncode == pytest.ExitCode.INTERRUPTED
    statuses = [record["status"] for record in lab.records()]
    assert statuses.count("interrupted") >= 2
    assert "interrupted: what is finished is kept" in result.stdout


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"budget": "soon"}, "--budget is 'soon'; expected a time above 0, such as 90s, 25m or 1.5h"),
        ({"budget": "-3m"}, "--budget is '-3m'; expected a time above 0, such as 90s, 25m or 1.5h"),
        ({"budget": "m"}, "--budget is 'm'; expected a time above 0, such as 90s, 25m or 1.5h"),
        ({"at-once": "many"}, "--at-once is 'many'; expected auto or a whole number from 1 to 32"),
        ({"at-once": "0"}, "--at-once is '0'; expected auto or a whole number from 1 to 32"),
        ({"stacked": "0"}, "--stacked is '0'; expected a whole number from 1 to 512"),
        ({"stacked": "all"}, "--stacked is 'all'; expected a whole number from 1 to 512"),
        (
            {"stacked": "8", "at-once": "8", "model": ["lenet300_100"]},
            "--stacked says how many cells run at once; leave --at-once out",
        ),
        (
            {"stacked": "8"},
            "--stacked trains networks without batch norm as one, and mobilenet_v1 has it; choose others with "
            "--suite missing_the_mark --model lenet300_100",
        ),
        ({"bundle": "."}, f"--bundle {Path.cwd()}: that is no file; name one that records may be written to"),
        ({"bundle": "/no/such/b"}, "--bundle /no/such/b: there is no folder /no/such"),
        ({"budget": "9", "rerun": True}, "--budget runs what is missing, and --rerun what is not; use one of them"),
    ],
)
def test_options_that_mean_nothing(tmp_path, said, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        request(tmp_path, **said)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("25m", 1500), ("1.5h", 5400)])
def test_times_have_units(tmp_path, text, seconds):
    assert request(tmp_path, budget=text).budget == seconds


def test_a_bundle_gains_what_the_next_run_adds(lab):
    file = lab.folder / "all.jsonl"
    lab.pytest(*VGG, "--score=base", f"--bundle={file}")
    lab.pytest(*VGG, "--collect-only", f"--bundle={file}")
    assert len(bundle.read(file)) == 1
    lab.pytest(*VGG, "--missing", f"--bundle={file}")
    assert len(bundle.read(file)) == 9
    lab.pytest(*VGG, "--missing", f"--bundle={file}")
    assert len(bundle.read(file)) == 9


def test_a_bundle_holds_cells_that_ended_beside_one_that_was_interrupted(lab):
    lab.plan = {"magnitude": "interrupt"}
    file = lab.folder / "all.jsonl"
    lab.pytest(*VGG, "--at-once=4", f"--bundle={file}")
    assert len(bundle.read(file)) == len(Registry(lab.registry).records("demo")) > 1


def test_what_k_leaves_out_is_not_begun_beside_others(lab):
    result = lab.pytest(*VGG, "--at-once=3", "-k", "loss or random")
    assert "2 passed" in result.stdout
    assert len(lab.ran()) == len(lab.records()) == 2


def test_a_bundle_that_is_something_else_is_left_alone(lab):
    file = lab.folder / "notes"
    file.write_text("mine\n")
    result = lab.pytest(*VGG, "--score=base", f"--bundle={file}")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert re.search(rf"--bundle: .*the records are in {re.escape(str(lab.registry))}", result.stderr)
    assert file.read_text() == "mine\n"
    assert len(lab.records()) == 1


def test_a_run_by_ids_under_a_budget_goes_on_when_some_are_done(lab):
    said = ("run", "--device=cpu", f"--registry={lab.registry}", "--budget=50s")
    quiet = ("--", "-p", "stub_experiment", "-p", "no:reports.plugin", "-p", "no:cacheprovider")
    pattern = "gradient_flow-vgg13-digits-*-r1-s0"
    lab.plan = {"loss": "error"}
    assert lab.bench(*said, pattern, *quiet).returncode == 1
    lab.plan = {}
    again = lab.bench(*said, pattern, *quiet)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "1 passed" in again.stdout
    assert "no cell is missing" in lab.bench(*said, pattern, *quiet).stdout


def test_a_budget_is_consent_to_that_much(lab):
    said = ("run", "--profile=paper", "--device=cpu", f"--registry={lab.registry}", "--budget=0.001s")
    result = lab.bench(*said, "--", "-p", "stub_experiment", "-p", "no:reports.plugin", "-p", "no:cacheprovider")
    assert "running for 0 s at most, the most telling first" in result.stdout
    assert "not begun 414 cells" in result.stdout


def test_the_queue_is_printed_with_costs_and_what_it_settles(lab):
    result = lab.bench("queue", "--profile=paper", "--device=cpu", f"--registry={lab.registry}")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert re.match(r"cell +minutes +in all +settles", lines[0])
    assert lines[2].startswith("gradient_flow-")
    assert "gf_grasp_t1_chance_resnet56_cifar10" in result.stdout
    assert re.search(r"^394 more with --all; 414 cells: about [\d.]+ (h|days)$", lines[-1])
    every = lab.bench("queue", "--profile=paper", "--device=cpu", "--all", f"--registry={lab.registry}")
    assert len(re.findall("^gradient_flow-", every.stdout, re.MULTILINE)) == 414


def test_the_queue_within_a_budget_and_empty(lab):
    said = ("queue", "--device=cpu", f"--registry={lab.registry}", "--model=vgg13", "--rounds=1")
    packed = lab.bench(*said, "--budget=10s").stdout
    assert re.search(r"\d cells: about \d+ s; \d more do not fit whole", packed)
    lab.pytest(*VGG)
    assert lab.bench(*said).stdout == "no cell of profile demo is missing\n"
    bad = next(lab.registry.rglob("*.json"))
    bad.write_text("{")
    again = lab.bench(*said)
    assert re.search(r"^1 cell: about ", again.stdout, re.MULTILINE)
    assert again.stderr.startswith(f"left out: {bad}: ")


def test_a_run_is_handed_its_budget(lab):
    result = lab.bench(
        "run", "--device=cpu", f"--registry={lab.registry}", "--model=vgg13", "--rounds=1", "--budget=0.001s", "--",
        "-p", "stub_experiment", "-p", "no:reports.plugin", "-p", "no:cacheprovider",
    )  # fmt: skip
    assert "not begun 9 cells" in result.stdout, result.stdout + result.stderr
    assert json.dumps(lab.records()) == "[]"
