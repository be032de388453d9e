"""Tables 1-3 of the gradient-flow paper, in its own layout, filled from records."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.profiles import Profile
from bench.suites import gradient_flow as suite
from reports.evidence import Evidence, Setting, Which
from reports.filters import removed
from reports.prices import Prices
from reports.quantity import CHANGE, Quantity, index, why_not_comparable
from reports.verdicts import Verdict
from reports.views import CellView, Column, Group, Row, Run, Sample, State, TableView
from results import published
from results.record import Record

Linker = Callable[[Record], str | None]
"""Gives the relative link from a page to a record, or None where there is none to give."""


@dataclass(frozen=True)
class Context:
    """What a table shows beside its values: where the records lie, and what missing cells will take."""

    link: Linker
    prices: Prices


TABLE3 = (*suite.TABLE3_ONLY, *suite.TABLE1, *suite.TABLE2)
CAPTIONS = {
    1: "Test accuracy (%) of pruned models: magnitude, loss preservation and the proposed measure",
    2: "Test accuracy (%) of models pruned by variants of gradient-norm based pruning",
    3: "Change of test accuracy (points) against the own base model of the same seed",
}
NUMBERS = tuple(CAPTIONS)


def tables(evidence: Evidence, context: Context) -> tuple[TableView, ...]:
    """Tables 1, 2 and 3 of a profile."""
    return tuple(table(number, evidence, context) for number in NUMBERS)


def table(number: int, evidence: Evidence, context: Context) -> TableView:
    """One of Tables 1-3."""
    quantity = quantity_of(number, evidence)
    build = _changes if number == 3 else _accuracies
    return TableView(
        number=number,
        caption=CAPTIONS[number],
        headline=evidence.profile.headline,
        groups=build(quantity, context),
        notes=tuple(_notes(number, quantity)),
    )


def quantity_of(number: int, evidence: Evidence) -> Quantity:
    """What stands in a table, with the numbers that the paper prints there."""
    scores = {1: suite.TABLE1, 2: suite.TABLE2, 3: TABLE3}[number]
    name = f"Table {number}"
    return Quantity(name, scores, evidence, index(published.numbers(suite.SUITE, name)), paired=number == 3)


def label(score: str) -> str:
    """How a score is called at the head of a column."""
    return suite.SCORE_LABELS.get(score, score)


def _accuracies(quantity: Quantity, context: Context) -> tuple[Group, ...]:
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
            "model (base)",
            columns,
            tuple(_model_row(quantity, model, dataset, columns, context) for model in suite.MODELS),
        )
        for dataset in profile.datasets
    )


def _model_row(quantity: Quantity, model: str, dataset: str, columns: Iterable[Column], context: Context) -> Row:
    cells = (_view(quantity, Setting(model, dataset, column.score, column.rounds), context) for column in columns)
    base = _view(quantity, Setting(model, dataset), context)
    return Row(suite.PRINTED_NAMES[model], tuple(cells), base, pruned=percent(model, dataset))


def _changes(quantity: Quantity, context: Context) -> tuple[Group, ...]:
    """Table 3: a group per model and data set, a row per number of rounds, a column per score."""
    profile = quantity.evidence.profile
    columns = tuple(
        Column(score, label(score), in_paper=score in quantity.scores)
        for score in (*quantity.scores, *quantity.evidence.extra_scores)
    )
    return tuple(
        Group(
            f"{suite.PRINTED_NAMES[model]} on {suite.PRINTED_NAMES[dataset]}, {percent(model, dataset)} pruned",
            "rounds",
            columns,
            tuple(_round_row(quantity, model, dataset, n, columns, context) for n in profile.rounds),
        )
        for dataset in profile.table3_datasets
        for model in suite.MODELS
    )


def _round_row(
    quantity: Quantity, model: str, dataset: str, rounds: int, columns: Iterable[Column], context: Context
) -> Row:
    cells = (_view(quantity, Setting(model, dataset, column.score, rounds), context) for column in columns)
    first = rounds == quantity.evidence.profile.rounds[0]  # the paper prints the base once, in the first row
    return Row(rounds_text(rounds), tuple(cells), _view(quantity, Setting(model, dataset), context) if first else None)


def rounds_text(rounds: int) -> str:
    """``1 round``, ``5 rounds``."""
    return f"{rounds} round{'' if rounds == 1 else 's'}"


def percent(model: str, dataset: str) -> str:
    """``75%``: the share of filters that the paper prunes."""
    return f"{suite.amount(model, dataset) * 100:.0f}%"


def _view(quantity: Quantity, setting: Setting, context: Context) -> CellView:
    first = quantity.evidence.profile.headline
    second: Which = "last" if first == "best" else "best"
    number = quantity.published(setting)
    return CellView(
        setting=setting,
        headline=Sample(tuple(quantity.values(setting, first).values())),
        other=Sample(tuple(quantity.values(setting, second).values())),
        runs=_runs(quantity, setting, context),
        published=None if number is None else number.value_text,
        remark="" if number is None else number.note,
        judgement=quantity.judge(setting),
        removed=removed(quantity.evidence, setting),
        signed=quantity.metric(setting) == CHANGE,
    )


def _runs(quantity: Quantity, setting: Setting, context: Context) -> tuple[Run, ...]:
    records = quantity.evidence.seeds(setting)
    return tuple(
        Run(
            seed,
            state(records.get(seed)),
            records[seed].status if seed in records else "",
            link=context.link(records[seed]) if seed in records else None,
            anchor=setting.cell(seed).id if f"Table {home(setting)}" == quantity.table else None,
            seconds=context.prices.seconds(setting.cell(seed)),
        )
        for seed in sorted({*records, *quantity.evidence.profile.seeds})
    )


def home(setting: Setting) -> int:
    """The table whose page is the address of a cell, as several tables show the same one."""
    if setting.score in suite.TABLE2:
        return 2
    return 3 if setting.score in suite.TABLE3_ONLY else 1


def state(record: Record | None) -> State:
    """What became of a run, of which ``record`` is left; None where there is none."""
    if record is None:
        return "missing"
    if record.status in ("done", "diverged"):
        return "done" if record.status == "done" else "diverged"
    return "failed"


def _notes(number: int, quantity: Quantity) -> Iterable[str]:
    profile, evidence = quantity.evidence.profile, quantity.evidence
    yield from purpose_notes(profile)
    if number == 3 and not profile.table3_datasets:
        yield _no_table3(profile)
    if evidence.extra_scores:
        yield f"Not in the paper: {', '.join(evidence.extra_scores)}."


def purpose_notes(profile: Profile) -> Iterable[str]:
    """What every page of a profile that cannot be held against the paper begins with."""
    if not profile.shows_published:
        yield DEMONSTRATION
    elif reason := why_not_comparable(profile):
        yield f"{Verdict.NOT_COMPARABLE}: no number on this page can be held against a published one ({reason})."


DEMONSTRATION = (
    "This page is a demonstration: small models on the 8x8 digits that come with scikit-learn. "
    "Its numbers say nothing about the paper's and are not shown beside them."
)


def _no_table3(profile: Profile) -> str:
    why = f"random and uniform pruning are not in the code that profile {profile.name} follows"
    return f"{Verdict.NOT_COMPARABLE}: {why}."
