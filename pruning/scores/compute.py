"""Scoring a network, by name."""

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from pruning.models.architecture import Prunable
from pruning.scores.gradients import Batch
from pruning.scores.guard import BNMode, untouched
from pruning.scores.registry import Score, get


def filter_scores(
    score: str | Score,
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    temperature: float = 5.0,
    bn_mode: BNMode | None = None,
    generator: torch.Generator | None = None,
    initial: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """{layer: Tensor[channels]} in forward order, detached; the lowest are pruned first.

    ``batches`` are images [N, C, H, W] with labels [N]; a score without need of data takes an empty list. Gradients
    are means over all images given. ``temperature`` is that of training; the GraSP scores have their own and do not
    look at it. ``bn_mode`` None is the score's own choice. ``initial`` are the parameters at initialisation, by name,
    for distance_from_init. ``generator`` is for random; without one it draws the same numbers again and again, as the
    random state is put back.

    Works on any module with convolutions, whose layers then come in the order in which they are registered, and leaves
    the model, its gradients and the random state as they were. A network in half precision, where sums of squares and
    products underflow, is scored as a copy in single precision. Raises ValueError on an unknown name, on missing data,
    and on a score that returns the wrong layers or shapes.
    """
    score = get(score) if isinstance(score, str) else score
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature is {temperature}; it must be a finite number above 0")
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    layers = filter_layers(model)
    if any(parameter.dtype in _HALF for parameter in model.parameters()):
        model, batches = copy.deepcopy(model).float(), _single(batches)
        layers = filter_layers(model)
    options = {"layers": layers, "temperature": temperature, "generator": generator, "initial": initial}
    with untouched(model, bn_mode or score.bn_mode):
        result = score(model, batches, options)
        _check(score, result, layers)
        return {layer: result[layer].detach().clone() for layer in layers}


_HALF = (torch.float16, torch.bfloat16)


def _single(batches: Iterable[Batch]) -> Iterator[Batch]:
    return ((images.float() if images.dtype in _HALF else images, labels) for images, labels in batches)


def _check(score: Score, result: Mapping[str, Tensor], layers: Mapping[str, nn.Conv2d]) -> None:
    if set(result) != set(layers):
        raise ValueError(
            f"score {score.name} must return one tensor for each of the {len(layers)} layers; it returned "
            f"{len(result)}, and differs in {', '.join(sorted(set(result) ^ set(layers))[:3])}"
        )
    for layer, module in layers.items():
        if result[layer].shape != module.weight.shape[:1]:
            raise ValueError(
                f"score {score.name} returned shape {list(result[layer].shape)} for {layer}; expected one number for "
                f"each of its {module.weight.shape[0]} filters"
            )


def filter_layers(model: nn.Module) -> dict[str, nn.Conv2d]:
    """The layers whose filters are scored: those a network declares prunable, else every ungrouped convolution.

    Raises ValueError where there is none.
    """
    modules = dict(model.named_modules())
    if isinstance(model, Prunable):
        layers = {name: modules[name] for name in model.filters}
    else:
        layers = {name: module for name, module in modules.items() if _is_plain(module)}
    for name, module in layers.items():
        if not _is_plain(module):
            raise ValueError(
                f"{name} is declared prunable, but has no filters to score: it is no ungrouped convolution"
            )
    if not layers:
        raise ValueError(f"{type(model).__name__} has no convolution whose filters could be scored")
    return cast("dict[str, nn.Conv2d]", layers)


def _is_plain(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == 1
