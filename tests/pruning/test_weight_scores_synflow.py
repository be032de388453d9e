"""SynFlow: the l1,1 path norm, what is conserved, and numbers beyond single precision (PROTOCOLS B.5, B.11)."""

from itertools import pairwise, product

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pruning import models, scores

from .networks import Own, batches, trained_looking


def perceptron(*sizes: int, bias: bool = False, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs, bias=bias), nn.ReLU()]
        return nn.Sequential(*layers[:-1])


def synflow(net: nn.Module, *image: int) -> dict[str, Tensor]:
    return scores.weight_scores("synflow", net, [], image=image)


def test_by_hand() -> None:
    """x -> (x, x) (-2, 3) -> 5: the paths weigh 10 and 15, and each weight scores what runs through it."""
    net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    net[0].weight.data = torch.tensor([[-2.0], [3.0]])
    net[2].weight.data = torch.tensor([[5.0, -5.0]])
    found = synflow(net, 1)
    assert found["0.weight"].tolist() == [[10], [15]]
    assert found["2.weight"].tolist() == [[10, 15]]
    assert found["0.weight"].dtype == torch.float64


def test_biases_count_as_absolute_values() -> None:
    """|x| with w = -2, bias -3, then 5: R = (2 + 3) 5; the bias adds to what reaches the second layer."""
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1, bias=False))
    net[0].weight.data, net[0].bias.data = torch.tensor([[-2.0]]), torch.tensor([-3.0])
    net[2].weight.data = torch.tensor([[5.0]])
    found = synflow(net, 1)
    assert (found["0.weight"].item(), found["2.weight"].item()) == (10, 25)


def test_batch_norm_by_running_statistics_and_absolute_scale() -> None:
    """A fresh batch norm of scale -3 and shift -1 on 2 x: y = 3 (2 / sqrt(1 + eps)) + 1, then times 5."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1), nn.ReLU(), nn.Conv2d(1, 1, 1, bias=False))
    net[0].weight.data.fill_(-2)
    net[1].weight.data.fill_(-3)
    net[1].bias.data.fill_(-1)
    net[3].weight.data.fill_(5)
    inner = 6 / (1 + 1e-5) ** 0.5
    for training in (True, False):
        found = synflow(net.train(training), 1, 1, 1)
        assert found["0.weight"].item() == pytest.approx(5 * inner, rel=1e-12)
        assert found["3.weight"].item() == pytest.approx(5 * (inner + 1), rel=1e-12)
    assert net[1].running_mean.tolist() == [0]


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 4), min_size=2, max_size=5), seed=st.integers(0, 1000))
def test_it_is_the_derivative_of_the_path_norm(sizes: list[int], seed: int) -> None:
    """Each weight scores the sum, over the paths through it, of |product of the weights on the path| (D.5)."""
    net = perceptron(*sizes, seed=seed)
    weights = [layer.weight.detach().double() for layer in net if isinstance(layer, nn.Linear)]
    wanted = [torch.zeros_like(weight) for weight in weights]
    for path in product(*map(range, sizes)):
        edges = [(path[i + 1], path[i]) for i in range(len(weights))]
        value = torch.stack([weight[edge].abs() for weight, edge in zip(weights, edges, strict=True)]).prod()
        for score, edge in zip(wanted, edges, strict=True):
            score[edge] += value
    found = synflow(net, sizes[0])
    for score, ours in zip(wanted, found.values(), strict=True):
        assert torch.allclose(ours, score, rtol=1e-10, atol=0)


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=3, max_size=6), seed=st.integers(0, 1000))
def test_what_flows_into_a_unit_flows_out(sizes: list[int], seed: int) -> None:
    found = list(synflow(perceptron(*sizes, seed=seed), sizes[0]).values())
    for before, after in pairwise(found):
        assert torch.allclose(before.sum(1), after.sum(0), rtol=1e-10, atol=0)
    totals = torch.stack([score.sum() for score in found])
    assert torch.allclose(totals, totals[0].expand_as(totals), rtol=1e-10, atol=0)


@pytest.mark.parametrize("name", ["vgg13", "resnet20"])
def test_layers_of_a_convolutional_network_sum_to_the_same(name: str) -> None:
    """Where nothing is added and no other path goes by: all of VGG, and stem and output of a residual network."""
    net = models.build(name, width="0.125", seed=0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            module.bias.data.zero_()
    found = synflow(net, 3, 32, 32)
    sums = {parameter: score.sum().item() for parameter, score in found.items()}
    ends = list(sums) if name == "vgg13" else [next(iter(sums)), list(sums)[-1]]
    assert all(sums[parameter] == pytest.approx(sums[ends[0]], rel=1e-9) for parameter in ends)
    assert all(score.min() >= 0 for score in found.values())


def plainly(net: nn.Module, image: tuple[int, ...]) -> dict[str, Tensor]:
    """Every parameter replaced in place, forward, .backward()."""
    net = net.eval()
    for parameter in net.parameters():
        parameter.data.abs_()
        parameter.grad = None
    net(torch.ones(1, *image, dtype=next(net.parameters()).dtype)).sum().backward()
    return {name: p.data * p.grad.abs() for name, p in net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", ["vgg16", "resnet20", "resnet56", "own"])
def test_it_equals_the_algorithm_done_in_place(name: str) -> None:
    net = Own().double() if name == "own" else trained_looking(name)
    found = synflow(net, 3, 16, 16)
    wanted = plainly(net, (3, 16, 16))
    for parameter, score in found.items():
        assert torch.allclose(score, wanted[parameter], rtol=1e-10, atol=0), parameter


def test_what_overflows_single_precision_stays_finite() -> None:
    net = perceptron(*[64] * 60, 10, seed=0)
    for parameter in net.parameters():
        parameter.data *= 8
    single = plainly(perceptron(*[64] * 60, 10, seed=0), (64,))
    assert all(score.isfinite().all() for score in single.values())
    found = synflow(net, 64)
    assert all(score.isfinite().all() for score in found.values())
    assert found["1.weight"].sum() > 1e39
    assert not all(score.isfinite().all() for score in plainly(net, (64,)).values())


def test_a_pruned_weight_scores_zero_and_carries_nothing() -> None:
    net = perceptron(3, 3, 2)
    net[1].weight.data[1] = 0
    found = synflow(net, 3)
    assert not found["1.weight"][1].any()
    assert not found["3.weight"][:, 1].any()
    assert found["3.weight"][:, [0, 2]].all()


def test_the_shape_is_that_of_the_batches_where_none_is_given() -> None:
    net = Own()
    given_ = scores.weight_scores("synflow", net, [], image=(3, 8, 8))
    for sample in (batches(4), iter(batches(4))):
        read = scores.weight_scores("synflow", net, sample)
        assert all(torch.equal(read[name], given_[name]) for name in given_)
    other = scores.weight_scores("synflow", net, batches(4), image=(3, 4, 4))
    assert not torch.allclose(other["first.weight"], given_["first.weight"], rtol=0.01, atol=0)
    sentence = r"^synflow needs the shape of an image; give image=\(channels, height, width\), or a batch$"
    with pytest.raises(ValueError, match=sentence):
        scores.weight_scores("synflow", net, [])


@pytest.mark.parametrize("image", [(), (3, 0, 8), (3.0, 8, 8)])
def test_a_shape_that_is_none(image: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^image is \(.*\); it must be the shape of one, as \(channels, "):
        scores.weight_scores("synflow", Own(), [], image=image)


class Unused(nn.Module):
    """A layer that the output does not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.left = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 2] -> [N, 2]."""
        return F.relu(self.used(x))


def test_a_layer_that_is_not_used_scores_zero() -> None:
    found = synflow(Unused(), 2)
    assert found["used.weight"].all()
    assert not found["left.weight"].any()
