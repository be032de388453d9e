"""Into how many processes cells on a CPU are divided where nobody says."""

import os
import sys
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux says what a container may use."""

_CELLS_EACH = 4  # a process takes seconds to start, and a stage that cells share may be computed in each
_BYTES_EACH = 6 * 2**30  # half as much again as a cell of `mini` that is measured takes, and none takes more


def processes(cells: int) -> int:
    """As many as there are processors, memory and cells for; 0 where that is no more than this one.

    A network of these sizes trains on one thread at more than half the speed of two, so cells side by side, each on a
    thread of its own, are done sooner.
    """
    found = min(processors(), _memory() // _BYTES_EACH, cells // _CELLS_EACH)
    return found if found > 1 else 0


def processors() -> int:
    """Processors that this process may use."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _limit("cpu.max").partition(" ")
    return min(found, max(1, int(quota) // int(period))) if quota.isdigit() else found


def share_threads(workers: int) -> None:
    """Divide the processors among ``workers`` processes, which otherwise each take all of them.

    No effect where ``OMP_NUM_THREADS`` is set already.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        each = max(1, processors() // workers)
        os.environ["OMP_NUM_THREADS"] = str(each)
        if "torch" in sys.modules:  # as where a folder's conftest.py imports it, which has read the variable then
            sys.modules["torch"].set_num_threads(each)


def _memory() -> int:
    """Bytes that there are; where the system does not tell, those of two processes."""
    try:
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        found = 2 * _BYTES_EACH
    limit = _limit("memory.max")
    return min(found, int(limit)) if limit.isdigit() else found


def _limit(name: str) -> str:
    """What a file of the control group says; empty where there is none."""
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return ""
