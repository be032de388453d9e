"""Batch norm of few channels: PyTorch's numbers, more exactly, and where it is done."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from pruning import narrow, training
from pruning.narrow import narrow_norms
from pruning.training import Recipe

CPU = torch.device("cpu")


@pytest.fixture
def used(monkeypatch):
    """Shapes that were normalised here and not by PyTorch, which few pixels are enough for."""
    shapes = []
    apply = narrow._Norm.apply
    monkeypatch.setattr(narrow, "_ENOUGH", 64)
    monkeypatch.setattr(narrow._Norm, "apply", lambda x, *others: shapes.append(tuple(x.shape)) or apply(x, *others))
    return shapes


def laid_out(x):
    return x.contiguous(memory_format=torch.channels_last)


def results(x, slope, norm, here):
    """Output, gradients and running statistics, of copies of what is given."""
    x, weight, bias = (t.detach().clone().requires_grad_() for t in (x, norm.weight, norm.bias))
    mean, var = norm.running_mean.clone(), norm.running_var.clone()
    if here:
        with narrow_norms(CPU):
            y = F.batch_norm(x, mean, var, weight, bias, training=True, momentum=0.3, eps=0.01)
    else:
        y = F.batch_norm(x, mean, var, weight, bias, training=True, momentum=0.3, eps=0.01)
    return [y, *torch.autograd.grad(y, (x, weight, bias), slope), mean, var]


@pytest.fixture
def norm():
    def make(channels):
        torch.manual_seed(channels)
        made = nn.BatchNorm2d(channels, dtype=torch.float64)
        for tensor in made.state_dict().values():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 2)
        return made

    return make


@pytest.mark.parametrize("shape", [(4, 3, 4, 4), (2, 1, 8, 8), (64, 9, 2, 2), (16, 15, 4, 6), (16, 7, 1, 5)])
def test_numbers_are_pytorchs(shape, used, norm):
    """In double precision; also where neighbours are of several rows or images."""
    x = laid_out(3 + torch.randn(shape, dtype=torch.float64))
    slope = laid_out(torch.randn_like(x))
    ours, theirs = (results(x, slope, norm(shape[1]), here) for here in (True, False))
    assert used == [shape]
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    assert ours[0].is_contiguous(memory_format=torch.channels_last)


def test_a_slope_in_another_layout(used, norm):
    x = laid_out(torch.randn(16, 3, 4, 4, dtype=torch.float64))
    slope = torch.randn(16, 3, 4, 4, dtype=torch.float64)
    ours, theirs = (results(x, slope, norm(3), here) for here in (True, False))
    assert used == [(16, 3, 4, 4)]
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_single_precision_is_no_less_exact_than_pytorchs(used, norm):
    """The mean is far from zero, and sums are long."""
    x = laid_out(torch.randn(64, 5, 16, 16, dtype=torch.float64) + 20)
    slope, exactly = laid_out(torch.randn_like(x)), norm(5)
    expected = results(x, slope, exactly, here=False)
    rough = norm(5).float()
    ours, theirs = (results(x.float(), slope.float(), rough, here) for here in (True, False))
    assert used == [(64, 5, 16, 16)]
    for here, there, true in zip(ours, theirs, expected, strict=True):
        wrong, allowed = ((each.double() - true).abs().max() for each in (here, there))
        assert wrong <= 2 * allowed + 1e-6 * true.abs().max()


@pytest.mark.parametrize(
    "x",
    [
        torch.randn(64, 3, 4, 4),  # another layout
        laid_out(torch.randn(64, 8, 4, 4)),  # half a register, or a whole one
        laid_out(torch.randn(64, 17, 4, 4)),  # not few
        laid_out(torch.randn(3, 3, 5, 5)),  # not so many times 16 pixels
        laid_out(torch.randn(3, 3, 4, 4)),  # few pixels
        laid_out(torch.randn(64, 3, 4, 4)).bfloat16(),
        torch.randn(64, 3),
    ],
    ids=["plain", "8", "17", "odd", "small", "bf16", "2d"],
)
def test_pytorch_does_what_it_does_better(x, used):
    with narrow_norms(CPU):
        norm = nn.BatchNorm1d(3) if x.dim() == 2 else nn.BatchNorm2d(x.shape[1])
        expected = F.batch_norm(x, None, None, norm.weight, norm.bias, training=True)
        assert torch.equal(norm(x), expected)
    assert used == []


def test_it_is_for_training_alone(used):
    x = laid_out(torch.randn(64, 3, 4, 4))
    with narrow_norms(CPU):
        nn.BatchNorm2d(3).eval()(x)
        nn.BatchNorm2d(3, affine=False)(x)
        nn.BatchNorm2d(3, track_running_stats=False)(x)
        assert used == []
        nn.BatchNorm2d(3)(x)
    assert used == [(64, 3, 4, 4)]
    nn.BatchNorm2d(3)(x)
    assert len(used) == 1
    net = training.place(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU(inplace=True)), "cpu")
    training.forward(net, x, Recipe()).sum().backward()
    assert len(used) == 2


def test_nothing_is_done_elsewhere():
    with narrow_norms(torch.device("cuda")) as mode:
        assert mode is None
