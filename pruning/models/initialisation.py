"""Drawing the numbers of a network anew: how weights, biases and batch norms start (PROTOCOLS B.1.1, B.6)."""

from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from pruning.names import unknown


def _kaiming_normal(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, mode="fan_in", nonlinearity="relu")


_WEIGHTS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "default": None,
    "kaiming_normal": _kaiming_normal,
    "unit_variance": nn.init.normal_,
}


def initialisations() -> list[str]:
    """The names that :func:`initialise` knows."""
    return list(_WEIGHTS)


def initialise(net: nn.Module, initialisation: str, seed: int | None = None) -> None:
    """Draw every parameter of ``net`` anew, in place, and reset its running statistics.

    ``default``: as PyTorch draws when a layer is made: weights and biases U(-b, b) with b = 1 / sqrt(fan_in), batch
    norm at scale 1 and shift 0. ``kaiming_normal`` (Frankle et al. 2021, appendices A and D): the weights of
    convolutions and linear layers N(0, 2 / fan_in), the scales of batch norms U(0, 1), all else as by default, biases
    included. ``unit_variance`` (their constant-variance ablation): as ``kaiming_normal``, but those weights N(0, 1).

    With a ``seed`` the draw depends on it alone and the global random state is left as it was. Numbers are drawn on
    the CPU in single precision, so they do not depend on the device, precision or memory format of ``net``; a network
    on the meta device has none and is left as it is. Raises ValueError on an unknown name, or where a layer holds
    parameters and has no ``reset_parameters`` by which they could be drawn.
    """
    if initialisation not in _WEIGHTS:
        raise unknown("initialisation", initialisation, _WEIGHTS)
    draw = _WEIGHTS[initialisation]
    layers = {name: layer for name, layer in net.named_modules() if _holds_numbers(layer)}
    for name, layer in layers.items():
        if not hasattr(layer, "reset_parameters"):
            raise ValueError(
                f"{name or 'the network'} ({type(layer).__name__}) holds parameters of its own that no rule draws; "
                "give it a method reset_parameters"
            )
    with nullcontext() if seed is None else torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.default_generator.manual_seed(seed)  # of the CPU alone, where numbers are drawn
        for layer in layers.values():
            _redraw(layer, draw)


def _holds_numbers(layer: nn.Module) -> bool:
    return isinstance(layer, _BatchNorm) or next(layer.parameters(recurse=False), None) is not None


def _redraw(layer: nn.Module, draw: Callable[[Tensor], Tensor] | None) -> None:
    """One layer anew, by way of a copy: numbers drawn in place would depend on device, precision and memory format."""
    if any(tensor.is_meta for tensor in layer.state_dict().values()):
        return
    copy = deepcopy(layer).to("cpu", torch.float32).to(memory_format=torch.contiguous_format)
    copy.reset_parameters()  # type: ignore[operator]
    if draw is not None and isinstance(copy, _ConvNd | nn.Linear):
        draw(copy.weight.data)
    elif draw is not None and isinstance(copy, _BatchNorm) and copy.affine:
        copy.weight.data.uniform_(0, 1)
    layer.load_state_dict(copy.state_dict())
