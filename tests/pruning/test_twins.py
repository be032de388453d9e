"""theta . Hv of filters by tangents against double backward: the same numbers, of what there are rules for."""

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning import masks, models, scores, surgery, training
from pruning.dynamics import recalibrated
from pruning.scores import Batch
from pruning.scores.gradients import hessian_product, mean_gradient
from pruning.scores.guard import untouched
from pruning.scores.prunable import filter_layers
from pruning.scores.twins import NoRuleError, filter_products

from .networks import MODELS


def images(count: int = 6, side: int = 16, channels: int = 3) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, channels, side, side, generator=generator, dtype=torch.float64)
    y = torch.randint(10, (count,), generator=generator)
    return [(x[:4], y[:4]), (x[4:], y[4:])]


def both(net: nn.Module, batches: list[Batch], temperature: float = 1.0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """By tangents, and by double backward."""
    layers = filter_layers(net)
    with untouched(net, "eval"):
        g = mean_gradient(net, batches, temperature)
        product = hessian_product(net, batches, temperature, g)
        found = filter_products(net, layers, batches, temperature, g)
    expected = {name: (m.weight * product[f"{name}.weight"]).flatten(1).sum(1) for name, m in layers.items()}
    return found, {name: values.detach() for name, values in expected.items()}


def agree(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    assert list(found) == list(expected)
    largest = max(float(values.abs().max()) for values in expected.values())
    assert largest > 0
    return all(float((found[name] - values).abs().max()) <= 1e-10 * largest for name, values in expected.items())


def network(name: str, pruned: bool) -> nn.Module:
    net = models.build(name, width="0.25", seed=0).double()
    if pruned:
        found = scores.filter_scores("random", net, [], generator=torch.Generator().manual_seed(1))
        net = surgery.shrink(net, masks.global_mask(found, amount="0.5", floor=0.05, protected=net.protected))
    return recalibrated(net, images())


@pytest.mark.parametrize("temperature", [1.0, 200.0])
@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_tangents_and_double_backward_agree(name: str, pruned: bool, temperature: float) -> None:
    assert agree(*both(network(name, pruned), images(), temperature))


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_in_channels_last_too(name: str, pruned: bool) -> None:
    """Where pruned ResNets put the channels of sums in their places by another function."""
    net = network(name, pruned)
    expected = both(net, images())[1]
    laid_out = [(x.contiguous(memory_format=torch.channels_last), y) for x, y in images()]
    assert agree(both(training.place(net, "cpu"), laid_out)[0], expected)


class Own(nn.Module):
    """A user's network: biases, strides, dilation, groups, pooling, a product with constants, modules, functions."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.b = nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=3)
        self.c = nn.Conv2d(6, 4, 1)
        self.norm = nn.BatchNorm2d(6, affine=False)
        self.act, self.pool = nn.ReLU(), nn.MaxPool2d(2)
        self.out = nn.Linear(4, 10, bias=False)
        self.register_buffer("mixed", torch.arange(36.0).view(6, 6) / 36)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act(self.norm(self.a(x))))
        x = F.relu(self.b(x) + F.linear(x.permute(0, 2, 3, 1), self.mixed).permute(0, 3, 1, 2))
        x = F.avg_pool2d(self.c(x).relu(), 2)
        return self.out(x.mean((2, 3)))  # type: ignore[no-any-return]


def own() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return Own().double()


def test_networks_of_one_s_own() -> None:
    found, expected = both(recalibrated(own(), images()), images())
    assert list(found) == ["a", "c"]  # grouped ones are not scored
    assert agree(found, expected)


def replaced(change: Callable[[nn.Module], object]) -> nn.Module:
    net = own()
    change(net)
    return net


def tied(net: nn.Module) -> None:
    net.c = nn.Conv2d(6, 6, 1)
    net.d = net.c
    net.out = nn.Linear(6, 10)
    net.double()


WITHOUT_RULES: dict[str, tuple[Callable[[nn.Module], object], str]] = {
    "tanh": (lambda net: setattr(net, "act", nn.Tanh()), "there is no tangent of tanh here"),
    "constant": (lambda net: setattr(net, "act", Shifted()), "there is no tangent of add here"),
    "peeks": (lambda net: setattr(net, "act", Peeking()), "in a way that no tangent is known of"),
    "turned": (lambda net: setattr(net, "act", Turned()), "there is no tangent of permute here"),
    "paired": (lambda net: setattr(net, "a", nn.Sequential(Paired(), net.a)), "not one of the network's parameters"),
    "weighing": (lambda net: setattr(net, "act", Weighing()), "there is no tangent of linear here"),
    "own scale": (lambda net: setattr(net, "act", Scaled()), "there is no tangent of mul here"),
    "over images": (lambda net: setattr(net, "act", Centred()), "there is no tangent of (mean|sub) here"),
    "discarded": (lambda net: setattr(net, "act", Discarded()), "reads activations again that it has changed in place"),
    "view": (lambda net: setattr(net, "act", OfView()), "reads activations again that it has changed in place"),
    "named": (lambda net: setattr(net, "act", Named()), "there is no tangent of add here"),
    "coincidence": (lambda net: setattr(net, "act", OverImages()), "there is no tangent of mean here"),
    "frozen": (lambda net: setattr(net, "act", Frozen()), "switches gradients off"),
    "string": (lambda net: setattr(net, "b", nn.Conv2d(6, 6, 3, padding="same").double()), "whose padding is a word"),
    "batch": (lambda net: setattr(net, "norm", nn.BatchNorm2d(6, track_running_stats=False).double()), "of a batch"),
}  # fmt: skip


class Discarded(nn.Module):
    """Rectifies what it then passes on under its old name."""

    def forward(self, x: Tensor) -> Tensor:
        F.relu(x, inplace=True)
        return x + x


class OfView(nn.Module):
    """Rectifies a view of what it then passes on."""

    def forward(self, x: Tensor) -> Tensor:
        F.relu(x.flatten(2), inplace=True)
        return x + x


class Named(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.add(F.relu(x), other=torch.ones(1, dtype=x.dtype))


class OverImages(nn.Module):
    """Adds what has one entry per channel, of which there happen to be as many as images and tangents."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) + x.mean(0)


class Frozen(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = F.relu(x)
        return F.relu(x) + y


class Shifted(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) + 1.0


class Peeking(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) + x.data


class Turned(nn.Module):
    """Puts images elsewhere and back."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).permute(1, 0, 2, 3).permute(1, 0, 2, 3)


class Paired(nn.Module):
    """Multiplies images by images."""

    def forward(self, x: Tensor) -> Tensor:
        return x + F.linear(x.flatten(1), x.flatten(1)).mean()


class Weighing(nn.Module):
    """Multiplies constants by activations."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        return x + F.linear(torch.ones(x.shape, dtype=x.dtype).flatten(1), x.flatten(1)).mean()


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) * self.scale


class Centred(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x - x.mean(0))


@pytest.mark.parametrize("what", WITHOUT_RULES)
def test_what_there_is_no_rule_for_is_scored_by_double_backward(what: str) -> None:
    change, sentence = WITHOUT_RULES[what]
    net = replaced(change).eval()
    with untouched(net, "eval"):
        g = mean_gradient(net, images(), 1.0)
        with pytest.raises(NoRuleError, match=sentence):
            filter_products(net, filter_layers(net), images(), 1.0, g)
        product = hessian_product(net, images(), 1.0, g)
    found = scores.filter_scores("grasp_t1", net, images())
    for name, layer in filter_layers(net).items():
        expected = (layer.weight * product[f"{name}.weight"]).flatten(1).sum(1)
        torch.testing.assert_close(found[name], expected.detach(), rtol=1e-9, atol=1e-12)


def test_layers_that_share_a_weight_have_no_rule() -> None:
    net = replaced(tied)
    with pytest.raises(NoRuleError, match=r"^layers share a weight, or one of them is computed"):
        filter_products(net, {"c": net.c, "d": net.d}, images(), 1.0, {})  # type: ignore[dict-item]


def test_scores_take_the_faster_way_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("double backward")

    monkeypatch.setattr("pruning.scores.filters.hessian_product", never)
    for name in MODELS:
        net = models.build(name, width="0.25")
        mask = masks.global_mask(scores.filter_scores("random", net, []), amount="0.5", floor=0.05)
        for each in (net, training.place(surgery.shrink(net, mask), "cpu")):
            found = scores.filter_scores("abs_grasp", each, [(x.float(), y) for x, y in images()])
            assert all(torch.isfinite(values).all() for values in found.values())
    with pytest.raises(AssertionError, match="double backward"):
        scores.filter_scores("abs_grasp", own(), images(), bn_mode="train")


def test_nothing_of_it_stays() -> None:
    net = recalibrated(own(), images())
    layers = filter_layers(net)
    seen: list[weakref.ref[Tensor]] = []
    handle = net.a.register_forward_hook(lambda module, given, result: seen.append(weakref.ref(result)))  # type: ignore[union-attr]
    gc.disable()
    try:
        with untouched(net, "eval"):
            g = mean_gradient(net, images(), 1.0)
            seen.clear()
            filter_products(net, layers, images(), 1.0, g)
    finally:
        gc.enable()
        handle.remove()
    assert seen
    assert all(each() is None for each in seen)
    assert all(parameter.grad is None for parameter in net.parameters())
