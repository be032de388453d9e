"""A protocol: every hyper-parameter that can change a number, and the key that it gives a result."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin, get_type_hints

from bench.cell import Cell

MIGRATIONS: dict[str, Any] = {
    "initialisation": "default",
    "scoring_batch": None,
    "warmup": 0,
    "probes": [],
    "lr_factor": 0.1,
}
"""Fields added after the first release, each with the value that means what was done before it existed.

A field at that value is left out of the key, so that adding a field renames no record.
"""


Precision = Literal["fp32", "tf32", "bf16"]
"""Of training and testing: single, the same with TF32 products (on a GPU), or bf16 where autocast takes it."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a cell is run (PROTOCOLS A.2-A.5, A.10). Fractions and multipliers are exact decimals in strings."""

    width: str = "1"  # multiplier of every channel count
    image_size: int | None = None  # pixels; None keeps the data set's own
    train_limit: int | None = None  # first images in canonical order; None is all
    test_limit: int | None = None
    mean: float | tuple[float, ...] = 0.5  # one for all channels, or one each
    std: float | tuple[float, ...] = 0.5
    augmentation: Literal["none", "crop_flip", "flip_crop", "resized_crop_flip", "flip_shift"] = "crop_flip"
    initialisation: Literal["default", "kaiming_normal"] = "default"
    epochs: int = 160  # pruning rounds of filters included; weights are trained for so many after pruning, too
    batch_size: int = 128
    lr: float = 0.1  # also the rate of every round
    lr_drops: tuple[int, ...] = (80, 120)  # epochs after which the rate is multiplied by lr_factor
    lr_factor: float = 0.1
    warmup: int = 0  # first epochs, through which the rate climbs from 0, step by step
    momentum: float = 0.9
    weight_decay: float = 1e-4
    temperature: float = 5.0  # logits are divided by it, in training and in the logged losses
    precision: Precision = "fp32"
    schedule: Literal["even", "released"] = "even"  # amount per round
    total: Literal["exact", "released"] = "exact"  # released: floor per round; ResNet integer percentages
    floor: Literal["highest", "released"] = "highest"  # which filters of a layer are never pruned
    counting: Literal["producers", "released"] = "producers"  # released: MobileNet depthwise layers counted again
    revival: Literal["forbidden", "released"] = "forbidden"
    score_samples: int = 2560
    scoring_batch: int | None = None  # images that a score sees at once; None: as in training
    probes: tuple[int, ...] = ()  # epochs at whose end dynamics are measured, 0 before the first

    def __post_init__(self) -> None:
        if not 0 < Decimal(self.width) <= 4:
            raise ValueError(f"width is {self.width}; it must be a multiplier above 0 and at most 4")
        if self.epochs < 0 or min(self.batch_size, self.score_samples, self.scoring_batch or 1) < 1:
            raise ValueError("epochs must not be negative; batches and score_samples must be at least 1")
        if not 0 <= self.warmup <= self.epochs:
            raise ValueError(f"warmup is {self.warmup}; it must be some of the {self.epochs} epochs")
        if not 0 < self.lr_factor <= 1:
            raise ValueError(f"lr_factor is {self.lr_factor}; it must be above 0 and at most 1")
        if not set(self.probes) <= set(range(self.epochs + 1)):
            raise ValueError(f"probes are {self.probes}; expected epochs from 0 to {self.epochs}")
        for name, kind in get_type_hints(type(self)).items():
            if get_origin(kind) is Literal and getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected {' or '.join(get_args(kind))}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, defaults included."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Protocol":
        """The protocol of a record of any age: fields it lacks take their value in MIGRATIONS. Raises ValueError."""
        known = {field.name for field in fields(cls)}
        if unknown := set(values) - known:
            raise ValueError(f"a protocol has no field {', '.join(sorted(unknown))}")
        if missing := known - set(values) - set(MIGRATIONS):
            raise ValueError(f"this protocol lacks {', '.join(sorted(missing))}, and no migration gives a value")
        merged: dict[str, Any] = {**MIGRATIONS, **values}
        plain: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in merged.items()}
        return cls(**plain)


def key(cell: Cell, protocol: Protocol, versions: Mapping[str, int | str]) -> str:
    """The name of a result: the cell's id and 8 hex digits of protocol and versions."""
    values = {
        name: value for name, value in protocol.to_dict().items() if name not in MIGRATIONS or MIGRATIONS[name] != value
    }
    text = json.dumps({"protocol": values, "versions": dict(versions)}, sort_keys=True, separators=(",", ":"))
    return f"{cell.id}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
