"""What the claims are evaluated on: a profile's networks, and samples of what its runs measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

from bench.cell import BASE, Cell, level_amount
from bench.suites import missing_the_mark as suite
from bench.suites.missing_the_mark import Method, Network
from bench.versions import is_own
from reports.claims.estimates import Sample, contrast
from reports.claims.finding import Absent, Comparison, Tested, committed
from reports.claims.relations import Relation
from reports.claims.samples import together
from reports.weights import words
from reports.weights.evidence import Evidence
from reports.weights.places import address
from reports.weights.ranges import open_cells, reach
from results.record import Record

Group = tuple[str, str, Decimal | None]


@dataclass(frozen=True)
class Facts:
    """The runs of a profile, without those that were made by source that is not committed (see :func:`clean`)."""

    evidence: Evidence

    def network(self, like: Network) -> Network | None:
        """The profile's network of the same model, on whatever data; None where it has none."""
        return words.own(self.evidence.profile, like)

    def trained(self, network: Network) -> bool:
        """Whether the profile trains the network, so that there are accuracies."""
        return words.networks(self.evidence.profile)[network].epochs > 0

    def trivial(self, network: Network) -> int | Absent:
        """The highest level at which random pruning keeps full accuracy, 0 where it does so at none.

        Absent where that is open, with the cells that decide it.
        """
        found = reach(self.evidence, network, suite.RANDOM)
        if found is not None:
            return found.level
        undecided = tuple(open_cells(self.evidence, network, suite.RANDOM))
        return Absent(f"{words.model(network)}, which sparsities are trivial", undecided)

    def sample(self, cell: Cell) -> Sample | None:
        """Accuracies of ``cell``; None where fewer than two runs have one, or one diverged: the rest is a selection.

        The cells of one network at one sparsity vary alike.
        """
        group = _group(cell)
        if group not in self._samples:
            alike = {each: self.evidence.accuracy(each) for each in self._groups.get(group, ())}
            self._samples[group] = together(alike, called)
        return None if self.evidence.diverged(cell) else self._samples[group].get(cell)

    def compare(self, what: str, terms: Sequence[tuple[float, Cell]], relation: Relation) -> Tested:
        """The sum of factor times mean accuracy of cells.

        An unpruned network is taken to vary like the cells that it is compared with.
        """
        cells = [cell for _, cell in terms]
        samples = [self.sample(cell) for cell in cells]
        if None in samples:
            return Absent(what, tuple(cell for cell, found in zip(cells, samples, strict=True) if found is None))
        pruned = [found.spread for found in samples if found and found.label != BASE]
        alike = [
            replace(found, spread=pruned[0]) if found.label == BASE and pruned else found for found in samples if found
        ]
        return Comparison(
            what=what,
            sides=tuple(dict.fromkeys(map(said, cells, alike))),
            estimate=contrast([(factor, sample) for (factor, _), sample in zip(terms, alike, strict=True)]),
            relation=relation,
        )

    def pair(self, network: Network, level: int, first: Method, second: Method, relation: Relation) -> Tested:
        """Accuracy of the first method minus that of the second."""
        amount = level_amount(level)
        terms = [(1.0, first.cell(network, amount, 0)), (-1.0, second.cell(network, amount, 0))]
        return self.compare(place(network, level), terms, relation)

    def masks(self, cell: Cell, value: Callable[[Record], float]) -> dict[int, float]:
        """``value`` of every run of ``cell`` that has a mask, by seed; also of runs that diverged afterwards."""
        records = sorted(self.evidence.seeds(cell).items())
        return {seed: value(record) for seed, record in records if record.mask is not None}

    @cached_property
    def _samples(self) -> dict[Group, dict[Cell, Sample]]:
        """Those that were asked for."""
        return {}

    @cached_property
    def _groups(self) -> dict[Group, list[Cell]]:
        """Those of the paper's methods: a score of the user's own may vary otherwise."""
        groups: dict[Group, list[Cell]] = {}
        for cell in (cell for cell in self.evidence.records if not is_own(cell)):
            groups.setdefault(_group(cell), []).append(cell)
        return groups


def clean(evidence: Evidence) -> tuple[Evidence, int]:
    """``evidence`` without runs made by source that is not committed, and how many those are."""
    kept, left_out = committed(evidence.records)
    return replace(evidence, records=kept), left_out


def place(network: Network, level: int) -> str:
    """``ResNet-20, 73.8 %``."""
    return f"{words.model(network)}, {percent(level)}"


def percent(level: int) -> str:
    """``73.8 %`` of the weights are pruned at a level; ``0 %`` at level 0."""
    return f"{100 * float(level_amount(level)):.1f} %" if level else "0 %"


def called(cell: Cell) -> str:
    """``snip-k6-shuffle``: the id without suite, network and seed."""
    return cell.id.split("-", 3)[3].rpartition("-")[0]


def linked(cell: Cell) -> str:
    """What a cell is called, with a link to its records."""
    return f"[{called(cell)}]({address(cell)})"


def said(cell: Cell, sample: Sample, digits: int = 2) -> str:
    """``snip-k6 92.05 ± 0.12 (3)``, the name with a link to the records."""
    return f"{linked(cell)} {sample.numbers(digits)}"


def _group(cell: Cell) -> Group:
    return cell.model, cell.dataset, cell.amount
