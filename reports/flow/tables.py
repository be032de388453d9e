"""Claims about Tables 1-3."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product
from statistics import stdev

from scipy.stats import chi2

from bench.suites import gradient_flow as suite
from reports.claims.estimates import Interval
from reports.claims.finding import Absent, Comparison, Finding, Tested, judged
from reports.claims.relations import Relation, above, at_most, below, equal, not_below, same, within
from reports.evidence import Setting
from reports.flow.contrasts import Claimed, Contrast, accuracies, best, difference, grid, worst
from reports.flow.facts import Check, Facts, in_rounds, place
from reports.verdicts import ALPHA, MARGINS, Spread
from results.published import Claim

_MARGIN = MARGINS["test_accuracy_pct"]
_HUNDRED = ("cifar100",)
_SEVERAL = (5, 25)
_CLASSES = {"cifar10": 10, "cifar100": 100, "digits": 10}


def beats(
    first: str,
    second: str,
    relation: Relation | None = None,
    *,
    rounds: Iterable[int] = suite.ROUNDS,
    models: Iterable[str] = suite.MODELS,
) -> Claimed:
    """Accuracy of one score minus that of another, cell by cell."""
    rounds, models = tuple(rounds), tuple(models)

    def contrasts(data: Sequence[str]) -> Iterator[Contrast]:
        for model, name, n in grid(data, rounds, models):
            one, other = (Setting(model, name, score, n) for score in (first, second))
            yield difference(one, other, relation or above())

    return contrasts


def _mean_gap(first: str, second: str) -> Claimed:
    def contrasts(data: Sequence[str]) -> Iterator[Contrast]:
        places = list(grid(data))
        terms = [
            (sign / len(places), Setting(model, name, score, n))
            for model, name, n in places
            for score, sign in ((first, 1.0), (second, -1.0))
        ]
        yield Contrast(f"mean over {len(places)} cells", terms, above())

    return contrasts


def _falls(*scores: str, models: Iterable[str] = suite.MODELS, least: float | None = None) -> Claimed:
    """Accuracy falls from 1 to 5 and from 5 to 25 rounds, and from 1 to 25 by more than so much."""
    models = tuple(models)

    def contrasts(data: Sequence[str]) -> Iterator[Contrast]:
        for model, name, score in product(models, data, scores):
            cells = [Setting(model, name, score, n) for n in suite.ROUNDS]
            for fewer, more in pairwise(cells):
                what = f"{place(fewer)}, {fewer.rounds} and {more.rounds} rounds"
                yield difference(fewer, more, above(), what)
            if least is not None:
                first, *_, last = cells
                what = f"{place(first)}, {first.rounds} and {last.rounds} rounds"
                yield difference(first, last, above(least), what)

    return contrasts


def _abs_grasp_best(data: Sequence[str]) -> Iterator[Contrast]:
    for model, name, n in grid(data):
        others = best(*(Setting(model, name, score, n) for score in ("grasp_t200", "grasp_t1")))
        yield difference(Setting(model, name, "abs_grasp", n), others, above())


def _stable(data: Sequence[str]) -> Iterator[Contrast]:
    for model, name in product(suite.MODELS, data):
        cells = [Setting(model, name, "abs_grasp", n) for n in suite.ROUNDS]
        what = f"{place(cells[0])}, most minus least accurate"
        yield Contrast(what, [(1.0, best(*cells)), (-1.0, worst(*cells))], below(1.1))


def _random_worse(data: Sequence[str]) -> Iterator[Contrast]:
    for model, name, n in grid(data):
        standard = worst(*(Setting(model, name, score, n) for score in (*suite.TABLE1, "abs_grasp")))
        blind = best(*(Setting(model, name, score, n) for score in suite.TABLE3_ONLY))
        yield difference(standard, blind, above())


def _no_penalty(data: Sequence[str]) -> Iterator[Contrast]:
    for model, name, score in product(("vgg13", "mobilenet_v1"), data, suite.TABLE3_ONLY):
        few, many = (Setting(model, name, score, n) for n in (1, 25))
        yield difference(many, few, not_below(), f"{place(few)}, 25 and 1 rounds")


def _chance(score: str) -> Claimed:
    """ResNet-56 in 25 rounds is no better than guessing."""

    def contrasts(data: Sequence[str]) -> Iterator[Contrast]:
        for name in data:
            setting = Setting("resnet56", name, score, 25)
            guessing = 100 / _CLASSES[name]
            what = f"{in_rounds(place(setting), 25)}, minus {guessing:g} %"
            yield Contrast(what, [(1.0, setting)], equal(_MARGIN), offset=-guessing)

    return contrasts


@dataclass(frozen=True)
class Deviation:
    """A standard deviation over seeds."""

    spread: Spread

    @property
    def value(self) -> float:
        """In points."""
        return self.spread.sd

    def interval(self, alpha: float = ALPHA) -> Interval:
        """By the chi-squared distribution of its square."""
        low, high = (_chi2(p, self.spread.df) for p in (1 - alpha / 2, alpha / 2))
        return self.spread.sd * (self.spread.df / low) ** 0.5, self.spread.sd * (self.spread.df / high) ** 0.5


@cache
def _chi2(probability: float, freedom: float) -> float:
    return float(chi2.ppf(probability, freedom))


def _steady(kinds: Sequence[tuple[str, int]], bound: float) -> Check:
    """The standard deviation over seeds of scores in so many rounds is below ``bound``."""

    def check(facts: Facts, claim: Claim) -> Finding:
        places = product(suite.MODELS, facts.datasets("cifar10", "cifar100", stand_in=False), kinds)
        return judged(
            claim.strength, [_deviation(facts, Setting(model, name, *kind), bound) for model, name, kind in places]
        )

    return check


def _deviation(facts: Facts, setting: Setting, bound: float) -> Tested:
    what = f"{in_rounds(place(setting), setting.rounds)}"
    sample = facts.sample(setting, facts.accuracy)
    if sample is None:
        return Absent(what, (setting.cell(0),))
    own = Deviation(Spread(stdev(sample.values), len(sample.values) - 1))
    return Comparison(what=what, sides=(sample.said(),), estimate=own, relation=at_most(bound))


def _without_cells(what: str) -> Check:
    return lambda _facts, claim: judged(claim.strength, [Absent(what, reason="no profile has such cells")])


_UNSTEADY = tuple(product(("grasp_t1",), _SEVERAL))
_STEADY = tuple(kind for kind in product(suite.TABLE2, suite.ROUNDS) if kind not in _UNSTEADY)
_ONE, _TWO, _THREE = "Table 1", "Table 2", "Table 3"
_LITTLE = within(1.0)

CHECKS: dict[str, Check] = {
    "gf_magnitude_gt_loss": accuracies(beats("magnitude", "loss"), _ONE),
    "gf_proposed_gt_loss": accuracies(beats("proposed", "loss"), _ONE),
    "gf_proposed_gt_magnitude_25": accuracies(beats("proposed", "magnitude", rounds=(25,)), _ONE),
    "gf_proposed_often_gt_magnitude": accuracies(beats("proposed", "magnitude"), _ONE),
    "gf_mean_gap_magnitude_loss": accuracies(_mean_gap("magnitude", "loss"), _ONE),
    "gf_mean_gap_proposed_loss": accuracies(_mean_gap("proposed", "loss"), _ONE),
    "gf_table1_std_bound": _steady(tuple(product(suite.TABLE1, suite.ROUNDS)), 0.3),
    "gf_table2_std_bound": _steady(_STEADY, 0.3),
    "gf_table2_std_bound_grasp_t1": _steady(_UNSTEADY, 2.1),
    "gf_abs_grasp_best": accuracies(_abs_grasp_best, _TWO),
    "gf_grasp_t1_collapses_with_rounds": accuracies(_falls("grasp_t1", least=13.0), _TWO),
    "gf_grasp_t200_declines_with_rounds": accuracies(_falls("grasp_t200"), _TWO),
    "gf_t200_more_robust_than_t1": accuracies(beats("grasp_t200", "grasp_t1", rounds=_SEVERAL), _TWO),
    "gf_one_round_temperature_independent": accuracies(beats("grasp_t200", "grasp_t1", _LITTLE, rounds=(1,)), _TWO),
    "gf_abs_grasp_stable_over_rounds": accuracies(_stable, _TWO),
    "gf_grasp_t1_chance_resnet56_cifar10": accuracies(_chance("grasp_t1"), _TWO, data=("cifar10",)),
    "gf_grasp_t1_chance_resnet56_cifar100": accuracies(_chance("grasp_t1"), _TWO, data=_HUNDRED),
    "gf_random_uniform_worse_than_measures": accuracies(_random_worse, _THREE, data=_HUNDRED),
    "gf_random_worse_than_magnitude": accuracies(beats("magnitude", "random"), _THREE, data=_HUNDRED),
    "gf_uniform_vs_random": accuracies(beats("uniform", "random"), _THREE, data=_HUNDRED),
    "gf_resnet56_random_uniform_degrade_with_rounds": accuracies(
        _falls(*suite.TABLE3_ONLY, models=("resnet56",)), _THREE, data=_HUNDRED
    ),
    "gf_resnet56_uniform_25_chance": accuracies(_chance("uniform"), _THREE, data=_HUNDRED),
    "gf_vgg_mobilenet_random_uniform_no_round_penalty": accuracies(_no_penalty, _THREE, data=_HUNDRED),
    "gf_l1_l2_equally_good": accuracies(beats("magnitude_l1", "magnitude", same())),
    "gf_reinit_rarely_matters": _without_cells("networks trained from a fresh initialisation once they are pruned"),
    "gf_no_epoch_subtraction_little_change": _without_cells("networks trained for all epochs once they are pruned"),
}
"""By claim, as in results/published/claims.csv."""
