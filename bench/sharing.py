"""Into how many processes cells on a CPU are divided where nobody says."""

import os

_CELLS_EACH = 4  # a process takes seconds to start, and a stage that cells share may be computed in each
_BYTES_EACH = 4 * 2**30  # more than any cell of the profiles that are for a CPU takes


def processes(cells: int) -> int:
    """As many as there are processors, memory and cells for; 0 where that is no more than this one.

    A network of these sizes trains on one thread at more than half the speed of two, so cells side by side, each on a
    thread of its own, are done sooner.
    """
    found = min(processors(), _memory() // _BYTES_EACH, cells // _CELLS_EACH)
    return found if found > 1 else 0


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_threads(workers: int) -> None:
    """Divide the processors among ``workers`` processes, which otherwise each take all of them.

    Has an effect before torch is imported, and none where ``OMP_NUM_THREADS`` is set already.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, processors() // workers)))


def _memory() -> int:
    """Bytes of this machine's memory; where the system does not tell, those of two processes."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 2 * _BYTES_EACH
