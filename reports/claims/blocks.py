"""Many cells in a phrase that names no other cell: as blocks, each all combinations of some values on every axis."""

import math
from collections.abc import Callable, Iterable
from typing import Any

Place = tuple[Any, ...]
"""A cell, as its value on each axis."""
Block = tuple[tuple[Any, ...], ...]
"""The values on each axis."""
_LISTED = 6


def named(places: Iterable[Place], said: Callable[..., str]) -> str:
    """``said`` of the values on each axis, block by block; what lies in no block of the first few is counted."""
    found = blocks(tuple(dict.fromkeys(places)))
    others = sum(math.prod(map(len, block)) for block in found[_LISTED:])
    more = [f"{others} other cell{'s' if others > 1 else ''}"] if others else []
    return ", and ".join([*(said(*block) for block in found[:_LISTED]), *more])


def blocks(places: tuple[Place, ...], axis: int = 0) -> list[Block]:
    """Those that make up ``places``, of which no two are alike; they are split along ``axis`` and then the next."""
    values = tuple(tuple(dict.fromkeys(column)) for column in zip(*places, strict=True))
    if len(places) == math.prod(map(len, values)):
        return [values]
    along: dict[Any, set[Place]] = {}
    for place in places:
        along.setdefault(place[axis], set()).add((*place[:axis], *place[axis + 1 :]))
    alike: dict[frozenset[Place], set[Any]] = {}
    for value, others in along.items():
        alike.setdefault(frozenset(others), set()).add(value)
    parts = (tuple(place for place in places if place[axis] in together) for together in alike.values())
    return [block for part in parts for block in blocks(part, axis + 1)]
