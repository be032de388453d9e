"""Files with arrays beside records: kept, carried in bundles, looked for."""

import base64
import json

import msgspec
import pytest

from results import bundle
from results.registry import Registry, side_file_name

CONTENT = bytes(range(256)) * 3


@pytest.fixture
def beside(tmp_path, make_record):
    """A registry with a record of two side files, and one without."""
    registry = Registry(tmp_path / "runs")
    record = make_record(side_files=["one.npz", "two.npz"])
    for name in record.side_files:
        registry.keep(record.profile, record.cell, name, CONTENT + name.encode())
    registry.put(record)
    return registry, record


def test_they_lie_beside_the_record(beside):
    registry, record = beside
    path = registry.path(record.profile, record.cell, record.key)
    assert path.with_name("one.npz").read_bytes() == CONTENT + b"one.npz"
    assert registry.side_file(record, "two.npz") == CONTENT + b"two.npz"
    assert registry.side_file(record, "three.npz") is None
    assert registry.records() == [record]
    with pytest.raises(ValueError, match=r"file is '\.\./x'"):
        registry.keep(record.profile, record.cell, "../x", CONTENT)


def test_bundles_carry_them_and_importing_twice_changes_nothing(beside, tmp_path):
    registry, record = beside
    file, other = tmp_path / "all.jsonl", Registry(tmp_path / "other")
    assert bundle.export(registry, file) == 1
    assert [bundle.import_(other, file).new for _ in range(2)] == [1, 0]
    assert other.side_file(record, "one.npz") == CONTENT + b"one.npz"
    other.look_for_side_files(other.records())
    assert other.problems == []
    (entry,) = bundle.read(file)
    assert entry.record == record
    assert entry.files == {name: CONTENT + name.encode() for name in record.side_files}
    again = tmp_path / "again.jsonl"
    bundle.write([entry], again)
    assert again.read_bytes() == file.read_bytes()
    first = json.loads(file.read_bytes().splitlines()[0])
    assert base64.b64decode(first["base64"]) == CONTENT + first["file"].encode()


def test_one_that_is_lost_is_named_and_left_out_of_bundles(beside, tmp_path):
    registry, record = beside
    registry.path(record.profile, record.cell, record.key).with_name("one.npz").unlink()
    registry.look_for_side_files(registry.records())
    (problem,) = registry.problems
    assert problem.reason == "its side file one.npz is not there"
    bundle.export(registry, tmp_path / "all.jsonl")
    assert list(bundle.read(tmp_path / "all.jsonl")[0].files) == ["two.npz"]


def test_one_that_is_not_what_its_name_says_is_damaged(tmp_path, make_record):
    registry, content = Registry(tmp_path / "runs"), CONTENT
    name = side_file_name("some-key", content, "npz")
    record = make_record(side_files=[name])
    assert name != side_file_name("some-key", content + b"x", "npz")
    for there, problems in ((content, []), (content[:-1], [f"its side file {name} is damaged"])):
        registry.keep(record.profile, record.cell, name, there)
        registry.put(record)
        registry.look_for_side_files(registry.records())
        assert [each.reason.partition(":")[0] for each in registry.problems] == problems


def test_a_damaged_line_of_a_file_rejects_that_line_alone(beside, tmp_path):
    registry, record = beside
    file, other = tmp_path / "all.jsonl", Registry(tmp_path / "other")
    bundle.export(registry, file)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0][:40] + b"\n", *lines[1:]]))
    found = bundle.import_(other, file)
    assert (found.new, len(found.rejected)) == (1, 1)
    assert found.rejected[0].reason.startswith("it is no side file: ")
    assert other.side_file(record, "one.npz") is None
    assert other.side_file(record, "two.npz") is not None


def test_records_of_old_know_of_none(make_record):
    plain = msgspec.to_builtins(make_record())
    assert plain["side_files"] == []
