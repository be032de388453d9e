"""The page of the gradient-flow paper's claims."""

from collections.abc import Sequence

from reports.claims import page as shared
from reports.claims.finding import Evaluated
from reports.flow import correlated, curves, laws, layers, training
from reports.flow.facts import Facts, lacking
from reports.tables import purpose_notes


def page(facts: Facts, found: Sequence[Evaluated], left_out: int) -> str:
    """How many claims hold, each with what was measured; ``left_out`` runs came from source that is not committed."""
    evidence = facts.evidence
    frame = shared.Frame(
        title="Gradient flow: claims",
        opening="What Lubana and Dick (2021) say, evaluated on the records of this profile.",
        standing=tuple(purpose_notes(evidence.profile)),
        notes=(f"{left_out} runs are left out, as they were made by source that is not committed.",) * (left_out > 0),
        rules=RULES,
        lacking=lambda absent: lacking(absent, evidence),
        demonstration=not evidence.profile.shows_published,
    )
    return shared.page(frame, found)


RULES = "\n\n".join(
    (
        "## How outcomes come about",
        "A claim is a list of comparisons, each a number with a 95 % interval by Student's t over seeds. Its standard "
        "deviation is pooled over the runs of one network on one data set and of one class of method, as for the "
        "verdicts of the tables. A mean needs two seeds, and cells of which a run diverged are not compared. Laws are "
        "looked at in every run by itself and have no interval, but for eq. 7 at the end of a path: from what is "
        "measured at the smallest step to what a line through that and the step before, twice as large, reaches at "
        "none. Whether a correlation rises over epochs as the distance between masks falls has that of a rank "
        "correlation of as many epochs (Bonett and Wright, 2000), as if epochs were independent of each other.",
        "HOLDS: every comparison shows the claim, or more than half of them where it is about most cells. FAILS: more "
        "show the contrary than show it. MIXED: between. UNDECIDED: none shows either, or none can be made; where only "
        "some can, the outcome is that of those, and what is missing is named. A claim of several parts holds where "
        "all of them do and fails where some fail and the others are undecided. Where the paper's words can be read in "
        "several ways, as it names neither the coefficient of its correlations nor the measure of loss preservation, a "
        "claim holds where it does in one of the readings, which is named, and fails where it fails in all. Of "
        "comparisons for no lower or within noise, as many may fail as chance explains in 95 of 100 claims.",
        f"Ours, as the paper names no number: a correlation is high above {correlated.HIGH:g}, and equals a printed "
        f"one where their Fisher transforms are within {correlated.CLOSE:g}; masks are identical where more than "
        f"{100 * training.ALIKE:g} % of what they prune is pruned by both; accuracy rises alike within "
        f"{curves.MARGIN:g} point; early layers are only slightly favoured below {layers.SLIGHT:g} percentage points; "
        f"a share of parameters is met within {layers.PARAMETERS:g}; the relative error of an identity falls below "
        f"{100 * laws.NEAR:g} % as steps shrink, and what goes beyond a bound on the way below {laws.SHARE:g} of "
        "itself. *Within* takes two one-sided tests, and the contrary lies beyond the margin; "
        "*equal* is shown by the same tests, and its contrary by an interval that does not hold 0. Printed "
        "correlations are means over three seeds and are taken to vary like ours.",
        "Convergence is the mean accuracy over the epochs after the last round of pruning and before the learning rate "
        "drops. Figures 3, 13-15 and 32-38 are of three moments: before training, with batch norm's statistics of "
        "training images; after a quarter of it; at its end. Observations 4 and 5 are about what the first of five "
        "rounds prunes, in the mean over all epochs at whose end a network was measured. Early gradients are those "
        "before training, with statistics of images, and in its first quarter, later ones those after the first drop; "
        "of ResNet-56 block by block. Early and late layers are the first and the last third, without the stem of "
        "ResNet-56, which is never pruned. Scores that a profile does not run by itself, as magnitude_l1, run with "
        "`--score`.",
    )
)
"""A section of the page."""
