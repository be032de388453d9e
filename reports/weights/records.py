"""The pages of records: every cell of a network, with best and last accuracy, what its masks do, and its records."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bench.cell import BASE, Cell
from bench.suites.missing_the_mark import ABLATIONS, Network
from reports.markdown import grid, link, number
from reports.tables import Linker, state
from reports.views import Run, Sample
from reports.weights import words
from reports.weights.claims.facts import called
from reports.weights.claims.neurons import share
from reports.weights.evidence import Evidence, best_accuracy
from reports.weights.places import anchor
from results.record import Record

_ACCURACY = ["last epoch", "best epoch"]
_MASKS = ["neurons without input (%)", "effective weights"]


def networks(evidence: Evidence) -> list[Network]:
    """Those that have records, in the order of the profile."""
    there = {(cell.model, cell.dataset) for cell in evidence.records}
    return [each for each in words.networks(evidence.profile) if (each.model, each.dataset) in there]


def title(network: Network) -> str:
    """Of the page of a network."""
    return f"Pruning at initialisation: records of {words.title(network)}"


def page(evidence: Evidence, network: Network, link_to: Linker) -> str:
    """The page of ``network``; ``link_to`` leads from a page to a record."""
    cells = [cell for cell in evidence.records if (cell.model, cell.dataset) == (network.model, network.dataset)]
    trained = words.networks(evidence.profile)[network].epochs > 0
    head = ["cell", "pruned", *(_ACCURACY if trained else []), *_MASKS, "records"]
    rows = (_row(evidence, cell, link_to, trained=trained) for cell in sorted(cells, key=_order))
    said = "Mean ± standard deviation (seeds); `s0` leads to the record of seed 0."
    parts = (
        f"# {title(network)}",
        f"{_EPOCHS} {said}" if trained else said,
        *words.standing(evidence.profile),
        grid(head, rows),
    )
    return "\n\n".join(parts) + "\n"


_EPOCHS = (
    "Test accuracy in percent after the last epoch, which is the paper's and that of all other pages; beside it that "
    "of the best epoch, which is chosen on the test set and so is optimistic."
)


def _order(cell: Cell) -> tuple[Any, ...]:
    unpruned, late = cell.score == BASE, isinstance(cell.at, str)
    when = (late, 0 if late else cell.at, cell.rewind or -1)
    return not unpruned, cell.score, cell.rounds, when, cell.amount, list(ABLATIONS).index(cell.ablation)


def _row(evidence: Evidence, cell: Cell, link_to: Linker, *, trained: bool) -> list[str]:
    accuracies = (evidence.accuracy(cell), evidence.values(cell, best_accuracy)) if trained else ()
    masks = [record for record in evidence.seeds(cell).values() if record.mask is not None]
    facts = (map(share, masks), (float(record.mask.effective_weights) for record in masks if record.mask))
    return [
        f'<a id="{anchor(cell)}"></a>{called(cell)}',
        "" if cell.amount is None else f"{100 * float(cell.amount):.1f} %",
        *(number(Sample(tuple(values.values()))) for values in accuracies),
        *(number(Sample(tuple(values))) for values in facts),
        " ".join(runs(evidence, cell, link_to, anchors=True)),
    ]


def runs(evidence: Evidence, cell: Cell, link_to: Linker, *, anchors: bool = False) -> Iterator[str]:
    """The seeds of ``cell``, each with a link to its record, and what became of it where that is not an accuracy."""
    for seed, record in sorted(evidence.seeds(cell).items()):
        shown = _run(replace(cell, seed=seed), record, link_to, anchors=anchors)
        yield link(shown) + ("" if shown.state == "done" else f" {shown.status}")


def _run(cell: Cell, record: Record, link_to: Linker, *, anchors: bool) -> Run:
    return Run(cell.seed, state(record), record.status, link_to(record), cell.id if anchors else None)
