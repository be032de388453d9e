import re
import sys
import types
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import bench
from bench.cell import Cell
from bench.cost import duration
from bench.executor import CellFailed, answer, execute, is_missing_data
from bench.line import _Repeated
from bench.profiles import get
from bench.progress import CellTimeout, Progress, limited, silent
from bench.protocol import key
from bench.settings import Settings
from bench.state import missing, state_of
from bench.versions import versions
from results import bundle
from results.record import Environment, Metrics, Record
from results.registry import Registry

DEMO = get("demo")
CELL = Cell(suite="gradient_flow", model="vgg13", dataset="digits")
SETTINGS = Settings(data_root=Path("data"), cache_root=Path("stages"))
HERE = Environment(
    device="cpu", device_name="", threads=1, python="", torch="", cuda=None, platform="", commit=None, dirty=None
)


METRICS = Metrics(
    test_accuracy_best=91.5, best_epoch=1, test_accuracy_last=90.25, test_loss_last=1.0, train_accuracy_last=99.0,
    train_loss_last=0.1, filters_pruned=0, filters_total=40, params=2, params_dense=2, macs=2, macs_dense=2,
)  # fmt: skip


def step(epoch, epochs=3):
    return Progress(cell_id="c", epoch=epoch, epochs=epochs, train_loss=1, test_accuracy=2, seconds_left=3)


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


@pytest.fixture
def experiment(monkeypatch):
    """A stand-in whose ``outcome`` is a status, or an exception to raise."""
    stub = types.ModuleType("bench.experiment")
    stub.environment = lambda settings: HERE
    stub.outcome, stub.runs = "done", 0

    def running(cell, profile, settings, listener, keep):
        stub.runs += 1
        yield True
        if isinstance(stub.outcome, BaseException):
            raise stub.outcome
        listener(step(1))
        found = versions(cell, settings.score_references)
        return Record(
            key=key(cell, profile.protocol, found), cell=cell.to_dict(), profile=profile.name,
            protocol=profile.protocol.to_dict(), versions=found, status=stub.outcome, environment=HERE, metrics=METRICS,
            started="2026-01-01T00:00:00+00:00", finished="2026-01-01T00:00:00+00:00",
        )  # fmt: skip

    stub.running, stub.lane = running, lambda device: nullcontext()
    monkeypatch.setitem(sys.modules, "bench.experiment", stub)
    monkeypatch.setattr(bench, "experiment", stub, raising=False)
    return stub


def test_an_answer_is_kept_and_found(experiment, registry):
    assert missing([CELL], registry, DEMO, {}) == (CELL,)
    first = execute(CELL, DEMO, SETTINGS, registry)
    second = execute(CELL, DEMO, SETTINGS, registry)
    assert (first.cached, second.cached, experiment.runs) == (False, True, 1)
    assert second.record == first.record
    assert missing([CELL], registry, DEMO, {}) == ()
    assert not execute(CELL, DEMO, SETTINGS, registry, rerun=True).cached


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), "out_of_memory"),
        (RuntimeError("HIP: Out of Memory on device"), "out_of_memory"),
        (type("OutOfMemoryError", (RuntimeError,), {})("GPU"), "out_of_memory"),
        (RuntimeError("shapes differ"), "error"),
        (CellTimeout("stopped"), "timeout"),
    ],
)
def test_a_failure_has_a_status_and_is_not_an_answer(experiment, registry, error, status):
    experiment.outcome = error
    with pytest.raises(CellFailed, match=f"^{status}: .*the next run tries this cell again") as caught:
        execute(CELL, DEMO, SETTINGS, registry)
    (record,) = registry.records("demo")
    assert (record.status, record.key, caught.value.record) == (status, caught.value.record.key, record)
    assert state_of(record) == "failed"
    assert answer(CELL, DEMO, {}, registry) is None


def test_a_traceback_in_a_record_names_no_folder_of_this_machine(experiment, registry):
    experiment.outcome = RuntimeError("over\ntwo lines")
    with pytest.raises(CellFailed):
        execute(CELL, DEMO, SETTINGS, registry)
    (record,) = registry.records("demo")
    assert record.error.splitlines()[0] == "RuntimeError: over two lines"
    files = re.findall(r'File "([^"]+)"', record.error)
    assert files[0].replace("\\", "/") == "bench/executor.py"
    assert not any(Path(file).is_absolute() for file in files)


def test_an_interrupt_is_recorded_and_goes_on(experiment, registry):
    experiment.outcome = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        execute(CELL, DEMO, SETTINGS, registry)
    assert [record.status for record in registry.records("demo")] == ["interrupted"]


def test_a_failed_rerun_does_not_replace_an_answer(experiment, registry):
    execute(CELL, DEMO, SETTINGS, registry)
    experiment.outcome = ValueError("no")
    with pytest.raises(CellFailed):
        execute(CELL, DEMO, SETTINGS, registry, rerun=True)
    assert [record.status for record in registry.records("demo")] == ["done"]


def test_missing_data_leaves_no_record(experiment, registry, monkeypatch):
    data = types.ModuleType("pruning.data")
    data.MissingData = type("MissingData", (Exception,), {})
    monkeypatch.setitem(sys.modules, "pruning.data", data)
    experiment.outcome = data.MissingData("fetch it")
    with pytest.raises(data.MissingData):
        execute(CELL, DEMO, SETTINGS, registry)
    assert registry.records() == []
    assert is_missing_data(experiment.outcome)
    assert not is_missing_data(ValueError())


def test_a_cell_is_stopped_at_an_epoch_end_but_never_after_its_last(experiment, registry):
    now = [0.0]
    heard = []
    listen = limited(heard.append, 10, clock=lambda: now[0])
    listen(step(1))
    now[0] = 11
    with pytest.raises(CellTimeout, match="stopped after epoch 2 of 3: over 10 seconds"):
        listen(step(2))
    listen(step(3))
    assert len(heard) == 3
    assert limited(silent, None) is silent
    with pytest.raises(CellFailed, match="timeout"):
        execute(CELL, DEMO, replace(SETTINGS, cell_timeout=1e-9), registry)


def test_a_log_file_gets_a_line_every_thirty_seconds():
    now, written = [0.0], []
    line = _Repeated(written.append, 5, clock=lambda: now[0])
    for now[0] in (1, 29, 31, 60, 62):
        line.show(step(1))
    assert written == ["\nc: epoch 1/3, loss 1.000, test 2.00 %, 3 s left\n", written[0][1:]]


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (600, "10 min"), (7200, "2.0 h"), (360_000, "4.2 days")])
def test_durations_are_said_in_a_fitting_unit(seconds, text):
    assert duration(seconds) == text


def test_a_record_that_cannot_be_stored_is_not_lost(experiment, registry, monkeypatch, tmp_path):
    def full(self, record):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(Registry, "put", full)
    with pytest.raises(OSError, match=r"could not be stored \(.*No space left.*python -m results import") as error:
        execute(CELL, DEMO, SETTINGS, registry)
    rescued = Path(str(error.value).rpartition(" ")[2])
    other = Registry(tmp_path / "other")
    assert bundle.import_(other, rescued).new == 1
    assert missing([CELL], other, DEMO, {}) == ()


def test_nothing_is_run_where_no_record_could_be_stored(experiment, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"no record can be stored in .*file"):
        execute(CELL, DEMO, SETTINGS, Registry(tmp_path / "file"))
    assert experiment.runs == 0


@pytest.mark.parametrize(
    "change",
    [
        {"cell": replace(CELL, model="resnet56").to_dict()},
        {"protocol": get("paper").protocol.to_dict()},
        {"protocol": {}},
        {"metrics": None},
    ],
)
def test_a_record_of_something_else_is_no_answer(experiment, registry, change):
    record = execute(CELL, DEMO, SETTINGS, registry).record
    path = registry.path("demo", CELL.to_dict(), record.key)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, **change)))
    assert missing([CELL], registry, DEMO, {}) == (CELL,)
    assert execute(CELL, DEMO, SETTINGS, registry).cached is False
    assert missing([CELL], registry, DEMO, {}) == ()
