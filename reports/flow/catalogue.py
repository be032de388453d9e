"""Every claim of the paper with its check, and what becomes of them on a profile's records."""

from bench.suites.gradient_flow import SUITE
from reports.claims.finding import Evaluated, evaluated
from reports.flow import curves, laws, layers, tables, training
from reports.flow.facts import Check, Facts
from results import published

CHECKS: dict[str, Check] = {
    claim: check for section in (tables, curves, layers, training, laws) for claim, check in section.CHECKS.items()
}
"""By claim, as in results/published/claims.csv."""


def evaluate(facts: Facts) -> tuple[Evaluated, ...]:
    """All claims in the order of the paper, core claims first."""
    return evaluated(
        published.claims(SUITE),
        lambda claim: CHECKS[claim.claim_id](facts, claim),
        comparable=facts.evidence.profile.comparable,
    )
