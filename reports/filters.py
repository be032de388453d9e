"""How many filters the runs of a setting removed, held against the number that arithmetic demands."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from bench.cell import BASE
from bench.protocol import Protocol
from bench.suites import gradient_flow as suite
from reports.evidence import Evidence, Setting
from reports.verdicts import Judgement, Verdict, exact


@dataclass(frozen=True)
class Removed:
    """Filters removed in the runs of a setting, of so many, and the exact target."""

    pruned: tuple[int, ...]
    total: int
    expected: int | None  # None where the protocol does not aim at it
    judgement: Judgement


def removed(evidence: Evidence, setting: Setting) -> Removed | None:
    """The filters removed, where a score pruned and a run got far enough to count them."""
    metrics = [record.metrics for _, record in sorted(evidence.seeds(setting).items()) if record.final]
    counts = [(found.filters_pruned, found.filters_total) for found in metrics if found is not None]
    pruned = tuple(gone for gone, total in counts if gone is not None and total is not None)
    totals = {total for gone, total in counts if gone is not None and total is not None}
    if setting.score == BASE or not totals:
        return None
    total = max(totals)
    expected = _target(evidence.profile.protocol, setting, total)
    return Removed(pruned, total, expected, _judge(pruned, totals, expected))


def expected_pruned(amount: Decimal, total: int) -> int:
    """floor(amount * total + 1/2) in exact arithmetic."""
    return int((amount * total + Decimal("0.5")).to_integral_value(ROUND_FLOOR))


def _target(protocol: Protocol, setting: Setting, total: int) -> int | None:
    return expected_pruned(suite.amount(setting.model, setting.dataset), total) if protocol.total == "exact" else None


def _judge(pruned: tuple[int, ...], totals: set[int], expected: int | None) -> Judgement:
    if expected is None:
        return Judgement(verdict=Verdict.NOT_COMPARABLE, reason="the released code rounds every round by itself")
    if len(totals) > 1:
        return Judgement(verdict=Verdict.DIFFERS, reason="the seeds do not agree on how many filters there are")
    return exact(max(pruned, key=lambda count: abs(count - expected)), expected)
