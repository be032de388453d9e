"""The page of the gradient-flow paper's claims."""

from collections.abc import Iterator

from reports.claims import page as shared
from reports.evidence import Evidence
from reports.flow import curves, laws, training
from reports.flow.catalogue import evaluate
from reports.flow.facts import clean, lacking
from reports.tables import purpose_notes


def page(evidence: Evidence) -> str:
    """How many claims hold, each with what was measured."""
    evidence, left_out = clean(evidence)
    frame = shared.Frame(
        title="Gradient flow: claims",
        opening="What Lubana and Dick (2021) say, evaluated on the records of this profile.",
        standing=tuple(purpose_notes(evidence.profile)),
        notes=(f"{left_out} runs are left out, as they were made by source that is not committed.",)
        if left_out
        else (),
        rules=RULES,
        lacking=lambda absent: lacking(absent, evidence),
        demonstration=not evidence.profile.shows_published,
    )
    return shared.page(frame, evaluate(evidence))


def _notes(left_out: int) -> Iterator[str]:
    if left_out:
        yield f"{left_out} runs are left out, as they were made by source that is not committed."


RULES = "\n\n".join(
    (
        "## How outcomes come about",
        "A claim is a list of comparisons, each a number with a 95 % interval by Student's t over seeds. Its standard "
        "deviation is pooled over the runs of one network on one data set and of one class of method, as for the "
        "verdicts of the tables. A mean needs two seeds, and cells of which a run diverged are not compared. Laws are "
        "looked at in every run by itself and have no interval.",
        "HOLDS: every comparison shows the claim, or more than half of them where it is about most cells. FAILS: more "
        "show the contrary than show it. MIXED: between. UNDECIDED: none shows either, or runs are missing; where some "
        "are, the outcome is that of the others, and what is missing is named. A claim of several parts holds where "
        "all of them do and fails where none does. Of comparisons for no lower or within noise, as many may fail as "
        "chance explains in 95 of 100 claims.",
        f"Ours, as the paper names no number: a correlation is high above {training.HIGH:g}; correlations are equal "
        f"within {training.CLOSE:g}; masks are identical where they have {training.ALIKE:g} of what they prune in "
        f"common; accuracy rises alike within {curves.MARGIN:g} point; a share of parameters is met within 1 point; a "
        f"law holds where its factor is met within {100 * laws.NEAR:g} % at the smallest step, and what goes beyond a "
        f"bound falls below {laws.HALF:g} of itself as steps become a quarter. Convergence is the mean accuracy over "
        "epochs after the last round of pruning and before the learning rate drops. Moments of training are those of "
        "the figures: before it, with batch norm's statistics of training images; after a quarter of it; at its end.",
    )
)
"""A section of the page."""
