"""A law of what cells take: arithmetic times a factor for each trait of a cell, fitted to runs.

Logarithms of the factors come from ridge regression on indicators, so that one run already says something of every
cell, and hundreds say what each combination of traits takes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import exp
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.cell import BASE, UNPRUNED, Cell

_DOUBT = 0.3
"""How many runs it takes to believe half of the factor of a trait.

With each cell of profile mini on CIFAR-10 left out in turn, the median error is 11 to 13 % from 0.1 to 0.3, and with
one to four times as much for two traits together.
"""
_DOUBT_TOGETHER = 1.2
"""The same of two traits together: more, so that what all combinations of a trait share holds for new ones too."""

Trait = tuple[object, ...]
"""The name of a trait, or of two together, and what it is."""

_Array = NDArray[np.float64]


class Machine(NamedTuple):
    """Where a run took place; which machine it was says nothing of the cell, but must not be taken for it."""

    threads: int
    device_name: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """A cell that was run: the seconds that arithmetic gives it on that machine, and those it took."""

    cell: Cell
    machine: Machine
    assumed: float
    seconds: float


@dataclass(frozen=True)
class Law:
    """By what factor cells take longer than arithmetic says; ``effects`` are logarithms, unknown traits have none."""

    constant: float
    effects: Mapping[Trait, float]

    def factor(self, cell: Cell, machine: Machine) -> float:
        """Seconds of ``cell`` on ``machine``, over those that arithmetic gives."""
        return exp(self.constant + sum(self.effects.get(trait, 0.0) for trait in _traits(cell, machine)))


def fitted(runs: Sequence[Run]) -> Law:
    """The law of ``runs``; of none, arithmetic itself."""
    if not runs:
        return Law(0.0, {})
    traits, present, excess = _equations(runs)
    constant, *effects = np.linalg.solve(_gram(traits, present), present.T @ excess).tolist()
    return Law(constant, dict(zip(traits, effects, strict=True)))


def misses(runs: Sequence[Run]) -> list[float]:
    """|predicted / taken - 1| of each run, by the law of all runs of other cells; a cell has one for each seed.

    Raises ValueError where all runs are of one cell.
    """
    cells = [any_seed(run.cell) for run in runs]
    if len(set(cells)) < 2:
        raise ValueError("all runs are of one cell; to leave a cell out takes runs of another")
    traits, present, excess = _equations(runs)
    gram, moments = _gram(traits, present), present.T @ excess
    found: list[float] = []
    for cell in dict.fromkeys(cells):
        rows = [row for row, other in enumerate(cells) if other == cell]
        own, truth = present[rows], excess[rows]
        effects = np.linalg.solve(gram - own.T @ own, moments - own.T @ truth)  # the fit to all other rows
        found += np.abs(np.expm1(own @ effects - truth)).tolist()
    return found


def usual(runs: Sequence[Run]) -> Machine | None:
    """The machine that most of ``runs`` took place on; None where there are none."""
    common = Counter(run.machine for run in runs).most_common(1)
    return common[0][0] if common else None


def any_seed(cell: Cell) -> Cell:
    """What ``cell`` has in common with its other seeds."""
    return replace(cell, seed=0)


def _equations(runs: Sequence[Run]) -> tuple[list[Trait], _Array, _Array]:
    """All traits; which run has which, [runs, 1 + traits] with a constant first; log(taken / assumed), [runs]."""
    rows = [list(_traits(run.cell, run.machine)) for run in runs]
    traits = list(dict.fromkeys(chain.from_iterable(rows)))
    column = {trait: place for place, trait in enumerate(traits, start=1)}
    present = np.zeros((len(runs), 1 + len(traits)))
    present[:, 0] = 1
    for row, found in enumerate(rows):
        present[row, [column[trait] for trait in found]] = 1
    return traits, present, np.log([run.seconds / run.assumed for run in runs])


def _gram(traits: Iterable[Trait], present: _Array) -> _Array:
    """The matrix of the normal equations. The constant is beyond doubt: how fast a machine is, its runs alone say."""
    doubts = [0.0, *(_DOUBT if len(trait) == 2 else _DOUBT_TOGETHER for trait in traits)]
    gram: _Array = present.T @ present + np.diag(doubts)
    return gram


def _traits(cell: Cell, machine: Machine) -> Iterator[Trait]:
    kind = _kind(cell.score)
    yield "model", cell.model
    yield "score", cell.score
    yield "rounds", cell.rounds
    yield "model, rounds", cell.model, cell.rounds
    yield "model, score", cell.model, cell.score
    yield "kind", kind
    yield "kind, rounds", kind, cell.rounds
    yield "model, kind", cell.model, kind
    yield "threads", machine.threads
    yield "device", machine.device_name


def _kind(score: str) -> str:
    """Scores that cost alike. GraSP takes second derivatives, several times the price of a gradient."""
    if score in UNPRUNED:
        return BASE
    return "hessian" if score.startswith("grasp") or score == "abs_grasp" else "other"
