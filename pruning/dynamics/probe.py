"""What the gradient-flow paper measures of a network at one moment of its training (sections 4.1-4.3, PROTOCOLS A.8).

theta_p are the weights of filter p, g and H gradient and Hessian of the mean cross-entropy over a sample. Batch norm
uses its running statistics: under those of the batch, theta_p . g is zero (PROTOCOLS A.5.1).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pruning.data import generator
from pruning.dynamics.correlation import Correlation, correlation
from pruning.dynamics.mask_distance import mask_distance
from pruning.scores import Batch
from pruning.scores.batches import replayable
from pruning.scores.gradients import hessian_product, mean_gradient
from pruning.scores.guard import untouched
from pruning.scores.prunable import filter_layers

SAMPLED = 2000
"""Single weights that are kept of a network, for scatter plots; correlations are over all of them."""

Numbers = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One moment of training.

    ``filters`` has a vector over the filters of all prunable layers, in forward order, for each of

    - theta_g, theta_hg: sum theta_i g_i and sum theta_i (Hg)_i, signed, of the loss at temperature 1;
    - loss, taylor: sum |theta_i g_i| and |sum theta_i g_i| at the temperature of training, eq. 3 in both readings;
    - norm: ||theta_p||_2; with the initial weights, distance: ||theta_p - theta_p(0)||_2;
    - with the weights of an epoch before, norm_before, and theta_dtheta: |sum theta_i dtheta_i|;
    - where the network declares its batch norms, sigma and sigma_g: the scale, and |scale times its gradient| at the
      temperature of training; with the weights of an epoch before, sigma_dsigma: |scale times its change|.

    ``weights`` has theta_g, theta_hg, loss, |theta g| at the temperature of training, and, with those of an epoch
    before, theta_dtheta, |theta dtheta|, of the same few weights of the prunable layers. ``correlations`` are over all
    filters, and over all of their weights, each called ``filters: x, y``, and, where they were asked for, those of
    theta_g and theta_hg at the temperature of training, :data:`IN_TRAINING` behind the name. ``distances`` are
    :func:`mask_distance` between this epoch and the one before, of scales (filters) and of weights.
    """

    layers: dict[str, int]
    filters: dict[str, Tensor]
    weights: dict[str, Tensor]
    gradient_norms: dict[str, float]  # ||g||_2 of the weights of each layer, at the temperature of training
    correlations: dict[str, Correlation]
    distances: dict[str, float]


FILTER_PAIRS = (
    ("theta_g", "theta_hg"),  # Figures 3, 13-15, 36-38
    ("sigma_dsigma", "taylor"),  # Figures 2 and 35, in the three readings of loss preservation
    ("sigma_dsigma", "loss"),
    ("sigma_dsigma", "sigma_g"),
    ("norm", "distance"),  # section 4.1
)
IN_TRAINING = ", at the temperature of training"
"""Behind the name of a correlation."""
WEIGHT_PAIRS = (("theta_g", "theta_hg"), ("theta_dtheta", "loss"))  # Figures 32-34, 31


def measure(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    temperature: float,
    before: Numbers | None = None,
    initial: Numbers | None = None,
    sampled: int = SAMPLED,
    twice: bool = False,
) -> Measured:
    """``model`` on a sample; weights, gradients, statistics and random state are as before.

    Takes 8 forward and backward passes' time or so: gradients at two temperatures, and one exact Hessian product.

    Args:
        model: a network with convolutions.
        batches: images [N, C, H, W] with labels [N]; gone over three times.
        temperature: that of training, which the logits are divided by.
        before: parameters by name, an epoch ago.
        initial: parameters by name, before training.
        sampled: how many single weights to keep.
        twice: whether theta_g and theta_hg are correlated at the temperature of training, too, which takes a Hessian
            product of its own.

    Raises:
        ValueError: there is no image, or no convolution.
    """
    layers = {name: module.weight for name, module in filter_layers(model).items()}
    with untouched(model, "eval"), replayable(batches) as sample:
        plain = mean_gradient(model, sample, 1.0)
        product = hessian_product(model, sample, 1.0, plain)
        scaled = plain if temperature == 1.0 else mean_gradient(model, sample, temperature)
        again = hessian_product(model, sample, temperature, scaled) if twice else None
        own = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    before, initial = (_beside(own, others) for others in (before, initial))
    names = {layer: f"{layer}.weight" for layer in layers}
    norms = _norms(model, own, layers)
    weights = _weights(own, plain, product, scaled, names, before)
    filters = _filters(own, names, weights, initial, before) | _scales(own, scaled, norms, before)
    pooled = {name: _pooled(name, parts) for name, parts in weights.items()}
    correlations = dict(_correlations(filters, pooled))
    if again is not None:
        correlations |= _in_training(own, scaled, again, names)
    distances = {}
    if before is not None:
        distances["weights"] = mask_distance(_joined(before, names), _joined(own, names))
        if norms:
            distances["filters"] = mask_distance(_joined(before, norms), _joined(own, norms))
    return Measured(
        layers={layer: len(weight) for layer, weight in layers.items()},
        filters=filters,
        weights=_some(pooled, sampled),
        gradient_norms={layer: float(scaled[name].double().norm()) for layer, name in names.items()},
        correlations=correlations,
        distances=distances,
    )


def _beside(own: Numbers, others: Numbers | None) -> Numbers | None:
    """``others`` of the same names, type and device as ``own``."""
    return None if others is None else {name: number.to(own[name]) for name, number in others.items()}


def _norms(model: nn.Module, own: Numbers, layers: Iterable[str]) -> dict[str, str]:
    """The scale of batch norm that follows each layer, where the network declares one for all of them."""
    declared = getattr(model, "norms", None)
    if not isinstance(declared, Mapping):
        return {}
    found = {layer: f"{declared.get(layer)}.weight" for layer in layers}
    return found if set(found.values()) <= own.keys() else {}


def _weights(
    own: Numbers, plain: Numbers, product: Numbers, scaled: Numbers, names: Mapping[str, str], before: Numbers | None
) -> dict[str, dict[str, Tensor]]:
    """Products by what they are of, weight by weight: {quantity: {layer: tensor of the weight's shape}}."""
    found = {
        "theta_g": {layer: own[name] * plain[name] for layer, name in names.items()},
        "theta_hg": {layer: own[name] * product[name] for layer, name in names.items()},
        "loss": {layer: own[name] * scaled[name] for layer, name in names.items()},
    }
    if before is not None:
        moved = {layer: own[name] * (own[name] - before[name]) for layer, name in names.items()}
        found["theta_dtheta"] = moved
    return found


def _filters(
    own: Numbers,
    names: Mapping[str, str],
    weights: Mapping[str, Mapping[str, Tensor]],
    initial: Numbers | None,
    before: Numbers | None,
) -> dict[str, Tensor]:
    def summed(quantity: str) -> Tensor:
        return torch.cat([product.flatten(1).double().sum(1) for product in weights[quantity].values()])

    found = {
        "theta_g": summed("theta_g"),
        "theta_hg": summed("theta_hg"),
        "loss": torch.cat([product.flatten(1).double().abs().sum(1) for product in weights["loss"].values()]),
        "taylor": summed("loss").abs(),
        "norm": _lengths(own, names),
    }
    if initial is not None:
        moved = {name: own[name] - initial[name] for name in names.values()}
        found["distance"] = _lengths(moved, names)
    if before is not None:
        found["norm_before"] = _lengths(before, names)
        found["theta_dtheta"] = summed("theta_dtheta").abs()
    return {name: values.cpu() for name, values in found.items()}


def _scales(own: Numbers, scaled: Numbers, norms: Mapping[str, str], before: Numbers | None) -> dict[str, Tensor]:
    """What is measured of the scales of batch norm; nothing where the network declares none."""
    if not norms:
        return {}
    sigma = _joined(own, norms)
    found = {"sigma": sigma, "sigma_g": (sigma * _joined(scaled, norms)).abs()}
    if before is not None:
        found["sigma_dsigma"] = (sigma * (sigma - _joined(before, norms))).abs()
    return {name: values.cpu() for name, values in found.items()}


def _pooled(quantity: str, parts: Numbers) -> Tensor:
    """One vector over the weights of all layers; what is compared with a change counts whatever its sign."""
    whole = torch.cat([part.flatten() for part in parts.values()])
    return whole if quantity in ("theta_g", "theta_hg") else whole.abs()


def _correlations(filters: Numbers, weights: Numbers) -> Iterable[tuple[str, Correlation]]:
    for kind, numbers, pairs in (("filters", filters, FILTER_PAIRS), ("weights", weights, WEIGHT_PAIRS)):
        for x, y in pairs:
            if x in numbers and y in numbers:
                yield f"{kind}: {x}, {y}", correlation(numbers[x], numbers[y])


def _in_training(own: Numbers, scaled: Numbers, product: Numbers, names: Mapping[str, str]) -> dict[str, Correlation]:
    """Those of theta . g and theta . Hg of the loss that is trained on."""
    weights = _weights(own, scaled, product, scaled, names, None)
    filters = _filters(own, names, weights, None, None)
    found = dict(_correlations(filters, {name: _pooled(name, parts) for name, parts in weights.items()}))
    return {f"{name}{IN_TRAINING}": each for name, each in found.items() if name.endswith("theta_g, theta_hg")}


def _some(numbers: Numbers, count: int) -> dict[str, Tensor]:
    """The same ``count`` places of every vector, drawn at random but always the same ones, in order."""
    whole = len(next(iter(numbers.values())))
    places = torch.randperm(whole, generator=generator(0, "sampled_weights"))[:count].sort().values
    return {name: values[places.to(values.device)].double().cpu() for name, values in numbers.items()}


def filter_norms(model: nn.Module) -> Tensor:
    """||theta_p||_2 of the filters of all prunable layers, in forward order, float64."""
    weights = {name: layer.weight for name, layer in filter_layers(model).items()}
    return _lengths(weights, {name: name for name in weights})


def _lengths(numbers: Numbers, names: Mapping[str, str]) -> Tensor:
    return torch.cat([numbers[name].detach().flatten(1).double().norm(dim=1) for name in names.values()])


def _joined(numbers: Numbers, names: Mapping[str, str]) -> Tensor:
    return torch.cat([numbers[name].detach().flatten().double() for name in names.values()])
