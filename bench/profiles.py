"""The profiles: which cells are run, and by which protocol (PROTOCOLS A.10 and B.12)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from bench.cell import DYNAMICS, Cell
from bench.names import unknown
from bench.protocol import Precision, Protocol
from bench.suites import gradient_flow, missing_the_mark
from bench.suites.missing_the_mark_grids import GRIDS, Grid


@dataclass(frozen=True, kw_only=True)
class Dynamics:
    """Which networks of the gradient-flow suite are measured while they train, and after which epochs."""

    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    probes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A purpose: its cells, their protocols, and how its numbers may be read.

    ``protocol``, ``datasets``, ``rounds`` and ``table3_datasets`` are those of the gradient-flow suite, which has one
    protocol in a profile; in the suite missing_the_mark, ``weights``, every network has its own.
    """

    name: str
    purpose: str
    protocol: Protocol
    datasets: tuple[str, ...]
    rounds: tuple[int, ...]
    seeds: tuple[int, ...]
    table3_datasets: tuple[str, ...]
    headline: Literal["best", "last"]  # which test accuracy tables show first
    comparable: bool  # whether its numbers may be held against published ones
    shows_published: bool = True
    lacks: tuple[str, ...] = ()  # scores that this protocol cannot run
    dynamics: Dynamics | None = None
    weights: Grid | None = None
    default_suites: tuple[str, ...] = (gradient_flow.SUITE,)  # what runs where no suite is named

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites that have cells here."""
        filters = (gradient_flow.SUITE,) if self.datasets else ()
        return filters if self.weights is None else (*filters, missing_the_mark.SUITE)

    @property
    def base(self) -> str:
        """The profile that this is, whatever its precision."""
        return self.name.partition("-")[0]

    def cells(
        self, seeds: Sequence[int] | None = None, extra_scores: Sequence[str] = (), suites: Sequence[str] = ()
    ) -> Iterator[Cell]:
        """The cells of ``suites`` (those of ``default_suites`` if none is named), base runs first in each.

        ``extra_scores`` are names of the user's own scores. They prune filters, but for a grid of weights alone.
        """
        wanted, chosen = self.seeds if seeds is None else seeds, suites or self.default_suites
        if gradient_flow.SUITE in chosen and self.datasets:
            yield from gradient_flow.cells(
                datasets=self.datasets,
                rounds=self.rounds,
                seeds=wanted,
                table3_datasets=self.table3_datasets,
                extra_scores=extra_scores,
            )
            if self.dynamics is not None:
                probed = self.dynamics.seeds if seeds is None else seeds
                yield from gradient_flow.dynamics(datasets=self.dynamics.datasets, seeds=probed)
            extra_scores = ()
        if missing_the_mark.SUITE in chosen and self.weights is not None:
            yield from self.weights.cells(wanted, extra_scores)

    def protocol_of(self, cell: Cell) -> Protocol:
        """How ``cell`` is run. Raises ValueError for a cell of this profile's second suite that it does not have."""
        if cell.suite == missing_the_mark.SUITE and self.weights is not None:
            return self.weights.protocol(cell)
        if cell.score == DYNAMICS and self.dynamics is not None:
            size = TINY_PIXELS if cell.dataset.startswith("tiny_imagenet") else self.protocol.image_size
            return replace(self.protocol, probes=self.dynamics.probes, image_size=size)
        return self.protocol


_PAPER = Protocol()
TINY_PIXELS = 32
"""Of Tiny-ImageNet's images in the gradient-flow suite (PROTOCOLS A.2)."""

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="demo",
            purpose="embedded digits at a quarter of the width; minutes on a laptop, a demonstration only",
            protocol=Protocol(
                width="0.25", image_size=16, augmentation="none", epochs=8, lr_drops=(4, 6), score_samples=640
            ),
            datasets=("digits",),
            rounds=(1, 3),
            seeds=(0,),
            table3_datasets=("digits",),
            headline="last",
            comparable=False,
            shows_published=False,
            dynamics=Dynamics(datasets=("digits",), seeds=(0,), probes=(0, 2, 8)),
            weights=GRIDS["demo"],
            default_suites=(gradient_flow.SUITE, missing_the_mark.SUITE),
        ),
        Profile(
            name="mini",
            purpose="5,000 real CIFAR images, 8 epochs, full width; an afternoon on two cores, not comparable",
            protocol=Protocol(train_limit=5000, test_limit=1000, epochs=8, lr_drops=(4, 6), score_samples=640),
            datasets=("cifar10", "cifar100"),
            rounds=(1, 5),
            seeds=(0,),
            table3_datasets=("cifar10", "cifar100"),
            headline="last",
            comparable=False,
            dynamics=Dynamics(datasets=("cifar100",), seeds=(0, 1, 2), probes=tuple(range(9))),
            weights=GRIDS["mini"],
        ),
        Profile(
            name="nightly",
            purpose="full CIFAR-10, 20 epochs; what an engineer runs every night",
            protocol=Protocol(epochs=20, lr_drops=(10, 15), precision="bf16"),
            datasets=("cifar10",),
            rounds=(1, 5),
            seeds=(0,),
            table3_datasets=("cifar10",),
            headline="last",
            comparable=False,
            weights=GRIDS["nightly"],
        ),
        Profile(
            name="paper",
            purpose="the protocol the paper describes",
            protocol=_PAPER,
            datasets=("cifar10", "cifar100"),
            rounds=gradient_flow.ROUNDS,
            seeds=(0, 1, 2),
            table3_datasets=("cifar100",),
            headline="best",
            comparable=True,
            dynamics=Dynamics(datasets=("cifar100", "tiny_imagenet"), seeds=(0, 1, 2), probes=tuple(range(0, 161, 10))),
            weights=GRIDS["paper"],
        ),
        Profile(
            name="released",
            purpose="the protocol of the authors' released code, quirks included",
            protocol=Protocol(
                schedule="released", total="released", floor="released", counting="released", revival="released"
            ),
            datasets=("cifar10", "cifar100"),
            rounds=gradient_flow.ROUNDS,
            seeds=(0, 1, 2),
            table3_datasets=(),
            headline="best",
            comparable=True,
            lacks=gradient_flow.TABLE3_ONLY,
        ),
        Profile(
            name="masks",
            purpose="masks of the second paper at initialisation, without training",
            protocol=_PAPER,
            datasets=(),
            rounds=(),
            seeds=(0, 1, 2),
            table3_datasets=(),
            headline="last",
            comparable=True,
            weights=GRIDS["masks"],
            default_suites=(missing_the_mark.SUITE,),
        ),
    )
}


def get(name: str) -> Profile:
    """The profile called ``name``; ``paper-bf16`` is ``paper`` in another precision, and so for every profile.

    Raises ValueError with the nearest name where there is none.
    """
    if name in PROFILES:
        return PROFILES[name]
    if name not in _variants():
        raise unknown("profile", name, PROFILES)
    base, precision = _variants()[name]
    profile = PROFILES[base]
    if profile.protocol.precision == precision:
        raise ValueError(f"profile {base} is in {precision} as it is; there is no {name}")
    protocol = replace(profile.protocol, precision=precision)
    purpose = f"{profile.purpose}; in {precision}"
    # Until it is shown that they give the same accuracy, another precision is another protocol.
    weights = None if profile.weights is None else replace(profile.weights, precision=precision)
    return replace(profile, name=name, purpose=purpose, protocol=protocol, comparable=False, weights=weights)


def measured(names: Iterable[str]) -> list[Profile]:
    """The profiles that ``names`` are names of, as records carry them: in the order above, then variants."""
    there = set(names)
    own = {f"{profile.name}-{profile.protocol.precision}" for profile in PROFILES.values()}  # names that nothing has
    return [get(name) for name in (*PROFILES, *_variants()) if name in there - own]


def _variants() -> dict[str, tuple[str, Precision]]:
    return {f"{name}-{precision}": (name, precision) for name in PROFILES for precision in get_args(Precision)}
