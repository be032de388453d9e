"""Effective sparsity: which of the kept weights are still connected (Frankle et al. 2021, appendix M; PROTOCOLS B.8).

Both ways of telling set weights to 1 or 0 by the mask and every bias to 0, make batch norm the identity, send an input
of ones through the network and the sum of logits back. They are for networks of convolutions, linear layers, batch
norms, ReLUs, pooling and additions.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from pruning.analysis.layers import fitted
from pruning.masks import Mask
from pruning.modes import mode


def effective(net: nn.Module, mask: Mapping[str, Tensor], image: tuple[int, ...]) -> Mask:
    """``mask`` without the weights that are on no path of kept weights from an input to a logit, exactly.

    ``image`` is the shape of one input, as [C, H, W]. What padding adds is no input. At every layer activations and
    gradients are replaced by whether they are positive, so that no depth makes them too large or too small. Each input
    of a max pool may be the largest, so a path leads through all of them. Raises ValueError where ``mask`` does not
    fit ``net``, or a max pool is dilated.
    """
    gradients = _gradients(net, mask, image, _Reachability(), torch.float32)
    return {name: keep & (gradients[name] > 0.5).to(keep.device) for name, keep in mask.items()}


def effective_by_gradient(net: nn.Module, mask: Mapping[str, Tensor], image: tuple[int, ...]) -> Mask:
    """``mask`` without the weights whose gradient is 0, as the paper tells them, in float64.

    A max pool passes its gradient to its largest input alone, the first of equals. So this leaves out weights that
    :func:`effective` keeps, where all their paths lead through others. Raises ValueError where ``mask`` does not fit
    ``net``, or it has more paths than float64 can count.
    """
    gradients = _gradients(net, mask, image, _WithoutNorms(), torch.float64)
    if not all(gradient.isfinite().all() for gradient in gradients.values()):
        raise ValueError("the network has more paths than float64 can count; use effective, which counts none")
    return {name: keep & (gradients[name] != 0).to(keep.device) for name, keep in mask.items()}


def _gradients(
    net: nn.Module, mask: Mapping[str, Tensor], image: tuple[int, ...], rules: TorchFunctionMode, dtype: torch.dtype
) -> Mask:
    """Gradients of the sum of logits by the weights that ``mask`` names, of their shapes."""
    fitted(net, mask)
    net = getattr(net, "_orig_mod", net)  # what torch.compile wraps
    with torch.inference_mode(False), torch.enable_grad(), mode(net, training=False):
        numbers = {
            name: torch.full_like(parameter, 0 if name.endswith("bias") else 1, dtype=dtype)
            for name, parameter in net.named_parameters()
        }
        weights = {name: keep.to(numbers[name]).requires_grad_() for name, keep in mask.items()}
        ones = torch.ones(1, *image, dtype=dtype, device=next(net.parameters()).device)
        with rules:
            logits: Tensor = functional_call(net, {**numbers, **weights}, (ones,))
        found = torch.autograd.grad(logits.sum(), list(weights.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(weights, found, strict=True))


class _WithoutNorms(TorchFunctionMode):
    """Inside it batch norm is the identity."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # A copy, as a ReLU behind it may overwrite what a ReLU before it needs on the way back.
        return args[0].clone() if func is F.batch_norm else func(*args, **(kwargs or {}))


class _Reachability(_WithoutNorms):
    """Inside it layers and max pools tell, forwards and backwards, whether anything positive arrives."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func not in _SUMS:
            return super().__torch_function__(_AVERAGES.get(func, func), types, args, kwargs)
        # Both ways a layer adds up ones; fast convolutions may make a little more or less than 0 of no ones at all.
        arrived = _Positive.apply(args[0], 0.0, 0.5)
        return _Positive.apply(func(arrived, *args[1:], **(kwargs or {})), 0.5, 0.0)


class _Positive(torch.autograd.Function):
    """1 where a number is above a limit, else 0; on the way back the same with a limit of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float, limit_back: float) -> Tensor:
        ctx.limit_back = limit_back
        return (x > limit).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return (gradient > ctx.limit_back).to(gradient.dtype), None, None


def _over(average: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """``average`` called as the max pool of the same windows: positive where the maximum is, by all that are so."""

    def pool(
        x: Tensor, size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False, **_: Any
    ) -> Tensor:
        if ({dilation} if isinstance(dilation, int) else {*dilation}) != {1}:
            raise ValueError(f"a max pool is dilated by {dilation}; paths are known through pools without dilation")
        return average(x, size, stride, padding, ceil_mode)

    return pool


_SUMS = {
    F.linear, torch.conv1d, torch.conv2d, torch.conv3d,
    torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d,
}  # fmt: skip
_AVERAGES: dict[Callable[..., Any], Callable[..., Tensor]] = {
    F.max_pool1d: _over(F.avg_pool1d),
    F.max_pool2d: _over(F.avg_pool2d),
    F.max_pool3d: _over(F.avg_pool3d),
    F.adaptive_max_pool1d: lambda x, size, **_: F.adaptive_avg_pool1d(x, size),
    F.adaptive_max_pool2d: lambda x, size, **_: F.adaptive_avg_pool2d(x, size),
    F.adaptive_max_pool3d: lambda x, size, **_: F.adaptive_avg_pool3d(x, size),
}
_AVERAGES |= {
    torch.max_pool1d: _AVERAGES[F.max_pool1d],
    torch.max_pool2d: _AVERAGES[F.max_pool2d],
    torch.max_pool3d: _AVERAGES[F.max_pool3d],
}
