import os

import pytest

from bench import sharing
from bench.sharing import processes, share_threads

GIB = 2**30


@pytest.fixture
def machine(monkeypatch):
    """Makes this one look as if it had so many processors, and so much memory in bytes."""

    def make(processors, memory):
        monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(processors)), raising=False)
        monkeypatch.setattr(sharing, "_memory", lambda: memory)

    return make


@pytest.mark.parametrize(
    ("processors", "memory", "cells", "expected"),
    [
        (2, 24 * GIB, 83, 2),
        (16, 128 * GIB, 83, 16),
        (16, 128 * GIB, 12, 3),  # four cells each
        (16, 24 * GIB, 83, 4),  # 6 GiB each
        (2, 24 * GIB, 7, 0),
        (1, 24 * GIB, 83, 0),
        (8, 11 * GIB, 83, 0),
    ],
)
def test_as_many_processes_as_there_are_processors_memory_and_cells_for(machine, processors, memory, cells, expected):
    machine(processors, memory)
    assert processes(cells) == expected


def test_a_container_has_what_it_is_allowed(monkeypatch, tmp_path):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 2**24, "SC_PAGE_SIZE": 4096}.get, raising=False)  # 64 GiB
    monkeypatch.setattr(sharing, "CGROUP", tmp_path)
    assert (sharing.processors(), sharing._memory(), processes(400)) == (64, 64 * GIB, 10)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (sharing.processors(), sharing._memory()) == (64, 64 * GIB)
    (tmp_path / "cpu.max").write_text("350000 100000\n")
    (tmp_path / "memory.max").write_text(f"{12 * GIB}\n")
    assert (sharing.processors(), sharing._memory(), processes(400)) == (3, 12 * GIB, 2)
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert (sharing.processors(), processes(400)) == (1, 0)


@pytest.mark.parametrize("error", [ValueError("unrecognized configuration name"), OSError(), AttributeError()])
def test_where_the_memory_is_unknown_there_are_two_processes_at_most(monkeypatch, tmp_path, error):
    def unknown(name):
        raise error

    monkeypatch.setattr("os.sysconf", unknown, raising=False)
    monkeypatch.setattr(sharing, "CGROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert processes(83) == 2


def test_workers_share_the_processors_unless_told_otherwise(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr("torch.set_num_threads", seen.append)  # what has read the variable is told
    monkeypatch.setattr(sharing, "CGROUP", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    share_threads(4)
    assert os.environ["OMP_NUM_THREADS"] == "3"
    monkeypatch.delenv("OMP_NUM_THREADS")
    share_threads(4)
    assert os.environ["OMP_NUM_THREADS"] == "2"
    monkeypatch.delenv("OMP_NUM_THREADS")
    share_threads(99)
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert seen == [2, 1]
