"""Unknown names: one sentence that says what exists, or what was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """The error for a ``kind`` of thing that nothing called ``name`` is: nearest name, or all there are."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return ValueError(f"no {kind} is called {name!r}; did you mean {near[0]}?")
    few = f"{', '.join(names[:20])}{', …' if len(names) > 20 else ''}"
    return ValueError(f"no {kind} is called {name!r}; there are {few}" if names else f"there is no {kind} at all")


def check(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise ValueError for the first of ``names`` that is not ``known``."""
    among = list(known)
    for name in names:
        if name not in among:
            raise unknown(kind, name, among)
