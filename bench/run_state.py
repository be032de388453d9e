"""Where a run stands, and how that is stored: everything a run is made of, and nothing random."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import msgspec
import torch
from torch import Tensor

from bench.cache import Stored
from pruning import models, training
from pruning.masks import Mask
from pruning.stacked import Member
from pruning.steps import Steps
from results.record import Curve, Moment


@dataclass
class State:
    """The network, its momentum, what is pruned, and what was measured on the way."""

    net: Any  # an nn.Module with an architecture; where filters are pruned, a models.Prunable
    momentum: dict[str, Tensor] = field(default_factory=dict)
    curve: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in Curve.__struct_fields__})
    seconds: dict[str, float] = field(default_factory=dict)
    score_images: int | None = None
    scores: dict[str, Tensor] = field(default_factory=dict)  # of the filters that are there, until some are pruned
    mask: Mask | None = None  # of weights, once they are pruned
    before: dict[str, Tensor] = field(default_factory=dict)  # parameters, before an epoch that is measured
    moments: list[Moment] = field(default_factory=list)
    arrays: dict[str, Tensor] = field(default_factory=dict)  # by place among the moments, kind and quantity
    steps: Steps | Member | None = None  # what trains the network as it is now; made when the first epoch begins

    def kept(self) -> Mask:
        """True for the filters that are left, over the unpruned network's."""
        left = models.kept_channels(self.net)
        return {layer: _mask(total, left[layer]) for layer, total in self.net.filters.items()}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Charge the time inside to ``name``."""
        start = perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start

    def stored(self) -> Stored:
        """The state as tensors and JSON facts."""
        tensors = {f"net.{name}": tensor for name, tensor in self.net.state_dict().items()}
        tensors |= {f"momentum.{name}": tensor for name, tensor in self.momentum.items()}
        tensors |= {f"scores.{name}": tensor for name, tensor in self.scores.items()}
        tensors |= {f"mask.{name}": tensor for name, tensor in (self.mask or {}).items()}
        tensors |= {f"before.{name}": tensor for name, tensor in self.before.items()}
        tensors |= {f"arrays.{name}": tensor for name, tensor in self.arrays.items()}
        facts = {
            "architecture": self.net.architecture.to_dict(),
            "curve": self.curve,
            "seconds": self.seconds,
            "score_images": self.score_images,
            "moments": msgspec.to_builtins(self.moments),
        }
        return Stored(tensors, facts)


def restored(stored: Stored, device: str) -> State:
    """The inverse of :meth:`State.stored`, on ``device``."""
    net: Any = models.from_architecture(models.Architecture.from_dict(stored.facts["architecture"]))
    net.load_state_dict(_part(stored.tensors, "net."))
    return State(
        net=training.place(net, device),
        momentum=_part(stored.tensors, "momentum."),
        scores=_part(stored.tensors, "scores."),
        mask=_part(stored.tensors, "mask.") or None,
        before={name: tensor.to(device) for name, tensor in _part(stored.tensors, "before.").items()},
        arrays=_part(stored.tensors, "arrays."),
        moments=msgspec.convert(stored.facts["moments"], list[Moment]),
        curve=stored.facts["curve"],
        seconds=stored.facts["seconds"],
        score_images=stored.facts["score_images"],
    )


def _mask(total: int, left: tuple[int, ...]) -> Tensor:
    mask = torch.zeros(total, dtype=torch.bool)
    mask[list(left)] = True
    return mask


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
