"""The second suite's part of the README's generated block."""

from collections.abc import Iterator

from bench.cell import Cell, level_amount
from bench.profiles import Profile
from bench.suites.missing_the_mark import AFTER, EARLY, ITERATIVE_SNIP, LTR, RANDOM, SUITE, Method, Network, base
from reports.markdown import BREAK, grid, number
from reports.views import Sample
from reports.weights import words
from reports.weights.claims.facts import Facts, clean, percent
from reports.weights.data import other_data
from reports.weights.evidence import Evidence
from reports.weights.overview import missing_command
from reports.weights.places import address
from reports.weights.tables.of_masks import neuron_table

_METHODS = (RANDOM, *EARLY, ITERATIVE_SNIP, AFTER, LTR)


def section(evidence: Evidence, folder: str) -> str:
    """Accuracies of the unmodified methods by network and sparsity, or what the masks say; empty without records."""
    if not evidence.records:
        return ""
    profile = evidence.profile
    trained = [network for network, protocol in words.networks(profile).items() if protocol.epochs]
    parts = [_title(profile, bool(trained)), *words.standing(profile)]
    parts += [_accuracies(evidence, network) for network in trained if _any(evidence, network)]
    parts += [] if trained else _masks(evidence)
    text = "\n\n".join([*parts, *_missing(evidence)])
    return text.replace(f"]({SUITE}", f"]({folder}/{profile.name}/{SUITE}")  # links are as from the report


def _title(profile: Profile, trained: bool) -> str:
    name = f"**[{profile.name}, second suite]({SUITE}.md)**"
    what = "Test accuracy in percent, last epoch" if trained else "What masks at initialisation do"
    return f"{name}: {what}; mean ± standard deviation (seeds)."


def _accuracies(evidence: Evidence, network: Network) -> str:
    head = [f"{words.title(network)}: percent pruned", "0", *(percent(level) for level in network.levels)]
    dense = _said(evidence, base(network, 0))
    rows = [
        [_label(method), dense, *(_said(evidence, method.cell(network, level_amount(k), 0)) for k in network.levels)]
        for method in (*_METHODS, *evidence.own_methods)
        if any(evidence.seeds(method.cell(network, level_amount(k), 0)) for k in network.levels)
    ]
    return grid(head, rows or [["unpruned", dense, *[""] * len(network.levels)]])


def _label(method: Method) -> str:
    return method.label if method in _METHODS else f"{method.label}{BREAK}*not in the paper*"


def _any(evidence: Evidence, network: Network) -> bool:
    return any((cell.model, cell.dataset) == (network.model, network.dataset) for cell in evidence.records)


def _said(evidence: Evidence, cell: Cell) -> str:
    shown = number(Sample(tuple(evidence.accuracy(cell).values())))
    return f"[{shown}]({address(cell)})" if shown else "missing"


def _masks(evidence: Evidence) -> Iterator[str]:
    table = neuron_table(Facts(clean(evidence)[0]))
    if table.entries:
        yield f"{table.caption}:\n\n{grid(table.head, table.rows)}"
        yield from other_data(evidence)


def _missing(evidence: Evidence) -> Iterator[str]:
    if absent := evidence.missing():
        yield f"{len(absent):,} cells of it are missing: `{missing_command(evidence.profile)}` runs them."
