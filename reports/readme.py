"""The generated block of the README: every measured mean, with its verdict, from the registry."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.profiles import Profile, measured
from bench.suites import gradient_flow as suite
from reports.evidence import PRINTED_SCORES, Evidence, Setting, gather
from reports.markdown import grid, number, verdict
from reports.overview import missing_command
from reports.quantity import Quantity, why_not_comparable
from reports.tables import home, label, quantity_of
from reports.verdicts import Judgement
from reports.views import Sample
from reports.weights import evidence as weights
from reports.weights import readme as second
from results.record import Record
from results.registry import Registry

RENDERED = "reports/rendered"
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"


def update(path: Path, registry: Registry, *, check: bool = False) -> bool:
    """Whether the block in ``path`` was out of date; it is rewritten unless ``check``. Raises ValueError, OSError."""
    old = path.read_text(encoding="utf-8")
    new = replaced(old, block(registry), path.name)
    if new != old and not check:
        path.write_text(new, encoding="utf-8")
    return new != old


def replaced(text: str, content: str, name: str = "README.md") -> str:
    """``text`` with ``content`` between its two markers. Raises ValueError where they are not there once, in order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise ValueError(f"{name} must hold {BEGIN} and after it {END}, once each")
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


def block(registry: Registry) -> str:
    """A section per profile with records. Demonstrations stay on the machine they ran on, so they are left out."""
    by_profile: dict[str, list[Record]] = {}
    for record in registry.records():
        by_profile.setdefault(record.profile, []).append(record)
    shown = (profile for profile in measured(by_profile) if profile.shows_published)
    sections = [part for profile in shown for part in _sections(profile, by_profile[profile.name])]
    return "\n\n".join(sections) or "No cell has been run yet."


def _sections(profile: Profile, records: list[Record]) -> Iterator[str]:
    """One for each suite that has records."""
    yield from filter(None, (_section(profile, records), second.section(weights.gather(profile, records), RENDERED)))


def _section(profile: Profile, records: Iterable[Record]) -> str:
    evidence = gather(profile, records)
    if not evidence.records:
        return ""
    scores = tuple(score for score in PRINTED_SCORES if _measured(evidence, score)) + evidence.extra_scores
    head = ["model", "data", "rounds", "base", *(label(score) for score in scores)]
    name = f"**[{profile.name}]({RENDERED}/{profile.name}/index.md)**"
    title = f"{name}: {profile.purpose}. Test accuracy in percent, {_epoch(profile)}: {_KEY}"
    return "\n\n".join([title, *_standing(profile), grid(head, _rows(evidence, scores)), *_missing(evidence)])


def _missing(evidence: Evidence) -> Iterator[str]:
    if absent := evidence.unfinished():
        yield f"{len(absent)} cells of this profile are missing: `{missing_command(evidence.profile.name)}` runs them."


_KEY = "mean ± standard deviation (seeds)."


def _epoch(profile: Profile) -> str:
    return "best test epoch" if profile.headline == "best" else "last epoch"


def _standing(profile: Profile) -> Iterator[str]:
    if reason := why_not_comparable(profile):
        yield f"NOT COMPARABLE with published numbers: {reason}."


def _measured(evidence: Evidence, score: str) -> bool:
    return any(setting.score == score for setting in evidence.records)


def _rows(evidence: Evidence, scores: tuple[str, ...]) -> Iterator[list[str]]:
    quantities = (quantity_of(1, evidence), quantity_of(2, evidence), quantity_of(3, evidence))
    for dataset in evidence.profile.datasets:
        for model in suite.MODELS:
            for n in evidence.profile.rounds:
                settings = [Setting(model, dataset), *(Setting(model, dataset, score, n) for score in scores)]
                if not any(evidence.seeds(setting) for setting in settings):
                    continue  # the count of missing cells covers it
                names = [suite.PRINTED_NAMES[model], suite.PRINTED_NAMES[dataset], str(n)]
                yield [*names, *(_cell(evidence, quantities, setting) for setting in settings)]


def _cell(evidence: Evidence, quantities: Iterable[Quantity], setting: Setting) -> str:
    states = {record.status for record in evidence.seeds(setting).values()} - {"done"}
    sample = Sample(tuple(evidence.values(setting, evidence.profile.headline).values()))
    judgement = _judgement(quantities, setting) if evidence.profile.comparable else None
    lines = [number(sample), verdict(judgement), *sorted(states)]
    said = "<br>".join(line for line in lines if line)
    return f"[{said}]({_address(evidence, setting)})" if said else "missing"


def _address(evidence: Evidence, setting: Setting) -> str:
    """Where the report shows the cell, with links to its records."""
    page = f"{RENDERED}/{evidence.profile.name}/table{home(setting)}.md"
    return f"{page}#{setting.cell(min(evidence.seeds(setting))).id}"


def _judgement(quantities: Iterable[Quantity], setting: Setting) -> Judgement | None:
    """By the first table that prints a number for it; for random and uniform that is the change in Table 3."""
    return next((found for quantity in quantities if (found := quantity.judge(setting)) is not None), None)
