"""Tables 1-3 of the gradient-flow paper, in its own layout, filled from records."""

from collections.abc import Callable, Iterable
from decimal import ROUND_FLOOR, Decimal

from bench.cell import BASE
from bench.profiles import Profile
from bench.protocol import Protocol
from bench.suites import gradient_flow as suite
from reports.evidence import Evidence, Setting, Which
from reports.quantity import CHANGE, Quantity, index, why_not_comparable
from reports.verdicts import Judgement, Verdict, exact
from reports.views import CellView, Column, Group, Kept, Row, Run, Sample, State, TableView
from results import published
from results.record import Record

Linker = Callable[[Record], str | None]
"""Gives the relative link from a page to a record, or None where there is none to give."""

TABLE3 = (*suite.TABLE3_ONLY, *suite.TABLE1, *suite.TABLE2)
CAPTIONS = {
    1: "Test accuracy (%) of pruned models: magnitude, loss preservation and the proposed measure",
    2: "Test accuracy (%) of models pruned by variants of gradient-norm based pruning",
    3: "Change of test accuracy (points) against the own base model of the same seed",
}
NUMBERS = tuple(CAPTIONS)


def tables(evidence: Evidence, link: Linker) -> tuple[TableView, ...]:
    """Tables 1, 2 and 3 of a profile."""
    return tuple(table(number, evidence, link) for number in NUMBERS)


def table(number: int, evidence: Evidence, link: Linker) -> TableView:
    """One of Tables 1-3."""
    quantity = quantity_of(number, evidence)
    build = _changes if number == 3 else _accuracies
    return TableView(
        number=number,
        caption=CAPTIONS[number],
        headline=evidence.profile.headline,
        groups=build(quantity, link),
        notes=tuple(_notes(number, quantity)),
    )


def quantity_of(number: int, evidence: Evidence) -> Quantity:
    """What stands in a table, with the numbers that the paper prints there."""
    scores = {1: suite.TABLE1, 2: suite.TABLE2, 3: TABLE3}[number]
    name = f"Table {number}"
    return Quantity(name, scores, evidence, index(published.numbers(suite.SUITE, name)), paired=number == 3)


def expected_pruned(amount: Decimal, total: int) -> int:
    """floor(amount * total + 1/2) in exact arithmetic."""
    return int((amount * total + Decimal("0.5")).to_integral_value(ROUND_FLOOR))


def label(score: str) -> str:
    """How a score is called at the head of a column."""
    return suite.SCORE_LABELS.get(score, score)


def _accuracies(quantity: Quantity, link: Linker) -> tuple[Group, ...]:
    """Tables 1 and 2: a group per data set, a row per model, a column per rounds and score."""
    profile, extra = quantity.evidence.profile, quantity.evidence.extra_scores
    columns = tuple(
        Column(score, label(score), n, in_paper=score in quantity.scores)
        for n in profile.rounds
        for score in (*quantity.scores, *extra)
    )
    return tuple(
        Group(
            suite.PRINTED_NAMES[dataset],
            "model (base) and part of its filters pruned",
            columns,
            tuple(_model_row(quantity, model, dataset, columns, link) for model in suite.MODELS),
        )
        for dataset in profile.datasets
    )


def _model_row(quantity: Quantity, model: str, dataset: str, columns: Iterable[Column], link: Linker) -> Row:
    cells = (_view(quantity, Setting(model, dataset, column.score, column.rounds), link) for column in columns)
    return Row(
        f"{suite.PRINTED_NAMES[model]}, {_percent(model, dataset)}",
        tuple(cells),
        _view(quantity, Setting(model, dataset), link),
    )


def _changes(quantity: Quantity, link: Linker) -> tuple[Group, ...]:
    """Table 3: a group per model and data set, a row per number of rounds, a column per score."""
    profile = quantity.evidence.profile
    columns = tuple(
        Column(score, label(score), in_paper=score in quantity.scores)
        for score in (*quantity.scores, *quantity.evidence.extra_scores)
    )
    return tuple(
        Group(
            f"{suite.PRINTED_NAMES[model]} on {suite.PRINTED_NAMES[dataset]}, {_percent(model, dataset)} pruned",
            "rounds",
            columns,
            tuple(_round_row(quantity, model, dataset, n, columns, link) for n in profile.rounds),
        )
        for dataset in profile.table3_datasets
        for model in suite.MODELS
    )


def _round_row(
    quantity: Quantity, model: str, dataset: str, rounds: int, columns: Iterable[Column], link: Linker
) -> Row:
    cells = (_view(quantity, Setting(model, dataset, column.score, rounds), link) for column in columns)
    first = rounds == quantity.evidence.profile.rounds[0]  # the paper prints the base once, in the first row
    return Row(rounds_text(rounds), tuple(cells), _view(quantity, Setting(model, dataset), link) if first else None)


def rounds_text(rounds: int) -> str:
    """``1 round``, ``5 rounds``."""
    return f"{rounds} round{'' if rounds == 1 else 's'}"


def _percent(model: str, dataset: str) -> str:
    return f"{suite.amount(model, dataset) * 100:.0f}%"


def _view(quantity: Quantity, setting: Setting, link: Linker) -> CellView:
    first = quantity.evidence.profile.headline
    second: Which = "last" if first == "best" else "best"
    number = quantity.published(setting)
    return CellView(
        setting=setting,
        headline=Sample(tuple(quantity.values(setting, first).values())),
        other=Sample(tuple(quantity.values(setting, second).values())),
        runs=_runs(quantity.evidence, setting, link),
        published=None if number is None else number.value_text,
        judgement=quantity.judge(setting),
        kept=_kept(quantity.evidence, setting),
        signed=quantity.metric(setting) == CHANGE,
    )


def _runs(evidence: Evidence, setting: Setting, link: Linker) -> tuple[Run, ...]:
    records = evidence.seeds(setting)
    return tuple(
        Run(seed, _state(records[seed]), records[seed].status, link(records[seed]))
        if seed in records
        else Run(seed, "missing")
        for seed in sorted({*records, *evidence.profile.seeds})
    )


def _state(record: Record) -> State:
    if record.status in ("done", "diverged"):
        return "done" if record.status == "done" else "diverged"
    return "failed"


def _kept(evidence: Evidence, setting: Setting) -> Kept | None:
    """The filters removed, where a score pruned and the run got far enough to count them."""
    metrics = [record.metrics for _, record in sorted(evidence.seeds(setting).items()) if record.final]
    pruned = tuple(found.filters_pruned for found in metrics if found is not None)
    totals = {found.filters_total for found in metrics if found is not None}
    if setting.score == BASE or not totals:
        return None
    total = max(totals)
    expected = _target(evidence.profile.protocol, setting, total)
    return Kept(pruned, total, expected, _judge_kept(pruned, totals, expected))


def _target(protocol: Protocol, setting: Setting, total: int) -> int | None:
    return expected_pruned(suite.amount(setting.model, setting.dataset), total) if protocol.total == "exact" else None


def _judge_kept(pruned: tuple[int, ...], totals: set[int], expected: int | None) -> Judgement:
    if expected is None:
        return Judgement(verdict=Verdict.NOT_COMPARABLE, reason="the released code rounds every round by itself")
    if len(totals) > 1:
        return Judgement(verdict=Verdict.DIFFERS, reason="the seeds do not agree on how many filters there are")
    return exact(max(pruned, key=lambda count: abs(count - expected)), expected)


def _notes(number: int, quantity: Quantity) -> Iterable[str]:
    profile, evidence = quantity.evidence.profile, quantity.evidence
    yield from _purpose_notes(profile)
    if number == 3 and not profile.table3_datasets:
        yield _no_table3(profile)
    if evidence.extra_scores:
        yield f"Not in the paper: {', '.join(evidence.extra_scores)}."


def _purpose_notes(profile: Profile) -> Iterable[str]:
    if not profile.shows_published:
        yield DEMONSTRATION
    elif reason := why_not_comparable(profile):
        yield f"No number on this page can be held against a published one ({reason})."


DEMONSTRATION = (
    "This page is a demonstration: small models on the 8x8 digits that come with scikit-learn. "
    "Its numbers say nothing about the paper's and are not shown beside them."
)


def _no_table3(profile: Profile) -> str:
    why = f"random and uniform pruning are not in the code that profile {profile.name} follows"
    return f"{Verdict.NOT_COMPARABLE}: {why}."
