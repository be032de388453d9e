"""Unknown names: one sentence with the nearest name, or with all there are."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """The error for a ``kind`` of thing that nothing called ``name`` is."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    return ValueError(f"no {kind} is called {name!r}; {hint}")
