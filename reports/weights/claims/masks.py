"""Comparing what masks do, at the highest matching sparsity unless it is said otherwise."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bench.cell import Cell, level_amount
from bench.suites.missing_the_mark import Method, Network
from reports.claims.estimates import Sample, contrast
from reports.claims.finding import Absent, Comparison, Tested
from reports.claims.relations import Relation
from reports.claims.samples import together
from reports.weights.claims.accuracy import Compare, Couple
from reports.weights.claims.facts import Facts, called, place, said
from reports.weights.claims.levels import highest
from results.record import Record

Quantity = Callable[[Record], float]


def cell_of(method: Method, network: Network, level: int | None = None) -> Cell:
    """``method`` at a level, without seed."""
    return method.cell(network, level_amount(level or highest(network)), 0)


def samples(facts: Facts, cells: Iterable[Cell], quantity: Quantity) -> dict[str, Sample]:
    """``quantity`` of every run with a mask, by the name of the cell; cells share a spread where they vary alike."""
    return together({called(cell): facts.masks(cell, quantity) for cell in cells})


def single(
    what: str, cell: Cell, found: Mapping[str, Sample], relation: Relation, *, digits: int = 1, note: str = ""
) -> Tested:
    """The mean of one sample."""
    sample = found.get(called(cell))
    if sample is None:
        return Absent(what, (cell,))
    sides = tuple(filter(None, (note, said(cell, sample, digits))))
    return Comparison(what=what, sides=sides, estimate=contrast([(1.0, sample)]), relation=relation, digits=digits)


def compared(what: str, cells: Sequence[Cell], found: Mapping[str, Sample], relation: Relation) -> Tested:
    """The sample of the first of two cells minus that of the second."""
    both = [found.get(called(cell)) for cell in cells]
    if lacking := tuple(cell for cell, sample in zip(cells, both, strict=True) if sample is None):
        return Absent(what, lacking)
    made = [sample for sample in both if sample]
    return Comparison(
        what=what,
        sides=tuple(said(cell, sample, 1) for cell, sample in zip(cells, made, strict=True)),
        estimate=contrast(list(zip((1.0, -1.0), made, strict=True))),
        relation=relation,
        digits=1,
    )


def each_of(methods: Sequence[Method], quantity: Quantity, relation: Relation) -> Compare:
    """``quantity`` of every method."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        cells = [cell_of(method, network) for method in methods]
        found = samples(facts, cells, quantity)
        yield from (single(place(network, highest(network)), cell, found, relation) for cell in cells)

    return compare


def between_methods(
    methods: Sequence[Method], couples: Sequence[Couple], quantity: Quantity, relation: Relation
) -> Compare:
    """``quantity`` of the first of each couple minus that of the second; ``methods`` share a spread."""

    def compare(facts: Facts, network: Network) -> Iterator[Tested]:
        found = samples(facts, [cell_of(method, network) for method in methods], quantity)
        for couple in couples:
            cells = [cell_of(method, network) for method in couple]
            yield compared(place(network, highest(network)), cells, found, relation)

    return compare
