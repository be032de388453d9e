"""What came of a claim: an outcome, and the comparisons that it rests on."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from statistics import fmean
from typing import Literal, TypeVar

from scipy.stats import binom

from bench.cell import Cell
from reports.claims.estimates import Estimated
from reports.claims.relations import Relation, Says
from reports.verdicts import ALPHA
from results.published import Claim
from results.record import Record

Strength = Literal["all cells", "most cells", "average", "single value"]


class Outcome(StrEnum):
    """Of a claim."""

    HOLDS = "HOLDS"
    MIXED = "MIXED"
    FAILS = "FAILS"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One of the comparisons that a claim is about, measured."""

    what: str  # "ResNet-20, 73.8 %"
    sides: tuple[str, ...]  # what was compared, with mean, standard deviation and number of seeds
    estimate: Estimated
    relation: Relation
    digits: int = 2
    plain: float | None = None  # the number as it is shown, where the estimate is of a transform of it

    def says(self, alpha: float = ALPHA) -> Says:
        """What it says of the claim, with an interval that misses the truth so often."""
        return self.relation.says(self.estimate, alpha)


@dataclass(frozen=True)
class Absent:
    """A comparison that cannot be made: these cells, without seed, have no runs for it, or ``reason``."""

    what: str
    cells: tuple[Cell, ...] = ()
    reason: str = ""


Tested = Comparison | Absent


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of a claim, and what it rests on."""

    outcome: Outcome
    share: str = ""  # "14 of 16, 1 contrary"
    measured: str = ""
    tested: tuple[Tested, ...] = ()
    reason: str = ""  # why there is nothing to compare, where that is so
    on_records: bool = True  # False where it rests on printed numbers or on the definition of the cells
    comparable: bool = True  # False where what was measured is another quantity than the paper's
    on_print: "Finding | None" = None  # the same claim on the paper's own numbers, where it prints them

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Those that were measured."""
        return tuple(each for each in self.tested if isinstance(each, Comparison))

    @property
    def absent(self) -> tuple[Absent, ...]:
        """Those that were not."""
        return tuple(each for each in self.tested if isinstance(each, Absent))


@dataclass(frozen=True)
class Evaluated:
    """A claim, and what came of it; ``comparable`` is False where another protocol or quantity was held against it."""

    claim: Claim
    finding: Finding
    comparable: bool


def judged(strength: Strength, tested: Iterable[Tested], measured: str | None = None) -> Finding:
    """The outcome by counting: what shows the claim, what shows the contrary, and what shows neither.

    HOLDS where all comparisons show it, or more than half for a claim about most cells; FAILS where more show the
    contrary; UNDECIDED where none shows either; else MIXED. Of comparisons that show that something is no lower or no
    different, as many may fail as chance explains.
    """
    tested = tuple(tested)
    made = [each for each in tested if isinstance(each, Comparison)]
    counts = Counter(each.says() for each in made)
    chance = _by_chance(made)
    shown, contrary = counts[Says.YES] + chance, counts[Says.NO] - chance
    return Finding(
        outcome=_outcome(strength, len(made), shown, contrary),
        share=_share(len(made), shown, contrary, chance) if made else "",
        measured=_range(made) if measured is None else measured,
        tested=tested,
    )


def _outcome(strength: Strength, made: int, shown: int, contrary: int) -> Outcome:
    if contrary > shown:
        return Outcome.FAILS
    if shown == 0:
        return Outcome.UNDECIDED
    enough = 2 * shown > made if strength in ("most cells", "average") else shown == made
    return Outcome.HOLDS if enough else Outcome.MIXED


def _by_chance(made: Sequence[Comparison]) -> int:
    """How many comparisons fail although they count as shown.

    All or none: where they are no more than chance explains in 95 of 100 such claims, and none of them fails with an
    interval that is made wider for the number of comparisons (Bonferroni).
    """
    prone = [each for each in made if each.relation.by_chance]
    if len(prone) < 2:
        return 0
    failed = [each for each in prone if each.says() is Says.NO]
    excused = all(each.says(ALPHA / len(prone)) is not Says.NO for each in failed)
    return len(failed) if excused and len(failed) <= most_by_chance(len(prone), prone[0].relation.by_chance) else 0


@cache
def most_by_chance(number: int, probability: float) -> int:
    """How many of ``number`` comparisons fail by chance, at most but for one claim in twenty."""
    return int(binom.ppf(1 - ALPHA, number, probability))


def _share(made: int, shown: int, contrary: int, chance: int) -> str:
    rest = made - shown - contrary
    notes = (
        f"{chance} of them by no more than chance" if chance else "",
        f"{contrary} contrary" if contrary else "",
        f"{rest} open" if rest else "",
    )
    return ", ".join([f"{shown} of {made}", *filter(None, notes)])


def _range(made: Sequence[Comparison]) -> str:
    """From the lowest to the highest; of more than two also the mean, which rounding must not make one of the ends."""
    values = [each.estimate.value if each.plain is None else each.plain for each in made]
    if not values:
        return ""
    digits = made[0].digits
    low, high, mean = (f"{value:+.{digits}f}" for value in (min(values), max(values), fmean(values)))
    if len(values) < 3:
        return " to ".join((low, high)[: len(values)])
    if mean in (low, high) and min(values) < max(values):
        mean = f"{fmean(values):+.{digits + 1}f}"
    return f"{low} to {high}, mean {mean}"


_BEST_FIRST = (Outcome.HOLDS, Outcome.MIXED, Outcome.UNDECIDED, Outcome.FAILS)


def in_a_reading(readings: Sequence[tuple[str, Finding]]) -> Finding:
    """The outcome of a claim whose words can be read in several ways: the best of them, and what each comes to.

    FAILS, then, only where it fails however it is read.
    """
    best = min((found.outcome for _, found in readings), key=_BEST_FIRST.index)
    number = sum(found.outcome is Outcome.HOLDS for _, found in readings)
    return _together(readings, best, f"in {number} of {len(readings)} readings")


_ALONE = (
    (Outcome.HOLDS, ()),
    (Outcome.UNDECIDED, (Outcome.HOLDS,)),
    (Outcome.FAILS, (Outcome.UNDECIDED,)),
)
"""The outcome of parts of which none has another outcome than these."""


def combined(parts: Sequence[tuple[str, Finding]]) -> Finding:
    """The outcome of a claim of several parts, each with its name: HOLDS where all do, FAILS where none does."""
    outcomes = {found.outcome for _, found in parts}
    holding = sum(found.outcome is Outcome.HOLDS for _, found in parts)
    outcome = Outcome.MIXED
    for alone, others in _ALONE:
        if alone in outcomes and outcomes <= {alone, *others}:
            outcome = alone
    return _together(parts, outcome, f"{holding} of {len(parts)} parts")


def _together(parts: Sequence[tuple[str, Finding]], outcome: Outcome, share: str) -> Finding:
    said = [f"{name}: {found.outcome}{f' {found.share}' if found.share else ''}" for name, found in parts]
    measured = [f"{name}: {found.measured}" for name, found in parts if found.measured]
    return Finding(
        outcome=outcome,
        share=f"{share} ({'; '.join(said)})",
        measured="; ".join(measured),
        tested=tuple(each for _, found in parts for each in found.tested),
    )


def evaluated(claims: Iterable[Claim], check: Callable[[Claim], Finding], *, comparable: bool) -> tuple[Evaluated, ...]:
    """Claims in their order, core claims first, each with what came of it."""
    ordered = sorted(claims, key=lambda claim: claim.tier != "core")
    found = ((claim, check(claim)) for claim in ordered)
    return tuple(
        Evaluated(claim, finding, (comparable and finding.comparable) or not finding.on_records)
        for claim, finding in found
    )


K = TypeVar("K")


def committed(records: Mapping[K, Mapping[int, Record]]) -> tuple[dict[K, Mapping[int, Record]], int]:
    """``records`` by seed without runs made by source that is not committed, and how many those are."""
    kept: dict[K, Mapping[int, Record]] = {
        cell: {seed: record for seed, record in seeds.items() if record.environment.dirty is not True}
        for cell, seeds in records.items()
    }
    left_out = sum(len(seeds) for seeds in records.values()) - sum(len(seeds) for seeds in kept.values())
    return kept, left_out


def without_records(found: Finding) -> Finding:
    """``found`` as one that rests on no record."""
    return replace(found, on_records=False)
