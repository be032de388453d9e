"""The page of claims: how many hold, each with what was measured, and the comparisons behind it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reports.claims.finding import Absent, Comparison, Evaluated, Finding, Outcome
from reports.claims.relations import Says
from reports.markdown import BREAK, grid
from reports.verdicts import Verdict

_LISTED = 12
"""Comparisons of one claim that are shown; the others are counted."""
_SIDES = 4
_CORE, _OTHER, _PRINTED = "Core claims", "Other claims", "On printed numbers, or by definition of the cells"
_ORDER = (Says.NO, Says.OPEN, Says.YES)


Lacking = Callable[[Sequence[Absent]], str]
"""What is missing for comparisons that cannot be made, in a phrase; empty where nothing is."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What the page of one paper's claims says around its tables."""

    title: str
    opening: str
    standing: tuple[str, ...]  # whether its numbers may be held against the paper's
    notes: tuple[str, ...]
    rules: str
    lacking: Lacking
    demonstration: bool  # the paper's numbers are not to stand beside these records
    elsewhere: Mapping[str, str] = field(default_factory=dict)  # what came of claims in other reports, by claim


def page(frame: Frame, found: Sequence[Evaluated]) -> str:
    """The page; a demonstration shows only what its records say."""
    if frame.demonstration:
        shown = (each for each in found if each.finding.on_records and each.finding.comparisons)
        found = tuple(replace(each, finding=replace(each.finding, on_print=None)) for each in shown)
    groups = _groups(found)
    parts = (
        f"# {frame.title}",
        frame.opening,
        *frame.standing,
        _summary(groups),
        *frame.notes,
        *(_decided(title, members, frame.lacking) for title, members in groups.items()),
        _undecided([each for each in found if each.finding.outcome == Outcome.UNDECIDED], frame),
        frame.rules,
        _evidence(found),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _groups(found: Sequence[Evaluated]) -> dict[str, list[Evaluated]]:
    """By what they rest on, core claims first."""
    groups: dict[str, list[Evaluated]] = {_CORE: [], _OTHER: [], _PRINTED: []}
    for each in found:
        title = (_CORE if each.claim.tier == "core" else _OTHER) if each.finding.on_records else _PRINTED
        groups[title].append(each)
    return groups


def _summary(groups: Mapping[str, Sequence[Evaluated]]) -> str:
    if not any(groups.values()):
        return "Nothing can be compared: a comparison needs two seeds of the same cell, and two cells."
    rows = []
    for title, members in groups.items():
        other = [each for each in members if not each.comparable]
        alike = [each for each in members if each.comparable]
        rows += [[title, *_counts(alike)]] if alike or not other else []
        rows += [[f"{title}, {Verdict.NOT_COMPARABLE}", *_counts(other)]] if other else []
    return grid(["", *Outcome, "all"], rows)


def _counts(found: Sequence[Evaluated]) -> list[str]:
    counts = Counter(each.finding.outcome for each in found)
    return [*(str(counts[outcome]) for outcome in Outcome), str(len(found))]


def _decided(title: str, found: Sequence[Evaluated], lacking: Lacking) -> str:
    found = [each for each in found if each.finding.outcome != Outcome.UNDECIDED]
    if not found:
        return ""
    head = ["claim", "what the paper says", "outcome", "measured", "evidence"]
    rows = (
        [_name(each), _says(each), _outcome(each), _measured(each), _rests_on(each.finding, lacking)] for each in found
    )
    return f"## {title}\n\n{grid(head, rows)}"


def _undecided(found: Sequence[Evaluated], frame: Frame) -> str:
    if not found:
        return ""
    rows = ([_name(each), _says(each), _so_far(each), _why(each, frame)] for each in found)
    head = ["claim", "what the paper says", "measured", "why it is undecided"]
    return f"## Undecided\n\n{grid(head, rows)}"


def _name(each: Evaluated) -> str:
    name = f"`{each.claim.claim_id}`"
    return f"[{name}](#{each.claim.claim_id})" if each.finding.comparisons else name


def _says(each: Evaluated) -> str:
    return f"{each.claim.statement} ({each.claim.where})"


def _outcome(each: Evaluated) -> str:
    outcome = f"**{each.finding.outcome}**"
    lines = [outcome if each.comparable else f"{Verdict.NOT_COMPARABLE}{BREAK}here: {outcome}", each.finding.share]
    return BREAK.join(line for line in (*lines, on_print(each.finding)) if line)


def on_print(finding: Finding) -> str:
    """The outcome on the paper's own numbers; empty where it prints none."""
    found = finding.on_print
    return "" if found is None else f"the printed numbers: {found.outcome} {found.share}"


def _so_far(each: Evaluated) -> str:
    return BREAK.join(line for line in (on_print(each.finding), _measured(each)) if line)


def _measured(each: Evaluated) -> str:
    printed = each.finding.on_print
    said = [each.finding.measured, f"printed: {printed.measured}" if printed is not None and printed.measured else ""]
    return BREAK.join(line for line in said if line)


def _rests_on(finding: Finding, lacking: Lacking) -> str:
    """The first of its comparisons, how many more there are, and what is lacking."""
    made = _sorted(finding.comparisons)
    lines = [_said(each) for each in made[:1]]
    if len(made) > 1:
        lines.append(f"and {len(made) - 1} more")
    if lacks := lacking(finding.absent):
        lines.append(f"lacking: {lacks}")
    return BREAK.join(lines)


def _said(each: Comparison) -> str:
    return f"{each.what}: {'; '.join(_sides(each))}"


def _sides(each: Comparison) -> Iterator[str]:
    yield from each.sides[:_SIDES]
    if len(each.sides) > _SIDES:
        yield f"and {len(each.sides) - _SIDES} more means"


def _why(each: Evaluated, frame: Frame) -> str:
    """What it lacks here, and what came of it elsewhere."""
    finding = each.finding
    reasons = (finding.share, finding.reason, frame.lacking(finding.absent))
    said = "; ".join(reason for reason in reasons if reason) or "this profile has no such cells"
    return BREAK.join(filter(None, (said, frame.elsewhere.get(each.claim.claim_id, ""))))


def _evidence(found: Iterable[Evaluated]) -> str:
    sections = [_comparisons(each) for each in found if each.finding.comparisons]
    if not sections:
        return ""
    said = f"Per claim at most {_LISTED} comparisons, those that show the contrary first."
    return "\n\n".join(["## Comparisons", said, *sections])


def _comparisons(each: Evaluated) -> str:
    made = _sorted(each.finding.comparisons)
    head = ["where", "means ± standard deviation (seeds)", "number", "95 % interval", "wanted", "result"]
    rows = [[one.what, BREAK.join(_sides(one)), *_numbers(one), one.says()] for one in made[:_LISTED]]
    more = f"\n\nAnd {len(made) - _LISTED} more." if len(made) > _LISTED else ""
    anchor = f'<a id="{each.claim.claim_id}"></a>'
    return f"### {anchor}{each.claim.claim_id}\n\nChecked: {each.claim.check}.\n\n{grid(head, rows)}{more}"


def _numbers(one: Comparison) -> tuple[str, str, str]:
    """The number, its interval, and what was wanted of it."""
    low, high = one.estimate.interval()
    interval = "" if low == high else f"{low:+.{one.digits}f} to {high:+.{one.digits}f}"
    return f"{one.estimate.value:+.{one.digits}f}", interval, one.relation.name


def _sorted(made: Iterable[Comparison]) -> list[Comparison]:
    return sorted(made, key=lambda each: _ORDER.index(each.says()))
