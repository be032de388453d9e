"""Batch norm of few channels, by the statistics of a batch, on a CPU.

In channels-last, PyTorch works on the channels of one pixel at a time, and on each by itself where they do not fill a
register: 9 channels take longer than 16. A pruned ResNet has little else. The same memory, read as fewer pixels of 16
times as many channels, fills registers whatever their number; it remains to put a channel's 16 statistics together.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.autograd.function import once_differentiable

from pruning.substitute import Substitute

_PIXELS = 16
"""Taken for one."""

_ENOUGH = 1 << 15
"""Pixels of a batch from which on that is faster: below, what it does besides takes longer than it saves."""


def narrow_norms(device: torch.device) -> AbstractContextManager[object]:
    """Inside, batch norm of few channels is done as here where that is faster; it has no second derivative there."""
    return Substitute({F.batch_norm: _batch_norm}) if device.type == "cpu" else nullcontext()


def _batch_norm(
    input: Tensor,  # noqa: A002 - named as in torch
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """:func:`torch.nn.functional.batch_norm`."""
    tensors = (running_mean, running_var, weight, bias)
    if training and all(tensor is not None for tensor in tensors) and _is_narrow(input):
        return _Norm.apply(input, *tensors, momentum, eps)  # type: ignore[no-any-return]
    return F.batch_norm(input, *tensors, training, momentum, eps)


def _is_narrow(x: Tensor) -> bool:
    if x.dim() != 4 or x.dtype not in (torch.float32, torch.float64):
        return False
    channels, pixels = x.shape[1], len(x) * x.shape[2] * x.shape[3]
    fits = channels < 16 and channels % 8 != 0 and pixels >= _ENOUGH and pixels % _PIXELS == 0
    return fits and x.is_contiguous(memory_format=torch.channels_last)


class _Norm(torch.autograd.Function):
    """Of [N, C, H, W]. Scale and shift of 16 neighbours are those of their channel, 16 times over."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        weight: Tensor,
        bias: Tensor,
        momentum: float,
        eps: float,
    ) -> Tensor:
        pixels, channels = x.numel() // x.shape[1], x.shape[1]
        means, variances = (
            part.view(_PIXELS, channels) for part in torch.batch_norm_update_stats(_wide(x), None, None, 0.0)
        )
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square_().mean(0)
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (pixels / (pixels - 1)), momentum)
        ctx.eps = eps
        ctx.save_for_backward(x, weight, mean, variance)
        return _scaled(x, mean, variance, weight, bias, eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Any:
        x, weight, mean, variance = ctx.saved_tensors
        pixels, channels = x.numel() // x.shape[1], x.shape[1]
        wide, tiled = _wide(slope), torch.stack((mean, variance)).repeat(1, _PIXELS)
        _, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            wide, _wide(x), None, *tiled, None, None, False, ctx.eps, [False, True, True]
        )
        by_weight, by_bias = torch.stack((by_weight, by_bias)).view(2, _PIXELS, channels).sum(1)
        # weight / deviation * (slope - mean of slope - normalised x * mean of slope * normalised x)
        inverse = (variance + ctx.eps).rsqrt()
        scale = weight * inverse
        by_input = _scaled(
            x, mean, torch.ones_like(mean), -scale * inverse * by_weight / pixels, -scale * by_bias / pixels, 0.0
        )
        _flat(by_input).addcmul_(_flat(slope), scale.repeat(_PIXELS))
        return by_input, None, None, by_weight, by_bias, None, None


def _scaled(x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """``weight`` (``x`` - ``mean``) / sqrt(``variance`` + ``eps``) + ``bias``, each [C]."""
    mean, variance, weight, bias = torch.stack((mean, variance, weight, bias)).repeat(1, _PIXELS)
    found, nothing = torch.empty_like(x), mean.new_empty(0)  # of its own, as autograd lets nobody change a view
    torch.native_batch_norm(
        _wide(x), weight, bias, mean, variance, False, 0.0, eps, out=(_wide(found), nothing, nothing.clone())
    )
    return found


def _flat(x: Tensor) -> Tensor:
    """[N, C, H, W] in channels-last -> [N H W / 16, 16 C]: the same memory, or a copy of what is in another layout."""
    return x.permute(0, 2, 3, 1).reshape(-1, _PIXELS * x.shape[1])


def _wide(x: Tensor) -> Tensor:
    """The same as images: [1, 16 C, 1, N H W / 16], channels-last."""
    return _flat(x)[None, None].permute(0, 3, 1, 2)
