"""What becomes of memory that is freed; in a process of its own, as the C library has one heap."""

import subprocess
import sys
from textwrap import dedent

import pytest

from pruning import freed

pytestmark = pytest.mark.skipif(freed._glibc() is None, reason="the C library is not glibc")


def resident(script: str) -> list[float]:
    """MiB that the script prints; ``held()`` in it says how much is in memory now, ``pieces(MiB, n)`` takes some."""
    head = """
        import os, torch
        from pruning import freed

        def held():
            with open("/proc/self/statm") as file:
                print(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)

        def pieces(size, number):
            return [torch.ones(size * 2**18) for _ in range(number)]
    """
    code = dedent(head) + dedent(script)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(line) for line in found.stdout.split()]


def test_what_is_freed_is_kept_or_given_back() -> None:
    before, inside, kept, kept_again = resident(
        """
        freed.keep(2**26)
        held()
        with freed.given_back(2**20):
            pieces(4, 100)
            held()
        pieces(4, 100)
        held()
        with freed.given_back(2**20):
            pass
        pieces(4, 100)
        held()
        """
    )
    assert inside < before + 50
    assert kept > before + 350
    assert kept_again > before + 350


def test_holes_between_what_is_in_use_are_given_back() -> None:
    whole, holes = resident(
        """
        freed.keep(2**26)
        some = pieces(4, 100)
        held()
        del some[::2]
        with freed.given_back(2**20):
            held()
        """
    )
    assert whole - holes == pytest.approx(200, abs=20)


def test_an_error_inside_does_not_leave_it_so() -> None:
    (kept,) = resident(
        """
        freed.keep(2**26)
        try:
            with freed.given_back(2**20):
                raise ValueError
        except ValueError:
            pieces(4, 200)
        held()
        """
    )
    assert kept > 800


class Library:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.options: dict[int, int] = {}

    def mallopt(self, option: int, value: int) -> None:
        self.options[option] = value

    def malloc_trim(self, pad: int) -> None:
        assert pad == 0


def test_afterwards_it_is_as_it_was_told_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or, where it was told nothing, what glibc comes to by itself: 32 MiB, and twice that at the heap's end."""
    library = Library()
    monkeypatch.setattr(freed, "_glibc", lambda: library)
    monkeypatch.setattr(freed, "_kept", (2**25, 2**26))
    with freed.given_back(2**20):
        assert library.options == {-3: 2**20, -1: 2**31 - 1}
    assert library.options == {-3: 2**25, -1: 2**26}
    freed.keep(2**27)
    with freed.given_back(2**20):
        assert library.options[-3] == 2**20
    assert library.options == {-3: 2**27, -1: 2**31 - 1}
