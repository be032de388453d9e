"""What the comparisons that cannot be made lack: how many runs, and of which cells."""

from collections.abc import Iterable, Sequence

from bench.cell import END, Cell
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
    """``ResNet-20; magnitude, snip; k1-k18; shuffle``: the values that occur, axis by axis."""
    cells = tuple(cells)
    levels = sorted({cell.level for cell in cells if cell.level is not None})
    others = sorted({cell.amount for cell in cells if cell.amount is not None and cell.level is None})
    points = sorted({cell.at for cell in cells if isinstance(cell.at, int)} - {0})
    axes = (
        ", ".join(dict.fromkeys(words.MODELS.get(cell.model, cell.model) for cell in cells)),
        ", ".join(dict.fromkeys(_score(cell) for cell in cells)),
        ", ".join([*_ranges(levels), *(f"{(amount * 100).normalize():f} %" for amount in others)]),
        f"after {_listed(points)} iterations" if points else "",
        "after training" if any(cell.at == END for cell in cells) else "",
        ", ".join(dict.fromkeys(cell.ablation for cell in cells if cell.ablation != "none")),
    )
    return "; ".join(axis for axis in axes if axis)


def _score(cell: Cell) -> str:
    return cell.score if cell.rounds in (1, None) or cell.score == "synflow" else f"{cell.score} in {cell.rounds}"


def _listed(points: Sequence[int]) -> str:
    return str(points[0]) if len(points) == 1 else f"{points[0]} to {points[-1]}"


def _ranges(levels: Sequence[int]) -> Iterable[str]:
    """``k1-k3``, ``k7``."""
    start = 0
    for place, level in enumerate(levels):
        if place + 1 == len(levels) or levels[place + 1] != level + 1:
            yield f"k{levels[start]}" if start == place else f"k{levels[start]}-k{level}"
            start = place + 1
