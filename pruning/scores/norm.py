"""Batch norm whose second derivative takes no memory but for what it finds.

PyTorch writes that derivative as operations on whole tensors, of which eight are there at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

PIECE = 2**21
"""Bytes of a tensor that are worked on at once, or one image where that is more."""


def batch_norm(
    input: Tensor,  # noqa: A002 - named as in torch
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """:func:`torch.nn.functional.batch_norm`, with two derivatives and no third."""
    tensors = (weight, bias, running_mean, running_var)
    several = input.numel() > input.shape[1]  # numbers in a channel; PyTorch refuses to norm one
    alike = all(tensor is None or tensor.dtype == input.dtype for tensor in tensors)
    known = training or (running_mean is not None and running_var is not None)
    if not (several and alike and known):
        return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    return _Norm.apply(input, *tensors, training, momentum, eps)  # type: ignore[no-any-return]


class _Norm(torch.autograd.Function):
    """x [N, C, ...], weight and bias [C] -> weight (x - mean) / deviation + bias."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        training: bool,
        momentum: float,
        eps: float,
    ) -> Tensor:
        y, mean, inverse = torch.native_batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps)
        if not training and running_mean is not None and running_var is not None:
            mean, inverse = running_mean, (running_var + eps).rsqrt()
        ctx.training = training
        ctx.save_for_backward(x, weight, mean, inverse)
        return y

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        wanted = ctx.needs_input_grad[:3]
        slopes = _Slope.apply(slope, *ctx.saved_tensors, ctx.training, wanted[0])
        return *(found if wants else None for found, wants in zip(slopes, wanted, strict=True)), *[None] * 5


class _Slope(torch.autograd.Function):
    """The slope of the result -> those of x (None unless ``wanted``), of weight and of bias.

    With z = (x - mean) * inverse: by_bias = sum(slope), by_weight = sum(slope * z), by_x = weight * inverse * slope.
    By the statistics of a batch, with n numbers in a channel, by_x is
    weight * inverse * (slope - by_bias / n - z * by_weight / n).
    """

    @staticmethod
    def forward(
        ctx: Any,
        slope: Tensor,
        x: Tensor,
        weight: Tensor | None,
        mean: Tensor,
        inverse: Tensor,
        training: bool,
        wanted: bool,
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        running = (None, None) if training else (mean, inverse**-2)
        by_x, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            slope, x, weight, *running, mean, inverse, training, 0.0, [wanted, True, True]
        )
        ctx.training = training
        ctx.save_for_backward(slope, x, weight, mean, inverse, by_weight, by_bias)
        return by_x, by_weight, by_bias

    @staticmethod
    def backward(ctx: Any, *along: Tensor | None) -> Any:
        return *_Curvature.apply(ctx.training, *along, *ctx.saved_tensors), *[None] * 4


Slopes = tuple[Tensor, Tensor, Tensor | None]


class _Curvature(torch.autograd.Function):
    """The slopes of slope, x and weight, where that of sum(along * by_x) + sum(along_weight * by_weight) + ... is 1.

    ``along`` is None where by_x was not wanted.
    """

    @staticmethod
    def forward(ctx: Any, training: bool, along: Tensor | None, *others: Any) -> Slopes:  # noqa: ARG004
        x = others[3]
        along = x.new_zeros(()).expand_as(x) if along is None else along
        return (_of_batch if training else _of_constants)(along, *others)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:  # noqa: ARG004
        raise RuntimeError("there is no third derivative of batch norm here")


def _of_batch(
    along: Tensor,
    along_weight: Tensor,
    along_bias: Tensor,
    slope: Tensor,
    x: Tensor,
    weight: Tensor | None,
    *numbers: Tensor,
) -> Slopes:
    mean, inverse, by_weight, by_bias = (number.double() for number in numbers)
    scale = inverse if weight is None else weight.double() * inverse
    n = x.numel() // x.shape[1]

    total, with_slope, with_z = torch.zeros(3, x.shape[1], dtype=torch.float64, device=x.device)
    for a, s, z in _pieces(along, slope, x, mean, inverse):
        total += _sum(a)
        with_slope += _sum(a * s)
        with_z += _sum(z.mul_(a))
    both = with_slope - (total * by_bias + with_z * by_weight) / n

    # While inverse stands still, the slope of z is of_along * along + of_slope * slope.
    of_along, of_slope = -scale * by_weight / n, along_weight - scale * with_z / n
    of_z = -(of_along * with_z + of_slope * by_weight + scale * both) / n
    shift = -(of_along * total + of_slope * by_bias) / n
    by_slope, by_x = torch.empty_like(slope), torch.empty_like(x)
    there = zip(_split(by_slope), _split(by_x), strict=True)
    for (a, s, z), (of_s, of_x) in zip(_pieces(along, slope, x, mean, inverse), there, strict=True):
        _combine(of_s, [(a, scale), (z, of_slope)], along_bias - scale * total / n)
        _combine(of_x, [(a, inverse * of_along), (s, inverse * of_slope), (z, inverse * of_z)], inverse * shift)
    return by_slope, by_x, None if weight is None else (both * inverse).to(weight.dtype)


def _of_constants(
    along: Tensor,
    along_weight: Tensor,
    along_bias: Tensor,
    slope: Tensor,
    x: Tensor,
    weight: Tensor | None,
    mean: Tensor,
    inverse: Tensor,
    *_: Tensor,
) -> Slopes:
    scale, of_x = inverse if weight is None else weight * inverse, inverse * along_weight
    shift = along_bias - mean * of_x
    with_slope = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    by_slope, by_x = torch.empty_like(slope), torch.empty_like(x)
    for a, s, part, by_s, by_part in zip(*(_split(whole) for whole in (along, slope, x, by_slope, by_x)), strict=True):
        with_slope += _sum(a * s)
        _combine(by_s, [(a, scale), (part, of_x)], shift)
        torch.mul(s, _as(s, of_x), out=by_part)
    return by_slope, by_x, None if weight is None else (with_slope * inverse).to(weight.dtype)


def _pieces(
    along: Tensor, slope: Tensor, x: Tensor, mean: Tensor, inverse: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """A few images' share of ``along``, of ``slope`` and of what ``x`` is when it is normalised."""
    for a, s, part in zip(_split(along), _split(slope), _split(x), strict=True):
        yield a, s, part.sub(_as(part, mean)).mul_(_as(part, inverse))


def _split(x: Tensor) -> Sequence[Tensor]:
    parts: Sequence[Tensor] = x.split(max(1, len(x) * PIECE // (x.numel() * x.element_size())))
    return parts


def _combine(there: Tensor, parts: Sequence[tuple[Tensor, Tensor]], shift: Tensor) -> None:
    """Writes the sum of ``parts``, each with its number per channel, and of ``shift``."""
    there.copy_(_as(there, shift))
    for part, factor in parts:
        there.addcmul_(part, _as(there, factor))


def _sum(x: Tensor) -> Tensor:
    """[N, C, ...] -> [C]."""
    return x.sum([d for d in range(x.dim()) if d != 1])


def _as(x: Tensor, numbers: Tensor) -> Tensor:
    """[C] -> [1, C, 1, ...], of the type of ``x``."""
    return numbers.to(x.dtype).view(1, -1, *[1] * (x.dim() - 2))
