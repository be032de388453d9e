import re
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.__main__ import main
from bench.cell import Cell
from bench.profiles import get
from bench.state import key_of
from results.record import Costs, Environment, Metrics, Record
from results.registry import Registry

DEMO = get("demo")
VGG = Cell(suite="gradient_flow", model="vgg13", dataset="digits")
RESNET = replace(VGG, model="resnet56")
CPU = Environment(
    device="cpu", device_name="", threads=1, python="", torch="", cuda=None, platform="", commit=None, dirty=None
)


METRICS = Metrics(
    test_accuracy_best=91.5, best_epoch=1, test_accuracy_last=90.25, test_loss_last=1.0, train_accuracy_last=99.0,
    train_loss_last=0.1, filters_pruned=0, filters_total=40, params=2, params_dense=2, macs=2, macs_dense=2,
)  # fmt: skip


def record(cell, seconds, status="done", **changes):
    return Record(
        key=key_of(cell, DEMO, {}), cell=cell.to_dict(), profile="demo", protocol=DEMO.protocol.to_dict(), versions={},
        status=status, metrics=METRICS,
        costs=Costs(**{"seconds_total": seconds, "stages_run": 1, **changes}), environment=CPU,
        started="2026-01-01T00:00:00+00:00", finished="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def test_list_prints_state_and_key(tmp_path, capsys):
    Registry(tmp_path).put(record(VGG, 7))
    assert main(["list", f"--registry={tmp_path}", "--device=cpu", "--score=base"]) == 0
    shown = capsys.readouterr().out
    assert re.search(rf"{VGG.id} +done +{key_of(VGG, DEMO, {})[-8:]} +7 s +measured", shown)
    assert re.search(rf"{RESNET.id} +missing .* fitted", shown)


def test_what_fitted_costs_rest_on_is_said_where_there_are_enough_records(tmp_path, capsys):
    registry, cells = Registry(tmp_path), list(DEMO.cells())
    asked = [f"--registry={tmp_path}", "--device=cpu", "--missing"]
    for cell in cells[:4]:
        registry.put(record(cell, 7))
    assert main(["list", *asked]) == 0
    assert "leave-one-out" not in capsys.readouterr().out
    registry.put(record(cells[4], 7))
    assert main(["list", *asked]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"fitted costs are within \d+ % in the median, leave-one-out over 5 records", last)


def test_run_says_what_its_estimate_rests_on(tmp_path, capsys, monkeypatch):
    registry, cells = Registry(tmp_path), list(DEMO.cells())
    for cell in cells[:5]:
        registry.put(record(cell, 7))
    monkeypatch.setattr("bench.commands._pytest", lambda *arguments: 0)
    assert main(["run", f"--registry={tmp_path}", "--device=cpu", "--yes"]) == 0
    said = capsys.readouterr().out
    accuracy = r"fitted costs are within \d+ % in the median, leave-one-out over 5 records"
    assert re.search(rf"\(estimates: {len(cells) - 5} fitted; {accuracy}\)", said)


def test_ids_alone(tmp_path, capsys):
    assert main(["list", "--ids", "--profile=paper"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 414
    Registry(tmp_path).put(record(VGG, 7))
    assert main(["list", "--ids", f"--registry={tmp_path}", "--missing", VGG.id]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", ".."], "'..' is not a cell id; expected something like"),
        (["list", "gradient_flow-vgg13-digits-bas-s0"], "did you mean gradient_flow-vgg13-digits-base-s0?"),
        (["list", "--profile=papr"], "no profile is called 'papr'; did you mean paper?"),
        (["list", "--", "-n", "2"], "list takes nothing after --"),
        (["data", "--download", "cifar1O"], "no data set is called 'cifar1O'; did you mean cifar10?"),
    ],
)
def test_nonsense_is_one_sentence_and_exit_status_2(arguments, sentence, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("python -m bench: ")
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_a_long_run_is_not_started_with_nobody_to_ask(lab):
    result = lab.bench("run", "--profile=paper", f"--registry={lab.registry}", "--device=cuda")
    assert result.returncode == 2
    assert result.stdout.startswith("414 cells of profile paper, 0 of them cached, 414 to run: about ")
    assert result.stderr.splitlines() == [
        "python -m bench: this takes more than 10 min and there is nobody to ask; add --yes to run it"
    ]
    assert not lab.registry.exists()


@pytest.mark.parametrize(("answer", "runs"), [("y", True), ("n", False), ("", False)])
def test_a_long_run_is_asked_about(monkeypatch, capsys, tmp_path, answer, runs):
    started = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    monkeypatch.setattr("bench.commands._pytest", lambda *arguments: started.append(arguments) or 0)
    assert main(["run", "--profile=paper", f"--registry={tmp_path}"]) == (0 if runs else 1)
    assert bool(started) is runs


def test_run_goes_through_pytest_with_the_same_options(lab):
    ours = (f"--registry={lab.registry}", "--device=cpu", "--model=vgg13", "--score=loss,magnitude")
    result = lab.bench("run", *ours, "*-r1-s0", "--", *lab.alone, "-q")
    assert result.returncode == 0, result.stdout + result.stderr
    assert [name.split("-")[3] for name in lab.ran()] == ["magnitude", "loss"]
    again = lab.bench("run", *ours, "*-r1-s0", "--", *lab.alone, "-q")
    assert again.stdout.startswith("2 cells of profile demo, 2 of them cached, 0 to run\n")
    assert lab.ran() == []


def test_data_shows_what_is_there(tmp_path, capsys):
    assert main(["data", f"--data-root={tmp_path}", "--fingerprint"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"digits +found +[0-9a-f]{16}", shown)
    assert re.search(r"cifar10 +missing", shown)


def test_a_data_root_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert main(["list", f"--data-root={tmp_path / 'nowhere'}"]) == 2
    assert "nowhere: there is no such folder; `python -m bench data --download NAME" in capsys.readouterr().err


def test_run_fails_where_the_data_is_missing_and_says_what_to_do(tmp_path):
    id_ = "gradient_flow-vgg13-cifar10-base-s0"
    places = [f"--data-root={tmp_path}", f"--registry={tmp_path / 'runs'}", f"--cache-root={tmp_path / 'stages'}"]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "--profile", "mini", id_, "--yes", *places],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "skipped 1 cell: " in done.stdout
    assert "python -m bench data --download cifar10" in done.stdout
    assert "report:" not in done.stdout
