"""Convolution whose second derivative is made of convolutions like the first's.

PyTorch takes the images of a batch for the channels of kernels as large as the picture, and goes over groups one by
one, where the derivative by a weight is that of a convolution of other images.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


class _Geometry(NamedTuple):
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def conv(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return torch.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def slopes(self, slope: Tensor, x: Tensor, weight: Tensor, wanted: Sequence[bool]) -> Sequence[Tensor | None]:
        """Those of x, of weight and of bias, each None where it is not wanted."""
        found: Sequence[Tensor | None] = torch.ops.aten.convolution_backward(
            slope,
            x,
            weight,
            [len(weight)],
            self.stride,
            self.padding,
            self.dilation,
            False,
            [0, 0],
            self.groups,
            wanted,
        )
        return found


def conv2d(
    input: Tensor,  # noqa: A002 - named as in torch
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """:func:`torch.nn.functional.conv2d`, whose second derivative is quick."""
    if isinstance(padding, str) or input.dim() != 4 or torch.is_autocast_enabled(input.device.type):
        return F.conv2d(input, weight, bias, stride, padding, dilation, groups)
    geometry = _Geometry(_two(stride), _two(padding), _two(dilation), groups)
    return _Convolution.apply(input, weight, bias, geometry)  # type: ignore[no-any-return]


class _Convolution(torch.autograd.Function):
    """x [N, C, H, W], weight [F, C / groups, h, w], bias [F] -> [N, F, H', W']."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: _Geometry) -> Tensor:
        ctx.geometry = geometry
        ctx.save_for_backward(x, weight)
        return geometry.conv(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        return *_Slope.apply(slope, *ctx.saved_tensors, ctx.geometry, ctx.needs_input_grad[:3]), None


class _Slope(torch.autograd.Function):
    """The slope of the result -> those of x, of weight and of bias, each None where it is not wanted."""

    @staticmethod
    def forward(
        ctx: Any, slope: Tensor, x: Tensor, weight: Tensor, geometry: _Geometry, wanted: Sequence[bool]
    ) -> tuple[Tensor | None, ...]:
        ctx.geometry = geometry
        ctx.save_for_backward(slope, x, weight)
        ctx.set_materialize_grads(False)
        return tuple(geometry.slopes(slope, x, weight, wanted))

    @staticmethod
    def backward(ctx: Any, along: Tensor | None, along_weight: Tensor | None, along_bias: Tensor | None) -> Any:
        # <along, by_x> is <conv(along, weight), slope>; <along_weight, by_weight> is <conv(x, along_weight), slope>.
        (slope, x, weight), geometry = ctx.saved_tensors, ctx.geometry
        by_slope, by_x, by_weight = torch.zeros_like(slope), None, None
        if along is not None:
            by_slope += geometry.conv(along, weight)
            by_weight = geometry.slopes(slope, along, weight, (False, True, False))[1]
        if along_weight is not None:
            by_slope += geometry.conv(x, along_weight)
            if ctx.needs_input_grad[1]:
                by_x = geometry.slopes(slope, x, along_weight, (True, False, False))[0]
        if along_bias is not None:
            by_slope += along_bias.view(-1, 1, 1)
        return by_slope, by_x, by_weight, None, None


def _two(sizes: int | Sequence[int]) -> tuple[int, ...]:
    return (sizes, sizes) if isinstance(sizes, int) else tuple(sizes)
