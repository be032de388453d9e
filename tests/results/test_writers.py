"""Writers that are killed, fail, or write at the same time; in real processes."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from results import _codec, _files
from results.record import Record
from results.registry import Registry

MakeRecord = Callable[..., Record]

_SCRIPT = """
    import os, signal, sys
    from pathlib import Path
    import msgspec
    from results import _codec
    from results.registry import Registry

    root, text, argument = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    record = _codec.decode(text.encode())
"""
_KILLED = """
    calls, fsync = 0, os.fsync

    def killed(descriptor):
        global calls
        calls += 1
        if calls == argument:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)

    os.fsync = killed
    Registry(root).put(record)
"""
_BUSY = """
    for number in range(25):
        changed = msgspec.structs.replace(record, versions={"writer": argument, "number": number})
        Registry(root).put(changed)
"""


def start(body: str, root: Path, record: Record, argument: int) -> subprocess.Popen[bytes]:
    script = textwrap.dedent(_SCRIPT) + textwrap.dedent(body)
    command = [sys.executable, "-c", script, str(root), _codec.encode_line(record).decode(), str(argument)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2])


def test_a_killed_writer_leaves_the_old_record_or_the_new(tmp_path: Path, make_record: MakeRecord) -> None:
    old, new = make_record(status="error"), make_record()
    seen = []
    for call in range(1, 20):
        registry = Registry(tmp_path / str(call))
        registry.put(old)
        if (code := start(_KILLED, registry.root, new, call).wait()) == 0:
            break
        assert code == -signal.SIGKILL
        seen += [record.status for record in registry.records()]
        assert registry.problems == []
        assert _codec.encode(old) in contents(registry.root)
        registry.put(new)
        assert sorted(contents(registry.root)) == sorted([_codec.encode(old), _codec.encode(new)])
    # Flushed in this order: the new folder, the old record's copy, its folder, the new record; renamed; its folder.
    assert seen == ["error", "error", "error", "error", "done"]


def contents(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in root.rglob("*.json")]


def test_two_processes_write_the_same_key(registry: Registry, record: Record) -> None:
    writers = [start(_BUSY, registry.root, record, writer) for writer in (1, 2)]
    while any(writer.poll() is None for writer in writers):
        registry.records()
        assert registry.problems == [], "a reader never sees part of a record"
    assert [writer.returncode for writer in writers] == [0, 0]
    assert not list(registry.root.rglob(f"*{_files.UNFINISHED}"))
    found = {tuple(_codec.decode(text).versions.values()) for text in contents(registry.root)}
    assert found == {(writer, number) for writer in (1, 2) for number in range(25)}, "no record is lost"


def test_a_write_that_fails_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    _files.write(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _files.write(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"old")]
