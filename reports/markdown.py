"""Table views as Markdown."""

from collections.abc import Iterable, Iterator, Sequence

from bench.cost import duration
from reports.filters import Removed
from reports.tables import label, rounds_text
from reports.verdicts import Judgement, Verdict, signed
from reports.views import CellView, Column, Group, Row, Run, Sample, TableView

BREAK = "<br>"


def page(view: TableView, missing_command: str) -> str:
    """A whole page: the table in the paper's layout, then every verdict and every count of filters in full."""
    parts = [f"# Table {view.number}", f"{view.caption}. {_legend(view)}", *view.notes]
    parts += [f"## {group.heading}\n\n{_group(group, view.headline)}" for group in view.groups]
    if any(run.state == "missing" for cell in view.cells() for run in cell.runs):
        parts.append(f"To run what is missing: `{missing_command}`")
    parts += [section for section in (_remarks(view), _verdicts(view), _filters(view)) if section]
    return "\n\n".join(parts) + "\n"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; its cells are Markdown already, save that a bar in them would end the cell."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', BAR) for cell in line)} |" for line in lines)


BAR = "\\|"
REMARK = "†"


def number(sample: Sample, *, with_sign: bool = False) -> str:
    """``92.05 ± 0.12 (3)``: mean, standard deviation over seeds, and how many; without the second for one seed."""
    if sample.mean is None:
        return ""
    mean = signed(sample.mean) if with_sign else f"{sample.mean:.2f}"
    return f"{mean} ± {sample.std:.2f} ({sample.n})" if sample.std is not None else f"{mean} ({sample.n})"


def verdict(judgement: Judgement | None) -> str:
    """The verdict in bold, with the difference where one was measured."""
    if judgement is None or judgement.verdict == Verdict.MISSING:
        return ""
    comparable = judgement.verdict not in (Verdict.NOT_COMPARABLE, Verdict.TOO_FEW)
    by = f" {signed(judgement.difference)}" if comparable and judgement.difference is not None else ""
    return f"**{judgement.verdict}**{by}"


def cell(view: CellView, headline: str) -> str:
    """Everything about a cell, a line each: ours, the other accuracy, the paper's, the verdict, the runs."""
    other = "last" if headline == "best" else "best"
    lines = [
        number(view.headline, with_sign=view.signed),
        f"{other} {number(view.other, with_sign=view.signed)}" if view.other.n else "",
        f"paper {view.published}{REMARK if view.remark else ''}" if view.published else "",
        verdict(view.judgement),
        *_states(view),
    ]
    return BREAK.join(line for line in lines if line)


def _states(view: CellView) -> Iterator[str]:
    """Done, diverged, failed and missing are four different things."""
    done = [run for run in view.runs if run.state == "done"]
    if done and not view.headline.n:
        yield "no base run of the same seed" if view.signed else "no accuracy in the record"
    if linked := [run for run in done if run.link]:
        yield " ".join(link(run) for run in linked)
    for run in view.runs:
        if run.state == "diverged":
            yield f"diverged {link(run)}"
        elif run.state == "failed":
            yield f"failed: {run.status} {link(run)}"
    if absent := [run for run in view.runs if run.state == "missing"]:
        which = "" if len(absent) == len(view.runs) else f" {' '.join(f's{run.seed}' for run in absent)}"
        yield f"missing{which} ({duration(sum(run.seconds for run in absent))})"


def link(run: Run) -> str:
    """The seed with a link to its record; on the page that is the cell's address its id is an anchor."""
    text = f"[s{run.seed}]({run.link})" if run.link else f"s{run.seed}"
    return f'<a id="{run.anchor}"></a>{text}' if run.anchor else text


def _legend(view: TableView) -> str:
    shown, other = ("best test epoch", "last") if view.headline == "best" else ("last epoch", "best")
    return (
        f"Each cell: mean ± standard deviation (seeds) at the {shown}, `{other}` below it; `s0` links to seed 0; "
        "behind what is missing stands what it will take."
    )


def _group(group: Group, headline: str) -> str:
    head = [group.corner, "base" if group.corner == "rounds" else "pruned", *map(_head, group.columns)]
    return grid(head, (_row(group, row, headline) for row in group.rows))


def _head(column: Column) -> str:
    name = column.label if column.in_paper else f"{column.label}{BREAK}*not in the paper*"
    return name if column.rounds is None else f"{rounds_text(column.rounds)}{BREAK}{name}"


def _row(group: Group, row: Row, headline: str) -> list[str]:
    base = "" if row.base is None else cell(row.base, headline)
    first = [row.label, base] if group.corner == "rounds" else [f"{row.label}{BREAK}{base}", row.pruned]
    return [*first, *(cell(view, headline) for view in row.cells)]


def _place(view: CellView) -> list[str]:
    setting = view.setting
    return [setting.model, setting.dataset, label(setting.score), "" if setting.rounds is None else str(setting.rounds)]


_PLACE = ["model", "data", "score", "rounds"]


def _remarks(view: TableView) -> str:
    places = ((shown.remark, " ".join(filter(None, _place(shown)))) for shown in view.cells())
    return remarks((place for place in places if place[0]), REMARK)


def remarks(found: Iterable[tuple[str, str]], mark: str) -> str:
    """What is to be known about printed numbers that bear ``mark``, and where it applies; empty where nothing is."""
    places: dict[str, list[str]] = {}
    for remark, place in found:
        places.setdefault(remark, []).append(place)
    lines = [f"- {remark}: {', '.join(names)}" for remark, names in places.items()]
    return "\n".join([f"## {mark} Remarks on printed numbers\n", *lines]) if lines else ""


def _verdicts(view: TableView) -> str:
    """Every comparison in full. Where no number is comparable there is nothing to add to the table."""
    judged = [(shown, shown.judgement) for shown in view.cells() if shown.judgement is not None]
    if all(judgement.verdict == Verdict.NOT_COMPARABLE for _, judgement in judged):
        return ""
    head = [*_PLACE, "ours", "paper", "d", "90 % interval", "95 % interval", "sd (df)", "verdict", "because"]
    head.append("std = bound")
    rows = ([*_place(shown), *_comparison(shown, judgement)] for shown, judgement in judged)
    return f"## Verdicts in full\n\n{_RULES}\n\n{grid(head, rows)}"


_RULES = (
    "d is ours minus the paper's, in points. The standard deviation is pooled over our cells of one model, data set "
    "and class of method, and serves for both sides; signed GraSP over several rounds, random and uniform pruning are "
    "each judged by their own. The margin is 0.5, and the intervals allow for the rounding of the printed number. "
    "EQUIVALENT: the 90 % interval lies within the margin. CONSISTENT: not that, and 0 lies in the 95 % interval. "
    "DIFFERS: 0 lies outside it. The last column is the verdict if the paper's runs varied as much as its caption "
    "allows.\n\nWhere nothing differs one comparison in twenty still says DIFFERS, as long as the runs of a class vary "
    "alike and independently; `python -m reports power` simulates it, and how often a true difference is seen."
)


def _comparison(view: CellView, judgement: Judgement) -> list[str]:
    inner, outer = (_interval(bounds) for bounds in (judgement.inner, judgement.interval))
    spread = "" if judgement.spread is None else f"{judgement.spread.sd:.3f} ({judgement.spread.df:g})"
    return [
        number(view.headline, with_sign=view.signed),
        view.published or "",
        "" if judgement.difference is None else signed(judgement.difference),
        inner,
        outer,
        spread,
        f"**{judgement.verdict}**",
        judgement.reason,
        judgement.bound_verdict or "",
    ]


def _interval(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else f"{bounds[0]:+.3f} to {bounds[1]:+.3f}"


def _filters(view: TableView) -> str:
    """The number of filters removed, which arithmetic determines."""
    counted = [(shown, shown.removed) for shown in view.cells() if shown.removed is not None]
    if not counted:
        return ""
    rows = ([*_place(shown), *_counts(removed)] for shown, removed in counted)
    head = [*_PLACE, "filters", "pruned", "expected", "kept", "verdict"]
    said = "Pruned filters of each seed against floor(amount × filters + 1/2), compared exactly."
    return f"## Filters removed\n\n{said}\n\n{grid(head, rows)}"


def _counts(removed: Removed) -> list[str]:
    return [
        str(removed.total),
        _distinct(removed.pruned),
        "" if removed.expected is None else str(removed.expected),
        _distinct(tuple(removed.total - count for count in removed.pruned)),
        "exact"
        if removed.judgement.verdict == Verdict.EQUIVALENT
        else f"**{removed.judgement.verdict}** {removed.judgement.reason}",
    ]


def _distinct(counts: tuple[int, ...]) -> str:
    return ", ".join(str(count) for count in dict.fromkeys(counts))
