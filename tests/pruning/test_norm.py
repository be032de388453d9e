"""Batch norm by the statistics of a batch, with derivatives of first and second order."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning.scores import lean, norm
from pruning.substitute import Substitute

SHAPES = [(4, 5, 3, 3), (6, 5), (4, 5, 7)]
LAYOUTS = [torch.contiguous_format, torch.channels_last]
BATCH_NORM: Callable[..., Tensor] = F.batch_norm


def numbers(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=generator) * 2 + 1


def norms(affine: bool = True, tracks: bool = True) -> nn.Module:
    found = nn.BatchNorm1d(5, affine=affine, track_running_stats=tracks, momentum=0.3, eps=0.01).double()
    found._check_input_dim = lambda x: None  # type: ignore[method-assign] # of images, too
    for parameter in found.parameters():
        parameter.data = numbers(5)
    return found


def slopes(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The result and every derivative of first and second order, along directions that depend on it."""
    y = module(x)
    first = torch.autograd.grad((y.sin() * y).sum(), [x, *module.parameters()], create_graph=True)
    whole = torch.stack([(part.sin() * part).sum() for part in first]).sum()
    return [y, *first, *torch.autograd.grad(whole, [x, *module.parameters()])]


@pytest.mark.parametrize("piece", [1, 500, 2**26])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("affine", "tracks", "training"),
    [(True, True, True), (False, False, True), (False, True, True), (True, True, False)],
)
def test_as_in_torch(
    piece: int, shape: tuple[int, ...], affine: bool, tracks: bool, training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(norm, "PIECE", piece)
    x = numbers(*shape).requires_grad_()
    wanted = norms(affine, tracks).train(training)
    found = copy.deepcopy(wanted)
    usual = slopes(wanted, x)
    with Substitute({F.batch_norm: norm.batch_norm}):
        ours = slopes(found, x)
    assert len(ours) == len(usual) == (7 if affine else 3)
    assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-10) for a, b in zip(ours, usual, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(found.buffers(), wanted.buffers(), strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("other", LAYOUTS)
@pytest.mark.parametrize("running", [(None, None), (numbers(5), numbers(5).exp())], ids=["batch", "running"])
def test_layouts(
    layout: torch.memory_format, other: torch.memory_format, running: tuple[Tensor | None, Tensor | None]
) -> None:
    x, along = numbers(4, 5, 3, 3), numbers(5, 5, 3, 3)[:4].to(memory_format=other)

    def second(x: Tensor, batch_norm: Callable[..., Tensor]) -> Tensor:
        y = batch_norm(x.requires_grad_(), *running, training=running == (None, None))
        (first,) = torch.autograd.grad(y, [x], along * y, create_graph=True)
        return torch.autograd.grad(first, [x], along)[0]

    found = second(x.to(memory_format=layout), norm.batch_norm)
    assert torch.allclose(found, second(x.contiguous(), BATCH_NORM), rtol=1e-10, atol=1e-12)
    assert found.is_contiguous(memory_format=layout)


def test_against_differences() -> None:
    x, weight, bias = (numbers(*shape).requires_grad_() for shape in [(4, 3, 2), (3,), (3,)])

    def ours(x: Tensor, *others: Tensor) -> Tensor:
        return norm.batch_norm(x, None, None, *others, training=True)

    assert torch.autograd.gradgradcheck(ours, (x, weight, bias))
    assert torch.autograd.gradgradcheck(ours, (x,))
    assert torch.autograd.gradgradcheck(lambda *others: ours(x.detach(), *others), (weight, bias))
    assert torch.autograd.gradgradcheck(lambda x, bias: ours(x, weight.detach(), bias), (x, bias))


def test_in_single_precision_far_from_zero() -> None:
    """The error is that of the deviation from the mean, though the mean is a thousand times as large."""
    x = numbers(8, 3, 4, 4) + 1000
    along = numbers(9, 3, 4, 4)[:8]

    def second(kind: torch.dtype) -> Tensor:
        leaf = x.float().to(kind).requires_grad_()
        y = norm.batch_norm(leaf, None, None, training=True)
        (first,) = torch.autograd.grad(y.square().sin().sum(), [leaf], create_graph=True)
        return torch.autograd.grad(first, [leaf], along.to(kind))[0].double()

    wanted = second(torch.float64)
    assert (second(torch.float32) - wanted).norm() / wanted.norm() < 1e-3


def test_there_is_no_third_derivative() -> None:
    x = numbers(4, 5).requires_grad_()
    y = norm.batch_norm(x, None, None, training=True)
    (first,) = torch.autograd.grad(y.square().sin().sum(), [x], create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), [x], create_graph=True)
    with pytest.raises(RuntimeError, match="no third derivative"):
        torch.autograd.grad(second.sum(), [x])


def test_numbers_of_two_types_are_left_to_torch() -> None:
    x, weight = numbers(4, 5).bfloat16().requires_grad_(), torch.ones(5, requires_grad=True)
    y = norm.batch_norm(x, None, None, weight, weight, training=True)
    assert torch.equal(y, F.batch_norm(x, None, None, weight, weight, training=True))
    assert y.dtype == torch.bfloat16


def test_one_number_in_a_channel_is_refused_as_in_torch() -> None:
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        norm.batch_norm(torch.ones(1, 5), None, None, training=True)


def test_used_where_modules_run_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Going forward, for the first derivative, and for the second one twice: of what was given, and of its slope."""
    seen = []

    def counted(*given: Any, **options: Any) -> Tensor:
        seen.append(given)
        return norm.batch_norm(*given, **options)

    monkeypatch.setattr(lean, "twice_differentiable", lambda: Substitute({F.batch_norm: counted}))
    inner, x = nn.Sequential(nn.BatchNorm2d(5).double()), numbers(4, 5, 3, 3).requires_grad_()
    with lean.little_memory([inner]):
        (first,) = torch.autograd.grad(inner(x).square().sum(), [x], create_graph=True)
        assert len(seen) == 2
        torch.autograd.grad(first.square().sum(), [x])
    assert len(seen) == 4
