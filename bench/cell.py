"""A cell: one thing that is measured, and its name."""

import re
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

BASE = "base"
"""The score of a cell that prunes nothing."""

_TOKEN = re.compile(r"[a-z0-9_.]+")
_ID = re.compile(
    r"(?P<suite>[a-z0-9_.]+)-(?P<model>[a-z0-9_.]+)-(?P<dataset>[a-z0-9_.]+)-(?P<score>[a-z0-9_.]+)"
    r"(-filters(?P<percent>[0-9]+(\.[0-9]+)?)-r(?P<rounds>[0-9]+))?(-(?P<ablation>[a-z][a-z0-9_.]*))?-s(?P<seed>[0-9]+)"
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is measured: a model on a data set, pruned by a score in a number of rounds, with one seed.

    ``amount`` is the exact decimal fraction of filters removed in total; it and ``rounds`` are None for a base cell.
    Raises ValueError when a part has characters outside ``[a-z0-9_.]``, contains ``..``, or is out of range.
    """

    suite: str
    model: str
    dataset: str
    score: str = BASE
    granularity: str = "filters"
    amount: Decimal | None = None
    rounds: int | None = None
    ablation: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        for field in ("suite", "model", "dataset", "score", "ablation"):
            _check_token(field, getattr(self, field))
        if (self.amount is None) != (self.rounds is None) or (self.amount is None) != (self.score == BASE):
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
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must not be negative")

    @property
    def id(self) -> str:
        """The pytest id and report anchor, for example ``gradient_flow-vgg13-cifar10-loss-filters75-r5-s0``."""
        parts = [self.suite, self.model, self.dataset, self.score]
        if self.amount is not None:
            percent = (self.amount * 100).normalize()
            parts += [f"{self.granularity}{percent:f}", f"r{self.rounds}"]
        if self.ablation != "none":
            parts.append(self.ablation)
        return "-".join([*parts, f"s{self.seed}"])

    def to_dict(self) -> dict[str, str | int | None]:
        """Plain JSON values; the amount as its decimal string."""
        values = asdict(self)
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
        percent = part["percent"]
        return cls(
            suite=part["suite"],
            model=part["model"],
            dataset=part["dataset"],
            score=part["score"],
            amount=None if percent is None else Decimal(percent) / 100,
            rounds=None if part["rounds"] is None else int(part["rounds"]),
            ablation=part["ablation"] or "none",
            seed=int(part["seed"]),
        )


def _check_token(field: str, value: str) -> None:
    if not _TOKEN.fullmatch(value) or ".." in value:
        raise ValueError(f"{field} {value!r} may hold only a-z, 0-9, _ and single dots, for example cifar10")
