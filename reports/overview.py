"""The first page of a report: what was run, where, what is missing, and what came of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench import cost
from reports.evidence import Evidence
from reports.markdown import grid
from reports.prices import Prices
from reports.provenance import environments, problems
from reports.tables import purpose_notes
from reports.verdicts import Verdict
from reports.views import TableView
from results.record import Record
from results.registry import Registry

_LISTED = 20


def page(
    evidence: Evidence, views: Sequence[TableView], prices: Prices, registry: Registry, links: Mapping[str, str]
) -> str:
    """The page; ``links`` names the other pages."""
    profile = evidence.profile
    parts = [
        f"# Report of profile {profile.name}",
        f"{profile.purpose[0].upper()}{profile.purpose[1:]}.",
        *purpose_notes(profile),
        "\n".join(f"- [{title}]({target})" for title, target in links.items()),
        _runs(evidence),
        _missing(evidence.profile.name, prices),
        _verdicts(views) if profile.comparable else "",
        environments(_records(evidence)),
        problems(registry),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def missing_command(profile: str) -> str:
    """What runs the cells that have no final record."""
    return f"python -m bench run --profile {profile} --missing"


def _records(evidence: Evidence) -> list[Record]:
    return [record for seeds in evidence.records.values() for record in seeds.values()]


def _runs(evidence: Evidence) -> str:
    counts = Counter[str](record.status for record in _records(evidence))
    rows = [[status, str(count)] for status, count in sorted(counts.items())]
    rows.append(["missing", str(len(evidence.missing()))])
    return "\n\n".join(["## Runs", grid(["status", "cells"], rows), *_left_out(evidence)])


def _left_out(evidence: Evidence) -> Iterator[str]:
    reasons = {
        "run by another protocol than the profile's present one": evidence.other_protocol,
        "run by code that computed something else": evidence.other_versions,
        "replaced by another record of the same cell": evidence.replaced,
        "of cells that these tables do not have": evidence.elsewhere,
    }
    if said := [f"{count} {reason}" for reason, count in reasons.items() if count]:
        yield f"Records left out: {'; '.join(said)}."
    if evidence.mixed_versions:
        yield f"In {evidence.mixed_versions} settings the seeds were run by different versions of the code."


def _missing(profile: str, prices: Prices) -> str:
    absent = list(prices.estimates.items())
    if not absent:
        return ""
    whole = cost.total(prices.estimates)
    lines = [f"- `{cell.id}`: {cost.duration(estimate.seconds)}" for cell, estimate in absent[:_LISTED]]
    lines += [f"- and {len(absent) - _LISTED} more"] if len(absent) > _LISTED else []
    sources = ", ".join(f"{count} {source}" for source, count in sorted(whole.sources.items()))
    said = (
        f"To run what is missing or failed, about {cost.duration(whole.seconds)} on {prices.device}, one cell after "
        f"the other (estimates: {sources}): `{missing_command(profile)}`"
    )
    return "\n\n".join(["## Missing cells", said, "\n".join(lines)])


def _verdicts(views: Iterable[TableView]) -> str:
    rows = [[f"Table {view.number}", *_counted(view)] for view in views]
    rows.append(["filters removed", *_filters(views)])
    return f"## Verdicts\n\n{grid(['', *Verdict], rows)}"


def _counted(view: TableView) -> list[str]:
    counts = Counter(cell.judgement.verdict for cell in view.cells() if cell.judgement is not None)
    return [str(counts[verdict]) for verdict in Verdict]


def _filters(views: Iterable[TableView]) -> list[str]:
    found = {cell.setting: cell.removed for view in views for cell in view.cells() if cell.removed is not None}
    counts = Counter(removed.judgement.verdict for removed in found.values())
    return [str(counts[verdict]) for verdict in Verdict]
