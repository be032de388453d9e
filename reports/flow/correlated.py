"""Claims about correlations: of theta . Hg with theta . g, of norms, of loss preservation with change."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from reports.claims.estimates import Correlation, correlation
from reports.claims.finding import Absent, Comparison, Finding, Tested, judged
from reports.claims.relations import Relation, above, below, equal
from reports.dynamics.moments import PRODUCTS, TINY, panel_epochs, shown_epochs
from reports.dynamics.reading import Of, moments, pearson, spearman
from reports.evidence import Setting
from reports.flow.facts import Check, Facts, Measure, place, readings
from reports.flow.networks import each, mean, measured_on, unmeasured
from reports.flow.reading import later
from results.published import Claim
from results.record import Record

REPLICATES = 3
"""Seeds that printed correlations are means over (appendix G.1)."""
HIGH = 0.5
"""A correlation above it is called high, where the paper names no number (ours)."""
CLOSE = 0.05
"""Correlations are called equal where their Fisher transforms differ by less (ours)."""

COEFFICIENTS: Mapping[str, Callable[[str], Of]] = {"Pearson": pearson, "Spearman": spearman}
"""Both, as the paper does not say which of them it means."""

MODELS = {"vgg13": "vgg13", "mobilenet": "mobilenet_v1", "resnet56": "resnet56"}
_READINGS = {
    "|θ·g|": "filters: sigma_dsigma, taylor",
    "Σ|θ g|": "filters: sigma_dsigma, loss",
    "|σ g_σ|": "filters: sigma_dsigma, sigma_g",
}
"""Loss preservation of a filter, in three readings."""


def fisher(correlation: float) -> float:
    """Its inverse hyperbolic tangent, in which equal steps tell correlations apart equally well; finite also of 1."""
    return math.atanh(max(-_NEARLY, min(_NEARLY, correlation)))


_NEARLY = 1 - 1e-9


@cache
def _transformed(measure: Measure) -> Measure:
    def of(record: Record) -> float | None:
        found = measure.of(record)
        return None if found is None else fisher(found)

    return Measure(f"Fisher's z of {measure.name}", of)


@cache
def _at(coefficient: str, kind: str, epoch: int) -> Measure:
    """The correlation of theta . Hg with theta . g at the end of an epoch."""
    of = COEFFICIENTS[coefficient](f"{kind}: {PRODUCTS}")

    def at(record: Record) -> float | None:
        return next((of(found) for found in moments(record) if found.epoch == epoch), None)

    return Measure(f"{coefficient}'s of {kind} at {epoch}", at)


def _against(
    facts: Facts,
    setting: Setting,
    what: str,
    measure: Measure,
    value: float,
    relation: Relation,
    replicates: int | None = None,
) -> Tested:
    """Fisher's transform of a mean correlation minus that of ``value``; what is shown are the correlations themselves.

    The mean is that of the transforms, which vary alike wherever they are.
    """
    found = facts.compare(
        f"{place(setting)}, {what}, Fisher's z minus that of {value:g}",
        [(1.0, setting, _transformed(measure))],
        relation,
        offset=-fisher(value),
        replicates=replicates,
    )
    sample = facts.sample(setting, measure)
    if isinstance(found, Absent) or sample is None:
        return found
    digits = 2 if value < _CLOSELY else 3
    return replace(found, sides=(sample.said(digits),), digits=digits, plain=sample.mean)


_CLOSELY = 0.99
"""Beside numbers above it, hundredths tell nothing apart."""


def _quoted(facts: Facts, setting: Setting, what: str, measure: Measure, claim: Claim) -> Tested:
    """A correlation beside that which the claim quotes, which is rounded."""
    assert claim.value is not None
    half = 0.5 * 10.0 ** -len(claim.value_text.partition(".")[2])
    rounding = fisher(claim.value + half) - fisher(claim.value)
    return _against(facts, setting, what, measure, claim.value, equal(CLOSE, rounding), REPLICATES)


_PANEL = re.compile(
    r"gf_corr_fig\d+[abc]_(?P<model>[a-z0-9]+?)(?P<tiny>_tin)?_(?P<when>init|e40|e160)(?P<weights>_weights)?"
)
_WHEN = {"init": "a", "e40": "b", "e160": "c"}


def panel(claim_id: str) -> Check:
    """One printed correlation; the claim's name says of which network, when, and of filters or weights."""
    found = _PANEL.fullmatch(claim_id)
    assert found is not None, claim_id
    model, kind = MODELS[found["model"]], "weights" if found["weights"] else "filters"
    data = TINY if found["tiny"] else "cifar100"

    def tested(coefficient: str, facts: Facts, claim: Claim) -> Iterator[Tested]:
        for name in measured_on(facts, data, stand_in=False):
            epoch = panel_epochs(facts.evidence)[_WHEN[found["when"]]]
            setting = facts.measured(model, name)
            what = f"{kind}, epoch {epoch}, {coefficient}'s"
            yield _quoted(facts, setting, what, _at(coefficient, kind, epoch), claim)
        yield from unmeasured(facts, data, stand_in=False)

    def read(coefficient: str) -> Check:
        return lambda facts, claim: judged(claim.strength, tested(coefficient, facts, claim))

    return readings({coefficient: read(coefficient) for coefficient in COEFFICIENTS})


def _norms(kind: str, of: Of) -> Check:
    """The correlation of norm and distance from initialisation that the paper quotes as a mean over epochs."""

    def check(facts: Facts, claim: Claim) -> Finding:
        def compare(facts: Facts, setting: Setting) -> Iterator[Tested]:
            yield _quoted(facts, setting, f"{kind}'s, mean over epochs", mean(of), claim)

        return each(compare, "cifar100", stand_in=False)(facts, claim)

    return check


_NORM_DISTANCE = "filters: norm, distance"
norms = readings({kind: _norms(kind, of(_NORM_DISTANCE)) for kind, of in COEFFICIENTS.items()})
"""Section 4.1's."""


def highly(kind: str, *data: str) -> Check:
    """theta . g and theta . Hg correlate before training, after a quarter of it, and at its end."""

    def read(coefficient: str) -> Check:
        def compare(facts: Facts, setting: Setting) -> Iterator[Tested]:
            for epoch in shown_epochs(facts.evidence):
                what = f"epoch {epoch}, {coefficient}'s"
                yield _against(facts, setting, what, _at(coefficient, kind, epoch), HIGH, above())

        return each(compare, *data)

    return readings({coefficient: read(coefficient) for coefficient in COEFFICIENTS})


def high(of: Of, *data: str) -> Check:
    """A correlation is high in the mean over epochs."""

    def compare(facts: Facts, setting: Setting) -> Iterator[Tested]:
        yield _against(facts, setting, "mean over epochs", mean(of), HIGH, above())

    return each(compare, *data)


def _pairs(record: Record, name: str, kind: str) -> list[tuple[float, float]]:
    found = ((pearson(name)(moment), moment.distances.get(kind)) for moment in later(record))
    return [(x, y) for x, y in found if x is not None and y is not None]


@cache
def _with_distance(name: str, kind: str) -> tuple[Measure, Measure]:
    """Spearman's correlation over epochs of a correlation with the distance between masks, and of how many epochs."""

    def of(record: Record) -> float | None:
        found = _pairs(record, name, kind)
        return correlation(*zip(*found, strict=True)).value if len(found) > _FEW else None

    def epochs(record: Record) -> float:
        return len(_pairs(record, name, kind))

    return Measure(f"{name} with mask distance", of), Measure("epochs", epochs)


_FEW = 2
"""Ranks of so many epochs are no evidence."""


def falls_with_distance(reading: str, name: str, kind: str, *data: str) -> Check:
    """A correlation rises over epochs as the distance between masks falls.

    The interval is that of a rank correlation of so many epochs: runs of few epochs agree by chance.
    """

    def compare(facts: Facts, setting: Setting) -> Iterator[Tested]:
        what = f"{place(setting)}, {', '.join(filter(None, (reading, 'over epochs')))}"
        of, epochs = _with_distance(name, kind)
        sample = facts.sample(setting, of)
        if sample is None:
            yield Absent(what, (setting.cell(0),))
            return
        numbers = facts.values(setting, epochs)
        free = sum(max(int(numbers[seed]) - 3, 0) for seed in facts.values(setting, of))
        yield Comparison(
            what=what,
            sides=(sample.said(),),
            estimate=Correlation(sample.mean, free + 3),
            relation=below(),
        )

    return each(compare, *data)


def rises(*data: str) -> Check:
    """Figures 2 and 35, in each reading of loss preservation."""
    return readings(
        {reading: falls_with_distance(reading, name, "filters", *data) for reading, name in _READINGS.items()}
    )
