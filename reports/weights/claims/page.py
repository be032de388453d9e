"""The page of the second paper's claims."""

from collections.abc import Sequence

from bench.suites.missing_the_mark import SUITE
from reports.claims import page as shared
from reports.weights import words
from reports.weights.claims.evaluation import evaluate
from reports.weights.claims.facts import clean
from reports.weights.claims.lacking import lacking
from reports.weights.claims.notes import RULES, notes
from reports.weights.elsewhere import decided
from reports.weights.evidence import Evidence


def page(evidence: Evidence, beside: Sequence[Evidence] = ()) -> str | None:
    """How many claims hold, each with what was measured; None where the profile has no cell of this suite.

    ``beside`` are the records of other profiles, which may decide what these leave open.
    """
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
        elsewhere=decided([(each.profile, evaluate(each)) for each in beside], f"{SUITE}_claims"),
    )
    return shared.page(frame, evaluate(evidence))
