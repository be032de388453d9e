"""The claims of the second paper, evaluated on records.

>>> from bench import profiles
>>> from reports.weights import claims, evidence
>>> from results.registry import Registry
>>> found = evidence.gather(profiles.get("masks"), Registry().records("masks"))
>>> outcomes = {each.claim.claim_id: each.finding.outcome for each in claims.evaluate(found)}
"""

from reports.claims.finding import Evaluated
from reports.weights.claims.evaluation import evaluate
from reports.weights.claims.page import page

__all__ = ["Evaluated", "evaluate", "page"]
