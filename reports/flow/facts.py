"""What the claims are evaluated on: samples over seeds of anything that a record tells."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bench.cell import BASE, DYNAMICS
from bench.suites import gradient_flow as suite
from reports.claims.blocks import named
from reports.claims.estimates import Estimate, Sample, contrast
from reports.claims.finding import Absent, Comparison, Finding, Tested, combined, committed, in_a_reading
from reports.claims.relations import Relation
from reports.claims.samples import LEAST, together
from reports.dynamics.moments import printed_name
from reports.evidence import PRINTED_SCORES, Evidence, Setting, accuracy
from reports.quantity import kind_of
from results.published import Claim
from results.record import Record


@dataclass(frozen=True)
class Measure:
    """A number that a record has, or None."""

    name: str
    of: Callable[[Record], float | None]


Term = tuple[float, Setting, Measure]
"""Factor, cells and what of them."""

_Group = tuple[Measure, str, str, str]


@dataclass(frozen=True)
class Facts:
    """The runs of a profile, without those that were made by source that is not committed (see :func:`clean`)."""

    evidence: Evidence

    @cached_property
    def accuracy(self) -> Measure:
        """The profile's headline: best or last test accuracy in percent."""
        which = self.evidence.profile.headline
        return Measure(f"{which} accuracy", lambda record: accuracy(record, which))

    def datasets(self, *paper: str, stand_in: bool = True) -> tuple[str, ...]:
        """Those of ``paper`` that the profile prunes on; where it has none, all of its own may stand in for them.

        Not for a claim that quotes a number, which is of one data set.
        """
        own = self.evidence.profile.datasets
        return tuple(name for name in paper if name in own) or (own if stand_in else paper)

    def values(self, setting: Setting, measure: Measure) -> dict[int, float]:
        """``measure`` of every run of ``setting`` that is done and has it, by seed."""
        records = sorted(self.evidence.seeds(setting).items())
        found = {seed: measure.of(record) for seed, record in records if record.status == "done"}
        return {seed: value for seed, value in found.items() if value is not None}

    def mean(self, setting: Setting) -> float | None:
        """Mean accuracy over seeds; None where it cannot be compared."""
        sample = self.sample(setting, self.accuracy)
        return None if sample is None else sample.mean

    def sample(self, setting: Setting, measure: Measure) -> Sample | None:
        """None where fewer than two runs have a value, or one diverged: the rest is a selection."""
        group = (measure, setting.model, setting.dataset, _kind(setting))
        if group not in self._samples:
            self._samples[group] = together(self._alike(group), called)
        diverged = any(record.status == "diverged" for record in self.evidence.seeds(setting).values())
        return None if diverged else self._samples[group].get(setting)

    def compare(
        self,
        what: str,
        terms: Sequence[Term],
        relation: Relation,
        *,
        offset: float = 0.0,
        replicates: int | None = None,
        digits: int = 2,
    ) -> Tested:
        """The sum of factor times mean, plus ``offset``.

        Where that is a printed mean of so many ``replicates``, it is taken to vary like ours, which is one term then.
        """
        samples = [self.sample(setting, measure) for _, setting, measure in terms]
        absent = [setting for (_, setting, _), found in zip(terms, samples, strict=True) if found is None]
        if absent:
            return Absent(what, tuple(setting.cell(0) for setting in absent))
        made = [(factor, sample) for (factor, _, _), sample in zip(terms, samples, strict=True) if sample is not None]
        found = contrast(made)
        if replicates is not None:
            ((_, sample),) = made
            found = replace(found, error=found.error * math.sqrt(1 + len(sample.values) / replicates))
        return Comparison(
            what=what,
            sides=tuple(dict.fromkeys(sample.said(digits) for _, sample in made)),
            estimate=replace(found, value=found.value + offset),
            relation=relation,
            digits=digits,
        )

    def measured(self, model: str, dataset: str) -> Setting:
        """The runs whose networks are measured while they train."""
        return Setting(model, dataset, DYNAMICS)

    def _alike(self, group: _Group) -> dict[Setting, dict[int, float]]:
        """Those of a class of the paper's methods vary alike, as for the tables' verdicts; others are by themselves."""
        measure, *place = group
        alike = [each for each in self.evidence.records if [each.model, each.dataset, _kind(each)] == place]
        return {each: self.values(each, measure) for each in alike}

    @cached_property
    def _samples(self) -> dict[_Group, dict[Setting, Sample]]:
        """Those that were asked for."""
        return {}


def _kind(setting: Setting) -> str:
    return kind_of(setting) if setting.score in (*PRINTED_SCORES, BASE) else setting.score


Check = Callable[[Facts, Claim], Finding]


def parts(checks: Mapping[str, Check]) -> Check:
    """A claim of several parts, each with its name."""

    def check(facts: Facts, claim: Claim) -> Finding:
        return combined([(name, each(facts, claim)) for name, each in checks.items()])

    return check


def readings(checks: Mapping[str, Check]) -> Check:
    """A claim whose words can be read in several ways, each with its name."""

    def check(facts: Facts, claim: Claim) -> Finding:
        return in_a_reading([(name, each(facts, claim)) for name, each in checks.items()])

    return check


def exact(what: str, said: str, value: float, relation: Relation, digits: int = 2) -> Comparison:
    """A comparison of a number without an error."""
    return Comparison(what=what, sides=(said,), estimate=Estimate(value), relation=relation, digits=digits)


def clean(evidence: Evidence) -> tuple[Evidence, int]:
    """``evidence`` without runs made by source that is not committed, and how many those are."""
    kept, left_out = committed(evidence.records)
    return replace(evidence, records=kept), left_out


def called(setting: Setting) -> str:
    """``Mag. (5)``: a score, with its rounds."""
    if setting.score == DYNAMICS:
        return place(setting)
    label = suite.SCORE_LABELS.get(setting.score, setting.score)
    return label if setting.score == BASE else f"{label} ({setting.rounds})"


def place(setting: Setting) -> str:
    """``VGG-13, CIFAR-10``."""
    return f"{suite.PRINTED_NAMES[setting.model]}, {printed_name(setting.dataset)}"


def in_rounds(what: str, rounds: int | None) -> str:
    """``what, 5 rounds``."""
    return f"{what}, {rounds} round{'s' if rounds != 1 else ''}"


def lacking(absent: Sequence[Absent], evidence: Evidence) -> str:
    """What is missing for comparisons that cannot be made, in a phrase; empty for none of them."""
    cells = dict.fromkeys(cell for each in absent for cell in each.cells)
    settings = [Setting(cell.model, cell.dataset, cell.score, cell.rounds) for cell in cells]
    planned = {Setting(cell.model, cell.dataset, cell.score, cell.rounds) for cell in evidence.cells()}
    never = [each for each in settings if each not in planned and not evidence.seeds(each)]
    states: dict[str, list[Setting]] = {}
    for setting in (each for each in settings if each not in never):
        records = evidence.seeds(setting)
        for seed in evidence.seeds_of(setting):
            state = records[seed].status if seed in records else "missing"
            if state != "done":
                states.setdefault(state, []).append(setting)
    here = [each for each in settings if each not in never]
    alone = [each for each in here if max(len(evidence.seeds(each)), len(evidence.seeds_of(each))) < LEAST]
    reasons: dict[str, dict[str, None]] = {}
    for each in absent:
        if each.reason:
            reasons.setdefault(each.reason, {})[each.what] = None
    parts = (
        *(f"{', '.join(names)}: {reason}" for reason, names in reasons.items()),
        *(f"{len(each)} run{'s' if len(each) > 1 else ''} {state}: {pattern(each)}" for state, each in states.items()),
        f"not in profile {evidence.profile.name}: {pattern(never)}" if never else "",
        "the profile has one seed, and a comparison needs two" if alone else "",
    )
    return "; ".join(part for part in parts if part)


def _score(name: str) -> str:
    return "measured while they train" if name == DYNAMICS else suite.SCORE_LABELS.get(name, name)


def pattern(settings: Iterable[Setting]) -> str:
    """``VGG-13 on CIFAR-10; Mag., Loss; 1, 5 rounds``: the values that occur, axis by axis, of each block of a grid."""
    return named(((each.score, each.rounds, each.dataset, each.model) for each in settings), _phrase)


def _phrase(scores: Sequence[str], rounds: Sequence[int | None], datasets: Sequence[str], models: Sequence[str]) -> str:
    places = f"{', '.join(suite.PRINTED_NAMES[model] for model in models)} on {', '.join(map(printed_name, datasets))}"
    counts = sorted(count for count in rounds if count is not None)
    many = f"{', '.join(map(str, counts))} round{'s' if counts != [1] else ''}" if counts else ""
    return "; ".join(part for part in (places, ", ".join(map(_score, scores)), many) if part)
