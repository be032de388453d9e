"""What a table holds: which of our values stands against which published number, and whose spread it shares."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from bench.cell import BASE
from bench.profiles import PROFILES, Profile
from bench.suites import gradient_flow
from reports.evidence import PRINTED_SCORES, Evidence, Setting, Which
from reports.filters import removed
from reports.verdicts import MARGINS, Judgement, Spread, Verdict, compare, pooled, sharing_a_base
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
        return self._measured(self.metric(setting), setting, which)

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
        ours = self.values(setting, self.evidence.profile.headline)
        if not ours and self.evidence.values(setting, self.evidence.profile.headline):
            return Judgement(verdict=Verdict.MISSING, reason="no base run of the same seed")
        return compare(
            tuple(ours.values()),
            number.value,
            replicates=number.replicates,
            spread=self._spreads.get((number.metric, setting.model, setting.dataset, kind_of(setting))),
            margin=MARGINS[number.metric],
            bound=number.std_bound,
            rounding=number.rounding,
        )

    def _incomparable(self, setting: Setting) -> str:
        if reason := why_not_comparable(self.evidence.profile):
            return reason
        whose = {setting: "", **({setting.base: " of the base"} if self.metric(setting) == CHANGE else {})}
        reasons = (why_not_judged(self.evidence, each, name) for each, name in whose.items())
        return next(filter(None, reasons), "")

    @cached_property
    def _spreads(self) -> dict[tuple[str, str, str, str], Spread | None]:
        """Pooled over the paper's own cells only: a user's score may vary as it likes without moving a verdict.

        Not over one table's cells, as the same runs would then get another verdict in another table.
        """
        samples: dict[tuple[str, str, str, str], list[tuple[float, ...]]] = {}
        for setting in self.evidence.records:
            if setting.score in (*PRINTED_SCORES, BASE):
                for metric in {ACCURACY, self.metric(setting)}:
                    values = self._measured(metric, setting, self.evidence.profile.headline)
                    place = (metric, setting.model, setting.dataset, kind_of(setting))
                    samples.setdefault(place, []).append(tuple(values.values()))
        return {place: _pool(place[0], found) for place, found in samples.items()}

    def _measured(self, metric: str, setting: Setting, which: Which) -> dict[int, float]:
        return (self.evidence.changes if metric == CHANGE else self.evidence.values)(setting, which)


def _pool(metric: str, samples: Sequence[tuple[float, ...]]) -> Spread | None:
    spread = pooled(samples)
    return sharing_a_base(spread) if spread is not None and metric == CHANGE else spread


def kind_of(setting: Setting) -> str:
    """The class of method whose cells share one standard deviation.

    Signed GraSP over several rounds damages the network, more with every round and differently from seed to seed (the
    paper's bound for it is 2.1 at temperature 1 against 0.3 elsewhere, and some of its cells are at chance level, where
    nothing varies); random and uniform pruning look at nothing and do the same. Each of their cells stands for itself.
    All others, and the base, are alike.
    """
    signed = setting.score in ("grasp_t1", "grasp_t200") and setting.rounds != 1
    if signed or setting.score in gradient_flow.TABLE3_ONLY:
        return f"{setting.score} in {setting.rounds} rounds"
    return "guided"


def why_not_judged(evidence: Evidence, setting: Setting, whose: str = "") -> str:
    """What about the runs of ``setting`` forbids a verdict on their mean; empty where nothing does."""
    records = evidence.seeds(setting).values()
    if diverged := sum(record.status == "diverged" for record in records):
        left = ", and the others are a selection" if diverged < len(records) else ""
        return f"{diverged} of {len(records)} seeds{whose} diverged{left}"
    if changed := sum(record.environment.dirty is True for record in records if record.final):
        return f"{changed} of {len(records)} runs{whose} were made by source that is not committed"
    counted = removed(evidence, setting)
    if counted is not None and counted.judgement.verdict == Verdict.DIFFERS:
        return f"other filters removed than the protocol says: {counted.judgement.reason}"
    return ""


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
