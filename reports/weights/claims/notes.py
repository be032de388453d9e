"""What a reader of the claims has to know: the rules, and what about the profile is not as in the paper."""

from collections.abc import Iterator

from bench.suites.missing_the_mark import AFTER
from reports.claims.relations import RESOLUTION
from reports.weights import words
from reports.weights.claims.at_initialisation import ALIKE
from reports.weights.claims.facts import percent
from reports.weights.claims.first_point import NEARLY_HALF
from reports.weights.claims.later import SLIGHT
from reports.weights.claims.levels import highest
from reports.weights.claims.shortcuts import ENTIRELY, SIMILAR
from reports.weights.data import other_data
from reports.weights.evidence import Evidence
from reports.weights.ranges import TOLERANCE, reach, up_to

_RULES = (
    "## How outcomes come about",
    "Accuracies are those after the last epoch, in points, and means over seeds. A claim is "
    "a list of comparisons, each a number with a 95 % interval by Student's t. Its standard deviation is pooled over "
    "the profile's own cells of one network at one sparsity; a cell that varies far more than is typical of them "
    "stands for itself, and one in which nothing varies takes the others'. An unpruned network is taken to vary like "
    "what it is compared with. A mean needs two seeds, and a cell of which a run diverged is not compared.",
    "- *> a* and *< a*: shown where the interval lies above a, or below it, the contrary where it lies on the other "
    "side. *> a once*: so is the best of several, with an interval that is widened for their number.\n"
    "- *≥ a*, *≤ a* and *= a*, for no lower, no higher and within noise: the contrary where the interval lies below a, "
    "above it, or does not hold it; shown where that is not so and half of the interval is no wider than "
    f"{RESOLUTION:g} point, or {SIMILAR:g} percentage points of sparsity. That is the absence of a difference that "
    "these seeds could show, not a proof that there is none. A number without an interval, as a count, is exact.\n"
    "- *at most a*, *at least a* and *a to b*, ends included: shown by the mean, with room for the rounding of what is "
    "printed, the contrary by the interval.\n"
    "- *equal, ± a*: ours minus the printed mean, as the verdicts of the tables are given. EQUIVALENT within that "
    "margin: shown; DIFFERS, even by less: the contrary; CONSISTENT: neither.\n"
    "- *alike*: two ablated methods both gain, both lose, or neither is shown to; the contrary where one gains and the "
    "other loses.",
    "HOLDS: every comparison shows the claim, or more than half of them where it is about most cells. FAILS: more "
    "show the contrary than show it. MIXED: between. UNDECIDED: none shows either, or none can be made. Where only "
    "some can be made the outcome is that of those, and what is missing is named; a place on a grid, the best of "
    "several and the sparsities that are not trivial are not told before the runs are there that decide them. Of "
    "comparisons for no lower, no higher or within noise some fail by chance: as many as chance explains in 95 of 100 "
    "claims are let pass, if none fails with an interval that is widened for their number (Bonferroni). A place on a "
    "grid, as the sparsity up to which accuracy is full, is MIXED one step from the printed one and FAILS beyond. A "
    "bound on the largest or smallest of several numbers FAILS where one is shown to lie beyond it, and is UNDECIDED "
    "where one lies beyond and is not shown to. A claim that says several things, or one thing of several networks by "
    "name, has several parts, each judged by itself. It HOLDS where all of them do, FAILS where some fail and the "
    "others are undecided, is UNDECIDED where some are and the others hold, and else MIXED.",
    f"Ours, as the paper names no number: accuracy is full within {TOLERANCE:g} points of the unpruned network's; "
    f"sparsities of layers are similar within {SIMILAR:g} percentage points; a shortcut is pruned entirely where its "
    f"sparsity is {ENTIRELY} % to the one decimal that the paper prints, and the weights left of it are shown, while "
    "neurons are counted in those of which none is left; nearly "
    f"half of training begins at {100 * NEARLY_HALF:g} % of it; near the highest matching sparsity is one step of the "
    "grid to either side; lower and higher sparsities are the halves of the grid, the most extreme ones its last third;"
    f" methods are similar where the best is at most {ALIKE:g} point above the worst, and close where one is at most "
    f"{SLIGHT:g} point below.",
)


RULES = "\n\n".join(_RULES)
"""A section of the page."""


def notes(evidence: Evidence, left_out: int) -> Iterator[str]:
    """The paragraphs above the tables."""
    if evidence.profile.shows_published:
        yield from networks(evidence)
    if left_out:
        yield f"{left_out} runs are left out, as they were made by source that is not committed."
    if evidence.outdated:
        yield f"{evidence.outdated} records are left out: another protocol, or code that computed something else."


def networks(evidence: Evidence) -> Iterator[str]:
    """Networks whose highest matching sparsity the paper does not name, and those on other data than the paper's."""
    yield from other_data(evidence)
    if here := [network for network in words.networks(evidence.profile) if words.stands_in(network)]:
        measured = {network: up_to(network, reach(evidence, network, AFTER)) for network in here}
        said = "; ".join(
            f"{words.model(each)} {percent(highest(each))}, measured here: {end}" for each, end in measured.items()
        )
        yield f"Highest matching sparsities that stand in for such as the paper does not name: {said}."
