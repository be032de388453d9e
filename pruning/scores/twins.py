"""theta_p . Hv of every filter at once, without a gradient by a single weight.

An image goes through the network together with its tangent, what the activations change by when the parameters move
along v. Of the loss's own tangent, <v, gradient>, the derivative by a factor on filter p is theta_p . (Hv)_p. Going
back to such factors takes a sum over what the filter put out, where double backward takes the gradient of each weight
twice: six convolutions a layer and image instead of nine (Pearlmutter 1994, for the tangents).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pruning.scores.batches import Batch
from pruning.scores.gradients import parts

_GRAPHS = 3
"""What it holds, in activations of going forward: those of images and tangents, and what is being worked on."""


class NoRuleError(NotImplementedError):
    """The network does something to its activations of which no tangent is known here."""


def filter_products(
    model: nn.Module,
    layers: Mapping[str, nn.Conv2d],
    batches: Iterable[Batch],
    temperature: float,
    vector: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """{layer: Tensor[filters]}, theta_p . (Hv)_p of the mean loss over all images, H over the parameters of ``vector``.

    Exact, as :func:`pruning.scores.gradients.hessian_product` is, of networks in evaluation mode made of convolutions,
    batch norms, linear layers, ReLU, pooling and sums.

    Raises:
        NoRuleError: the network does something else.
        ValueError: there is no image.
    """
    by_parameter = {id(parameter): vector[name] for name, parameter in model.named_parameters() if name in vector}
    gates = {
        id(layer.weight): torch.ones(len(layer.weight), dtype=layer.weight.dtype, device=layer.weight.device)
        for layer in layers.values()
    }
    if len(gates) != len(layers) or not gates.keys() <= by_parameter.keys():
        raise NoRuleError("layers share a weight, or one of them is computed from other parameters")
    found = [gate.requires_grad_() for gate in gates.values()]
    sums, number = [torch.zeros_like(gate) for gate in found], 0
    for images, labels, _ in parts(model, batches, graphs=_GRAPHS):
        twin = Twin.of(torch.cat((images, torch.zeros_like(images))), _Network(by_parameter, gates))
        logits = model(twin)
        if not isinstance(logits, Twin):
            raise NoRuleError("the network returned something else than what it made of its input")
        slopes = torch.autograd.grad(_tangent(logits.plain(), labels, temperature), found, allow_unused=True)
        for total, slope in zip(sums, slopes, strict=True):
            if slope is not None:
                total += slope
        number += len(images)
    return {layer: total / number for layer, total in zip(layers, sums, strict=True)}


def _tangent(both: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Of the cross-entropy, summed over images: <softmax - label, tangent of the logits> / temperature."""
    logits, moved = both.chunk(2)
    slope = torch.softmax(logits / temperature, 1) - F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return (slope * moved).sum() / temperature


class _Network:
    """What the rules need to know: which way each parameter moves, and the factor on each filter of a weight."""

    def __init__(self, vectors: Mapping[int, Tensor], gates: Mapping[int, Tensor]) -> None:
        self.vectors, self.gates = vectors, gates

    def is_constant(self, tensor: Tensor) -> bool:
        """Whether nothing that moves is in ``tensor``."""
        return id(tensor) not in self.vectors and not tensor.requires_grad and not isinstance(tensor, Twin)

    def moved(self, parameter: Tensor) -> Tensor:
        """The vector's part for ``parameter``."""
        if id(parameter) not in self.vectors:
            raise NoRuleError("a layer works with a tensor that is not one of the network's parameters")
        return self.vectors[id(parameter)]


class _Memory:
    """Of a tensor and its views."""

    spent = False  # changed in place: what reads it should see the change, and would not


class Twin(Tensor):
    """Activations, and below them along the first axis their tangents: [2 N, ...]."""

    network: _Network
    memory: _Memory

    @staticmethod
    def of(both: Tensor, network: _Network, memory: _Memory | None = None) -> "Twin":
        """``both`` as activations and tangents in ``network``, in memory of their own if none is given."""
        twin = both.as_subclass(Twin)
        twin.network, twin.memory = network, memory or _Memory()
        return twin

    def plain(self) -> Tensor:
        """The same numbers as any tensor's."""
        return self.as_subclass(Tensor)

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Apply the rule for ``func``, if there is one. Raises NoRuleError."""
        options = kwargs or {}
        with torch._C.DisableTorchFunctionSubclass():
            if getattr(func, "__name__", "") == "__get__" or func in _ASKED:
                found = func(*args, **options)
                if isinstance(found, Tensor):
                    raise NoRuleError("the network looks at its activations in a way that no tangent is known of")
                return found
            twin = next((each for each in args if isinstance(each, Twin)), None)
            if twin is None:
                raise NoRuleError(f"there is no tangent of {getattr(func, '__name__', func)} here")
            if not torch.is_grad_enabled():
                raise NoRuleError("the network switches gradients off, and a tangent would go on")
            if any(isinstance(each, Twin) and each.memory.spent for each in args):
                raise NoRuleError("the network reads activations again that it has changed in place")
            if func in _RULES and isinstance(args[0], Twin):
                return cls.of(_RULES[func](twin.network, *args, **options), twin.network)
            plain = [each.plain() if isinstance(each, Twin) else each for each in args]
            found = func(*plain, **options) if _is_linear(func, args, options) else None
            if found is None or not found.dim() or len(found) != len(twin):
                raise NoRuleError(f"there is no tangent of {getattr(func, '__name__', func)} here")
            shared = found.untyped_storage().data_ptr() == twin.untyped_storage().data_ptr()
            return cls.of(found, twin.network, twin.memory if shared else None)


def _is_linear(func: Callable[..., Any], args: Any, options: Mapping[str, Any]) -> bool:
    """Whether tangents may be treated as activations are: no constant is added to both, and images stay apart."""
    if func in _SUMS:
        return len(args) == 2 and all(isinstance(each, Twin) for each in args) and options.keys() <= {"alpha"}
    if func in _ALONG:
        return not options and len(args) > 1 and _leaves_images(args[1])
    if func is Tensor.permute:
        return not options and len(args) > 1 and args[1] == 0
    constants = (each for each in (*args, *options.values()) if isinstance(each, Tensor) and not isinstance(each, Twin))
    return func in _LINEAR and not any(each.is_floating_point() for each in constants)


def _leaves_images(axes: Any) -> bool:
    """Whether ``axes``, one or several, are others than the first, counted from the front."""
    return all(isinstance(axis, int) and axis > 0 for axis in (axes if isinstance(axes, tuple | list) else (axes,)))


class _Convolution(torch.autograd.Function):
    """Of activations and tangents with one weight; the derivative by a filter's factor is a sum over its output."""

    @staticmethod
    def forward(ctx: Any, both: Tensor, gate: Tensor | None, weight: Tensor, moved: Tensor, shape: Any) -> Tensor:
        half = len(both) // 2
        found = F.conv2d(both, weight, None, *shape)
        ctx.tangent = found[half:].clone() if gate is not None else None
        found[half:] += F.conv2d(both[:half], moved, None, *shape)
        ctx.shape, ctx.size = shape, both.shape
        ctx.save_for_backward(weight, moved, *(() if gate is None else (found,)))
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Any:
        weight, moved, *output = ctx.saved_tensors
        half = len(slope) // 2
        by_gate = None
        if ctx.needs_input_grad[1]:
            by_gate = (output[0][:half] * slope[:half]).sum((0, 2, 3)) + (ctx.tangent * slope[half:]).sum((0, 2, 3))
        by_input = None
        if ctx.needs_input_grad[0]:
            by_input = _by_input(ctx.size, weight, slope, ctx.shape)
            by_input[:half] += _by_input((half, *ctx.size[1:]), moved, slope[half:], ctx.shape)
        return by_input, by_gate, None, None, None


def _by_input(size: Any, weight: Tensor, slope: Tensor, shape: Any) -> Tensor:
    """The gradient of a convolution by its input, of that ``size``."""
    stride, padding, dilation, groups = shape
    nobody = slope.new_empty(1).expand(size)  # only its shape is looked at
    found = torch.ops.aten.convolution_backward(
        slope, nobody, weight, None, stride, padding, dilation, False, [0, 0], groups, [True, False, False]
    )
    return found[0]  # type: ignore[no-any-return]


def _conv2d(
    network: _Network,
    x: Twin,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    if isinstance(padding, str):
        raise NoRuleError("there is no tangent of a convolution whose padding is a word here")
    shape = (*(_pair(each) for each in (stride, padding, dilation)), groups)
    gate, moved = network.gates.get(id(weight)), network.moved(weight)
    found: Tensor = _Convolution.apply(x.plain(), gate, weight.detach(), moved, shape)
    if bias is None:
        return found
    return found + _stacked(bias.detach(), network.moved(bias), found)


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _stacked(of_values: Tensor, of_tangents: Tensor, like: Tensor) -> Tensor:
    """Per channel, one number for activations and another for tangents, [2 N, C, 1, ...]."""
    half = len(like) // 2
    rest = [1] * (like.dim() - 2)
    return torch.cat([each.view(1, -1, *rest).expand(half, -1, *rest) for each in (of_values, of_tangents)])


class _Norm(torch.autograd.Function):
    """Batch norm by running statistics: a x + b, whose tangent is a x' + c x + d."""

    @staticmethod
    def forward(ctx: Any, both: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
        half = len(both) // 2
        found = both * a
        found[:half] += b
        found[half:].addcmul_(both[:half], c).add_(d)
        ctx.save_for_backward(a, c)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Any:
        a, c = ctx.saved_tensors
        half = len(slope) // 2
        found = slope * a
        found[:half].addcmul_(slope[half:], c)
        return found, None, None, None, None


def _batch_norm(
    network: _Network,
    x: Twin,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,  # noqa: ARG001 - named as in torch
    eps: float = 1e-5,
) -> Tensor:
    if training or running_mean is None or running_var is None:
        raise NoRuleError("there is no tangent of batch norm by the statistics of a batch here")
    scale = (running_var + eps).rsqrt()
    zero = torch.zeros_like(scale)
    gamma, moved = (scale, zero) if weight is None else (weight.detach() * scale, network.moved(weight) * scale)
    beta, shift = (zero, zero) if bias is None else (bias.detach(), network.moved(bias))
    numbers = (gamma, beta - running_mean * gamma, moved, shift - running_mean * moved)
    rest = [1] * (x.dim() - 2)
    return _Norm.apply(x.plain(), *(each.view(1, -1, *rest) for each in numbers))  # type: ignore[no-any-return]


class _Relu(torch.autograd.Function):
    """What is positive passes, with its tangent."""

    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        half = len(both) // 2
        positive = both[:half] > 0
        ctx.save_for_backward(positive)
        return _masked(both, positive)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Any:
        (positive,) = ctx.saved_tensors
        return _masked(slope, positive)


def _masked(both: Tensor, positive: Tensor) -> Tensor:
    found = torch.empty_like(both)
    for there, values in zip(found.chunk(2), both.chunk(2), strict=True):
        torch.mul(values, positive, out=there)
    return found


def _relu(_network: _Network, x: Twin, inplace: bool = False) -> Tensor:
    x.memory.spent = inplace
    return _Relu.apply(x.plain())  # type: ignore[no-any-return]


def _linear(network: _Network, x: Twin, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if bias is None and network.is_constant(weight):
        return F.linear(x.plain(), weight)
    values, tangents = x.plain().chunk(2)
    found = F.linear(values, weight.detach(), None if bias is None else bias.detach())
    moved = F.linear(tangents, weight.detach()) + F.linear(values, network.moved(weight))
    return torch.cat((found, moved if bias is None else moved + network.moved(bias)))


def _max_pool2d(_network: _Network, x: Twin, *args: Any, **options: Any) -> Tensor:
    if options.pop("return_indices", False):
        raise NoRuleError("there is no tangent of where a maximum lies")
    values, tangents = x.plain().chunk(2)
    found, where = F.max_pool2d_with_indices(values, *args, **options)
    moved = tangents.flatten(2).gather(2, where.flatten(2)).view_as(found)
    return torch.cat((found, moved))


_RULES: dict[Any, Callable[..., Tensor]] = {
    F.conv2d: _conv2d,
    torch.conv2d: _conv2d,
    F.batch_norm: _batch_norm,
    F.relu: _relu,
    torch.relu: _relu,
    Tensor.relu: _relu,
    F.linear: _linear,
    F.max_pool2d: _max_pool2d,
}
"""Of what is not linear, or has parameters."""

_SUMS: set[Any] = {torch.add, Tensor.add, Tensor.__add__}
_ALONG: set[Any] = {torch.flatten, Tensor.flatten, Tensor.mean, Tensor.index_copy}
_LINEAR: set[Any] = {
    F.adaptive_avg_pool2d,
    F.avg_pool2d,
    Tensor.contiguous,
    Tensor.new_zeros,
}
"""What does to tangents what it does to activations, as long as it leaves the images apart."""

_ASKED: set[Any] = {
    Tensor.__repr__,
    Tensor.size,
    Tensor.dim,
    Tensor.__len__,
    Tensor.is_contiguous,
    Tensor.is_floating_point,
}
