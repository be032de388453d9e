"""The pages of claims and of theory."""

from reports.dynamics.moments import Arrays
from reports.evidence import Evidence
from reports.flow import page as claims
from reports.flow import theory
from reports.flow.catalogue import evaluate
from reports.flow.facts import Facts, clean

TITLES = {"claims": "Claims of the paper", "theory": theory.TITLE}


def pages(evidence: Evidence, arrays: Arrays) -> dict[str, str]:
    """The Markdown of both by name; ``arrays`` reads the vectors of a record.

    Runs made by source that is not committed are left out.
    """
    kept, left_out = clean(evidence)
    facts = Facts(kept)
    found = evaluate(facts)
    return {"claims": claims.page(facts, found, left_out), "theory": theory.page(facts, found, arrays)}
