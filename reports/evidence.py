"""Which records a profile's report is made of: those of its cells, run by its protocol, one per cell and seed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from bench.cell import BASE, DYNAMICS, UNPRUNED, Cell
from bench.profiles import Profile
from bench.protocol import Protocol
from bench.suites import gradient_flow, missing_the_mark
from bench.versions import is_current
from results.record import Record
from results.registry import counts_over

Which = Literal["best", "last"]

PRINTED_SCORES = (*gradient_flow.TABLE1, *gradient_flow.TABLE2, *gradient_flow.TABLE3_ONLY)
"""Every score that the paper prints a number for."""


@dataclass(frozen=True)
class Setting:
    """A cell of the tables without its seed; ``rounds`` is None for the base model."""

    model: str
    dataset: str
    score: str = BASE
    rounds: int | None = None

    def cell(self, seed: int) -> Cell:
        """This setting with a seed, and the amount that the tables prune."""
        amount = None if self.rounds is None else gradient_flow.amount(self.model, self.dataset)
        return Cell(
            suite=gradient_flow.SUITE,
            model=self.model,
            dataset=self.dataset,
            score=self.score,
            amount=amount,
            rounds=self.rounds,
            seed=seed,
        )

    @property
    def base(self) -> "Setting":
        """The unpruned model on the same data."""
        return Setting(self.model, self.dataset)


@dataclass(frozen=True)
class Evidence:
    """The records that count for a profile, by setting and seed, and how many were left out and why."""

    profile: Profile
    records: Mapping[Setting, Mapping[int, Record]]
    other_protocol: int = 0  # run by a protocol that is not the profile's, or no longer is
    other_versions: int = 0  # run by code that has changed its meaning since
    replaced: int = 0  # another record of the same cell counts
    elsewhere: int = 0  # not cells of these tables

    def seeds(self, setting: Setting) -> Mapping[int, Record]:
        """The records of ``setting``, by seed."""
        return self.records.get(setting, {})

    def seeds_of(self, setting: Setting) -> tuple[int, ...]:
        """The seeds that the profile runs ``setting`` with."""
        dynamics = self.profile.dynamics
        return dynamics.seeds if setting.score == DYNAMICS and dynamics is not None else self.profile.seeds

    def absent(self, setting: Setting, label: str) -> Iterator[str]:
        """``|GraSP| s0 s1: missing``: what became of the seeds that are not done, ``label`` being what is drawn."""
        records = self.seeds(setting)
        reasons: dict[str, list[int]] = {}
        for seed in sorted({*records, *self.seeds_of(setting)}):
            reason: str = records[seed].status if seed in records else "missing"
            if reason != "done":
                reasons.setdefault(reason, []).append(seed)
        for reason, seeds in reasons.items():
            yield f"{label} {' '.join(f's{seed}' for seed in seeds)}: {reason}"

    def values(self, setting: Setting, which: Which) -> dict[int, float]:
        """The test accuracy in percent of every seed that is done."""
        found = {seed: accuracy(record, which) for seed, record in self.seeds(setting).items()}
        return {seed: value for seed, value in found.items() if value is not None}

    def changes(self, setting: Setting, which: Which) -> dict[int, float]:
        """Accuracy minus that of the own base model, in points, of every seed in which both are done."""
        base = self.values(setting.base, which)
        return {seed: value - base[seed] for seed, value in self.values(setting, which).items() if seed in base}

    @cached_property
    def extra_scores(self) -> tuple[str, ...]:
        """Scores with records that the paper has no number for, by name."""
        return tuple(sorted({setting.score for setting in self.records} - {*PRINTED_SCORES, *UNPRUNED}))

    def cells(self) -> Iterator[Cell]:
        """Every cell that these tables need: the profile's, and those of the user's scores."""
        return self.profile.cells(extra_scores=self.extra_scores, suites=(gradient_flow.SUITE,))

    def missing(self) -> list[Cell]:
        """The cells of the profile that have no record."""
        return [cell for cell in self.cells() if cell.seed not in self.seeds(setting_of(cell))]

    def unfinished(self) -> list[Cell]:
        """The cells of the profile that have no final record: those missing, and those that failed."""
        return [cell for cell in self.cells() if not self._final(cell)]

    def _final(self, cell: Cell) -> bool:
        record = self.seeds(setting_of(cell)).get(cell.seed)
        return record is not None and record.final

    @cached_property
    def mixed_versions(self) -> int:
        """Settings whose seeds were run by different versions of the code."""
        return sum(len({_versions(record) for record in seeds.values()}) > 1 for seeds in self.records.values())


def setting_of(cell: Cell) -> Setting:
    """The setting of a cell."""
    return Setting(cell.model, cell.dataset, cell.score, cell.rounds)


def accuracy(record: Record, which: Which) -> float | None:
    """The test accuracy of a run that is done, in percent: of its best test epoch, or of its last."""
    if record.status != "done" or record.metrics is None:
        return None
    return record.metrics.test_accuracy_best if which == "best" else record.metrics.test_accuracy_last


def gather(profile: Profile, records: Iterable[Record]) -> Evidence:
    """Choose among the records of ``profile``: of several of one cell the one that counts is final, then the newest."""
    found: dict[Setting, dict[int, Record]] = {}
    evidence = Evidence(profile, found)
    for record in records:
        if record.cell.get("suite") == missing_the_mark.SUITE:
            continue  # it has pages of its own
        cell = _cell(profile, record)
        if cell is None:
            evidence = replace(evidence, elsewhere=evidence.elsewhere + 1)
        elif not is_current(cell, record.versions):
            evidence = replace(evidence, other_versions=evidence.other_versions + 1)
        elif not _same_protocol(profile, cell, record):
            evidence = replace(evidence, other_protocol=evidence.other_protocol + 1)
        else:
            seeds = found.setdefault(setting_of(cell), {})
            evidence = replace(evidence, replaced=evidence.replaced + (cell.seed in seeds))
            if cell.seed not in seeds or counts_over(record, seeds[cell.seed]):
                seeds[cell.seed] = record
    return evidence


def _cell(profile: Profile, record: Record) -> Cell | None:
    """The cell of ``record`` where the profile's tables have a place for it, with any seed and any score."""
    try:
        cell = Cell.from_dict(record.cell)
        setting = setting_of(cell)
        measured = profile.dynamics.datasets if cell.score == DYNAMICS and profile.dynamics is not None else ()
        known = cell.model in gradient_flow.MODELS and cell.dataset in (measured or profile.datasets)
        return cell if known and _has_rounds(profile, cell) and setting.cell(cell.seed) == cell else None
    except (ValueError, TypeError, ArithmeticError):
        return None


def _has_rounds(profile: Profile, cell: Cell) -> bool:
    return cell.rounds is None or cell.rounds in profile.rounds


def _same_protocol(profile: Profile, cell: Cell, record: Record) -> bool:
    try:
        return Protocol.from_dict(record.protocol) == profile.protocol_of(cell)
    except (ValueError, TypeError, ArithmeticError):
        return False


def _versions(record: Record) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in record.versions.items()))
