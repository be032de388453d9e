"""Every claim of the paper evaluated on the records of a profile."""

from bench.suites.missing_the_mark import SUITE
from reports.claims.finding import Evaluated, evaluated
from reports.weights.claims.catalogue import CHECKS
from reports.weights.claims.facts import Facts, clean
from reports.weights.evidence import Evidence
from results import published


def evaluate(evidence: Evidence) -> tuple[Evaluated, ...]:
    """All claims in the order of the paper, core claims first.

    Runs made by source that is not committed are left out.
    """
    facts = Facts(clean(evidence)[0])
    return evaluated(
        published.claims(SUITE),
        lambda claim: CHECKS[claim.claim_id](facts, claim),
        comparable=evidence.profile.comparable,
    )
