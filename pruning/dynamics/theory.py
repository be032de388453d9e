"""What gradient flow predicts of the norms of parameters, beside what small steps do (section 4, appendix B).

Theta are all parameters, theta_p those of a filter; g and H gradient and Hessian of the mean cross-entropy of
logits / temperature over a sample. Everything is computed in double precision on a copy: as steps shrink, what is
measured should come to be what is predicted. The equations suppose a smooth loss: a step takes some units through the
kink of ReLU or maximum, and what kinks add to the curvature, of which autograd's Hessian knows nothing, does not shrink
with the step, until it is so small that no unit crosses its own. :class:`Smooth` has none.
"""

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pruning.scores import Batch
from pruning.scores.gradients import CHUNK, hessian_product, mean_loss, total_loss
from pruning.scores.guard import untouched
from pruning.scores.prunable import filter_layers

Numbers = dict[str, Tensor]


class Pair(NamedTuple):
    """Numbers of one kind, [n] float64, as theory has them and as they were measured."""

    predicted: Tensor
    measured: Tensor

    @property
    def error(self) -> float:
        """||measured - predicted|| / ||predicted||."""
        return float((self.measured - self.predicted).norm() / self.predicted.norm())

    @property
    def ratio(self) -> float:
        """What to multiply predictions by for the best fit to what was measured, 1 where theory holds."""
        return float((self.measured * self.predicted).sum() / self.predicted.pow(2).sum())


class Bound(NamedTuple):
    """After so much time, the sum of the steps: what bounds the loss from below, and how much of it has gone."""

    time: float
    distance: float  # ||Theta(T) - Theta(0)||^2 / T
    decrease: float  # L(0) - L(T)

    @property
    def excess(self) -> float:
        """By how much the distance is more than the decrease, as a share of the latter's size; negative for less."""
        return (self.distance - self.decrease) / abs(self.decrease) if self.decrease else math.inf


class GradientFlow:
    """A network at one moment, batch norm by its running statistics, and what gradient flow says of it.

    Gradients that several of its predictions need are computed once.

    Args:
        model: a network with convolutions; it is copied.
        batches: images [N, C, H, W] with labels [N].
        temperature: that the logits are divided by.

    Raises:
        ValueError: there is no image, or no convolution.
    """

    def __init__(self, model: nn.Module, batches: Sequence[Batch], *, temperature: float = 1.0) -> None:
        self._net, self._batches, self._temperature = _double(model), _doubles(batches), temperature
        if not sum(len(labels) for _, labels in batches):
            raise ValueError("gradient flow is that of the loss on images, and there is not one")
        self._sample = list(_joined(self._batches))
        self._filters = [f"{name}.weight" for name in filter_layers(self._net)]
        # Its own copy, so nothing has to be put back after a look at other weights.
        self._parameters = {name: each.requires_grad_() for name, each in self._net.eval().named_parameters()}
        self._own = {name: parameter.detach().clone() for name, parameter in self._parameters.items()}
        self._device = batches[0][1].device
        self._loss, self._slope = self._at(self._own)

    def norm_change(self, rate: float) -> Pair:
        """Of each filter, how ||theta_p||^2 changes in a step of gradient descent, per rate; -2 theta_p . g (eq. 9)."""
        moved = _moved(self._own, self._slope, rate)
        predicted = [-2 * (self._own[name] * self._slope[name]).flatten(1).sum(1) for name in self._filters]
        pairs = [(self._own[name].flatten(1), moved[name].flatten(1)) for name in self._filters]
        growth = [((after - before) * (after + before)).sum(1) for before, after in pairs]
        return Pair(torch.cat(predicted), torch.cat(growth) / rate)

    def expected_norm_change(self, rate: float) -> Pair:
        """The same of all parameters, in the mean over steps that each see one batch, as SGD's do (eq. 15).

        Raises:
            ValueError: batches are of different sizes, so that their mean is not that of the sample.
        """
        self._check_sizes()
        changes = [_growth(self._own, _moved(self._own, slope, rate)) / rate for slope in self._slopes]
        return Pair(-2 * _dot(self._own, self._slope)[None], torch.stack(changes).mean()[None])

    def norm_acceleration(self, rate: float) -> Pair:
        """How the change of ||Theta||^2 changes over two steps, per rate squared; 2 (||g||^2 + Theta . Hg) (eq. 12)."""
        after = self._at(_moved(self._own, self._slope, rate))[1]
        measured = _second_difference(self._own, self._slope, self._slope, after, rate)
        return Pair(self._acceleration[None], measured[None])

    def expected_norm_acceleration(self, rate: float) -> Pair:
        """The same in the mean over pairs of steps, the first on one batch and the second on any (appendix B, eq. 22).

        Raises:
            ValueError: batches are of different sizes, so that their mean is not that of the sample.
        """
        self._check_sizes()
        changes = []
        for first in self._slopes:
            once = _moved(self._own, first, rate)
            for batch, before in zip(self._batches, self._slopes, strict=True):
                after = self._at(once, [batch])[1]
                changes.append(_second_difference(self._own, first, before, after, rate))
        return Pair(self._acceleration[None], torch.stack(changes).mean()[None])

    def distance_bound(self, rate: float, steps: int) -> Iterator[Bound]:
        """After every step of gradient descent, both sides of eq. 7: distance <= decrease, as steps shrink."""
        now, slope = self._own, self._slope
        for number in range(1, steps + 1):
            now = _moved(now, slope, rate)
            loss, slope = self._at(now)
            far = {name: value - self._own[name] for name, value in now.items()}
            time = rate * number
            yield Bound(time, float(_dot(far, far)) / time, self._loss - loss)

    def _check_sizes(self) -> None:
        sizes = {len(labels) for _, labels in self._batches}
        if len(sizes) != 1:
            raise ValueError(f"batches have {sorted(sizes)} images; the mean over them needs one size")

    def _at(self, weights: Mapping[str, Tensor], batches: Sequence[Batch] | None = None) -> tuple[float, Numbers]:
        """Loss and gradient with these weights, of the whole sample if no batches are given."""
        total, number = [], 0
        slopes = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self._put(weights)
        with torch.enable_grad(), torch.autocast(self._device.type, enabled=False):
            for images, labels in batches or self._sample:
                loss = total_loss(self._net, images, labels, self._temperature)
                parts = torch.autograd.grad(loss, list(self._parameters.values()), allow_unused=True)
                for slope, part in zip(slopes.values(), parts, strict=True):
                    if part is not None:
                        slope += part
                total.append(loss.detach())
                number += len(labels)
        return float(torch.stack(total).sum()) / number, {name: slope / number for name, slope in slopes.items()}

    @torch.no_grad()
    def _put(self, weights: Mapping[str, Tensor]) -> None:
        for name, parameter in self._parameters.items():
            parameter.copy_(weights[name])

    @cached_property
    def time(self) -> float:
        """||g|| / ||Hg||, in which the gradient becomes another: what a step is small beside. 1 where Hg is 0."""
        slope, product = (float(_dot(of, of)) for of in (self._slope, self._product))
        return math.sqrt(slope / product) if product else 1.0

    @cached_property
    def _acceleration(self) -> Tensor:
        return 2 * (_dot(self._slope, self._slope) + _dot(self._own, self._product))

    @cached_property
    def _slopes(self) -> list[Numbers]:
        return [self._at(self._own, [batch])[1] for batch in self._batches]

    @cached_property
    def _product(self) -> Numbers:
        self._put(self._own)
        with untouched(self._net, "eval"):
            return hessian_product(self._net, self._sample, self._temperature, self._slope)


class Smooth(nn.Module):
    """``model`` with softplus, log(1 + exp(sharpness x)) / sharpness, for ReLU, and mean for maximum in pooling.

    It shares the parameters of ``model``.
    """

    def __init__(self, model: nn.Module, sharpness: float = 5.0) -> None:
        super().__init__()
        self.model, self.sharpness = model, sharpness

    def forward(self, x: Tensor) -> Tensor:
        """What ``model`` makes of images [N, C, H, W]."""
        with _WithoutKinks(self.sharpness):
            return self.model(x)  # type: ignore[no-any-return]


class _WithoutKinks(TorchFunctionMode):
    """Inside, functions with kinks have smooth ones in their place."""

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self._sharpness = sharpness

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _RELUS:
            return F.softplus(args[0], beta=self._sharpness)
        if func in _MAXIMA:
            return _mean_pool(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


_RELUS = {F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
_MAXIMA = {F.max_pool2d, torch.max_pool2d}


def _mean_pool(
    x: Tensor,
    kernel_size: int,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """Takes what ``F.max_pool2d`` takes. Raises NotImplementedError for what a mean does not have."""
    if dilation != 1 or return_indices:
        raise NotImplementedError("a mean over windows has neither dilation nor indices")
    return F.avg_pool2d(x, kernel_size, stride, padding, ceil_mode)


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
    with untouched(net, "train"):
        slope = mean_loss(net, batches, temperature)[1]
        product = hessian_product(net, batches, temperature, slope)
    weights = {f"{name}.weight": module.weight.detach() for name, module in filter_layers(net).items()}
    theta, g, hg = (_rows(of, weights) for of in (weights, slope, product))
    squares = [part.pow(2).sum(1) for part in g]
    first = [(a * b).sum(1).abs() / (a.norm(dim=1) * b.norm(dim=1)) for a, b in zip(theta, g, strict=True)]
    second = [((a * b).sum(1) + c).abs() / c for a, b, c in zip(theta, hg, squares, strict=True)]
    return Invariance(torch.cat(first), torch.cat(second), torch.cat(squares).sqrt())


def _double(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).double()


def _doubles(batches: Iterable[Batch]) -> list[Batch]:
    return [(images.double(), labels) for images, labels in batches]


def _joined(batches: Sequence[Batch]) -> Iterator[Batch]:
    """The same images in as few batches as one pass takes."""
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return zip(images.split(CHUNK), labels.split(CHUNK), strict=True)


def _moved(weights: Mapping[str, Tensor], slope: Mapping[str, Tensor], rate: float) -> Numbers:
    return {name: weight - rate * slope[name] for name, weight in weights.items()}


def _growth(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> Tensor:
    """||after||^2 - ||before||^2, without the rounding of either."""
    return torch.stack([((after[name] - before[name]) * (after[name] + before[name])).sum() for name in before]).sum()


def _second_difference(weights: Numbers, first: Numbers, before: Numbers, after: Numbers, rate: float) -> Tensor:
    """That of ||Theta||^2 over a step along ``first`` and one along ``after``, per rate squared, for small rates, too.

    ``before`` is the gradient, where the steps begin, of the batch that ``after`` is of. What is left out, from
    exchanging ``first`` and ``before`` in terms of a single step, is no more in the sum over all pairs of batches.
    Squared norms, or what they grow by, would differ by less than their rounding.
    """
    turned = {name: after[name] - before[name] for name in weights}
    longer = _growth(before, after)
    return longer + 2 * _dot(first, after) - 2 * _dot(weights, turned) / rate


def _rows(of: Mapping[str, Tensor], names: Iterable[str]) -> list[Tensor]:
    return [of[name].flatten(1) for name in names]


def _dot(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([(a[name] * b[name]).sum() for name in a]).sum()
