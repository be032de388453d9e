"""What the comparisons that cannot be made lack: how many runs, and of which cells."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby

from bench.cell import END, LEVELS, Cell, Point
from bench.suites.missing_the_mark import ABLATIONS, POINTS
from reports.claims.blocks import named
from reports.claims.finding import Absent
from reports.weights import words
from reports.weights.evidence import Evidence


def lacking(absent: Sequence[Absent], evidence: Evidence) -> str:
    """What is missing for ``absent``, in a phrase; empty for none of them. Their cells have seed 0, for all seeds."""
    cells = tuple(dict.fromkeys(cell for each in absent for cell in each.cells))
    never = [cell for cell in cells if not evidence.seeds(cell) and cell not in evidence.planned]
    broken = [cell for cell in cells if evidence.diverged(cell)]
    states: dict[str, list[Cell]] = {"missing": [], "failed": []}
    for cell in (cell for cell in cells if cell not in never):
        found = evidence.seeds(cell)
        for seed in evidence.profile.seeds:
            if seed not in found or not found[seed].final:
                states["failed" if seed in found else "missing"].append(cell)
    few = len(evidence.profile.seeds) < 2 and len(never) < len(cells)
    parts = (
        *(f"{', '.join(names)} {reason}" for reason, names in _reasons(absent).items()),
        *(
            f"{len(each)} run{'s' if len(each) > 1 else ''} {state}: {pattern(each)}"
            for state, each in states.items()
            if each
        ),
        f"runs diverged: {pattern(broken)}" if broken else "",
        f"not in profile {evidence.profile.name}: {pattern(never)}" if never else "",
        "the profile has one seed, and a comparison needs two" if few else "",
    )
    return "; ".join(part for part in parts if part)


def _reasons(absent: Sequence[Absent]) -> dict[str, dict[str, None]]:
    """What each reason is given for, each name once."""
    found: dict[str, dict[str, None]] = {}
    for each in absent:
        if each.reason:
            found.setdefault(each.reason, {})[each.what] = None
    return found


def pattern(cells: Iterable[Cell]) -> str:
    """``ResNet-20; magnitude, snip; k1-k18; shuffle``: the values that occur, axis by axis, of each block of a grid."""
    return named(map(_place, cells), _phrase)


When = tuple[bool, Point]
"""Whether it is rewound after training, and to which iteration; else after how many iterations it is pruned."""
Amount = int | Decimal | None
"""A level, or an amount that is none; None where nothing is pruned."""


def _place(cell: Cell) -> tuple[str, When, str, tuple[str, Amount]]:
    """Networks and levels are one axis, as each network has its own highest matching level."""
    when = (False, cell.at) if cell.rewind is None else (True, cell.rewind)
    amount = cell.amount if cell.level is None else cell.level
    return _score(cell), when, cell.ablation, (words.MODELS.get(cell.model, cell.model), amount)


def _phrase(
    scores: Sequence[str], whens: Sequence[When], ablations: Sequence[str], pruned: Sequence[tuple[str, Amount]]
) -> str:
    networks, levels = _networks(pruned)
    names = [ABLATIONS[each] if each == "none" else each for each in ablations if list(ablations) != ["none"]]
    axes = (networks, ", ".join(scores), levels, _points(whens), ", ".join(names))
    return "; ".join(axis for axis in axes if axis)


def _networks(pruned: Sequence[tuple[str, Amount]]) -> tuple[str, str]:
    """``ResNet-20, VGG-16`` and ``k1-k18``; where levels differ ``ResNet-20 at k6 and VGG-16 at k12``, and no more."""
    amounts: dict[str, list[Amount]] = {}
    for model, amount in pruned:
        amounts.setdefault(model, []).append(amount)
    alike: dict[str, list[str]] = {}
    for model, found in amounts.items():
        alike.setdefault(_amounts(found), []).append(model)
    if len(alike) == 1:
        return ", ".join(amounts), next(iter(alike))
    return " and ".join(f"{', '.join(models)} at {levels}" for levels, models in alike.items()), ""


def _score(cell: Cell) -> str:
    return cell.score if cell.rounds in (1, None) or cell.score == "synflow" else f"{cell.score} in {cell.rounds}"


def _amounts(amounts: Sequence[Amount]) -> str:
    """``k1-k3``, ``k7``, and what is no level in percent."""
    levels = _runs([each for each in amounts if isinstance(each, int)], LEVELS)
    others = sorted(each for each in amounts if isinstance(each, Decimal))
    names = (f"k{run[0]}-k{run[-1]}" if len(run) > 1 else f"k{run[0]}" for run in levels)
    return ", ".join([*names, *(f"{(amount * 100).normalize():f} %" for amount in others)])


def _points(whens: Sequence[When]) -> str:
    """When what is missing is pruned; pruning at initialisation alone goes without saying."""
    if list(whens) == [(False, 0)]:
        return ""
    within = [at for rewound, at in whens if isinstance(at, int) and at and not rewound]
    rewinds = [to for rewound, to in whens if isinstance(to, int) and rewound]
    said = (
        "at initialisation" if (False, 0) in whens else "",
        f"after {_iterations(within)} iterations" if within else "",
        "after training" if (False, END) in whens else "",
        f"rewound to {_iterations(rewinds)}" if rewinds else "",
    )
    return ", ".join(each for each in said if each)


def _iterations(points: Sequence[int]) -> str:
    """``500, 1000``, ``4000-10000``: prune points that follow each other are a range where they are more than two."""
    runs = _runs(points, [point for point in POINTS if isinstance(point, int)])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def _runs(values: Sequence[int], scale: Iterable[int]) -> list[list[int]]:
    """``values`` in ascending order, parted where one of the ``scale`` is left out between them."""
    places = {value: place for place, value in enumerate(sorted({*scale, *values}))}
    found = groupby(enumerate(sorted(values)), key=lambda numbered: places[numbered[1]] - numbered[0])
    return [[value for _, value in run] for _, run in found]
