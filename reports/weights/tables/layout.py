"""A table of the second paper filled in, and how its places look."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from bench.cell import BASE
from bench.suites.missing_the_mark import ABLATIONS
from reports.markdown import BREAK, REMARK, grid
from reports.verdicts import Verdict
from reports.weights.places import address
from reports.weights.tables.entries import CHANGE, DIGITS, Entry

NOT_RUN = "not run"
NOTED = "‡"
"""Behind a printed number of which something is to be known."""


@dataclass(frozen=True)
class Table:
    """A table with the entries that it shows; none where the profile runs none of its networks."""

    name: str
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    entries: Sequence[Entry]
    remarks: Sequence[tuple[str, str]] = ()  # on printed numbers, each with its place

    @property
    def text(self) -> str:
        """As a section of the page."""
        return f"## {self.name}\n\n{self.caption}.\n\n{grid(self.head, self.rows)}"


def here(entry: Entry | None, printed: str = "") -> str:
    """Our mean, the printed number where it has no column of its own, the verdict, and how many seeds are lacking."""
    paper = f"paper {printed}" if printed else ""
    if entry is None:
        return BREAK.join(line for line in (paper, NOT_RUN) if line)
    lines = (linked(entry), paper, verdict(entry), lacking(entry))
    return BREAK.join(line for line in lines if line)


def linked(entry: Entry) -> str:
    """Our mean with a link to its records, and behind it to those of a cell that it is held against."""
    if not entry.ours:
        return ""
    first, *others = entry.cells
    behind = [f"[{'unpruned' if cell.score == BASE else ABLATIONS[cell.ablation]}]({address(cell)})" for cell in others]
    return " ".join([f"[{mean(entry)}]({address(first)})", *(f"({each})" for each in behind)])


def mean(entry: Entry) -> str:
    """``92.05 ± 0.12 (3)``: mean, standard deviation over seeds, and how many."""
    if not entry.ours:
        return ""
    digits = DIGITS[entry.metric]
    shown = number(fmean(entry.ours), digits, with_sign=entry.metric == CHANGE)
    spread = f" ± {stdev(entry.ours):.{digits}f}" if len(entry.ours) > 1 else ""
    return f"{shown}{spread} ({len(entry.ours)})"


def verdict(entry: Entry) -> str:
    """The verdict in bold, with the difference, and a mark where the printed number was taken to be exact."""
    judgement = entry.judgement
    if judgement is None or judgement.verdict == Verdict.MISSING:
        return ""
    mark = REMARK if entry.as_printed else ""
    if judgement.verdict == Verdict.TOO_FEW or judgement.difference is None:
        return f"**{judgement.verdict}**{mark}"
    return f"**{judgement.verdict}**{mark} {number(judgement.difference, DIGITS[entry.metric], with_sign=True)}"


def lacking(entry: Entry) -> str:
    """``2 of 3 seeds`` where some are not there."""
    return "" if len(entry.ours) >= entry.seeds else f"{len(entry.ours)} of {entry.seeds} seeds"


def number(value: float, digits: int, *, with_sign: bool = False) -> str:
    """With so many decimals; zero has no minus."""
    text = f"{value:{'+' if with_sign else ''}.{digits}f}"
    return text.replace("-", "+" if with_sign else "") if float(text) == 0 else text
