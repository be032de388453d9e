"""The page of the second paper's claims."""

from reports.claims import page as shared
from reports.weights import words
from reports.weights.claims.evaluation import evaluate
from reports.weights.claims.facts import clean
from reports.weights.claims.lacking import lacking
from reports.weights.claims.notes import RULES, notes
from reports.weights.evidence import Evidence


def page(evidence: Evidence) -> str | None:
    """How many claims hold, each with what was measured; None where the profile has no cell of this suite."""
    if evidence.profile.weights is None:
        return None
    evidence, left_out = clean(evidence)
    frame = shared.Frame(
        title="Pruning at initialisation: claims",
        opening="What Frankle, Dziugaite, Roy and Carbin (2021) say, evaluated on the records of this profile.",
        standing=tuple(words.standing(evidence.profile)),
        notes=tuple(notes(evidence, left_out)),
        rules=RULES,
        lacking=lambda absent: lacking(absent, evidence),
        demonstration=not evidence.profile.shows_published,
    )
    return shared.page(frame, evaluate(evidence))
