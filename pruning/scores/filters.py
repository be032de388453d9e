"""The scores of whole filters (PROTOCOLS A.5; Lubana & Dick, ICLR 2021).

Throughout, theta_p are the weights of filter p, one output channel of a convolution; bias and batch norm do not count.
g and H are gradient and Hessian of the mean cross-entropy of logits / temperature over the images given. Each function
returns {layer: Tensor[channels]}; the lowest are pruned first. Batch norm uses its running statistics unless said
otherwise: under batch statistics a filter's scale does not matter to the loss, so theta_p . g vanishes and theta_p . Hg
becomes -||g_p||^2 (PROTOCOLS A.5.1).

Where a sum and an absolute value meet, their order differs from score to score; each docstring says which it is.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

import torch
from torch import Tensor, nn

from pruning.scores.batches import Batch, replayable
from pruning.scores.gradients import hessian_product, mean_gradient, per_batch_gradients
from pruning.scores.registry import register
from pruning.scores.twins import NoRuleError, filter_products

Layers = Mapping[str, nn.Conv2d]
Scores = dict[str, Tensor]


@register("random", sampling="none")
def random(model: nn.Module, batches: Iterable[Batch], *, layers: Layers, generator: torch.Generator | None) -> Scores:
    """U(0, 1) per filter, drawn on the generator's device. With allocation ``uniform`` it is the paper's "uniform"."""
    scores = {}
    for layer, module in layers.items():
        device = module.weight.device if generator is None else generator.device
        draw = torch.rand(len(module.weight), generator=generator, device=device, dtype=torch.float64)
        scores[layer] = draw.to(module.weight.device)
    return scores


@register("magnitude", sampling="none")
def magnitude(model: nn.Module, batches: Iterable[Batch], *, layers: Layers) -> Scores:
    """||theta_p||_2; orders filters as eq. 1, its square, does."""
    return {layer: rows(module.weight).norm(dim=1) for layer, module in layers.items()}


@register("magnitude_l1", sampling="none")
def magnitude_l1(model: nn.Module, batches: Iterable[Batch], *, layers: Layers) -> Scores:
    """||theta_p||_1."""
    return {layer: rows(module.weight).abs().sum(1) for layer, module in layers.items()}


@register("distance_from_init", sampling="none")
def distance_from_init(
    model: nn.Module, batches: Iterable[Batch], *, layers: Layers, initial: Mapping[str, Tensor] | None
) -> Scores:
    """||theta_p - theta_p(0)||_2 (section 4.1). Raises ValueError without the initial parameters."""
    if initial is None:
        raise ValueError("distance_from_init needs initial=, the parameters at initialisation by name")
    return {
        layer: rows(module.weight - initial[f"{layer}.weight"].to(module.weight)).norm(dim=1)
        for layer, module in layers.items()
    }


@register("loss")
def loss(model: nn.Module, batches: Iterable[Batch], *, layers: Layers, temperature: float) -> Scores:
    """sum |theta_i g_i|: absolute per weight, then summed; loss preservation in the tables (PROTOCOLS A.5, A.9)."""
    g = mean_gradient(model, batches, temperature)
    return {layer: rows(module.weight * _of(g, layer)).abs().sum(1) for layer, module in layers.items()}


@register("taylor")
def taylor(model: nn.Module, batches: Iterable[Batch], *, layers: Layers, temperature: float) -> Scores:
    """|sum theta_i g_i|: summed, then absolute; |eq. 3|."""
    g = mean_gradient(model, batches, temperature)
    return {layer: rows(module.weight * _of(g, layer)).sum(1).abs() for layer, module in layers.items()}


@register("proposed")
def proposed(model: nn.Module, batches: Iterable[Batch], *, layers: Layers, temperature: float) -> Scores:
    """sum |theta_i| |theta_i g_i|, the paper's extension of loss preservation (section 4.1)."""
    g = mean_gradient(model, batches, temperature)
    return {layer: rows(module.weight**2 * _of(g, layer)).abs().sum(1) for layer, module in layers.items()}


@register("fisher")
def fisher(model: nn.Module, batches: Iterable[Batch], *, layers: Layers, temperature: float) -> Scores:
    """sum theta_i^2 E[g_i^2], the mean over the batches given of each batch's squared mean gradient.

    Depends on how the sample is cut into batches.
    """
    squares, number = {layer: torch.zeros_like(module.weight) for layer, module in layers.items()}, 0
    for g in per_batch_gradients(model, batches, temperature):
        for layer, square in squares.items():
            square += _of(g, layer) ** 2
        number += 1
    if not number:
        raise ValueError("fisher needs data, and there is not one batch")
    return {layer: rows(module.weight**2 * squares[layer] / number).sum(1) for layer, module in layers.items()}


@register("bn_scale", sampling="none")
def bn_scale(model: nn.Module, batches: Iterable[Batch], *, layers: Layers) -> Scores:
    """|gamma| of the batch norm that scales the filter's channel. Raises ValueError where the network declares none."""
    norms = getattr(model, "norms", None)
    if norms is None:
        raise ValueError(
            f"bn_scale needs to know which batch norm scales which layer; give {type(model).__name__} an attribute "
            "norms = {layer: batch norm}"
        )
    return {layer: model.get_submodule(norms[layer]).get_parameter("weight").abs() for layer in layers}


@register("grasp_t200", sampling="class_balanced")
def grasp_t200(model: nn.Module, batches: Iterable[Batch], *, layers: Layers) -> Scores:
    """sum theta_i (Hg)_i, signed, at temperature 200 (eq. 5). The most negative, whose loss raises ||g||, go first."""
    return _gradient_norm(model, batches, layers, 200.0)


@register("grasp_t1", sampling="class_balanced")
def grasp_t1(model: nn.Module, batches: Iterable[Batch], *, layers: Layers) -> Scores:
    """sum theta_i (Hg)_i, signed, at temperature 1 (eq. 5)."""
    return _gradient_norm(model, batches, layers, 1.0)


@register("abs_grasp", sampling="class_balanced")
def abs_grasp(model: nn.Module, batches: Iterable[Batch], *, layers: Layers) -> Scores:
    """|sum theta_i (Hg)_i| at temperature 1: summed, then absolute; preserves the gradient norm (section 4.3)."""
    return {layer: score.abs() for layer, score in _gradient_norm(model, batches, layers, 1.0).items()}


def _gradient_norm(model: nn.Module, batches: Iterable[Batch], layers: Layers, temperature: float) -> Scores:
    with replayable(batches) as sample:
        g = mean_gradient(model, sample, temperature)
        with suppress(NoRuleError):  # of what most networks are made there is a faster way to the same numbers
            return filter_products(model, layers, sample, temperature, g)
        product = hessian_product(model, sample, temperature, g)
        return {layer: rows(module.weight * _of(product, layer)).sum(1) for layer, module in layers.items()}


def _of(numbers: Mapping[str, Tensor], layer: str) -> Tensor:
    """Those of a layer's weight."""
    if (weight := f"{layer}.weight") not in numbers:
        raise ValueError(
            f"{layer} has no weight of its own to take a gradient by: it is shared with another layer, or computed "
            "from other parameters"
        )
    return numbers[weight]


def rows(weight: Tensor) -> Tensor:
    """[out, ...] -> [out, weights of one filter]."""
    return weight.flatten(1)
