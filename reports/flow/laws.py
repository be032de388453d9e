"""Claims about gradient flow itself, which small steps either follow or do not: eq. 7, 9, 12 and 15."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench.cell import DYNAMICS
from reports.claims.finding import Absent, Finding, Tested, combined, judged
from reports.claims.relations import Relation, at_most, between
from reports.flow.facts import Check, Facts, exact, place
from results.published import Claim
from results.record import Law

NEAR = 0.01
"""Of a ratio of 1, at the smallest step (ours)."""
HALF = 0.5
"""What goes beyond a bound has to fall below this share of itself as steps become a quarter (ours)."""

NETWORKS = {False: "as it is", True: "with softplus for ReLU"}


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


Compare = Callable[[Seen], Iterable[Tested]]


def _both(name: str, compare: Compare) -> Check:
    """A law of networks as they are, and of the same made smooth."""

    def check(facts: Facts, claim: Claim) -> Finding:
        found = {which: list(seen(facts, name, smooth=which)) for which in NETWORKS}
        if not any(found.values()):
            settings = [
                facts.measured(cell.model, cell.dataset) for cell in facts.evidence.cells() if cell.score == DYNAMICS
            ]
            cells = tuple(dict.fromkeys(setting.cell(0) for setting in settings))
            absent = Absent("networks", cells) if cells else Absent("networks", reason="the profile measures none")
            return judged(claim.strength, [absent])
        parts = [
            (said, judged(claim.strength, [one for each in found[which] for one in compare(each)]))
            for which, said in NETWORKS.items()
        ]
        return combined(parts)

    return check


def _identity(factor: float) -> Compare:
    """At the smallest step the factor is the printed one."""

    def compare(each: Seen) -> Iterator[Tested]:
        ratio, small, large = each.number("ratio"), each.number("error"), each.number("error", 0)
        if ratio is not None and small is not None and large is not None:
            near = abs(factor) * NEAR
            relation = between(factor - near, factor + near, f"{factor:g} ± {near:g}")
            said = f"error {small:.1e} at rate {each.laws[-1].step:g}, {large:.1e} at {each.laws[0].step:g}"
            yield exact(each.where, said, factor * ratio, relation, digits=4)

    return compare


def _bound(each: Seen) -> Iterator[Tested]:
    """At the end of the path distance is at most decrease, and what is beyond on the way goes as steps shrink."""
    end, first, last = each.number("ratio"), each.number("excess", 0), each.number("excess")
    if end is not None:
        said = f"rate {each.laws[-1].step:g}"
        yield exact(f"{each.where}, distance over decrease at the end", said, end, at_most(1.0), digits=3)
    if first is not None and last is not None and first > 0:
        said = f"beyond by {first:.1e} at rate {each.laws[0].step:g}, by {last:.1e} at {each.laws[-1].step:g}"
        yield exact(f"{each.where}, what is beyond, in small steps over large", said, last / first, _VANISHES, digits=3)


_VANISHES: Relation = at_most(HALF)

CHECKS: dict[str, Check] = {
    "gf_dist_init_bounds_loss_drop": _both("distance_bound", _bound),
    "gf_obs2_norm_derivative_identity": _both("norm_change", _identity(2.0)),
    "gf_sgd_expected_norm_change": _both("expected_norm_change", _identity(-2.0)),
    "gf_second_derivative_identity": _both("norm_acceleration", _identity(2.0)),
}
"""By claim, as in results/published/claims.csv."""
