"""What pruning does to loss and gradient in the moment, before training goes on (observations 4 and 5)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pruning import masks, surgery
from pruning.rounds import FLOOR
from pruning.scores import Batch
from pruning.scores.batches import replayable
from pruning.scores.gradients import mean_loss
from pruning.scores.guard import untouched


class Effect(NamedTuple):
    """Mean loss per image, and ||g||_2 over all parameters that are left, at the temperature of training."""

    loss: float
    gradient_norm: float


def effects(
    model: Any,
    batches: Iterable[Batch],
    scores: Mapping[str, Mapping[str, Tensor]],
    *,
    amount: Decimal | str,
    temperature: float,
) -> dict[str, Effect]:
    """Of the network as it is, called none, and of what is left when each of ``scores`` prunes the same number.

    Batch norm uses its running statistics; the network is left as it was.

    Args:
        model: a network whose structure is declared, see :class:`pruning.models.Prunable`.
        batches: images with labels; gone over once for every score.
        scores: by name, {layer: Tensor[filters]}; the lowest are pruned, globally, with the suite's floor. One that is
            not finite everywhere ranks nothing, and its effect is NaN.
        amount: exact fraction of filters.
        temperature: what logits are divided by.

    Raises:
        ValueError: as :func:`pruning.masks.global_mask` does.
    """
    with replayable(batches) as sample:
        found = {"none": effect(model, sample, temperature)}
        for name, of in scores.items():
            if not all(values.isfinite().all() for values in of.values()):
                found[name] = Effect(math.nan, math.nan)
                continue
            mask = masks.global_mask(of, amount=amount, floor=FLOOR, protected=model.protected)
            found[name] = effect(surgery.shrink(model, mask), sample, temperature)
    return found


def effect(model: nn.Module, batches: Iterable[Batch], temperature: float) -> Effect:
    """Loss and gradient norm of ``model`` as it is."""
    with untouched(model, "eval"):
        loss, gradient = mean_loss(model, batches, temperature)
        norm = torch.stack([slope.double().norm() for slope in gradient.values()]).norm()
    return Effect(loss, float(norm))


def by_layer(values: Tensor, layers: Mapping[str, int]) -> dict[str, Tensor]:
    """A vector over all filters, cut into those of each layer."""
    parts: Sequence[Tensor] = values.split(list(layers.values()))
    return dict(zip(layers, parts, strict=True))
