"""Every claim of the paper with its check."""

from reports.weights.claims import ablations, at_initialisation, later, other_networks, replications, shapes
from reports.weights.claims.accuracy import Check

_SECTIONS = (at_initialisation, ablations, later, shapes, other_networks, replications)

CHECKS: dict[str, Check] = {claim: check for section in _SECTIONS for claim, check in section.CHECKS.items()}
"""By claim, as in results/published/claims.csv."""
