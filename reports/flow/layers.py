"""Claims about what is pruned layer by layer, and how many parameters that is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise, product
from statistics import fmean
from typing import TypeVar

from bench.suites import gradient_flow as suite
from reports.claims.finding import Finding, Tested, judged, without_records
from reports.claims.relations import Relation, above, below, within
from reports.dynamics.layers import dataset
from reports.dynamics.moments import printed_name
from reports.evidence import Setting
from reports.flow.contrasts import DATASETS, grid
from reports.flow.facts import Check, Facts, Measure, exact, in_rounds, parts, place, readings
from results import published
from results.published import Claim
from results.record import Layer, Record

_SEVERAL = (5, 25)
PARAMETERS = 1.0
"""Percentage points within which a share printed with ~ is met (ours)."""
SLIGHT = 15.0
"""Percentage points that early layers lose more than late ones where they are only slightly favoured (ours)."""

T = TypeVar("T")


def ratio(layer: Layer) -> float:
    """Percent of its filters that are gone."""
    return 100 * (1 - layer.kept / layer.total)


def thirds(values: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """The first and the last third, without what is left over in the middle. Raises ValueError for fewer than three."""
    n = len(values) // 3
    if not n:
        raise ValueError(f"{len(values)} values have no thirds")
    return values[:n], values[-n:]


def _mean(layers: Iterable[Layer]) -> float:
    return fmean(ratio(layer) for layer in layers)


def _weighted(layers: Sequence[Layer]) -> float:
    return 100 * (1 - sum(layer.kept for layer in layers) / sum(layer.total for layer in layers))


@cache
def _of(name: str, of: Callable[[Sequence[Layer]], float]) -> Measure:
    """Of the layers that may be pruned, which the stem of ResNet-56 is not."""

    def share(record: Record) -> float | None:
        residual = any(layer.name.startswith("stages.") for layer in record.layers)
        layers = [layer for layer in record.layers if not (residual and layer.name.startswith("stem"))]
        return of(layers) if len(layers) >= 3 else None

    return Measure(name, share)


def _lead(layers: Sequence[Layer]) -> float:
    early, late = thirds(layers)
    return _mean(early) - _mean(late)


def _early(layers: Sequence[Layer]) -> float:
    return _mean(thirds(layers)[0])


def _depth(layers: Sequence[Layer]) -> float:
    early, late = thirds(layers)
    return _weighted(late) - _weighted(early)


LEAD, EARLY, DEPTH = _of("first third minus last third", _lead), _of("first third", _early), _of("depth", _depth)


@cache
def first_convolutions(block: int) -> Measure:
    """Of a block of ResNet-56, counted from 1: of the first convolutions of its modules."""
    return _of(f"first convolutions of block {block}", lambda layers: _mean(_named(layers, block, "conv1")))


@cache
def second_convolutions(block: int) -> Measure:
    """Of the second ones."""
    return _of(f"second convolutions of block {block}", lambda layers: _mean(_named(layers, block, "conv2")))


def _named(layers: Iterable[Layer], block: int, ending: str) -> list[Layer]:
    return [each for each in layers if each.name.startswith(f"stages.{block - 1}.") and each.name.endswith(ending)]


Terms = Iterable[tuple[float, str, int, Measure]]  # factor, score, rounds, measure
Wanted = Iterable[tuple[str, Terms, Relation]]


def _claim(wanted: Callable[[str], Wanted], models: Sequence[str]) -> Check:
    """Comparisons on the data set of Figures 16-20."""

    def compare(facts: Facts) -> Iterator[Tested]:
        for model in models:
            data = dataset(facts.evidence, model)
            for what, terms, relation in wanted(model):
                found = [(factor, Setting(model, data, score, n), measure) for factor, score, n, measure in terms]
                where = f"{suite.PRINTED_NAMES[model]}, {printed_name(data)}, {what}"
                yield facts.compare(where, found, relation, digits=1)

    return lambda facts, claim: judged(claim.strength, compare(facts))


def _leads(score: str, rounds: Iterable[int]) -> Wanted:
    """Early layers lose more than late ones."""
    for n in rounds:
        yield in_rounds("first minus last third", n), [(1.0, score, n, LEAD)], above()


def _early_more(score: str, than: str) -> Wanted:
    for n in _SEVERAL:
        yield in_rounds("first third", n), [(1.0, score, n, EARLY), (-1.0, than, n, EARLY)], above()


def _first_more(_model: str) -> Wanted:
    for n, block in product(_SEVERAL, (1, 2, 3)):
        terms = [(1.0, "grasp_t1", n, first_convolutions(block)), (-1.0, "grasp_t1", n, second_convolutions(block))]
        yield in_rounds(f"block {block}", n), terms, above()


def _earlier_blocks(_model: str) -> Wanted:
    for n, (block, later) in product(_SEVERAL, pairwise((1, 2, 3))):
        terms = [(1.0, "grasp_t1", n, first_convolutions(block)), (-1.0, "grasp_t1", n, first_convolutions(later))]
        yield in_rounds(f"block {block} minus {later}", n), terms, above()


def _slight(_model: str) -> Wanted:
    for score in ("grasp_t1", "grasp_t200"):
        yield from _leads(score, (1,))
        yield in_rounds("first minus last third", 1), [(1.0, score, 1, LEAD)], below(SLIGHT)
        for n in _SEVERAL:
            yield f"bias in {n} rounds minus in 1", [(1.0, score, n, LEAD), (-1.0, score, 1, LEAD)], above()


def _t200(model: str) -> Wanted:
    yield from _leads("grasp_t200", _SEVERAL if model == "resnet56" else (25,))


def _abs_avoids(_model: str) -> Wanted:
    for score in ("grasp_t1", "grasp_t200"):
        yield from _early_more(score, "abs_grasp")


def _deeper(facts: Facts, claim: Claim) -> Finding:
    places = product(grid(facts.datasets(*DATASETS)), suite.TABLE1)
    cells = [Setting(model, name, score, n) for (model, name, n), score in places]
    found = (
        facts.compare(in_rounds(place(each), each.rounds), [(1.0, each, DEPTH)], above(), digits=1) for each in cells
    )
    return judged(claim.strength, found)


def _gone(record: Record) -> float | None:
    found = record.metrics
    return None if found is None else 100 * (1 - found.params / found.params_dense)


GONE = Measure("parameters gone", _gone)

_CLASSES = {"cifar10": 10, "cifar100": 100, "digits": 10}


def as_wide_as_kept(layers: Sequence[Layer], classes: int, *, whole: bool = False) -> int:
    """Parameters of ResNet-56 if every convolution put out what it keeps and took in what the one before puts out.

    Such a network does not exist, as its stream has one width in a block, but released code counts so (PROTOCOLS A.7).
    With ``whole`` of the network before pruning.
    """
    widths = {layer.name: layer.total if whole else layer.kept for layer in layers}
    stream = widths["stem.conv"]
    number = 3 * 9 * stream + 2 * stream
    for name in (name.removesuffix(".conv1") for name in widths if name.endswith(".conv1")):
        inner, outer = widths[f"{name}.conv1"], widths[f"{name}.conv2"]
        number += 9 * stream * inner + 2 * inner + 9 * inner * outer + 2 * outer
        if (across := widths.get(f"{name}.shortcut")) is not None:
            number += stream * across + 2 * across
        stream = outer
    return number + (stream + 1) * classes


def _gone_by_width(record: Record) -> float | None:
    classes = _CLASSES.get(str(record.cell["dataset"]))
    if classes is None or not record.layers:
        return None
    left, there = (as_wide_as_kept(record.layers, classes, whole=whole) for whole in (False, True))
    return 100 * (1 - left / there)


GONE_BY_WIDTH = Measure("parameters gone, every layer as wide as what it keeps", _gone_by_width)


def _parameters(
    facts: Facts, model: str, data: str, relation: Relation, minus: float, measure: Measure = GONE
) -> Tested:
    """Percent of the parameters gone, in the mean over the cells of Tables 1 and 2, minus a number."""
    cells = [Setting(model, data, score, n) for score in (*suite.TABLE1, *suite.TABLE2) for n in suite.ROUNDS]
    here = [each for each in cells if each.rounds in facts.evidence.profile.rounds]
    terms = [(1 / len(here), each, measure) for each in here]
    return facts.compare(f"{place(cells[0])}, minus {minus:g} %", terms, relation, offset=-minus, digits=1)


def _about(model: str, data: str, measure: Measure = GONE) -> Check:
    """The printed share of parameters."""

    def check(facts: Facts, claim: Claim) -> Finding:
        (name,) = facts.datasets(data, stand_in=False)
        tested = _parameters(facts, model, name, within(PARAMETERS), claim.value or 0.0, measure)
        return judged(claim.strength, [tested])

    return check


def _share(model: str, data: str) -> Check:
    """Of ResNet-56 also as released code counts, since the paper does not say in which network it does."""
    if model != "resnet56":
        return _about(model, data)
    ways = {"of the network": GONE, "every layer as wide as what it keeps": GONE_BY_WIDTH}
    return readings({said: _about(model, data, measure) for said, measure in ways.items()})


def _exceeds(facts: Facts, claim: Claim) -> Finding:
    places = list(product(suite.MODELS, facts.datasets(*DATASETS)))
    filters = {each: 100 * float(suite.amount(*each)) for each in places}
    tested = [_parameters(facts, *each, above(), percent) for each, percent in filters.items()]
    on_print = [
        exact(
            f"{number.model}, {number.dataset}",
            f"{number.value_text} % of the parameters, {100 * number.amount:g} % of the filters",
            number.value - 100 * float(number.amount),
            above(),
            digits=0,
        )
        for number in published.numbers(suite.SUITE, "Appendix D")
        if number.amount is not None
    ]
    found = judged(claim.strength, tested)
    return replace(found, on_print=without_records(judged(claim.strength, on_print)))


CHECKS: dict[str, Check] = {
    "gf_deeper_layers_pruned_more": _deeper,
    "gf_grasp_t1_prunes_early_layers": parts(
        {
            "more than late ones": _claim(lambda _: _leads("grasp_t1", _SEVERAL), ("vgg13", "mobilenet_v1")),
            "more than |GraSP|": _claim(lambda _: _early_more("grasp_t1", "abs_grasp"), ("vgg13", "mobilenet_v1")),
        }
    ),
    "gf_grasp_prunes_layer1_of_modules": _claim(_first_more, ("resnet56",)),
    "gf_grasp_t1_earlier_blocks_more": _claim(_earlier_blocks, ("resnet56",)),
    "gf_grasp_only_slight_bias_at_init": _claim(_slight, ("resnet56",)),
    "gf_grasp_t200_prunes_early_layers": _claim(_t200, ("resnet56", "mobilenet_v1")),
    "gf_abs_grasp_avoids_early_layer_pruning": _claim(_abs_avoids, suite.MODELS),
    **{
        f"gf_params_{model.replace('_', '')}_{data}": _share(model, data)
        for model, data in product(suite.MODELS, DATASETS)
    },
    "gf_params_pct_exceeds_filters_pct": _exceeds,
}
"""By claim, as in results/published/claims.csv."""
