"""What a network declares so that it can be rebuilt narrower: which channels each of its tensors is indexed by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol, runtime_checkable

from torch import nn

Kept = tuple[int, ...]
"""Ascending positions, in the unpruned network, of the channels that are left."""

Axes = dict[str, tuple[Kept | None, ...]]
"""For each parameter or buffer, the channels its leading dimensions run over; None where no pruning cuts."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A description from which a network of the right shape is built: JSON values only.

    ``width`` multiplies every channel count and is an exact decimal. ``kept`` names the channels that are left of a
    layer; a layer that is not in it is whole. ``image_size`` is the side of the images in pixels; only networks that
    flatten their input need it.
    """

    name: str
    num_classes: int = 10
    in_channels: int = 3
    width: str = "1"
    kept: Mapping[str, Kept] = field(default_factory=dict)
    image_size: int | None = None

    def __post_init__(self) -> None:
        try:
            fits = 0 < Decimal(self.width) <= 4
        except InvalidOperation:
            fits = False
        if not fits:
            raise ValueError(f"width is {self.width!r}; it must be a multiplier above 0 and at most 4, as '0.25'")
        if self.num_classes < 1 or self.in_channels < 1:
            raise ValueError(f"{self.num_classes} classes of {self.in_channels} channels; both must be at least 1")
        if self.image_size is not None and self.image_size < 1:
            raise ValueError(f"image_size is {self.image_size}; it must be the images' side in pixels, at least 1")

    def channels(self, count: int) -> int:
        """``count`` channels of the published network at this width, at least one."""
        return max(1, int(count * Decimal(self.width)))

    def left(self, layer: str, total: int) -> Kept:
        """Channels left of ``layer``, which has ``total`` when unpruned. Raises ValueError where they do not fit."""
        kept = tuple(self.kept.get(layer, range(total)))
        if not kept:
            raise ValueError(f"layer {layer} would lose all of its {total} channels; keep at least one")
        if list(kept) != sorted(set(kept)) or kept[0] < 0 or kept[-1] >= total:
            raise ValueError(f"channels kept in {layer} must be ascending and between 0 and {total - 1}")
        return kept

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "name": self.name,
            "num_classes": self.num_classes,
            "in_channels": self.in_channels,
            "width": self.width,
            "kept": {layer: list(kept) for layer, kept in self.kept.items()},
            "image_size": self.image_size,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Architecture":
        """The inverse of :meth:`to_dict`."""
        return cls(**{**values, "kept": {layer: tuple(kept) for layer, kept in values["kept"].items()}})


@runtime_checkable
class Prunable(Protocol):
    """A network whose structure is declared, so that surgery can remove its channels.

    A network of your own takes part when it has these: everything below is read by ``pruning.surgery`` and
    ``pruning.masks``, nothing else is.
    """

    architecture: Architecture
    filters: Mapping[str, int]  # prunable layer -> its channels when unpruned, in forward order
    protected: tuple[str, ...]  # layers that are counted but never pruned
    norms: Mapping[str, str]  # prunable layer -> the batch norm that scales its channels

    def axes(self) -> Axes:
        """The channels that each tensor of the state dict runs over; tensors not named are never cut."""
        ...

    def rebuilt(self, architecture: Architecture) -> nn.Module:
        """A new network of the same class for another architecture, freshly initialised."""
        ...


def kept_channels(net: Prunable) -> dict[str, Kept]:
    """Channels left in every prunable layer, as positions in the unpruned network."""
    return {layer: net.architecture.left(layer, total) for layer, total in net.filters.items()}
