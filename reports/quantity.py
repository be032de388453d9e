"""What a table holds: which of our values stands against which published number, and whose spread it shares."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property

from bench.cell import BASE
from bench.profiles import PROFILES, Profile
from bench.suites import gradient_flow
from reports.evidence import PRINTED_SCORES, Evidence, Setting, Which
from reports.verdicts import MARGINS, Judgement, Spread, Verdict, compare, pooled
from results.published import PublishedNumber

ACCURACY, CHANGE = "test_accuracy_pct", "accuracy_change_pct"


@dataclass(frozen=True)
class Quantity:
    """One table's quantity in a profile: our values, the published ones, and the judgement of one by the other."""

    table: str  # "Table 1"
    scores: tuple[str, ...]
    evidence: Evidence
    numbers: Mapping[tuple[str, Setting], PublishedNumber]  # by metric and setting
    paired: bool = False  # Table 3: accuracy minus own base

    def metric(self, setting: Setting) -> str:
        """The name of what is compared: accuracy, or its change where the table is paired and a score prunes."""
        return CHANGE if self.paired and setting.score != BASE else ACCURACY

    def values(self, setting: Setting, which: Which) -> dict[int, float]:
        """Our values by seed."""
        kind = self.evidence.changes if self.metric(setting) == CHANGE else self.evidence.values
        return kind(setting, which)

    def published(self, setting: Setting) -> PublishedNumber | None:
        """The number in the paper's table; None where it prints none, or the profile must not meet it."""
        if not self.evidence.profile.shows_published:
            return None
        return self.numbers.get((self.metric(setting), setting))

    def judge(self, setting: Setting) -> Judgement | None:
        """The verdict on the published number; None where there is none."""
        number = self.published(setting)
        if number is None:
            return None
        if reason := self._incomparable(setting):
            return Judgement(verdict=Verdict.NOT_COMPARABLE, reason=reason)
        return compare(
            tuple(self.values(setting, self.evidence.profile.headline).values()),
            number.value,
            replicates=number.replicates,
            spread=self._spreads.get((setting.model, setting.dataset, kind_of(setting, self.paired))),
            margin=MARGINS[number.metric],
            bound=number.std_bound,
        )

    def _incomparable(self, setting: Setting) -> str:
        if reason := why_not_comparable(self.evidence.profile):
            return reason
        seeds = self.evidence.seeds(setting)
        diverged = sum(record.status == "diverged" for record in seeds.values())
        return f"{diverged} of {len(seeds)} seeds diverged, and the others are a selection" if diverged else ""

    @cached_property
    def _spreads(self) -> dict[tuple[str, str, str], Spread | None]:
        """Pooled over the paper's own cells only: a user's score may vary as it likes without moving a verdict."""
        samples: dict[tuple[str, str, str], list[tuple[float, ...]]] = {}
        for setting in self.evidence.records:
            if setting.score in (*self.scores, BASE):
                values = tuple(self.values(setting, self.evidence.profile.headline).values())
                kind = kind_of(setting, self.paired)
                samples.setdefault((setting.model, setting.dataset, kind), []).append(values)
        return {place: pooled(found) for place, found in samples.items()}


def kind_of(setting: Setting, paired: bool = False) -> str:
    """The class of method whose cells share one standard deviation.

    Signed GraSP over several rounds damages the network, and differently from seed to seed: the paper's bound for it is
    2.1 at temperature 1 against 0.3 elsewhere, so each temperature has a class of its own. Random and uniform pruning
    look at no score. All others, and the base where it is the same quantity, are alike.
    """
    if setting.score in ("grasp_t1", "grasp_t200") and setting.rounds != 1:
        return f"{setting.score} over several rounds"
    if setting.score in gradient_flow.TABLE3_ONLY:
        return "random and uniform"
    return "base" if paired and setting.score == BASE else "guided"


def why_not_comparable(profile: Profile) -> str:
    """How the protocol departs from the paper's; empty where its numbers may be held against published ones."""
    if profile.comparable:
        return ""
    paper = PROFILES["paper"].protocol
    changed = [
        f"{field.name} {_said(getattr(profile.protocol, field.name))} instead of {_said(getattr(paper, field.name))}"
        for field in fields(paper)
        if getattr(profile.protocol, field.name) != getattr(paper, field.name)
    ]
    return f"another protocol: {', '.join(changed)}"


def index(numbers: Iterable[PublishedNumber]) -> dict[tuple[str, Setting], PublishedNumber]:
    """Published numbers of one table by metric and setting; models and data sets that no suite knows are left out."""
    names = {printed: name for name, printed in gradient_flow.PRINTED_NAMES.items()}
    return {
        (number.metric, Setting(names[number.model], names[number.dataset], number.scorer, number.rounds)): number
        for number in numbers
        if number.model in names and number.dataset in names and number.scorer in (*PRINTED_SCORES, BASE)
    }


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return "/".join(str(part) for part in value)
    return "all" if value is None else str(value)
