import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from results.__main__ import main
from results.record import Record
from results.registry import Registry

MakeRecord = Callable[..., Record]
Run = Callable[..., tuple[int, str, str]]

ID = "gradient_flow-vgg13-cifar10-loss-filters75-r1-s0"
KEY = f"{ID}-0123abcd"


@pytest.fixture
def run(registry: Registry, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command on the registry; gives its exit status, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            status = main([*map(str, arguments), "--registry", str(registry.root)])
        except SystemExit as end:  # from argparse
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def filled(registry: Registry, make_record: MakeRecord) -> Registry:
    for seed in (0, 1, 10):
        registry.put(make_record(seed=seed))
    registry.put(make_record(seed=2, profile="paper", status="error", error="no such file", metrics=None))
    return registry


def one_sentence(text: str) -> bool:
    return text.count("\n") == 1 and text.endswith("\n") and "Traceback" not in text


def test_check_counts(run: Run, filled: Registry) -> None:
    status, out, err = run("check")
    assert (status, err) == (0, "")
    assert [line.split() for line in out.splitlines()[:4]][0::2] == [["profile", "done", "error"], ["mini", "3", "0"]]
    assert f"4 records, 0 problems in {filled.root}" in out


def test_check_fails_on_a_problem_and_names_it(run: Run, filled: Registry, record: Record) -> None:
    path = filled.put(record)
    path.write_bytes(b"{")
    status, out, err = run("check")
    assert status == 1
    assert "3 records, 1 problem in" in out
    assert err.startswith(f"{path}: it is not valid JSON")
    assert one_sentence(err)


def test_check_mentions_what_is_beside_the_records(run: Run, registry: Registry, make_record: MakeRecord) -> None:
    path = registry.put(make_record())
    registry.put(make_record(status="diverged"))
    path.with_name(f".{path.name}.1.ab.tmp").write_bytes(b"{")
    path.with_name(f"{path.name}.unreadable").write_bytes(b"{")
    status, out, _ = run("check")
    assert status == 0
    assert "1 superseded, 1 set aside as unreadable, 1 left unfinished by a killed run" in out


def test_show_one_record(run: Run, filled: Registry) -> None:
    status, out, err = run("show", KEY)
    assert (status, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for line in ("Metrics", "Costs", "Environment", "Last epochs"):
        assert line in lines
    assert lines[0] == KEY
    assert "status done" in lines
    assert "finished 2026-01-31T12:00:00Z, 5 min after the start" in lines
    assert "test_accuracy_best 92.5" in lines
    assert "params_dense 16,000" in lines
    assert "dirty no" in lines
    assert lines[-1] == "2 - 0.01 92.25"


def test_show_by_cell_by_prefix_and_all(run: Run, filled: Registry) -> None:
    assert run("show", f"{ID[:-1]}1")[1].startswith(f"{ID[:-1]}1-0123abcd\n"), "the cell of seed 1, and not seed 10"
    assert run("show", f"{ID[:-1]}2")[1].count("no such file") == 1
    assert run("show", f"{ID[:-1]}10-")[1].startswith(f"{ID[:-1]}10-0123abcd\n")
    for arguments in (("show", "gradient_flow-vgg13"), ("show",)):
        status, out, err = run(*arguments)
        assert (status, err) == (0, "")
        assert len(out.splitlines()) == 6
        assert out.splitlines()[2].split()[:5] == ["mini", KEY, "done", "92.50", "92.25"]


def test_show_the_same_key_of_two_profiles(run: Run, filled: Registry, make_record: MakeRecord) -> None:
    filled.put(make_record(profile="nightly"))
    assert [line.split()[0] for line in run("show", KEY)[1].splitlines()[2:]] == ["mini", "nightly"]


def test_show_of_an_empty_registry(run: Run, registry: Registry) -> None:
    registry.root.mkdir()
    assert run("show") == (0, f"there are no records in {registry.root}\n", "")
    assert run("show", "x") == (1, "", "no record is called x; python -m results show lists them\n")


def test_show_suggests_the_nearest(run: Run, filled: Registry) -> None:
    assert run("show", ID.replace("vgg13", "vgg31")) == (
        1,
        "",
        f"no record is called {ID.replace('vgg13', 'vgg31')}; did you mean {ID}?\n",
    )


def test_show_says_what_it_could_not_read(run: Run, filled: Registry, record: Record) -> None:
    path = filled.put(record)
    path.write_bytes(b"{")
    assert run("show")[2] == "1 file could not be read; python -m results check names them\n"
    status, out, err = run("show", KEY)
    assert (status, out) == (1, "")
    assert err.startswith(f"{path}: it is not valid JSON")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a..b", "gradient_flow-..-cifar10-base-s0", "Upper", " "])
def test_show_refuses_what_is_no_name(run: Run, filled: Registry, name: str) -> None:
    status, out, err = run("show", name)
    assert (status, out) == (2, "")
    assert err.startswith(f"the key is {name!r}; it may hold only a-z, 0-9, _, - and single inner dots")
    assert one_sentence(err)


def test_export_and_import(run: Run, filled: Registry, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.jsonl"
    assert run("export", bundle) == (0, f"wrote 4 records to {bundle}\n", "")
    assert run("export", bundle, "--profile", "paper") == (0, f"wrote 1 record to {bundle}\n", "")
    assert run("import", bundle) == (0, f"0 new, 0 superseded, 1 unchanged, in {filled.root}\n", "")


def test_import_starts_a_registry(
    run: Run, filled: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, other = tmp_path / "bundle.jsonl", tmp_path / "other"
    run("export", bundle)
    assert main(["--registry", str(other), "import", str(bundle)]) == 0
    assert Registry(other).records() == filled.records()


def test_import_reports_rejected_lines(run: Run, registry: Registry, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.jsonl"
    bundle.write_bytes(b"[]\n" * 12)
    status, out, err = run("import", bundle)
    assert status == 1
    assert out == f"0 new, 0 superseded, 0 unchanged, in {registry.root}\n"
    assert err.splitlines()[0] == f"{bundle} line 1: it is not a record: Expected `object`, got `array`"
    assert err.splitlines()[-1] == f"{bundle} has 2 more lines that could not be imported"
    assert len(err.splitlines()) == 11


def test_export_without_an_unreadable_record_says_so(
    run: Run, filled: Registry, record: Record, tmp_path: Path
) -> None:
    filled.put(record).write_bytes(b"{")
    bundle = tmp_path / "bundle.jsonl"
    assert run("export", bundle) == (
        1,
        f"wrote 3 records to {bundle}\n",
        "1 unreadable file left out; python -m results check names them\n",
    )


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("export", "b", "--profile", "papr"), 1, "no record is of profile papr; did you mean paper?"),
        (("export", "b", "--profile", "x"), 1, "no record is of profile x; there are records of mini, paper"),
        (("export", "b", "--profile", ".."), 2, "the profile is '..'; it may hold only"),
        (("export", "/"), 2, "/ is a folder; give the name of a file to write"),
        (("import", "/"), 1, "/: Is a directory"),
        (("export", "runs/mini/gradient_flow/b/\0"), 2, "embedded null byte"),
        (("import", "nowhere.jsonl"), 1, "nowhere.jsonl: No such file or directory"),
        (("shw",), 2, "python -m results: argument check|show|export|import: invalid choice: 'shw'"),
        ((), 2, "python -m results: the following arguments are required: check|show|export|import"),
    ],
)
def test_errors_are_one_sentence(
    filled: Registry,
    run: Run,
    arguments: tuple[str, ...],
    status: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(*arguments)
    assert found[:2] == (status, "")
    assert found[2].startswith(message)
    assert one_sentence(found[2])


def test_a_registry_that_is_named_must_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["check"], ["show"], ["export", "b"]):
        assert main([*command, "--registry", str(tmp_path / "nowhere")]) == 2
        sentence = "is not a folder; --registry takes the folder in which the profiles lie"
        assert capsys.readouterr() == ("", f"{tmp_path / 'nowhere'} {sentence}\n")


def test_a_reader_that_has_seen_enough(filled: Registry) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "results", "show", "--registry", str(filled.root)]
    result = subprocess.run(command, cwd=Path(__file__).parents[2], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (result.returncode, result.stderr) == (1, b"")
