"""What gradient flow predicts of the norms of parameters, beside what small steps do (section 4, appendix B).

Theta are all parameters, theta_p those of a filter; g and H gradient and Hessian of the mean cross-entropy of
logits / temperature over a sample, with batch norm's running statistics unless said otherwise. Everything is computed
in double precision on a copy: as steps shrink, what is measured should come to be what is predicted, on smooth
networks without a rest.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pruning.scores import Batch
from pruning.scores.gradients import hessian_product, mean_loss
from pruning.scores.guard import BNMode, untouched
from pruning.scores.prunable import filter_layers

Numbers = dict[str, Tensor]


class Pair(NamedTuple):
    """Numbers of one kind, float64, as theory has them and as they were measured."""

    predicted: Tensor
    measured: Tensor

    @property
    def error(self) -> float:
        """||measured - predicted|| / ||predicted||."""
        return float((self.measured - self.predicted).norm() / self.predicted.norm())


def norm_change(model: nn.Module, batches: Sequence[Batch], *, rate: float, temperature: float = 1.0) -> Pair:
    """Of each filter, the change of ||theta_p||^2 in one step of gradient descent per ``rate``; -2 theta_p . g (eq. 9).

    Raises:
        ValueError: there is no image, or no convolution.
    """
    net, batches = _double(model), _doubles(batches)
    _, slope = _slope(net, batches, temperature)
    before = _squares(net)
    predicted = -2 * torch.cat([(p * slope[name]).flatten(1).sum(1) for name, p in _filters(net).items()])
    _step(net, slope, rate)
    return Pair(predicted, (_squares(net) - before) / rate)


def expected_norm_change(model: nn.Module, batches: Sequence[Batch], *, rate: float, temperature: float = 1.0) -> Pair:
    """The same of all parameters, in the mean over steps that each see one batch, as SGD's do (eq. 15).

    Every batch must have as many images, so that their mean is that of the sample.

    Raises:
        ValueError: batches are of different sizes, or there is none.
    """
    sizes = {len(labels) for _, labels in batches}
    if len(sizes) != 1:
        raise ValueError(f"batches have {sorted(sizes)} images; the mean over them needs one size")
    net, batches = _double(model), _doubles(batches)
    _, slope = _slope(net, batches, temperature)
    own = _parameters(net)
    predicted = -2 * _dot(own, slope)
    changes = []
    for batch in batches:
        moved = copy.deepcopy(net)
        _step(moved, _slope(net, [batch], temperature)[1], rate)
        now = _parameters(moved)
        changes.append((_dot(now, now) - _dot(own, own)) / rate)
    return Pair(predicted[None], torch.stack(changes).mean()[None])


def norm_acceleration(model: nn.Module, batches: Sequence[Batch], *, rate: float, temperature: float = 1.0) -> Pair:
    """How the change of ||Theta||^2 changes over two steps, per ``rate`` squared; 2 (||g||^2 + Theta . Hg) (eq. 12)."""
    net, batches = _double(model), _doubles(batches)
    _, slope = _slope(net, batches, temperature)
    with untouched(net, "eval"):
        product = hessian_product(net, batches, temperature, slope)
    own = _parameters(net)
    predicted = 2 * (_dot(slope, slope) + _dot(own, product))
    norms = [_dot(own, own)]
    for _ in range(2):
        _step(net, slope, rate)
        _, slope = _slope(net, batches, temperature)
        now = _parameters(net)
        norms.append(_dot(now, now))
    measured = (norms[2] - 2 * norms[1] + norms[0]) / rate**2
    return Pair(predicted[None], measured[None])


class Bound(NamedTuple):
    """After so much time, the sum of the steps: what bounds the loss from below, and how much of it has gone."""

    time: float
    distance: float  # ||Theta(T) - Theta(0)||^2 / T
    decrease: float  # L(0) - L(T)


def distance_bound(
    model: nn.Module, batches: Sequence[Batch], *, rate: float, steps: int, temperature: float = 1.0
) -> Iterator[Bound]:
    """After every step of gradient descent, both sides of eq. 7: distance <= decrease, as steps shrink."""
    net, batches = _double(model), _doubles(batches)
    start = _parameters(net)
    first, slope = _slope(net, batches, temperature)
    for number in range(1, steps + 1):
        _step(net, slope, rate)
        loss, slope = _slope(net, batches, temperature)
        moved = {name: parameter - start[name] for name, parameter in _parameters(net).items()}
        time = rate * number
        yield Bound(time, float(_dot(moved, moved)) / time, first - loss)


class Invariance(NamedTuple):
    """By filter, how far batch statistics are from making its scale irrelevant (PROTOCOLS A.5.1)."""

    first: Tensor  # |theta_p . g| / (||theta_p|| ||g_p||), 0 in the limit of batch norm's eps
    second: Tensor  # |theta_p . Hg + ||g_p||^2| / ||g_p||^2, likewise
    slope: Tensor  # ||g_p||; where it is next to nothing, as of a filter that never fires, so is what the others say


def scale_invariance(
    model: nn.Module, batches: Sequence[Batch], *, eps: float | None = None, temperature: float = 1.0
) -> Invariance:
    """Both identities under batch statistics, with batch norm's ``eps``, or its own.

    Where the loss does not depend on the scale of theta_p, theta_p . g = 0, and its derivative along g says that
    theta_p . Hg = -||g_p||^2.
    """
    net, batches = _double(model), _doubles(batches)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and eps is not None:
            module.eps = eps
    _, slope = _slope(net, batches, temperature, "train")
    with untouched(net, "train"):
        product = hessian_product(net, batches, temperature, slope)
    weights = _filters(net)
    theta, g, hg = (_rows(of, weights) for of in (weights, slope, product))
    squares = [part.pow(2).sum(1) for part in g]
    first = [(a * b).sum(1).abs() / (a.norm(dim=1) * b.norm(dim=1)) for a, b in zip(theta, g, strict=True)]
    second = [((a * b).sum(1) + c).abs() / c for a, b, c in zip(theta, hg, squares, strict=True)]
    return Invariance(torch.cat(first), torch.cat(second), torch.cat(squares).sqrt())


def _double(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).double()


def _doubles(batches: Iterable[Batch]) -> list[Batch]:
    return [(images.double(), labels) for images, labels in batches]


def _slope(
    net: nn.Module, batches: Iterable[Batch], temperature: float, bn_mode: BNMode = "eval"
) -> tuple[float, Numbers]:
    with untouched(net, bn_mode):
        return mean_loss(net, batches, temperature)


@torch.no_grad()
def _step(net: nn.Module, slope: Mapping[str, Tensor], rate: float) -> None:
    for name, parameter in net.named_parameters():
        parameter.sub_(slope[name], alpha=rate)


def _parameters(net: nn.Module) -> Numbers:
    return {name: parameter.detach().clone() for name, parameter in net.named_parameters()}


def _filters(net: nn.Module) -> Numbers:
    return {f"{name}.weight": module.weight.detach() for name, module in filter_layers(net).items()}


def _squares(net: nn.Module) -> Tensor:
    return torch.cat([weight.flatten(1).pow(2).sum(1) for weight in _filters(net).values()])


def _rows(of: Mapping[str, Tensor], names: Iterable[str]) -> list[Tensor]:
    return [of[name].flatten(1) for name in names]


def _dot(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([(a[name] * b[name]).sum() for name in a]).sum()
