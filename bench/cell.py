"""A cell: one thing that is measured, and its name."""

import re
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, Final, Literal

BASE = "base"
"""The score of a cell that prunes nothing."""

DYNAMICS = "dynamics"
"""The score of a cell that prunes nothing, and whose network is measured while it trains."""

UNPRUNED = (BASE, DYNAMICS)

END: Final = "end"
"""The prune point after training."""

LEVELS = range(1, 29)
"""Successive fifths: at level k a share of 0.8^k of the weights is left (PROTOCOLS B.7)."""

Point = int | Literal["end"]
"""When weights are pruned: after so many iterations of training, 0 at initialisation, or at its end."""

_TOKEN = re.compile(r"[a-z0-9_.]+")
_ID = re.compile(
    r"(?P<suite>[a-z0-9_.]+)-(?P<model>[a-z0-9_.]+)-(?P<dataset>[a-z0-9_.]+)-(?P<score>[a-z0-9_.]+)"
    r"(-filters(?P<filters>[0-9]+(\.[0-9]+)?)-r(?P<rounds>[0-9]+)"
    r"|-(k(?P<level>[0-9]+)|weights(?P<weights>[0-9]+(\.[0-9]+)?))(-r(?P<iterations>[0-9]+))?"
    r"(-at(?P<at>end|[0-9]+)(-from(?P<rewind>[0-9]+))?)?)?"
    r"(-(?P<ablation>[a-z][a-z0-9_.]*))?-s(?P<seed>[0-9]+)"
)
_DEFAULTS = {"at": 0, "rewind": None}
"""Fields that a record leaves out at these values."""


def level_amount(level: int) -> Decimal:
    """The exact fraction pruned at level k, 1 - 0.8^k. Raises ValueError outside ``LEVELS``, where 28 digits end."""
    if level not in LEVELS:
        raise ValueError(f"level is {level}; it must be from {LEVELS[0]} to {LEVELS[-1]}")
    return 1 - Decimal(8**level).scaleb(-level)


_LEVELS = {level_amount(k): k for k in LEVELS}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is measured: a model on a data set, pruned by a score in a number of rounds, with one seed.

    ``amount`` is the exact decimal fraction of filters or weights removed in total; it and ``rounds`` are None where
    nothing is pruned, and ``ablation`` there names another training than usual. Weights are pruned at the prune point
    ``at``, in as many iterations of scoring as there are rounds, and training then starts over with its whole
    schedule: from the weights there are, or from those of iteration ``rewind``. Filters are pruned between the first
    epochs. Raises ValueError when a part has characters outside ``[a-z0-9_.]``, contains ``..``, or is out of range.
    """

    suite: str
    model: str
    dataset: str
    score: str = BASE
    granularity: str = "filters"
    amount: Decimal | None = None
    rounds: int | None = None
    at: Point = 0
    rewind: int | None = None
    ablation: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        for field in ("suite", "model", "dataset", "score", "ablation"):
            _check_token(field, getattr(self, field))
        if self.granularity not in ("filters", "weights"):
            raise ValueError(f"granularity is {self.granularity!r}; expected filters or weights")
        if self.amount is None and self.granularity != "filters":
            raise ValueError("a cell that prunes nothing prunes no weights; leave its granularity out")
        if (self.amount is None) != (self.rounds is None) or (self.amount is None) != (self.score in UNPRUNED):
            raise ValueError(
                "a cell has an amount and rounds exactly when it prunes; "
                f"{self.score!r} has {self.amount} and {self.rounds}"
            )
        if self.amount is not None and not (self.amount.is_finite() and 0 < self.amount < 1):
            raise ValueError(f"amount is {self.amount}; it must be a fraction pruned between 0 and 1, for example 0.75")
        if self.amount is not None:  # 0.6 and 0.60 are one amount
            object.__setattr__(self, "amount", Decimal(f"{self.amount.normalize():f}"))
        if self.rounds is not None and self.rounds < 1:
            raise ValueError(f"rounds is {self.rounds}; it must be at least 1")
        self._check_point()
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must not be negative")

    def _check_point(self) -> None:
        if self.at != END and not (type(self.at) is int and self.at >= 0):
            raise ValueError(f"at is {self.at!r}; expected a number of iterations from 0 on, or {END!r}")
        if self.at != 0 and (self.granularity != "weights" or self.amount is None):
            raise ValueError("only cells that prune weights have a prune point")
        if self.rewind is not None and (self.at != END or type(self.rewind) is not int or self.rewind < 0):
            raise ValueError(f"rewind is {self.rewind} at {self.at}; only what is pruned at the end can be rewound")

    @property
    def level(self) -> int | None:
        """The level k where the amount is 1 - 0.8^k; None for other amounts."""
        return None if self.amount is None else _LEVELS.get(self.amount)

    @property
    def id(self) -> str:
        """The pytest id and report anchor, for example ``gradient_flow-vgg13-cifar10-loss-filters75-r5-s0``.

        Of weights, ``missing_the_mark-resnet20-cifar10-snip-k14-at1000-shuffle-s2``: at level 14, pruned after 1000
        iterations.
        """
        parts = [self.suite, self.model, self.dataset, self.score, *self._pruning()]
        if self.ablation != "none":
            parts.append(self.ablation)
        return "-".join([*parts, f"s{self.seed}"])

    def _pruning(self) -> list[str]:
        if self.amount is None:
            return []
        percent = f"{(self.amount * 100).normalize():f}"
        if self.granularity == "filters":
            return [f"filters{percent}", f"r{self.rounds}"]
        parts = [f"weights{percent}" if self.level is None else f"k{self.level}"]
        parts += [f"r{self.rounds}"] if self.rounds != 1 else []
        parts += [f"at{self.at}"] if self.at != 0 else []
        return parts + ([] if self.rewind is None else [f"from{self.rewind}"])

    def to_dict(self) -> dict[str, str | int | None]:
        """Plain JSON values; the amount as its decimal string."""
        values = {n: v for n, v in asdict(self).items() if n not in _DEFAULTS or v != _DEFAULTS[n]}
        values["amount"] = None if self.amount is None else str(self.amount)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Cell":
        """The inverse of :meth:`to_dict`. Raises ValueError on unknown or missing fields."""
        known = {field.name for field in fields(cls)}
        if unknown := set(values) - known:
            raise ValueError(f"a cell has no field {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
        if absent := {"suite", "model", "dataset"} - set(values):
            raise ValueError(f"a cell needs {', '.join(sorted(absent))}")
        amount = values.get("amount")
        try:
            exact = None if amount is None else Decimal(amount)
        except ArithmeticError:
            raise ValueError(f"amount is {amount!r}; it must be a decimal fraction, for example 0.75") from None
        return cls(**{**values, "amount": exact})

    @classmethod
    def parse(cls, text: str) -> "Cell":
        """The cell whose id is ``text``. Raises ValueError where ``text`` is not the id of a cell."""
        match = _ID.fullmatch(text)
        if match is None or ".." in text:
            raise ValueError(
                f"{text!r} is not a cell id; expected something like gradient_flow-vgg13-cifar10-loss-filters75-r5-s0"
            )
        part = match.groupdict()
        place: dict[str, Any] = {name: part[name] for name in ("suite", "model", "dataset", "score")}
        ending: dict[str, Any] = {"ablation": part["ablation"] or "none", "seed": int(part["seed"])}
        if part["filters"] is not None:
            amount = Decimal(part["filters"]) / 100
            return cls(**place, amount=amount, rounds=int(part["rounds"]), **ending)
        if part["level"] is None and part["weights"] is None:
            return cls(**place, **ending)
        return cls(
            **place,
            granularity="weights",
            amount=Decimal(part["weights"]) / 100 if part["level"] is None else level_amount(int(part["level"])),
            rounds=int(part["iterations"] or 1),
            at=END if part["at"] == END else int(part["at"] or 0),
            rewind=None if part["rewind"] is None else int(part["rewind"]),
            **ending,
        )


def _check_token(field: str, value: str) -> None:
    if not _TOKEN.fullmatch(value) or ".." in value:
        raise ValueError(f"{field} {value!r} may hold only a-z, 0-9, _ and single dots, for example cifar10")
