import os
from collections.abc import Callable
from pathlib import Path

import pytest

from results import _codec
from results.bundle import ImportSummary, Rejected, export, import_
from results.record import Record
from results.registry import Registry

MakeRecord = Callable[..., Record]
Tree = Callable[[], dict[str, bytes]]


@pytest.fixture
def bundle(tmp_path: Path, make_record: MakeRecord) -> Path:
    """Three records, seeds 0 to 2, exported from another registry."""
    other = Registry(tmp_path / "other")
    for seed in (2, 0, 1):
        other.put(make_record(seed=seed))
    path = tmp_path / "bundle.jsonl"
    assert export(other, path) == 3
    return path


def summary(
    new: int = 0, superseded: int = 0, unchanged: int = 0, rejected: tuple[Rejected, ...] = ()
) -> ImportSummary:
    return ImportSummary(new=new, superseded=superseded, unchanged=unchanged, rejected=rejected)


def test_one_record_per_line_sorted_by_key(bundle: Path, make_record: MakeRecord) -> None:
    lines = bundle.read_bytes().splitlines(keepends=True)
    assert lines == [_codec.encode_line(make_record(seed=seed)) + b"\n" for seed in range(3)]


def test_export_of_one_profile(registry: Registry, make_record: MakeRecord, tmp_path: Path) -> None:
    registry.put(make_record(seed=0))
    registry.put(make_record(seed=1, profile="paper"))
    assert export(registry, tmp_path / "bundle", "paper") == 1
    assert _codec.decode((tmp_path / "bundle").read_bytes()).profile == "paper"


def test_export_leaves_unreadable_files_out_and_lists_them(
    registry: Registry, make_record: MakeRecord, tmp_path: Path
) -> None:
    registry.put(make_record(seed=0))
    path = registry.put(make_record(seed=1))
    path.write_bytes(b"{")
    assert export(registry, tmp_path / "bundle") == 1
    assert [problem.path for problem in registry.problems] == [path]


def test_an_import_brings_every_record_and_a_second_changes_nothing(
    bundle: Path, registry: Registry, make_record: MakeRecord, tree: Tree
) -> None:
    assert import_(registry, bundle) == summary(new=3)
    assert registry.records() == [make_record(seed=seed) for seed in range(3)]
    before = tree()
    assert import_(registry, bundle) == summary(unchanged=3)
    assert tree() == before


def test_a_bundle_of_what_was_imported_is_the_same_bundle(bundle: Path, registry: Registry, tmp_path: Path) -> None:
    import_(registry, bundle)
    export(registry, tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == bundle.read_bytes()


def test_conflicts_are_decided_and_nothing_is_lost(
    bundle: Path, registry: Registry, make_record: MakeRecord, tree: Tree
) -> None:
    better = make_record(seed=0, finished="2026-02-01T00:00:00Z")
    worse = make_record(seed=1, status="timeout", finished="2026-02-01T00:00:00Z")
    registry.put(better)
    registry.put(worse)
    assert import_(registry, bundle) == summary(new=1, superseded=2)
    assert registry.records() == [better, make_record(seed=1), make_record(seed=2)]
    superseded = {text for name, text in tree().items() if "superseded" in name}
    assert superseded == {_codec.encode(make_record(seed=0)), _codec.encode(worse)}
    before = tree()
    assert import_(registry, bundle) == summary(unchanged=3)
    assert tree() == before


def test_a_truncated_last_line_is_reported_and_the_rest_imported(bundle: Path, registry: Registry) -> None:
    bundle.write_bytes(bundle.read_bytes()[:-20])
    expected = Rejected(3, "the file ends in the middle of this record; export it again")
    assert import_(registry, bundle) == summary(new=2, rejected=(expected,))
    assert str(expected) == "line 3: the file ends in the middle of this record; export it again"


def test_a_last_line_without_its_end_is_still_a_record(bundle: Path, registry: Registry) -> None:
    bundle.write_bytes(bundle.read_bytes().rstrip(b"\n"))
    assert import_(registry, bundle) == summary(new=3)


def test_bad_lines_are_rejected_with_number_and_reason(bundle: Path, registry: Registry) -> None:
    good = bundle.read_bytes().splitlines(keepends=True)
    evil = good[1].replace(b'"suite":"gradient_flow"', b'"suite":"../../home"')
    newer = good[2].replace(b'"schema":1', b'"schema":9')
    bundle.write_bytes(b"".join([b"\n", b"{\n", good[0], evil, b"\xff\n", newer]))
    result = import_(registry, bundle)
    assert result.new == 1
    assert [(rejected.line, rejected.reason.split(";")[0]) for rejected in result.rejected] == [
        (2, "it is not valid JSON: Input data was truncated"),
        (4, "suite is '../../home'"),
        (5, "it is not valid JSON: JSON is malformed: invalid character (byte 0)"),
        (6, "it has schema 9, newer than the 1 that this version reads"),
    ]


def test_an_unreadable_file_in_the_way_is_set_aside(bundle: Path, registry: Registry, make_record: MakeRecord) -> None:
    path = registry.put(make_record(seed=0))
    path.write_bytes(b"{")
    assert import_(registry, bundle) == summary(new=3)
    assert path.with_name(f"{path.name}.unreadable").read_bytes() == b"{"


def test_export_follows_a_link_and_replaces_nothing_but_files(
    registry: Registry, make_record: MakeRecord, tmp_path: Path
) -> None:
    registry.put(make_record(seed=0))
    (tmp_path / "real.jsonl").write_text("old")
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    assert export(registry, tmp_path / "link.jsonl") == 1
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "real.jsonl").read_text() != "old"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is not a regular file; name a file that may be replaced"):
        export(registry, tmp_path / "pipe")
