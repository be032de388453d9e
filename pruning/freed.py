"""What becomes of memory that is freed, where the C library is glibc: kept for what comes next, or given back."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of mallopt's options
_ALWAYS = (1 << 31) - 1  # bytes at the end of the heap that are kept

_kept = 1 << 25, 1 << 26
"""Up to which size, and how much at the heap's end, freed memory is kept; at first what glibc's own numbers grow to."""


def keep(largest: int) -> None:
    """Hold on to freed tensors of up to ``largest`` bytes instead of giving them back after every operation.

    Activations of a few megabytes otherwise cost a page fault per 4 KiB each time they are made. No effect where the C
    library is another.
    """
    global _kept
    _kept = largest, _ALWAYS
    _set(*_kept)


@contextmanager
def given_back(smallest: int) -> Iterator[None]:
    """Inside, freed tensors of ``smallest`` bytes or more go back to the system, and so does what was kept before.

    But for those that fit where such was: there they stay, in at most as much memory as was kept. What is kept is in
    pieces that the next ones do not fit: where tensors are of many sizes, as in scores of ResNet-50, it comes to nearly
    as much again as is in use.
    """
    if library := _glibc():
        library.malloc_trim(0)
    _set(smallest, _ALWAYS)
    try:
        yield
    finally:
        _set(*_kept)


def _set(given_back_from: int, kept_at_the_end: int) -> None:
    if library := _glibc():
        library.mallopt(_MMAP_THRESHOLD, given_back_from)
        library.mallopt(_TRIM_THRESHOLD, kept_at_the_end)


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
