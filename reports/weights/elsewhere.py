"""What other profiles have measured that one lacks: masks at initialisation come about before any training."""

from collections.abc import Iterable, Iterator, Sequence

from bench.cell import Cell
from bench.plan import Sparsify, keys, plan
from bench.profiles import PROFILES, Profile
from bench.suites.missing_the_mark import Network
from bench.versions import versions
from reports.claims.finding import Evaluated, Outcome
from reports.verdicts import Verdict
from reports.weights import words
from reports.weights.evidence import Evidence, gather
from results.registry import Registry


def others(profile: Profile, registry: Registry) -> list[Evidence]:
    """The records of other profiles that may be held against the paper, as this one may; none where it may not."""
    if not profile.comparable:
        return []
    there = (each for each in PROFILES.values() if each.comparable and each.weights and each.name != profile.name)
    apart = Registry(registry.root)  # which has a list of problems of its own
    found = (gather(each, apart.records(each.name)) for each in there)
    return [evidence for evidence in found if evidence.records]


def masks(evidence: Evidence, cells: Iterable[Cell], elsewhere: Sequence[Evidence], page: str) -> Iterator[str]:
    """A sentence for each profile with masks of ``cells`` that ``evidence`` lacks; it leads to its ``page``."""
    absent = [cell for cell in dict.fromkeys(cells) if not evidence.masks(cell)]
    for there in elsewhere:
        own = {cell: Network(model=cell.model, dataset=cell.dataset) for cell in absent if there.masks(cell)}
        same = dict.fromkeys(words.title(own[cell]) for cell in own if _alike(cell, evidence.profile, there.profile))
        if same:
            yield f"Such masks are measured in profile {_link(there.profile, page)}: {', '.join(same)}."


def _alike(cell: Cell, one: Profile, other: Profile) -> bool:
    """Whether all that determines the mask of ``cell`` is the same in two profiles, by the key of the stage.

    What shuffling makes of it depends on nothing else.
    """
    return cell.at == 0 and _mask_key(cell, one) == _mask_key(cell, other)


def _mask_key(cell: Cell, profile: Profile) -> str:
    protocol = profile.protocol_of(cell)
    stages = plan(cell, protocol)
    place = next(place for place, stage in enumerate(stages) if isinstance(stage, Sparsify))
    return keys(cell, protocol, stages[: place + 1], versions(cell, {}), {})[-1]


def decided(found: Iterable[tuple[Profile, Sequence[Evaluated]]], page: str) -> dict[str, str]:
    """What came of claims in other profiles that decide them, by claim; it leads to their ``page``."""
    said: dict[str, list[str]] = {}
    for profile, evaluated in found:
        for each in (each for each in evaluated if each.finding.outcome != Outcome.UNDECIDED):
            if each.finding.on_records:
                claim, standing = each.claim.claim_id, "" if each.comparable else f"{Verdict.NOT_COMPARABLE}, "
                text = f"{standing}{each.finding.outcome} in profile {profile.name}"
                said.setdefault(claim, []).append(f"[{text}](../{profile.name}/{page}.md#{claim})")
    return {claim: "; ".join(parts) for claim, parts in said.items()}


def _link(profile: Profile, page: str) -> str:
    return f"[{profile.name}](../{profile.name}/{page}.md)"
