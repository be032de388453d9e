"""Convolution with derivatives of first and second order."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning.scores import convolution
from pruning.scores.second import twice_differentiable

# (input, channels in, channels out, kernel, options)
LAYERS = [
    ((3, 4, 6, 6), 4, 5, 3, {"padding": 1}),
    ((3, 4, 7, 6), 4, 5, 3, {"stride": 2, "padding": 1, "bias": False}),
    ((3, 4, 6, 6), 4, 8, 3, {"padding": 1, "groups": 4}),
    ((3, 4, 6, 6), 4, 6, (3, 2), {"stride": (2, 1), "groups": 2}),
    ((3, 4, 7, 7), 4, 5, 2, {"dilation": 2}),
    ((3, 4, 6, 6), 4, 5, 1, {"stride": 2}),
    ((3, 4, 6, 6), 4, 5, 3, {"padding": "same"}),
    ((4, 6, 6), 4, 5, 3, {}),
]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def numbers(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def slopes(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The result and every derivative of first and second order, along directions that depend on it."""
    leaves = [leaf for leaf in (x, *module.parameters()) if leaf.requires_grad]
    y = module(x)
    first = torch.autograd.grad((y.sin() * y).sum(), leaves, create_graph=True)
    whole = torch.stack([(part.sin() * part).sum() for part in first]).sum()
    return [y, *first, *torch.autograd.grad(whole, leaves)]


@pytest.mark.parametrize(("shape", "into", "out", "kernel", "options"), LAYERS)
@pytest.mark.parametrize("fixed", ["nothing", "x", "weight", "bias"])
def test_as_in_torch(shape, into, out, kernel, options, fixed) -> None:  # type: ignore[no-untyped-def]
    layer, x = nn.Conv2d(into, out, kernel, **options).double(), numbers(*shape).requires_grad_()
    if fixed != "nothing":
        leaf = x if fixed == "x" else getattr(layer, fixed)
        if leaf is not None:
            leaf.requires_grad_(False)
    wanted = slopes(layer, x)
    with twice_differentiable():
        found = slopes(layer, x)
    assert len(found) == len(wanted)
    assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-10) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("groups", [1, 4])
def test_layouts(layout: torch.memory_format, groups: int) -> None:
    layer = nn.Conv2d(4, 8, 3, padding=1, groups=groups).double()
    x = numbers(3, 4, 6, 6)
    wanted = slopes(layer, x.clone().requires_grad_())
    layer.to(memory_format=layout)
    with twice_differentiable():
        found = slopes(layer, x.to(memory_format=layout).requires_grad_())
    assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-10) for a, b in zip(found, wanted, strict=True))
    assert found[1].is_contiguous(memory_format=layout)


def test_by_hand() -> None:
    """y = w x, one number each. Of w y'(w) = w x t, with t = dL/dy = y: d/dw of w (w x^2) is 2 w x^2."""
    x, w = torch.tensor(3.0).view(1, 1, 1, 1).requires_grad_(), torch.tensor(2.0).view(1, 1, 1, 1).requires_grad_()
    y = convolution.conv2d(x, w)
    by_x, by_w = torch.autograd.grad(y.square().sum() / 2, [x, w], create_graph=True)
    assert (by_x.item(), by_w.item()) == (12.0, 18.0)  # w^2 x, w x^2
    assert [part.item() for part in torch.autograd.grad(by_w.sum(), [x, w], retain_graph=True)] == [12.0, 9.0]
    assert [part.item() for part in torch.autograd.grad(by_x.sum(), [x, w])] == [4.0, 12.0]


def test_against_differences() -> None:
    x, weight, bias = numbers(2, 4, 4, 4), numbers(6, 2, 3, 3), numbers(6)
    given = tuple(leaf.requires_grad_() for leaf in (x, weight, bias))
    assert torch.autograd.gradgradcheck(lambda *leaves: convolution.conv2d(*leaves, padding=1, groups=2), given)


def test_third_derivatives_are_those_of_torch() -> None:
    def third(conv2d: Callable[..., Tensor]) -> Tensor:
        x, weight = numbers(2, 4, 4, 4).requires_grad_(), numbers(6, 4, 3, 3).requires_grad_()
        (first,) = torch.autograd.grad(conv2d(x, weight).sin().sum(), [weight], create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), [x], create_graph=True)
        return torch.autograd.grad(second.square().sum(), [x])[0]

    assert torch.allclose(third(convolution.conv2d), third(F.conv2d), rtol=1e-10, atol=1e-10)


def test_under_autocast_it_is_that_of_torch() -> None:
    x, weight = numbers(2, 4, 4, 4).float(), numbers(6, 4, 3, 3).float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, wanted = convolution.conv2d(x, weight), F.conv2d(x, weight)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, wanted)
    (slope,) = torch.autograd.grad(found.float().sum(), [weight])
    assert slope.dtype == torch.float32
