import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from results import _codec, _files, registry
from results.record import Record
from results.registry import Problem, Registry

MakeRecord = Callable[..., Record]
Tree = Callable[[], dict[str, bytes]]

PLACE = "mini/gradient_flow/vgg13-cifar10"
EARLIER, LATER = "2026-01-31T11:59:00Z", "2026-01-31T13:00:00Z"


def test_the_default_registry_is_beside_the_package() -> None:
    assert Registry().root == registry.default_root() == Path(registry.__file__).parent / "runs"


def test_put_and_get(registry: Registry, record: Record) -> None:
    path = registry.put(record)
    assert path == registry.root / PLACE / f"{record.key}.json"
    assert path.read_bytes() == _codec.encode(record)
    assert registry.get("mini", record.cell, record.key) == record
    assert registry.get("paper", record.cell, record.key) is None
    assert registry.get("mini", record.cell, "another") is None
    assert registry.problems == []


def test_records_come_sorted_and_by_profile(registry: Registry, make_record: MakeRecord) -> None:
    for record in (make_record(seed=2), make_record(seed=0, profile="paper"), make_record(seed=1)):
        registry.put(record)
    assert [(r.profile, r.cell["seed"]) for r in registry.records()] == [("paper", 0), ("mini", 1), ("mini", 2)]
    assert [r.cell["seed"] for r in registry.records("mini")] == [1, 2]
    assert registry.records("nightly") == []


def test_a_registry_that_is_not_there_is_empty(registry: Registry) -> None:
    assert registry.records() == []
    assert not registry.root.exists()


def test_reading_changes_nothing(registry: Registry, record: Record, tree: Tree) -> None:
    path = registry.put(record)
    path.with_name("damaged.json").write_bytes(b"{")
    before = tree()
    registry.records()
    registry.get("mini", record.cell, "damaged")
    assert tree() == before


def test_a_rerun_supersedes_and_never_deletes(registry: Registry, make_record: MakeRecord, tree: Tree) -> None:
    first, second, third = make_record(), make_record(status="error"), make_record(status="diverged")
    path = registry.put(first)
    registry.put(second)
    registry.put(third)
    name = f"{PLACE}/superseded/{first.key}.20260131T120000Z"
    assert tree() == {
        f"{PLACE}/{path.name}": _codec.encode(third),
        f"{name}.0.json": _codec.encode(first),
        f"{name}.1.json": _codec.encode(second),
    }
    assert registry.records() == [third]
    assert registry.problems == []


def test_the_same_record_again_is_not_written(registry: Registry, record: Record, tree: Tree) -> None:
    path = registry.put(record)
    modified, before = path.stat().st_mtime_ns, tree()
    assert registry.put(record) == path
    assert path.stat().st_mtime_ns == modified
    assert tree() == before


def test_other_line_ends_make_no_other_record(registry: Registry, record: Record, tree: Tree) -> None:
    path = registry.put(record)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = tree()
    registry.put(record)
    assert tree() == before


def test_an_unreadable_file_is_set_aside(registry: Registry, record: Record, tree: Tree) -> None:
    path = registry.put(record)
    for content in (b"first", b"second"):
        path.write_bytes(content)
        assert registry.get("mini", record.cell, record.key) is None
        registry.put(record)
    aside = [path.with_name(f"{path.name}.unreadable"), path.with_name(f"{path.name}.1.unreadable")]
    assert [file.read_bytes() for file in aside] == [b"first", b"second"]
    assert registry.get("mini", record.cell, record.key) == record
    reasons = {problem.path: problem.reason for problem in registry.problems}
    assert reasons[aside[0]].startswith("set aside for a new record, because it is not valid JSON")
    assert registry.records() == [record]
    assert registry.problems == []


def test_a_folder_in_the_place_of_a_record(registry: Registry, record: Record) -> None:
    path = registry.root / PLACE / f"{record.key}.json"
    path.mkdir(parents=True)
    assert registry.records() == []
    assert registry.problems == [Problem(path, "it cannot be opened (Is a directory)")]
    registry.put(record)
    assert registry.records() == [record]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (f"{PLACE}/other.json", "it holds the record {key}, which belongs in a file of that name"),
        ("paper/gradient_flow/vgg13-cifar10/{key}.json", f"it belongs in {PLACE}, by its profile and cell"),
        ("mini/gradient_flow/vgg16-cifar10/{key}.json", f"it belongs in {PLACE}, by its profile and cell"),
        ("{key}.json", f"it belongs in {PLACE}, by its profile and cell"),
    ],
)
def test_a_record_in_the_wrong_place_is_a_problem(registry: Registry, record: Record, name: str, reason: str) -> None:
    path = registry.root / name.format(key=record.key)
    _files.write(path, _codec.encode(record))
    assert registry.records() == []
    assert registry.problems == [Problem(path, reason.format(key=record.key))]
    assert str(registry.problems[0]) == f"{path}: {reason.format(key=record.key)}"


def test_a_record_whose_cell_names_no_folder_is_a_problem(registry: Registry, make_record: MakeRecord) -> None:
    record = make_record(cell={"suite": ".."})
    _files.write(registry.root / f"{record.key}.json", _codec.encode(record))
    assert registry.records() == []
    assert registry.problems[0].reason.startswith("suite is '..'; it may hold only a-z")


def test_one_damaged_file_hides_no_other(registry: Registry, make_record: MakeRecord) -> None:
    for seed in range(3):
        registry.put(make_record(seed=seed))
    path = registry.put(make_record(seed=1))
    path.write_bytes(path.read_bytes()[:100])
    assert [record.cell["seed"] for record in registry.records()] == [0, 2]
    assert [problem.path for problem in registry.problems] == [path]
    assert len(registry.records()) == 2
    assert len(registry.problems) == 1, "a second reading starts the list afresh"


def test_a_problem_met_twice_is_listed_once(registry: Registry, record: Record) -> None:
    registry.put(record).write_bytes(b"{")
    for _ in range(2):
        assert registry.get("mini", record.cell, record.key) is None
    assert len(registry.problems) == 1


@pytest.mark.parametrize("bad", ["..", ".", "", "a/b", "a\\b", "../x", "a..b", ".hidden", "Upper", "ä", "a\n", None, 3])
def test_no_name_leaves_the_registry(registry: Registry, make_record: MakeRecord, record: Record, bad: object) -> None:
    sentence = "it may hold only a-z, 0-9, _, - and single inner dots, for example cifar10"
    for part in ("suite", "model", "dataset"):
        with pytest.raises(ValueError, match=f"^{part} is .*; {sentence}$"):
            registry.put(make_record(cell={**record.cell, part: bad}))
    for profile, key in ((bad, record.key), ("mini", bad)):
        with pytest.raises(ValueError, match=sentence):
            registry.get(profile, record.cell, key)  # type: ignore[arg-type]
    if bad is not None:
        with pytest.raises(ValueError, match=sentence):
            registry.records(bad)  # type: ignore[arg-type]
    assert not registry.root.exists()


def test_a_missing_part_of_the_cell_is_named(registry: Registry, record: Record) -> None:
    with pytest.raises(ValueError, match=r"^suite is None"):
        registry.get("mini", {}, record.key)


def test_the_longest_name_can_be_stored_superseded_and_set_aside(registry: Registry, make_record: MakeRecord) -> None:
    key = "k" * 200
    registry.put(make_record(key=key))
    path = registry.put(make_record(key=key, status="error"))
    path.write_bytes(b"{")
    registry.put(make_record(key=key))
    with pytest.raises(ValueError, match="key has 201 characters; file systems leave room for 200"):
        registry.put(make_record(key=key + "k"))


@pytest.mark.parametrize(
    ("here", "there", "stays"),
    [
        ({"status": "error", "finished": LATER}, {"status": "done", "finished": EARLIER}, "there"),
        ({"status": "diverged", "finished": EARLIER}, {"status": "timeout", "finished": LATER}, "here"),
        ({"status": "done", "finished": EARLIER}, {"status": "diverged", "finished": LATER}, "there"),
        ({"status": "error", "finished": LATER}, {"status": "timeout", "finished": EARLIER}, "here"),
        ({"finished": "2026-01-31T12:00:00+02:00"}, {"finished": "2026-01-31T11:00:00Z"}, "there"),
    ],
)
def test_of_two_records_the_one_that_counts_stays(
    registry: Registry, make_record: MakeRecord, tree: Tree, here: dict[str, str], there: dict[str, str], stays: str
) -> None:
    ours, theirs = make_record(**here), make_record(**there)
    kept, lost = (theirs, ours) if stays == "there" else (ours, theirs)
    registry.put(ours)
    assert registry.merge(theirs) == "superseded"
    assert registry.records() == [kept]
    assert sorted(tree().values()) == sorted([_codec.encode(kept), _codec.encode(lost)])
    before = tree()
    assert registry.merge(theirs) == registry.merge(ours) == "unchanged"
    assert tree() == before


def test_a_tie_ends_the_same_on_both_sides(tmp_path: Path, make_record: MakeRecord) -> None:
    one, two = make_record(versions={"loss": 1}), make_record(versions={"loss": 2})
    ends = []
    for number, (first, second) in enumerate([(one, two), (two, one)]):
        side = Registry(tmp_path / str(number))
        side.put(first)
        side.merge(second)
        ends.append(side.records())
    assert ends[0] == ends[1]


def test_importing_the_registry_imports_nothing_slow() -> None:
    script = "import sys, results.registry; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "msgspec" in loaded
    assert not {"torch", "pandas", "numpy", "tabulate", "bench", "pruning", "reports"} & set(loaded)
