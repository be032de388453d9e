"""Claims about gradient flow itself, which small steps either follow or do not: eq. 7, 9, 12, 15 and 22."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.cell import DYNAMICS
from reports.claims.estimates import Interval
from reports.claims.finding import Absent, Comparison, Finding, combined, judged
from reports.claims.relations import at_most, below
from reports.flow.facts import Check, Facts, exact, parts, place
from reports.verdicts import ALPHA
from results.published import Claim
from results.record import Law

NEAR = 0.01
"""The relative error of an identity has to fall below it as steps shrink (ours)."""
SHARE = 0.75
"""What goes beyond a bound on the way has to fall below this share of itself as steps shrink (ours)."""

NETWORKS = {False: "as it is", True: "without kinks"}


@dataclass(frozen=True)
class Seen:
    """A law at all step sizes, the largest first, in one run at one moment."""

    where: str
    model: str
    laws: tuple[Law, ...]

    def number(self, name: str, place: int = -1) -> float | None:
        """One of its numbers, at the smallest step unless said otherwise."""
        return self.laws[place].numbers.get(name)


def seen(facts: Facts, name: str, *, smooth: bool) -> Iterator[Seen]:
    """The law of that name in every run and at every moment that it was looked at."""
    for setting, records in facts.evidence.records.items():
        if setting.score == DYNAMICS:
            for seed, record in sorted(records.items()):
                for moment in record.dynamics:
                    found = sorted((law for law in moment.laws if (law.name, law.smooth) == (name, smooth)), key=_size)
                    if found:
                        where = f"{place(setting)}, epoch {moment.epoch}, s{seed}"
                        yield Seen(where, setting.model, tuple(found))


def _size(law: Law) -> float:
    return -law.step


Compare = Callable[[Seen], Iterable[Comparison]]
Measured = Callable[[Sequence[Comparison]], str]


def _both(name: str, compares: Mapping[str, Compare], measured: Measured | None = None) -> Check:
    """A law, in one part or several, of networks as they are, and of the same without kinks.

    ``measured`` words what was measured, where numbers are too small to be given with decimals.
    """

    def check(facts: Facts, claim: Claim) -> Finding:
        found = {which: list(seen(facts, name, smooth=which)) for which in NETWORKS}
        if not any(found.values()):
            return judged(claim.strength, [absent(facts)])
        return combined(
            [
                (", ".join(filter(None, (said, part))), _judged(claim, _all(found[which], compare), measured))
                for which, said in NETWORKS.items()
                for part, compare in compares.items()
            ]
        )

    return check


def absent(facts: Facts) -> Absent:
    """Why nobody has looked at a law."""
    planned = (cell for cell in facts.evidence.cells() if cell.score == DYNAMICS)
    cells = tuple(dict.fromkeys(facts.measured(cell.model, cell.dataset).cell(0) for cell in planned))
    if any(list(seen(facts, "norm_change", smooth=which)) for which in NETWORKS):
        return Absent("networks", reason="the records are older than this law's check")
    return Absent("networks", cells) if cells else Absent("networks", reason="the profile measures none")


def _judged(claim: Claim, tested: list[Comparison], measured: Measured | None) -> Finding:
    return judged(claim.strength, tested, measured(tested) if measured and tested else None)


def _errors(tested: Sequence[Comparison]) -> str:
    least, most = (of(each.estimate.value for each in tested) for of in (min, max))
    return f"relative error {least:.1e} to {most:.1e} at the step where it is least"


def _all(found: Iterable[Seen], compare: Compare) -> list[Comparison]:
    return [one for each in found for one in compare(each)]


def _identity(factor: float) -> Compare:
    """The relative error becomes small as steps do; where they are so small that digits run out, it may grow again."""

    def compare(each: Seen) -> Iterator[Comparison]:
        errors = {law.step: law.numbers.get("error") for law in each.laws}
        known = {step: error for step, error in errors.items() if error is not None}
        if known:
            step = min(known, key=lambda step: known[step])
            ratio = next(law.numbers.get("ratio") for law in each.laws if law.step == step)
            said = f"error {known[max(known)]:.1e} at step {max(known):g}, least at {step:g}"
            if ratio is not None:
                said += f": factor {factor * ratio:.5g}"
            yield exact(each.where, said, known[step], at_most(NEAR), digits=5)

    return compare


@dataclass(frozen=True)
class Shrinking:
    """A number at the smallest step, ``value``, which is half of the one before: ``last``.

    The limit lies between it and what a line through both reaches at a step of nothing.
    """

    value: float
    last: float

    def interval(self, _alpha: float = ALPHA) -> Interval:
        """The same for every probability, as it is no matter of chance."""
        limit = 2 * self.value - self.last
        return min(self.value, limit), max(self.value, limit)


def _end(each: Seen) -> Iterator[Comparison]:
    """At the end of the path distance is less than decrease, in the limit of small steps."""
    coarse, fine = each.number("end", -2), each.number("end")
    if coarse is not None and fine is not None:
        said = f"at the end {coarse:+.3f} at step {each.laws[-2].step:g}, {fine:+.3f} at {each.laws[-1].step:g}"
        yield Comparison(what=each.where, sides=(said,), estimate=Shrinking(fine, coarse), relation=below(), digits=3)


def _way(each: Seen) -> Iterator[Comparison]:
    """What is beyond on the way, if anything is, goes as steps shrink."""
    first, last = each.number("most", 0), each.number("most")
    if first is not None and last is not None:
        said = f"at most {first:+.3f} at step {each.laws[0].step:g}, {last:+.3f} at {each.laws[-1].step:g}"
        share = max(last, 0.0) / first if first > 0 else (math.inf if last > 0 else 0.0)
        yield exact(each.where, said, share, at_most(SHARE), digits=3)


CHECKS: dict[str, Check] = {
    "gf_dist_init_bounds_loss_drop": _both("distance_bound", {"at the end": _end, "on the way": _way}),
    "gf_obs2_norm_derivative_identity": _both("norm_change", {"": _identity(2.0)}, _errors),
    "gf_sgd_expected_norm_change": _both("expected_norm_change", {"": _identity(-2.0)}, _errors),
    "gf_second_derivative_identity": parts(
        {
            "gradient flow": _both("norm_acceleration", {"": _identity(2.0)}, _errors),
            "SGD, in the mean": _both("expected_norm_acceleration", {"": _identity(2.0)}, _errors),
        }
    ),
}
"""By claim, as in results/published/claims.csv."""
