"""How theta . g and theta . Hg go together, in numbers: what the figures show, beside what the paper prints in them."""

from collections.abc import Iterator

from bench.suites import gradient_flow as suite
from reports.dynamics.moments import (
    IN_TRAINING,
    PRODUCTS,
    Scatter,
    done,
    over_seeds,
    paper,
    printed_name,
    scatters,
    shown_epochs,
    when,
)
from reports.dynamics.reading import pearson, spearman
from reports.evidence import Evidence
from reports.markdown import grid

_SAID = (
    "Correlation of θ·g with θ·Hg over all filters, or over all weights of the prunable layers, of the loss at "
    "temperature 1, which figures and claims are of, and at that of training: mean ± deviation over seeds, and "
    "their number. The figures show one seed. The paper names neither coefficient nor temperature."
)


def table(evidence: Evidence) -> str:
    """A section of the page; empty where nothing has been measured."""
    rows = list(_rows(evidence))
    shown = evidence.profile.shows_published
    training = f"at {evidence.profile.protocol.temperature:g}"
    numbers = ["Pearson", "Spearman", f"Pearson {training}", f"Spearman {training}"]
    head = ["figure", "network", "of", "moment", *numbers, *(["the paper's panel"] if shown else [])]
    return f"## Correlations of θ·g with θ·Hg\n\n{_SAID}\n\n{grid(head, rows)}" if rows else ""


def _rows(evidence: Evidence) -> Iterator[list[str]]:
    for alike in _groups(evidence):
        first = alike[0]
        records = list(done(evidence, first.model, first.data).values())
        network = f"{suite.PRINTED_NAMES[first.model]}, {printed_name(first.data)}"
        for place, moment in enumerate(records[0].dynamics if records else ()):
            if moment.epoch in shown_epochs(evidence):
                seeds = [record.dynamics[place] for record in records]
                pairs = [f"{first.kind}: {PRODUCTS}{behind}" for behind in ("", IN_TRAINING)]
                found = [over_seeds(of(pair), seeds) for pair in pairs for of in (pearson, spearman)]
                printed = [paper(evidence, first.number, moment)] if evidence.profile.shows_published else []
                numbers = ", ".join(str(each.number) for each in alike)
                yield [numbers, network, first.kind, when(moment), *found, *printed]


def _groups(evidence: Evidence) -> list[list[Scatter]]:
    """Figures of the same runs together: 3 and 15, and whatever runs of a demonstration stand in for."""
    found: dict[tuple[str, str, str], list[Scatter]] = {}
    for each in sorted(scatters(evidence), key=lambda each: each.number):
        found.setdefault((each.model, each.data, each.kind), []).append(each)
    return list(found.values())
