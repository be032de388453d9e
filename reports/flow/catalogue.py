"""Every claim of the paper with its check, and what becomes of them on a profile's records."""

from bench.suites.gradient_flow import SUITE
from reports.claims.finding import Evaluated
from reports.evidence import Evidence
from reports.flow import curves, laws, layers, tables, training
from reports.flow.facts import Check, Facts, clean
from results import published

CHECKS: dict[str, Check] = {
    claim: check for section in (tables, curves, layers, training, laws) for claim, check in section.CHECKS.items()
}
"""By claim, as in results/published/claims.csv."""


def evaluate(evidence: Evidence) -> tuple[Evaluated, ...]:
    """All claims in the order of the paper, core claims first.

    Runs made by source that is not committed are left out.
    """
    facts = Facts(clean(evidence)[0])
    claims = sorted(published.claims(SUITE), key=lambda claim: claim.tier != "core")
    comparable = evidence.profile.comparable
    found = ((claim, CHECKS[claim.claim_id](facts, claim)) for claim in claims)
    return tuple(Evaluated(claim, finding, comparable or not finding.on_records) for claim, finding in found)
