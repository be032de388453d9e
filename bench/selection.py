"""Which cells of a profile are meant: the filters that every command shares."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from bench.cell import BASE, UNPRUNED, Cell
from bench.names import check, unknown
from bench.profiles import Profile
from bench.scores import EVERY, Choice


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A profile and what narrows it down; an empty tuple narrows nothing.

    ``rounds`` and names of scores that prune leave base cells in, since pruned accuracy is read against them; those
    of another training go. ``patterns`` are cell ids, or shell patterns of them.
    """

    profile: Profile
    suites: tuple[str, ...] = ()  # none named: those that the profile runs by default
    seeds: tuple[int, ...] | None = None
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    rounds: tuple[int, ...] = ()
    scores: Choice = EVERY
    patterns: tuple[str, ...] = ()

    def cells(self) -> tuple[Cell, ...]:
        """The cells meant, base cells first. Raises ValueError for a name the profile does not have, or no cell."""
        check(f"suite of profile {self.profile.name}", self.suites, self.profile.suites)
        grid = tuple(self.profile.cells(self.seeds, self._extra_scores(), self.suites))
        self._check(grid)
        chosen = tuple(cell for cell in grid if self._admits(cell))
        if not chosen:
            raise ValueError(f"these filters leave no cell of profile {self.profile.name}")
        return chosen

    def _extra_scores(self) -> tuple[str, ...]:
        """The user's own, and known scores that the profile does not run by itself."""
        own = {
            cell.score
            for cell in self.profile.cells((0,), suites=self.suites)
            if not self.datasets or cell.dataset in self.datasets
        }
        named = (name for name in self.scores.names or () if name not in own and name not in UNPRUNED)
        return tuple(dict.fromkeys((*named, *self.scores.references)))

    def _check(self, grid: Sequence[Cell]) -> None:
        where = f"of profile {self.profile.name}"
        if absent := [name for name in self.scores.names or () if name in self.profile.lacks]:
            raise ValueError(f"profile {self.profile.name} has no {absent[0]}: the code it follows does not have it")
        check(f"model {where}", self.models, _distinct(cell.model for cell in grid))
        check(f"data set {where}", self.datasets, _distinct(cell.dataset for cell in grid))
        rounds = sorted({cell.rounds for cell in grid if cell.rounds is not None})
        if odd := [n for n in self.rounds if n not in rounds]:
            raise ValueError(f"profile {self.profile.name} has no cell of {odd[0]} rounds; it has {_listed(rounds)}")
        for pattern in self.patterns:
            _check_pattern(pattern, grid, self.profile.name)

    def _admits(self, cell: Cell) -> bool:
        return (
            (not self.models or cell.model in self.models)
            and (not self.datasets or cell.dataset in self.datasets)
            and (not self.rounds or _is_read_against(cell) or cell.rounds in self.rounds)
            and self._admits_score(cell)
            and (not self.patterns or any(fnmatchcase(cell.id, pattern) for pattern in self.patterns))
        )

    def _admits_score(self, cell: Cell) -> bool:
        """Of base cells too, where a score is named that prunes: it is read against them."""
        names, references = self.scores.names, self.scores.references
        if names is None or cell.score in names or cell.score in references:
            return True
        return _is_read_against(cell) and bool(references or set(names) - set(UNPRUNED))


def _is_read_against(cell: Cell) -> bool:
    return cell.score == BASE and cell.ablation == "none"


def _check_pattern(pattern: str, grid: Sequence[Cell], profile: str) -> None:
    if any(character in pattern for character in "*?["):
        if not any(fnmatchcase(cell.id, pattern) for cell in grid):
            raise ValueError(f"no cell of profile {profile} matches {pattern!r}")
        return
    ids = [cell.id for cell in grid]
    if pattern not in ids:
        if not get_close_matches(pattern, ids, n=1):
            Cell.parse(pattern)
            raise ValueError(f"profile {profile} has no cell {pattern!r}; python -m bench list --ids prints its cells")
        raise unknown(f"cell of profile {profile}", pattern, ids)


def _distinct(values: Iterable[str]) -> Iterator[str]:
    return iter(dict.fromkeys(values))


def _listed(values: Iterable[int]) -> str:
    return ", ".join(str(value) for value in values)
