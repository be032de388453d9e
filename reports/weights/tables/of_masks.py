"""The percentages of pruned neurons in section 5, and the table of appendix M."""

from bench.suites.missing_the_mark import EARLY, GRASP, MAGNITUDE, SNIP, SYNFLOW, Network
from reports.markdown import BREAK
from reports.weights import words
from reports.weights.claims.at_initialisation import MAIN
from reports.weights.claims.facts import Facts, percent, place
from reports.weights.claims.levels import highest, sparsest
from reports.weights.claims.neurons import SHUFFLED, is_bound
from reports.weights.claims.printed import of_masks
from reports.weights.data import swapped
from reports.weights.tables.entries import NEURONS, RATIO, Entry, neurons, ratio
from reports.weights.tables.layout import Table, here

_COLUMNS = (SYNFLOW, SNIP, GRASP, MAGNITUDE, SHUFFLED)


def neuron_table(facts: Facts) -> Table:
    """Section 5: a row for each network, a column for each method."""
    rows: list[list[str]] = []
    shown: list[Entry] = []
    for like in MAIN:
        network, where = facts.network(like), place(like, highest(like))
        row = [f"{_name(facts, like)}, {percent(highest(like))}"]
        for method in _COLUMNS:
            number = of_masks(NEURONS)[like.model, method.score, method.ablation, highest(like)]
            entry = neurons(facts, network, method, f"{where}, {method.label}", number) if network else None
            shown += [entry] if entry else []
            row.append(here(entry, f"{'< ' if is_bound(number) else ''}{number.value_text}"))
        rows.append(row)
    caption = "Percent of neurons that have no weight into them left, at the highest matching sparsity"
    return Table("Section 5", caption, ["Network", *(method.label for method in _COLUMNS)], rows, shown)


def _name(facts: Facts, like: Network) -> str:
    """Of a network, with its data where they are not the paper's."""
    network = facts.network(like)
    return words.title(network) if network and swapped(network) else words.model(like)


def ratio_table(facts: Facts) -> Table:
    """Appendix M: a row for each network and method, a column for each of two sparsities."""
    rows: list[list[str]] = []
    shown: list[Entry] = []
    for like in MAIN:
        network, first = facts.network(like), _name(facts, like)
        for method in EARLY:
            row = [first, method.label]
            for level in (highest(like), sparsest(like)):
                number = of_masks(RATIO)[like.model, method.score, "shuffle", level]
                where = f"{place(like, level)}, {method.label}"
                entry = ratio(facts, network, method, level, where, number) if network else None
                shown += [entry] if entry else []
                row.append(f"{percent(level)}{BREAK}{here(entry, number.value_text)}")
            rows.append(row)
            first = ""
    head = ["Network", "Pruning method", "Highest matching sparsity", "Highest sparsity considered"]
    caption = "Effective parameters of the mask shuffled within layers over those of the unmodified mask"
    return Table("Appendix M", caption, head, rows, shown)
