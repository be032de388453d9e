"""Scoring a network, by name."""

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from pruning.scores.batches import Batch
from pruning.scores.guard import BNMode, untouched
from pruning.scores.prunable import filter_layers, weight_parameters
from pruning.scores.registry import Score, resolved


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
    score = resolved(score, "filters")
    _check_temperature(temperature)
    model, batches = _single(model, batches)
    layers = filter_layers(model)
    options = {"layers": layers, "temperature": temperature, "generator": generator, "initial": initial}
    with untouched(model, bn_mode or score.bn_mode):
        result = score(model, batches, options)
        _check_names(score, result, layers, "layers")
        for layer, module in layers.items():
            if result[layer].shape != module.weight.shape[:1]:
                raise ValueError(
                    f"score {score.name} returned shape {list(result[layer].shape)} for {layer}; expected one number "
                    f"for each of its {module.weight.shape[0]} filters"
                )
        return {layer: result[layer].detach().clone() for layer in layers}


def weight_scores(
    score: str | Score,
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    bn_mode: BNMode | None = None,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    image: Sequence[int] | None = None,
) -> dict[str, Tensor]:
    """{parameter: Tensor of its shape}, in the order of registration, detached; the lowest are pruned first.

    The parameters are those of :func:`weight_parameters`. ``batches`` are as for :func:`filter_scores`; in training
    mode, which is the own choice of the scores that read them, batch norm uses the statistics of each batch given.
    ``temperature`` scales the logits for snip; the GraSP scores have their own. ``image``, [C, H, W], is the shape of
    what synflow sends through the network; without it that of the first batch.

    Works on any module with convolutions or linear layers, leaves all as it was, and scores half precision as a copy
    in single precision, as :func:`filter_scores` does. Raises ValueError on an unknown name, on missing data, on a
    network without weights, and on a score that returns the wrong parameters or shapes.
    """
    score = resolved(score, "weights")
    _check_temperature(temperature)
    model, batches = _single(model, batches)
    parameters = weight_parameters(model)
    options = {"parameters": parameters, "temperature": temperature, "generator": generator, "image": image}
    with untouched(model, bn_mode or score.bn_mode):
        result = score(model, batches, options)
        _check_names(score, result, parameters, "parameters")
        for name, parameter in parameters.items():
            if result[name].shape != parameter.shape:
                raise ValueError(
                    f"score {score.name} returned shape {list(result[name].shape)} for {name}; expected one number for "
                    f"each of its weights, {list(parameter.shape)}"
                )
        return {name: result[name].detach().clone() for name in parameters}


def _check_temperature(temperature: float) -> None:
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature is {temperature}; it must be a finite number above 0")


_HALF = (torch.float16, torch.bfloat16)


def _single(model: nn.Module, batches: Iterable[Batch]) -> tuple[nn.Module, Iterable[Batch]]:
    """Both as they are, or in single precision where the network is in half; what torch.compile wraps is unwrapped."""
    model = getattr(model, "_orig_mod", model)
    if not any(parameter.dtype in _HALF for parameter in model.parameters()):
        return model, batches
    return copy.deepcopy(model).float(), _floats(batches)


def _floats(batches: Iterable[Batch]) -> Iterator[Batch]:
    return ((images.float() if images.dtype in _HALF else images, labels) for images, labels in batches)


def _check_names(score: Score, result: Mapping[str, Tensor], wanted: Mapping[str, object], kind: str) -> None:
    if set(result) != set(wanted):
        raise ValueError(
            f"score {score.name} must return one tensor for each of the {len(wanted)} {kind}; it returned "
            f"{len(result)}, and differs in {', '.join(sorted(set(result) ^ set(wanted))[:3])}"
        )
