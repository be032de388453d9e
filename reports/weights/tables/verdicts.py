"""The verdicts on a page of tables: counted, and each in full."""

from collections import Counter
from collections.abc import Iterator, Sequence

from reports.markdown import REMARK, grid
from reports.verdicts import Judgement, Verdict
from reports.weights.tables.entries import DIGITS, Entry
from reports.weights.tables.layout import Table, linked, number

RULES = (
    "d is ours minus the paper's. The standard deviation (df) is pooled over our cells and serves for both sides. Of "
    "accuracies these are the network's cells in all of these tables; of neurons and ratios the methods of one network "
    "at one sparsity, without those in which nothing varies, while one that varies far more than is typical stands for "
    "itself. The margins are 0.5 points of accuracy, 3 percent of the neurons and 0.002 of a ratio, and the intervals "
    "allow for the rounding of the printed number. EQUIVALENT: the 90 % interval lies within the margin. CONSISTENT: "
    "not that, and 0 lies in the 95 % interval. DIFFERS: 0 lies outside it."
)
_EXACT = (
    f"{REMARK} The paper does not say over how many runs this number is a mean, so our interval is held against the "
    "number as it is printed, as if it were exact."
)


def summary(tables: Sequence[Table]) -> str:
    """How many verdicts of each kind every table has."""
    counts = {
        table.name: Counter(entry.judgement.verdict for entry in table.entries if entry.judgement is not None)
        for table in tables
    }
    rows = ([name, *(str(found[verdict]) for verdict in Verdict)] for name, found in counts.items())
    return grid(["", *Verdict], rows)


def in_full(tables: Sequence[Table]) -> str:
    """Every comparison, what is missing, and the rules; nothing where no number is comparable."""
    judged = [entry.judgement for table in tables for entry in table.entries if entry.judgement is not None]
    if all(judgement.verdict == Verdict.NOT_COMPARABLE for judgement in judged):
        return ""
    rows = [row for table in tables for entry in table.entries for row in _row(table.name, entry)]
    head = ["table", "where", "ours", "paper", "d", "90 % interval", "95 % interval", "sd (df)", "verdict", "because"]
    exact = _EXACT if any(entry.as_printed for table in tables for entry in table.entries) else ""
    return "\n\n".join(part for part in ("## Verdicts in full", RULES, exact, grid(head, rows)) if part)


def _row(table: str, entry: Entry) -> Iterator[list[str]]:
    judgement, printed = entry.judgement, entry.number
    if judgement is None or printed is None:
        return
    digits = DIGITS[entry.metric] + 1
    runs = f" ({printed.replicates})" if printed.replicates else REMARK if entry.as_printed else ""
    spread = "" if judgement.spread is None else f"{judgement.spread.sd:.{digits}f} ({judgement.spread.df:g})"
    difference = "" if judgement.difference is None else number(judgement.difference, digits, with_sign=True)
    intervals = [_interval(bounds, digits) for bounds in (judgement.inner, judgement.interval)]
    paper = f"{'< ' if entry.bound else ''}{printed.value_text}{runs}"
    said, because = f"**{judgement.verdict}**", _because(judgement, difference, entry)
    yield [table, entry.where, linked(entry), paper, difference, *intervals, spread, said, because]


def _interval(bounds: tuple[float, float] | None, digits: int) -> str:
    return "" if bounds is None else f"{bounds[0]:+.{digits}f} to {bounds[1]:+.{digits}f}"


def _because(judgement: Judgement, difference: str, entry: Entry) -> str:
    """The reason, with as many decimals as the quantity has, and what is missing."""
    reason = judgement.reason
    if judgement.verdict == Verdict.DIFFERS:
        beyond = "beyond" if judgement.beyond else "not shown to be beyond"
        reason = f"by {difference}, {beyond} the margin of {judgement.margin:g}"
    if entry.bound and judgement.interval is not None:
        reason += "; printed as an upper bound, and so taken as half of it with as much rounding"
    return "; ".join(part for part in (reason, entry.lacks) if part)
