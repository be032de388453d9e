"""The page of tables."""

from collections.abc import Iterator, Sequence

from bench.suites.missing_the_mark import SUITE
from reports.markdown import remarks
from reports.weights import elsewhere, words
from reports.weights.claims.facts import Facts, clean
from reports.weights.data import other_data
from reports.weights.evidence import Evidence
from reports.weights.tables.entries import NEURONS, RATIO
from reports.weights.tables.layout import NOTED, Table
from reports.weights.tables.of_masks import neuron_table, ratio_table
from reports.weights.tables.replications import replications, unpruned
from reports.weights.tables.verdicts import in_full, summary


def page(evidence: Evidence, beside: Sequence[Evidence] = ()) -> str | None:
    """The page; None where the profile runs nothing that these tables show, or must not stand beside the paper.

    ``beside`` are the records of other profiles, which may have masks that are missing here.
    """
    if not evidence.profile.shows_published:
        return None
    evidence, left_out = clean(evidence)
    found = tables(Facts(evidence))
    shown = [table for table in found if table.entries]
    if not shown:
        return None
    absent = ", ".join(table.name for table in found if not table.entries)
    parts = (
        "# Pruning at initialisation: tables",
        "Mean ± standard deviation (seeds); accuracies in percent, after the last epoch.",
        *words.standing(evidence.profile),
        summary(shown),
        *other_data(evidence),
        f"{left_out} runs are left out, as they were made by source that is not committed." if left_out else "",
        *(part for table in shown for part in (table.text, *_masks(table, evidence, beside))),
        f"Profile {evidence.profile.name} has nothing to show of {absent}." if absent else "",
        remarks(((said, f"{table.name} {place}") for table in shown for said, place in table.remarks), NOTED),
        in_full(shown),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _masks(table: Table, evidence: Evidence, beside: Sequence[Evidence]) -> Iterator[str]:
    cells = (cell for entry in table.entries if entry.metric in (NEURONS, RATIO) for cell in entry.cells)
    return elsewhere.masks(evidence, cells, beside, f"{SUITE}_tables")


def tables(facts: Facts) -> list[Table]:
    """Tables 2, 3, 5 and 7, the percentages of section 5 and the table of appendix M."""
    return [*replications(facts), unpruned(facts), neuron_table(facts), ratio_table(facts)]
