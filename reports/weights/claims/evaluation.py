"""Every claim of the paper evaluated on the records of a profile."""

from bench.suites.missing_the_mark import SUITE
from reports.claims.finding import Evaluated
from reports.weights.claims.catalogue import CHECKS
from reports.weights.claims.facts import Facts, clean
from reports.weights.evidence import Evidence
from results import published


def evaluate(evidence: Evidence) -> tuple[Evaluated, ...]:
    """All claims in the order of the paper, core claims first.

    Runs made by source that is not committed are left out.
    """
    facts = Facts(clean(evidence)[0])
    claims = sorted(published.claims(SUITE), key=lambda claim: claim.tier != "core")
    comparable = evidence.profile.comparable
    found = ((claim, CHECKS[claim.claim_id](facts, claim)) for claim in claims)
    return tuple(Evaluated(claim, finding, comparable or not finding.on_records) for claim, finding in found)
