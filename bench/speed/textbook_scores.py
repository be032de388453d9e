"""Scores as a textbook computes them: the formula, one eager pass per batch, in the default memory layout."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning.scores import Batch


class Sample(NamedTuple):
    """What a score may look at, besides the network; ``batches`` have at most 128 images."""

    layers: Sequence[str]
    batches: Sequence[Batch]
    initial: Mapping[str, Tensor]  # parameters at initialisation
    temperature: float = 5.0


Scores = dict[str, Tensor]
Textbook = Callable[[nn.Module, Sample], Scores]


def _by_weight(formula: Callable[[Tensor], Tensor]) -> Textbook:
    """A score of a filter's weights [filters, weights of one] alone."""

    def score(net: nn.Module, sample: Sample) -> Scores:
        weights = {layer: net.get_parameter(f"{layer}.weight").detach() for layer in sample.layers}
        return {layer: formula(weight.flatten(1)) for layer, weight in weights.items()}

    return score


def _by_gradient(formula: Callable[[Tensor, Tensor], Tensor]) -> Textbook:
    """A score of weights and their gradient of the mean loss."""

    def score(net: nn.Module, sample: Sample) -> Scores:
        net.zero_grad()
        net.eval()
        number = sum(len(labels) for _, labels in sample.batches)
        for images, labels in sample.batches:
            (_loss(net, images, labels, sample.temperature) / number).backward()
        return _with_gradients(net, sample, formula)

    return score


def _by_hessian(formula: Callable[[Tensor, Tensor], Tensor], temperature: float) -> Textbook:
    """A score of weights and Hessian times gradient, by double backward."""

    def score(net: nn.Module, sample: Sample) -> Scores:
        net.zero_grad()
        net.eval()
        parameters, number = list(net.parameters()), sum(len(labels) for _, labels in sample.batches)
        gradient = [torch.zeros_like(parameter) for parameter in parameters]
        for images, labels in sample.batches:
            loss = _loss(net, images, labels, temperature) / number
            for total, part in zip(gradient, torch.autograd.grad(loss, parameters), strict=True):
                total += part
        for images, labels in sample.batches:
            loss = _loss(net, images, labels, temperature) / number
            slopes = torch.autograd.grad(loss, parameters, create_graph=True)
            product = torch.stack([(slope * g).sum() for slope, g in zip(slopes, gradient, strict=True)]).sum()
            for parameter, part in zip(
                parameters, torch.autograd.grad(product, parameters, allow_unused=True), strict=True
            ):
                _add_gradient(parameter, part)
        return _with_gradients(net, sample, formula)

    return score


def _fisher(net: nn.Module, sample: Sample) -> Scores:
    net.eval()
    squares = {layer: torch.zeros_like(net.get_parameter(f"{layer}.weight")) for layer in sample.layers}
    for images, labels in sample.batches:
        net.zero_grad()
        (_loss(net, images, labels, sample.temperature) / len(labels)).backward()
        for layer, square in squares.items():
            square += _gradient(net.get_parameter(f"{layer}.weight")) ** 2
    return {
        layer: (net.get_parameter(f"{layer}.weight").detach() ** 2 * square / len(sample.batches)).flatten(1).sum(1)
        for layer, square in squares.items()
    }


def _random(net: nn.Module, sample: Sample) -> Scores:
    weights = {layer: net.get_parameter(f"{layer}.weight") for layer in sample.layers}
    return {layer: torch.rand(len(weight), device=weight.device) for layer, weight in weights.items()}


def _distance_from_init(net: nn.Module, sample: Sample) -> Scores:
    names = {layer: f"{layer}.weight" for layer in sample.layers}
    moved = {layer: net.get_parameter(name).detach() - sample.initial[name] for layer, name in names.items()}
    return {layer: difference.flatten(1).norm(dim=1) for layer, difference in moved.items()}


def _bn_scale(net: nn.Module, sample: Sample) -> Scores:
    norms: Mapping[str, str] = net.norms  # type: ignore[assignment]
    return {layer: net.get_parameter(f"{norms[layer]}.weight").detach().abs() for layer in sample.layers}


def _loss(net: nn.Module, images: Tensor, labels: Tensor, temperature: float) -> Tensor:
    return F.cross_entropy(net(images) / temperature, labels, reduction="sum")


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _add_gradient(parameter: Tensor, part: Tensor | None) -> None:
    if part is not None:
        parameter.grad = part if parameter.grad is None else parameter.grad + part


def _with_gradients(net: nn.Module, sample: Sample, formula: Callable[[Tensor, Tensor], Tensor]) -> Scores:
    weights = {layer: net.get_parameter(f"{layer}.weight") for layer in sample.layers}
    return {
        layer: formula(weight.detach().flatten(1), _gradient(weight).flatten(1)) for layer, weight in weights.items()
    }


TEXTBOOK: dict[str, Textbook] = {
    "random": _random,
    "magnitude": _by_weight(lambda w: w.norm(dim=1)),
    "magnitude_l1": _by_weight(lambda w: w.abs().sum(1)),
    "distance_from_init": _distance_from_init,
    "loss": _by_gradient(lambda w, g: (w * g).abs().sum(1)),
    "taylor": _by_gradient(lambda w, g: (w * g).sum(1).abs()),
    "proposed": _by_gradient(lambda w, g: (w**2 * g).abs().sum(1)),
    "fisher": _fisher,
    "bn_scale": _bn_scale,
    "grasp_t200": _by_hessian(lambda w, h: (w * h).sum(1), 200.0),
    "grasp_t1": _by_hessian(lambda w, h: (w * h).sum(1), 1.0),
    "abs_grasp": _by_hessian(lambda w, h: (w * h).sum(1).abs(), 1.0),
}
