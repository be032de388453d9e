"""What gradient flow predicts of the norms of parameters, beside what small steps do (section 4, appendix B).

Theta are all parameters, theta_p those of a filter; g and H gradient and Hessian of the mean cross-entropy of
logits / temperature over a sample. Everything is computed in double precision on a copy: as steps shrink, what is
measured should come to be what is predicted. That takes a loss as smooth as the equations suppose. A step takes some
ReLUs through their kink, and what such kinks add to the curvature, of which autograd's Hessian knows nothing, does not
shrink with the step; :class:`Smooth` is a network without.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pruning.dynamics.calibration import recalibrated
from pruning.scores import Batch
from pruning.scores.gradients import hessian_product, mean_loss
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
        self._filters = [f"{name}.weight" for name in filter_layers(self._net)]
        self._own = {name: parameter.detach().clone() for name, parameter in self._net.named_parameters()}
        self._loss, self._slope = self._at(self._own)

    def norm_change(self, rate: float) -> Pair:
        """Of each filter, how ||theta_p||^2 changes in a step of gradient descent, per rate; -2 theta_p . g (eq. 9)."""
        moved = _moved(self._own, self._slope, rate)
        predicted = [-2 * (self._own[name] * self._slope[name]).flatten(1).sum(1) for name in self._filters]
        squares = [[of[name].flatten(1).pow(2).sum(1) for name in self._filters] for of in (self._own, moved)]
        return Pair(torch.cat(predicted), (torch.cat(squares[1]) - torch.cat(squares[0])) / rate)

    def expected_norm_change(self, rate: float) -> Pair:
        """The same of all parameters, in the mean over steps that each see one batch, as SGD's do (eq. 15).

        Raises:
            ValueError: batches are of different sizes, so that their mean is not that of the sample.
        """
        sizes = {len(labels) for _, labels in self._batches}
        if len(sizes) != 1:
            raise ValueError(f"batches have {sorted(sizes)} images; the mean over them needs one size")
        changes = [_growth(self._own, _moved(self._own, slope, rate)) / rate for slope in self._slopes]
        return Pair(-2 * _dot(self._own, self._slope)[None], torch.stack(changes).mean()[None])

    def norm_acceleration(self, rate: float) -> Pair:
        """How the change of ||Theta||^2 changes over two steps, per rate squared; 2 (||g||^2 + Theta . Hg) (eq. 12)."""
        once = _moved(self._own, self._slope, rate)
        twice = _moved(once, self._at(once)[1], rate)
        measured = (_growth(once, twice) - _growth(self._own, once)) / rate**2
        predicted = 2 * (_dot(self._slope, self._slope) + _dot(self._own, self._product))
        return Pair(predicted[None], measured[None])

    def distance_bound(self, rate: float, steps: int) -> Iterator[Bound]:
        """After every step of gradient descent, both sides of eq. 7: distance <= decrease, as steps shrink."""
        now, slope = self._own, self._slope
        for number in range(1, steps + 1):
            now = _moved(now, slope, rate)
            loss, slope = self._at(now)
            far = {name: value - self._own[name] for name, value in now.items()}
            time = rate * number
            yield Bound(time, float(_dot(far, far)) / time, self._loss - loss)

    def _at(self, weights: Mapping[str, Tensor], batches: Sequence[Batch] | None = None) -> tuple[float, Numbers]:
        """Loss and gradient with these weights, of all batches if none are given."""
        with untouched(self._net, "eval"):
            for name, parameter in self._net.named_parameters():
                parameter.data.copy_(weights[name])
            return mean_loss(self._net, batches or self._batches, self._temperature)

    @cached_property
    def _slopes(self) -> list[Numbers]:
        return [self._at(self._own, [batch])[1] for batch in self._batches]

    @cached_property
    def _product(self) -> Numbers:
        with untouched(self._net, "eval"):
            return hessian_product(self._net, self._batches, self._temperature, self._slope)


class Smooth(nn.Module):
    """``model`` with softplus in place of ReLU, log(1 + exp(sharpness x)) / sharpness; it shares its parameters."""

    def __init__(self, model: nn.Module, sharpness: float = 5.0) -> None:
        super().__init__()
        self.model, self.sharpness = model, sharpness

    def forward(self, x: Tensor) -> Tensor:
        """What ``model`` makes of images [N, C, H, W]."""
        with _Softplus(self.sharpness):
            return self.model(x)  # type: ignore[no-any-return]


class _Softplus(TorchFunctionMode):
    """Inside, every ReLU is a softplus."""

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self._sharpness = sharpness

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _RELUS:
            return F.softplus(args[0], beta=self._sharpness)
        return func(*args, **(kwargs or {}))


_RELUS = {F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}


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


RATES = (1e-3, 1e-4, 1e-5)
"""Of single steps, for eq. 9, 12 and 15."""

PATHS = ((4e-3, 2), (2e-3, 4), (1e-3, 8))
"""Rates and numbers of steps that take as long, for eq. 7."""

EPS = (None, 1e-30)
"""Of batch norm: its own, and as good as none."""

_FIRES = 1e-6
"""A filter whose gradient is so much smaller than the largest fires for no image, and is left out."""


class Law(NamedTuple):
    """What became of one law at one step size.

    ``numbers`` are, of norm_change (eq. 9), expected_norm_change (15) and norm_acceleration (12), ratio and error of
    the :class:`Pair`; of distance_bound (7) the largest excess of distance over decrease, as a share of the decrease,
    and at the end the ratio of the two; of scale_invariance, of the filters that fire, median and largest of both.
    """

    name: str
    smooth: bool
    step: float  # learning rate, or batch norm's eps
    numbers: dict[str, float]


def laws(model: nn.Module, batches: Sequence[Batch], *, temperature: float = 1.0) -> Iterator[Law]:
    """What theory predicts of ``model`` as it is, and of the same with softplus for ReLU, beside what small steps do.

    The smooth network has the statistics of ``batches``, and for scale invariance they are one batch. Takes about 60
    forward and backward passes in double precision, so a few images will do: the laws hold for any sample.

    Raises:
        ValueError: there is no image, or no convolution, or batches are of different sizes.
    """
    double = _doubles(batches)
    yield from _flow_laws(model, double, temperature, smooth=False)
    yield from _flow_laws(recalibrated(Smooth(_double(model)), double), double, temperature, smooth=True)
    whole = [(torch.cat([images for images, _ in double]), torch.cat([labels for _, labels in double]))]
    for eps in EPS:
        found = scale_invariance(model, whole, eps=eps, temperature=temperature)
        yield Law("scale_invariance", False, _eps(model) if eps is None else eps, _numbers(found))


def _flow_laws(model: nn.Module, batches: Sequence[Batch], temperature: float, *, smooth: bool) -> Iterator[Law]:
    flow = GradientFlow(model, batches, temperature=temperature)
    for name in ("norm_change", "expected_norm_change", "norm_acceleration"):
        for rate in RATES:
            pair: Pair = getattr(flow, name)(rate)
            yield Law(name, smooth, rate, {"ratio": pair.ratio, "error": pair.error})
    for rate, steps in PATHS:
        bounds = list(flow.distance_bound(rate, steps))
        excess = max((bound.distance - bound.decrease) / abs(bound.decrease) for bound in bounds)
        end = bounds[-1].distance / bounds[-1].decrease
        yield Law("distance_bound", smooth, rate, {"excess": excess, "ratio": end})


def _numbers(found: Invariance) -> dict[str, float]:
    fires = found.slope > _FIRES * found.slope.max()
    return {
        f"{kind} {which}": float(of(values[fires]))
        for which, values in (("first", found.first), ("second", found.second))
        for kind, of in (("median", torch.median), ("largest", torch.max))
    }


def _eps(model: nn.Module) -> float:
    return max(module.eps for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm))


def _double(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).double()


def _doubles(batches: Iterable[Batch]) -> list[Batch]:
    return [(images.double(), labels) for images, labels in batches]


def _moved(weights: Mapping[str, Tensor], slope: Mapping[str, Tensor], rate: float) -> Numbers:
    return {name: weight - rate * slope[name] for name, weight in weights.items()}


def _growth(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> Tensor:
    """||after||^2 - ||before||^2, without the rounding of either."""
    return torch.stack([((after[name] - before[name]) * (after[name] + before[name])).sum() for name in before]).sum()


def _rows(of: Mapping[str, Tensor], names: Iterable[str]) -> list[Tensor]:
    return [of[name].flatten(1) for name in names]


def _dot(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([(a[name] * b[name]).sum() for name in a]).sum()
