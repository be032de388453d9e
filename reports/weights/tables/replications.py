"""Tables 2, 3, 5 and 7: accuracies that other papers report, that this one replicates, and ours."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from bench.suites.missing_the_mark import GRASP, SNIP, SUITE, TRAININGS, Method, Network, base
from reports.weights.claims.facts import Facts
from reports.weights.claims.printed import NAMES
from reports.weights.tables.entries import ACCURACY, CHANGE, Entry, accuracy, change
from reports.weights.tables.layout import NOTED, Table, here
from results import published
from results.published import PublishedNumber

_TABLES = {
    "Table 2": ("SNIP as Lee et al. (2019) report it, as the paper replicates it, and here", SNIP),
    "Table 3": ("SNIP as Wang et al. (2020) report it, as the paper replicates it, and here", SNIP),
    "Table 5": ("GraSP as Wang et al. (2020) report it, as the paper replicates it, and here", GRASP),
}
_HEAD = (
    *("Name", "Unpruned, reported", "Unpruned, paper", "Unpruned, here", "Sparsity"),
    *("Pruned, reported", "Pruned, paper", "Pruned, here", "Change, here"),
)
_DATASETS = {"CIFAR-10": "cifar10", "TinyImageNet": "tiny_imagenet", "ImageNet": "imagenet"}


def replications(facts: Facts) -> Iterator[Table]:
    """Tables 2, 3 and 5."""
    for name, (caption, method) in _TABLES.items():
        numbers = published.numbers(SUITE, name)
        found = [
            _network(facts, _Printed(tuple(number for number in numbers if number.model == model)), method)
            for model in dict.fromkeys(number.model for number in numbers)
        ]
        rows = [row for lines, _ in found for row in lines]
        remarks = [(number.note, _where(number)) for number in numbers if number.note]
        yield Table(name, caption, _HEAD, rows, [entry for _, shown in found for entry in shown], remarks)


def _where(number: PublishedNumber) -> str:
    """``ResNet-50 80% reported change``."""
    pruned = "unpruned" if number.amount is None else f"{number.amount * 100:.0f}%"
    whose = "reported" if number.reported_by == "reported" else "paper"
    return " ".join([number.model, pruned, whose, *(["change"] if number.metric == CHANGE else [])])


@dataclass(frozen=True)
class _Printed:
    """The numbers of one network in a replication table."""

    numbers: tuple[PublishedNumber, ...]

    @property
    def model(self) -> str:
        return self.numbers[0].model

    @property
    def amounts(self) -> list[Decimal]:
        return list(dict.fromkeys(number.amount for number in self.numbers if number.amount is not None))

    def find(self, amount: Decimal | None, metric: str, whose: str = "ours") -> PublishedNumber | None:
        wanted = (amount, metric, whose)
        found = (each for each in self.numbers if (each.amount, each.metric, each.reported_by) == wanted)
        return next(found, None)

    def texts(self, amount: Decimal | None) -> list[str]:
        """As reported, and the paper's own, with the change in parentheses."""
        return [self._text(amount, whose) for whose in ("reported", "ours")]

    def _text(self, amount: Decimal | None, whose: str) -> str:
        value, difference = (self.find(amount, metric, whose) for metric in (ACCURACY, CHANGE))
        if value is None:
            return ""
        return f"{_marked(value)} ({_marked(difference)})" if difference else _marked(value)


def _marked(number: PublishedNumber) -> str:
    text = "diverged" if number.value_text == "nan" else number.value_text
    return f"{text}{NOTED if number.note else ''}"


def _network(facts: Facts, printed: _Printed, method: Method) -> tuple[list[list[str]], list[Entry]]:
    """The rows of one network, a sparsity each; what is said of the unpruned one stands in the first."""
    network = _trained(facts, printed.numbers[0])
    dense = _dense(facts, network, printed) if network else None
    first = [printed.model, *printed.texts(None), here(dense)]
    rows, shown = [], [dense] if dense else []
    for amount in printed.amounts:
        pruned = _pruned(facts, network, method, amount, printed) if network else []
        shown += pruned
        said = [here(entry) for entry in pruned] or [here(None)] * 2
        rows.append([*first, f"{amount * 100:.0f}%", *printed.texts(amount), *said])
        first = [""] * len(first)
    return rows, shown


def _dense(facts: Facts, network: Network, printed: _Printed) -> Entry:
    return accuracy(facts, base(network, 0), f"{printed.model}, unpruned", printed.find(None, ACCURACY))


def _pruned(facts: Facts, network: Network, method: Method, amount: Decimal, printed: _Printed) -> list[Entry]:
    cell, where = method.cell(network, amount, 0), f"{printed.model}, {amount * 100:.0f}%"
    return [
        accuracy(facts, cell, where, printed.find(amount, ACCURACY)),
        change(facts, cell, f"{where}, change", printed.find(amount, CHANGE)),
    ]


def _trained(facts: Facts, number: PublishedNumber) -> Network | None:
    """The profile's network on the data of a printed number, if it trains one."""
    model, dataset = NAMES[number.model], _DATASETS[number.dataset]
    network = facts.network(Network(model=model, dataset=dataset))
    return network if network and network.dataset == dataset and facts.trained(network) else None


def unpruned(facts: Facts) -> Table:
    """Table 7, in which a network has a row for each way of training it."""
    numbers = published.numbers(SUITE, "Table 7")
    reported = {(each.model, each.dataset): each.value_text for each in numbers if each.reported_by == "reported"}
    rows: list[list[str]] = []
    shown: list[Entry] = []
    for number in (each for each in numbers if each.reported_by == "ours"):
        place, entry = (number.model, number.dataset), _as_trained(facts, number)
        shown += [entry] if entry else []
        quoted = f"~{reported.pop(place)}" if place in reported else ""
        rows.append([*place, quoted, number.value_text, here(entry), number.note])
    head = ["Network", "Dataset", "Reported", "Replicated, paper", "Here", "Notes"]
    caption = "Unpruned networks as Tanaka et al. (2020) report them, as the paper replicates them, and here"
    return Table("Table 7", caption, head, rows, shown)


def _as_trained(facts: Facts, number: PublishedNumber) -> Entry | None:
    network = _trained(facts, number)
    if network is None:
        return None
    training, noted = next((each for each in TRAININGS.items() if each[1] in number.note), ("none", ""))
    where = ", ".join(part for part in (number.model, number.dataset, noted) if part)
    return accuracy(facts, base(network, 0, training), where, number)
