"""Scores of single weights against hand-computed numbers, whole Hessians and the authors' way, all in float64."""

import math
from collections.abc import Mapping
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pruning import models, scores
from pruning.scores import BNMode

from .networks import Own, Three, batches, images, trained_looking

DATA = ("snip", "grasp", "abs_grasp", "grasp_class_split")
Sample = list[tuple[Tensor, Tensor]]


class Tiny(nn.Module):
    """Convolution, batch norm, ReLU and a linear layer: 23 parameters, of which 14 are weights that count."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.conv = nn.Conv2d(1, 2, 2)
            self.norm = nn.BatchNorm2d(2)
            self.head = nn.Linear(2, 3)
        self.double()
        self.norm.weight.data = torch.tensor([0.7, 1.4], dtype=torch.float64)
        self.norm.bias.data = torch.tensor([0.3, -0.1], dtype=torch.float64)
        self.norm.running_mean = torch.tensor([0.1, -0.2], dtype=torch.float64)
        self.norm.running_var = torch.tensor([0.5, 1.5], dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 1, H, W] -> [N, 3]."""
        return self.head(F.relu(self.norm(self.conv(x))).mean((2, 3)))  # type: ignore[no-any-return]


class ByHand(Tiny):
    """The same with a normalisation of elementary operations, owing nothing to formulas for batch norm."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, 1, H, W] -> [N, 3]."""
        z = self.conv(x)
        mean, variance = self.norm.running_mean, self.norm.running_var
        if self.training:
            mean = z.mean((0, 2, 3))
            variance = (z - mean.view(1, -1, 1, 1)).square().mean((0, 2, 3))
        assert mean is not None
        assert variance is not None
        centred = (z - mean.view(1, -1, 1, 1)) / (variance + self.norm.eps).sqrt().view(1, -1, 1, 1)
        out = centred * self.norm.weight.view(1, -1, 1, 1) + self.norm.bias.view(1, -1, 1, 1)
        return self.head(F.relu(out).mean((2, 3)))  # type: ignore[no-any-return]


def tiny_sample(*sizes: int) -> Sample:
    return [(images(n, 4, channels=1, seed=i), (torch.arange(n) + i) % 3) for i, n in enumerate(sizes)]


def logistic(a: float, b: float) -> nn.Sequential:
    """Two weights, and logits (a x, b x) for a one-pixel image x."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False, dtype=torch.float64))
    net[1].weight.data = torch.tensor([[a], [b]], dtype=torch.float64)
    return net


def pixels(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_two_weights_by_hand() -> None:
    """One image x = 1 of class 1: the loss is softplus(d), d = (a - b) / T. With p = sigmoid(d) and q = p (1 - p),
    g = p (1, -1) / T and H = q [[1, -1], [-1, 1]] / T^2, so that Hg = 2 q p (1, -1) / T^3."""
    a, b = 0.7, -0.4
    net, sample = logistic(a, b), [(pixels(1), torch.tensor([1]))]

    def found(name: str) -> list[float]:
        return scores.weight_scores(name, net, sample)["1.weight"].flatten().tolist()

    p, p200 = sigmoid(a - b), sigmoid((a - b) / 200)
    hg = 2 * p200**2 * (1 - p200) / 200**3
    assert found("magnitude") == [0.7, 0.4]
    assert found("snip") == pytest.approx([a * p, -b * p], rel=1e-12)
    assert found("grasp") == pytest.approx([a * hg, -b * hg], rel=1e-12)
    assert found("abs_grasp") == pytest.approx([abs(a * hg), abs(b * hg)], rel=1e-12)
    warm = scores.weight_scores("snip", net, sample, temperature=2.0)["1.weight"].flatten().tolist()
    assert warm == pytest.approx([a * sigmoid((a - b) / 2) / 2, -b * sigmoid((a - b) / 2) / 2], rel=1e-12)


def test_two_halves_by_hand() -> None:
    """An image x = 2 of class 0 and one x = 1 of class 1, given the other way round, at T = 200. Their losses are
    softplus(-2 d) and softplus(d). With r = sigmoid(-2 d), p = sigmoid(d) and u = (1, -1) / T, the gradients are
    -2 r u and p u and the Hessians 4 r (1 - r) u u' and p (1 - p) u u'; g is their sum, and so is H."""
    a, b = 0.7, -0.4
    sample = [(pixels(1, 2), torch.tensor([1, 0]))]
    d = (a - b) / 200
    r, p = sigmoid(-2 * d), sigmoid(d)
    hg = (4 * r * (1 - r) + p * (1 - p)) * (p - 2 * r) * 2 / 200**3
    found = scores.weight_scores("grasp_class_split", logistic(a, b), sample)["1.weight"]
    assert found.flatten().tolist() == pytest.approx([a * hg, -b * hg], rel=1e-12)
    # The mean of two losses has half the gradient and half the Hessian, so grasp is a quarter of it.
    mean = scores.weight_scores("grasp", logistic(a, b), sample)["1.weight"]
    assert mean.flatten().tolist() == pytest.approx([a * hg / 4, -b * hg / 4], rel=1e-12)


def test_grasp_counts_every_parameter_in_the_gradient_and_the_split_only_weights() -> None:
    """Three's logits are (u a x, b x), u no weight of a layer. At temperature T, d = (u a - b) / T, v = grad d and
    Hg = q p |v|^2 v + p^2 (a, 0, u) / T^2; where u is left out, g and v are without it, and so is the last term."""
    a, b, u = 0.7, -0.4, 1.3
    net = Three(a, b, u)
    sample = [(pixels(1), torch.tensor([1]))]
    p = sigmoid((u * a - b) / 200)
    q, v = p * (1 - p), [u / 200, -1 / 200, a / 200]
    every = q * p * (v[0] ** 2 + v[1] ** 2 + v[2] ** 2)
    wanted = [a * (every * v[0] + p**2 * a / 200**2), b * every * v[1]]
    assert scores.weight_scores("grasp", net, sample)["conv.weight"].flatten().tolist() == pytest.approx(wanted)
    # Twice the same image makes two equal halves: twice the gradient and twice the Hessian.
    twice = [(pixels(1, 1), torch.tensor([1, 1]))]
    few = 4 * q * p * (v[0] ** 2 + v[1] ** 2)
    found = scores.weight_scores("grasp_class_split", net, twice)["conv.weight"].flatten().tolist()
    assert found == pytest.approx([a * few * v[0], b * few * v[1]], rel=1e-12)


def whole_hessian(net: nn.Module, sample: Sample, temperature: float, *, train: bool) -> tuple[Tensor, Tensor]:
    """H and g of the mean loss over all images, [P, P] and [P], batch norm by the statistics of each batch or not."""
    shapes = {name: parameter.shape for name, parameter in net.named_parameters()}
    buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
    net.train(train)

    def loss(flat: Tensor) -> Tensor:
        parts = torch.split(flat, [shape.numel() for shape in shapes.values()])
        values = {name: part.view(shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)}
        total, number = torch.zeros((), dtype=torch.float64), 0
        for x, y in sample:
            copies = {name: buffer.clone() for name, buffer in buffers.items()}
            logits = torch.func.functional_call(net, {**values, **copies}, (x,))
            total = total + F.cross_entropy(logits / temperature, y) * len(y)
            number += len(y)
        return total / number

    point = torch.cat([parameter.detach().flatten() for parameter in net.parameters()]).requires_grad_()
    return torch.autograd.functional.hessian(loss, point), torch.autograd.grad(loss(point), point)[0]


def by_name(net: nn.Module, flat: Tensor) -> dict[str, Tensor]:
    parts = torch.split(flat, [parameter.numel() for parameter in net.parameters()])
    return {name: part.view(p.shape) for part, (name, p) in zip(parts, net.named_parameters(), strict=True)}


@pytest.mark.parametrize("sizes", [(5,), (4, 7)])
@pytest.mark.parametrize("bn_mode", ["train", "eval"])
def test_scores_are_those_of_the_whole_hessian(bn_mode: BNMode, sizes: tuple[int, ...]) -> None:
    net, sample = Tiny(), tiny_sample(*sizes)
    H, g = whole_hessian(ByHand(), sample, 200.0, train=bn_mode == "train")
    product = by_name(net, H @ g)
    g1 = by_name(net, whole_hessian(ByHand(), sample, 1.0, train=bn_mode == "train")[1])
    w = {name: parameter.detach() for name, parameter in net.named_parameters()}
    for name in ("conv.weight", "head.weight"):
        wanted = {
            "snip": (w[name] * g1[name]).abs(),
            "grasp": w[name] * product[name],
            "abs_grasp": (w[name] * product[name]).abs(),
        }
        for score, values in wanted.items():
            found = scores.weight_scores(score, net, sample, bn_mode=bn_mode)
            assert list(found) == ["conv.weight", "head.weight"]
            assert torch.allclose(found[name], values, rtol=1e-10, atol=1e-10 * values.abs().max().item()), score


def test_statistics_are_those_of_the_batch_given() -> None:
    """Where they are the batch's, cutting a batch changes the loss; in evaluation mode it does not."""
    net, whole = Tiny(), tiny_sample(8)
    ((x, y),) = whole
    cut = [(x[:3], y[:3]), (x[3:], y[3:])]
    for name in ("snip", "grasp", "abs_grasp"):
        for bn_mode, equal in (("train", False), ("eval", True)):
            one, two = (scores.weight_scores(name, net, sample, bn_mode=bn_mode) for sample in (whole, cut))  # type: ignore[arg-type]
            close = torch.allclose(one["conv.weight"], two["conv.weight"], rtol=1e-9, atol=0)
            assert close is equal, (name, bn_mode)


@pytest.mark.parametrize("name", DATA)
def test_data_scores_normalise_by_batch_unless_told(name: str) -> None:
    net, sample = Tiny(), tiny_sample(9)
    chosen = scores.weight_scores(name, net.eval(), sample)["conv.weight"]
    train, evaluation = (scores.weight_scores(name, net, sample, bn_mode=m)["conv.weight"] for m in ("train", "eval"))  # type: ignore[arg-type]
    assert torch.equal(chosen, train)
    assert not torch.allclose(train, evaluation, rtol=0.01, atol=0)


def as_released(net: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The algorithm of PROTOCOLS B.5, step by step with .backward(): classes in order, two halves, sums over passes."""
    net.train()
    order = sorted(range(len(y)), key=lambda i: (int(y[i]), i))
    half = len(order) // 2
    passes = [(x[part], y[part]) for part in (order[:half], order[half:])]
    layers = {n: m for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
    net.zero_grad()
    for images_, labels in passes:
        F.cross_entropy(net(images_) / 200, labels).backward()
    g = {n: m.weight.grad.clone() for n, m in layers.items() if m.weight.grad is not None}
    net.zero_grad()
    for images_, labels in passes:
        loss = F.cross_entropy(net(images_) / 200, labels)
        slopes = torch.autograd.grad(loss, [m.weight for m in layers.values()], create_graph=True)
        torch.stack([(g[n] * s).sum() for n, s in zip(layers, slopes, strict=True)]).sum().backward()
    return {f"{n}.weight": m.weight.detach() * m.weight.grad for n, m in layers.items() if m.weight.grad is not None}


@pytest.mark.parametrize("count", [12, 13])
def test_class_split_is_the_released_algorithm(count: int) -> None:
    generator = torch.Generator().manual_seed(1)
    x = images(count, 8)
    y = torch.randint(0, 10, (count,), generator=generator)
    net = Own().double()
    wanted = as_released(Own().double(), x, y)
    assert set(wanted) == {"first.weight", "spread.weight", "second.weight", "head.weight"}
    for sample in ([(x, y)], [(x[:5], y[:5]), (x[5:], y[5:])]):
        found = scores.weight_scores("grasp_class_split", net, sample)
        assert set(found) == set(wanted)
        for name, values in wanted.items():
            assert torch.allclose(found[name], values, rtol=1e-10, atol=1e-12 * values.abs().max().item()), name
    grasp = scores.weight_scores("grasp", net, [(x, y)])
    assert not torch.allclose(grasp["head.weight"], wanted["head.weight"] / 4, rtol=0.01, atol=0)


def reference(net: nn.Module, sample: Sample, bn_mode: str) -> dict[str, Mapping[str, Tensor]]:
    """snip and grasp through .backward() on one graph of all batches, which the library does not build."""
    net.train(bn_mode == "train")
    number = sum(len(y) for _, y in sample)
    parameters = dict(net.named_parameters())

    def gradient(temperature: float) -> dict[str, Tensor]:
        losses = [F.cross_entropy(net(x) / temperature, y, reduction="sum") for x, y in sample]
        total = torch.stack(losses).sum() / number
        return dict(
            zip(parameters, torch.autograd.grad(total, list(parameters.values()), create_graph=True), strict=True)
        )

    snip = {name: (parameters[name] * g).abs().detach() for name, g in gradient(1.0).items()}
    g = gradient(200.0)
    net.zero_grad()
    (torch.stack([part.square().sum() for part in g.values()]).sum() / 2).backward()  # d/dw |g|^2 / 2 = Hg
    grasp = {name: p.detach() * p.grad for name, p in parameters.items() if p.grad is not None}
    net.zero_grad()
    return {"snip": snip, "grasp": grasp}


@pytest.mark.parametrize("bn_mode", ["train", "eval"])
@pytest.mark.parametrize("model", ["vgg13", "resnet56", "resnet20", "vgg16"])
def test_scores_of_real_networks(model: str, bn_mode: BNMode) -> None:
    net, sample = trained_looking(model), batches(4, 3, side=16)
    wanted = reference(net, sample, bn_mode)
    for name in ("snip", "grasp"):
        found = scores.weight_scores(name, net, sample, bn_mode=bn_mode)
        for parameter, score in found.items():
            values = wanted[name][parameter]
            assert torch.allclose(score, values, rtol=1e-6, atol=1e-9 * values.abs().max().item()), parameter


@settings(max_examples=15, deadline=None)
@given(cuts=st.sets(st.integers(1, 9), max_size=4), name=st.sampled_from(["snip", "grasp", "abs_grasp"]))
def test_batches_do_not_matter_in_evaluation_mode(cuts: set[int], name: str) -> None:
    net, ((x, y),) = Tiny(), tiny_sample(10)
    edges = [0, *sorted(cuts), 10]
    parts = [(x[i:j], y[i:j]) for i, j in pairwise(edges)]
    one, many = (scores.weight_scores(name, net, sample, bn_mode="eval") for sample in ([(x, y)], parts))
    for parameter, values in one.items():
        assert torch.allclose(many[parameter], values, rtol=1e-9, atol=1e-12 * values.abs().max().item())


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(9)), cut=st.integers(1, 8))
def test_class_split_does_not_depend_on_the_order_given(order: list[int], cut: int) -> None:
    net, ((x, y),) = Tiny(), tiny_sample(9)
    x, y = x[order], y[order]
    found = scores.weight_scores("grasp_class_split", net, [(x[:cut], y[:cut]), (x[cut:], y[cut:])])
    # With 9 images the cut runs through class 1, so only which of its images come first can make a difference.
    middle = [i for i in order if i % 3 == 1]
    first = [i for i in range(9) if i % 3 == 0] + middle[:1]
    rest = middle[1:] + [i for i in range(9) if i % 3 == 2]
    ((x, y),) = tiny_sample(9)
    wanted = as_released(net, x[first + rest], y[first + rest])
    for parameter, values in wanted.items():
        assert torch.allclose(found[parameter], values, rtol=1e-9, atol=1e-12 * values.abs().max().item())


def test_random_follows_its_generator() -> None:
    net = Own()

    def draw(seed: int) -> dict[str, Tensor]:
        return scores.weight_scores("random", net, [], generator=torch.Generator().manual_seed(seed))

    assert all(torch.equal(draw(1)[name], draw(1)[name]) for name in draw(1))
    assert not torch.equal(draw(1)["first.weight"], draw(2)["first.weight"])
    expected = torch.rand(5, 3, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.equal(draw(1)["first.weight"], expected)
    many = scores.weight_scores("random", nn.Linear(100, 100), [])["weight"]
    assert many.dtype == torch.float64
    assert 0 <= many.min() < 0.001
    assert 0.999 < many.max() < 1


def test_magnitude() -> None:
    net = models.build("vgg13", width="0.125", seed=0)
    found = scores.weight_scores("magnitude", net, [])
    assert torch.equal(found["classifier.weight"], net.get_parameter("classifier.weight").abs())
    assert set(found) == {*(f"{layer}.weight" for layer in net.filters), "classifier.weight"}  # type: ignore[union-attr]
