"""Scores: pure, on any network, by name; small cases by hand and the identities of PROTOCOLS A.5.1."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning import models, scores
from pruning.scores import registry

from .networks import MODELS, Own, Three, batches, images, trained_looking

DATA = ("loss", "taylor", "proposed", "fisher", "grasp_t200", "grasp_t1", "abs_grasp")
FREE = ("random", "magnitude", "magnitude_l1", "distance_from_init", "bn_scale")
POINT = {"a": 0.7, "b": -0.4, "u": 1.3}


@pytest.fixture
def own_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is registered here is forgotten afterwards."""
    monkeypatch.setattr(registry, "_SCORES", dict(registry._SCORES))


def one_image() -> list[tuple[Tensor, Tensor]]:
    return [(torch.ones(1, 1, 1, 1, dtype=torch.float64), torch.tensor([1]))]


def test_names() -> None:
    assert set(scores.names()) >= {*DATA, *FREE}


@pytest.mark.parametrize("name", DATA)
def test_three_parameters_by_hand(name: str) -> None:
    net = Three(**POINT)
    g, hg = Three.derivatives(**POINT)
    a, b = POINT["a"], POINT["b"]
    wanted = {
        "loss": [abs(a * g[0]), abs(b * g[1])],
        "taylor": [abs(a * g[0]), abs(b * g[1])],
        "proposed": [a * a * abs(g[0]), b * b * abs(g[1])],
        "fisher": [a * a * g[0] ** 2, b * b * g[1] ** 2],
        "grasp_t1": [a * hg[0], b * hg[1]],
        "abs_grasp": [abs(a * hg[0]), abs(b * hg[1])],
    }
    found = scores.filter_scores(name, net, one_image(), temperature=1.0)
    assert list(found) == ["conv"]
    if name != "grasp_t200":
        assert found["conv"].tolist() == pytest.approx(wanted[name], rel=1e-12)
        return
    # At temperature 200 the logits are those of u / 200 and b / 200, but the derivatives are for a, b and u.
    loss = lambda a, b, u: F.softplus((u * a - b) / 200)  # noqa: E731
    point = tuple(torch.tensor(value, dtype=torch.float64) for value in POINT.values())
    H = torch.tensor(torch.autograd.functional.hessian(loss, point), dtype=torch.float64)
    gradient = torch.stack(torch.autograd.functional.jacobian(loss, point))
    assert found["conv"].tolist() == pytest.approx((H @ gradient * torch.stack(point))[:2].tolist(), rel=1e-9)


def test_gradient_and_hessian_product_by_hand() -> None:
    net = Three(**POINT)
    g, hg = Three.derivatives(**POINT)
    found = scores.mean_gradient(net, one_image(), 1.0)
    product = scores.hessian_gradient(net, one_image(), 1.0)
    assert list(found) == list(product) == ["scale", "conv.weight"]
    assert [*found["conv.weight"].flatten().tolist(), *found["scale"].tolist()] == pytest.approx(g, rel=1e-12)
    assert [*product["conv.weight"].flatten().tolist(), *product["scale"].tolist()] == pytest.approx(hg, rel=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_hessian_product_is_the_change_of_the_gradient_along_itself(name: str) -> None:
    net, sample = trained_looking(name).eval(), batches(4, 3)
    g = scores.mean_gradient(net, sample, 1.0)
    product = scores.hessian_gradient(net, sample, 1.0)
    norm = torch.stack([part.square().sum() for part in g.values()]).sum().sqrt().item()
    step, moved = 1e-7 / norm, []
    for sign in (1, -1):
        with torch.no_grad():
            for key, parameter in net.named_parameters():
                parameter.add_(g[key], alpha=sign * step)
        moved.append(scores.mean_gradient(net, sample, 1.0))
        with torch.no_grad():
            for key, parameter in net.named_parameters():
                parameter.sub_(g[key], alpha=sign * step)
    size = torch.cat([part.flatten() for part in product.values()]).norm()
    off = torch.cat([((moved[0][k] - moved[1][k]) / (2 * step) - product[k]).flatten() for k in product]).norm()
    assert off <= 1e-5 * size


def state_of(net: nn.Module) -> dict[str, Any]:
    return {
        "numbers": {key: tensor.clone() for key, tensor in net.state_dict().items()},
        "gradients": {k: None if p.grad is None else p.grad.clone() for k, p in net.named_parameters()},
        "gradient objects": [id(p.grad) for p in net.parameters()],
        "wants": [p.requires_grad for p in net.parameters()],
        "modes": [m.training for m in net.modules()],
        "random": torch.get_rng_state(),
        "grad enabled": torch.is_grad_enabled(),
        "tf32": (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32),
    }


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else bool(a == b)


def awkward(name: str = "resnet56") -> nn.Module:
    """A network in mixed modes, one parameter frozen, some with a gradient."""
    net = trained_looking(name).train()
    net.get_submodule("stem" if name == "resnet56" else "units.0").eval()
    net.get_parameter("classifier.bias").requires_grad_(False)
    net.get_parameter("classifier.weight").grad = torch.ones_like(net.get_parameter("classifier.weight"))
    return net


@pytest.mark.parametrize("bn_mode", ["eval", "train"])
@pytest.mark.parametrize("name", [*DATA, *FREE])
def test_a_score_leaves_no_trace(name: str, bn_mode: scores.BNMode) -> None:
    net = awkward()
    before = state_of(net)
    initial = {key: torch.zeros_like(p) for key, p in net.named_parameters()}
    with torch.no_grad():  # as a caller that evaluates might
        found = scores.filter_scores(name, net, batches(3, 2), bn_mode=bn_mode, initial=initial)
    assert same(before, state_of(net))
    assert list(found) == list(net.filters)  # type: ignore[arg-type]
    assert not any(score.requires_grad for score in found.values())
    assert all(score.isfinite().all() for score in found.values())


def test_a_score_that_raises_leaves_no_trace() -> None:
    net = awkward()

    def boom(model: nn.Module, sample: Any, *, layers: Any) -> dict[str, Tensor]:
        torch.rand(3)
        model(images(4)).sum()  # moves the running statistics
        model.requires_grad_(False)
        model.get_submodule("stem").train()
        for parameter in model.parameters():
            parameter.grad = None
        raise RuntimeError("boom")

    before = state_of(net)
    with pytest.raises(RuntimeError, match=r"^boom$"):
        scores.filter_scores(scores.from_function(boom, "boom", bn_mode="train"), net, [])
    assert same(before, state_of(net))


def test_a_score_that_goes_backward_leaves_the_gradients_alone() -> None:
    net = awkward()

    def backward(model: nn.Module, sample: Any, *, layers: Any) -> dict[str, Tensor]:
        model(images(4)).sum().backward()
        return {name: layer.weight.grad.flatten(1).sum(1) for name, layer in layers.items()}

    before = state_of(net)
    scores.filter_scores(scores.from_function(backward, "backward"), net, [])
    assert same(before, state_of(net))


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_of_the_network_does_not_matter(mode: bool) -> None:
    net, sample = trained_looking("vgg13"), batches(4, side=16)
    wanted = scores.filter_scores("loss", net.eval(), sample)
    found = scores.filter_scores("loss", net.train(mode), sample)
    assert same(found, wanted)
    other = scores.filter_scores("loss", net, sample, bn_mode="train")
    assert not torch.allclose(other["units.3.conv"], wanted["units.3.conv"], rtol=0.01)


def test_an_unknown_batch_norm_mode() -> None:
    with pytest.raises(ValueError, match="bn_mode is 'running'; it must be 'eval'"):
        scores.filter_scores("loss", Own(), [], bn_mode="running")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*DATA, "random", "magnitude", "magnitude_l1"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_that_declares_nothing(name: str, dtype: torch.dtype) -> None:
    net = Own().to(dtype)
    found = scores.filter_scores(name, net, [(images(6).to(dtype), torch.arange(6))])
    assert {layer: tuple(score.shape) for layer, score in found.items()} == {"first": (5,), "second": (4,)}
    assert list(found) == ["first", "second"]
    assert all(score.any() for score in found.values())


def test_the_bias_of_a_convolution_does_not_count() -> None:
    net = Own().double().eval()
    sample = [(images(6), torch.arange(6))]
    F.cross_entropy(net(sample[0][0]) / 5, sample[0][1]).backward()
    weight = net.first.weight
    assert weight.grad is not None
    wanted = (weight * weight.grad).flatten(1).abs().sum(1)
    assert torch.allclose(scores.filter_scores("loss", net, sample)["first"], wanted, rtol=1e-10)


def test_a_network_without_convolutions() -> None:
    with pytest.raises(ValueError, match=r"^Linear has no convolution whose filters could be scored$"):
        scores.filter_scores("magnitude", nn.Linear(2, 2), [])


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("sample", [[], [(torch.zeros(0, 3, 8, 8), torch.zeros(0, dtype=torch.int64))]])
def test_no_data(name: str, sample: list[tuple[Tensor, Tensor]]) -> None:
    with pytest.raises(ValueError, match="needs data, and"):
        scores.filter_scores(name, Own(), sample)


@pytest.mark.parametrize("name", ["loss", "fisher", "grasp_t1"])
def test_batches_may_come_from_a_generator(name: str) -> None:
    def stream() -> Iterator[tuple[Tensor, Tensor]]:
        yield from batches(3, 2)

    net = Own().double()
    assert same(scores.filter_scores(name, net, stream()), scores.filter_scores(name, net, batches(3, 2)))


def test_only_fisher_depends_on_the_cut_into_batches() -> None:
    net = Own().double()
    x, y = images(6), torch.arange(6)
    cut = [(x[:1], y[:1]), (x[1:], y[1:])]
    for name in DATA:
        one, two = (scores.filter_scores(name, net, sample)["first"] for sample in ([(x, y)], cut))
        assert torch.allclose(one, two, rtol=1e-9, atol=1e-18) is (name != "fisher"), name


# A.5.1: under batch statistics the loss does not depend on a filter's scale.


def without_eps(name: str) -> nn.Module:
    net = trained_looking(name)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-30
    return net


def gradient(net: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    loss = F.cross_entropy(net(x), y)
    return dict(zip(dict(net.named_parameters()), torch.autograd.grad(loss, list(net.parameters())), strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_scale_invariance_under_batch_statistics_and_only_there(name: str) -> None:
    net, (x, y) = without_eps(name), batches(16, side=16)[0]
    for bn_mode, holds in (("train", True), ("eval", False)):
        g = gradient(net.train(bn_mode == "train"), x, y)
        first = scores.filter_scores("taylor", net, [(x, y)], temperature=1.0, bn_mode=bn_mode)  # type: ignore[arg-type]
        second = scores.filter_scores("grasp_t1", net, [(x, y)], bn_mode=bn_mode)  # type: ignore[arg-type]
        first_holds, second_holds, looked_at = [], [], 0
        for layer in first:
            slope = g[f"{layer}.weight"].flatten(1).norm(dim=1)
            size = net.get_parameter(f"{layer}.weight").flatten(1).norm(dim=1)
            some = slope > 1e-9 * slope.max()  # else it passes one value or none, and g is rounding
            looked_at += int(some.sum())
            first_holds.append((first[layer] <= 1e-9 * size * slope)[some].all())
            off = (second[layer] + slope**2).abs()
            second_holds.append((off <= 1e-7 * slope**2 + 1e-9 * slope.square().max())[some].all())
        assert looked_at > 0.75 * sum(len(score) for score in first.values())
        assert (all(first_holds), all(second_holds)) == (holds, holds)
        assert holds or not any(first_holds + second_holds)


@pytest.mark.parametrize("name", [*DATA, "magnitude", "magnitude_l1", "bn_scale"])
def test_permuted_filters_have_permuted_scores(name: str) -> None:
    net, sample = trained_looking("vgg13").eval(), batches(5, side=16)
    before = scores.filter_scores(name, net, sample)
    order = torch.tensor([3, 0, 7, 1, 6, 2, 5, 4])
    with torch.no_grad():
        for key in ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"):
            tensor = net.state_dict()[f"units.1.{key}"]
            tensor.copy_(tensor[order].clone())
        columns = net.get_parameter("units.2.conv.weight")
        columns.copy_(columns[:, order].clone())
    after = scores.filter_scores(name, net, sample)
    for layer, score in before.items():
        wanted = score[order] if layer == "units.1.conv" else score
        assert torch.allclose(after[layer], wanted, rtol=1e-8, atol=1e-12 * wanted.abs().max().item()), layer
    assert not torch.allclose(after["units.1.conv"], before["units.1.conv"], rtol=0.01)


@pytest.mark.parametrize("name", DATA)
def test_temperature_is_of_training_and_grasp_has_its_own(name: str) -> None:
    net, sample = Own().double(), batches(5)
    one, five = (scores.filter_scores(name, net, sample, temperature=t)["first"] for t in (1.0, 5.0))
    assert torch.equal(one, five) is ("grasp" in name)
    assert torch.equal(five, scores.filter_scores(name, net, sample)["first"])


def test_grasp_depends_on_its_own_temperature() -> None:
    net, sample = Own().double(), batches(5)
    t1, t200 = (scores.filter_scores(name, net, sample)["first"] for name in ("grasp_t1", "grasp_t200"))
    absolute = scores.filter_scores("abs_grasp", net, sample)["first"]
    assert torch.equal(absolute, t1.abs())
    assert not torch.allclose(t1 / t1.norm(), t200 / t200.norm(), rtol=1e-3)
    signed = scores.filter_scores("grasp_t1", trained_looking("vgg13"), batches(5, side=16))
    assert any((score < 0).any() for score in signed.values())


def test_random_follows_its_generator() -> None:
    net = Own()

    def draw(seed: int) -> dict[str, Tensor]:
        return scores.filter_scores("random", net, [], generator=torch.Generator().manual_seed(seed))

    assert same(draw(1), draw(1))
    assert not torch.equal(draw(1)["first"], draw(2)["first"])
    expected = torch.rand(5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.equal(draw(1)["first"], expected)
    generator = torch.Generator().manual_seed(1)
    rounds = [scores.filter_scores("random", net, [], generator=generator)["first"] for _ in range(2)]
    assert not torch.equal(rounds[0], rounds[1])
    many = scores.filter_scores("random", nn.Conv2d(1, 2000, 1), [], generator=generator)[""]
    assert 0 <= many.min() < 0.01
    assert 0.99 < many.max() < 1


def test_distance_from_init() -> None:
    net = Own()
    initial = {name: p.detach().clone() for name, p in net.named_parameters()}
    assert not scores.filter_scores("distance_from_init", net, [], initial=initial)["first"].any()
    with torch.no_grad():
        net.second.weight[2, 0] += 3
        net.second.weight[2, 1] -= 4
    found = scores.filter_scores("distance_from_init", net, [], initial=initial)
    assert found["second"].tolist() == pytest.approx([0, 0, 5, 0], rel=1e-6)
    sentence = "^distance_from_init needs initial=, the parameters at initialisation by name$"
    with pytest.raises(ValueError, match=sentence):
        scores.filter_scores("distance_from_init", net, [])


def test_bn_scale() -> None:
    net = models.build("mobilenet_v1", width="0.125", seed=0)
    net.get_parameter("blocks.0.pointwise_bn.weight").data[:3] = torch.tensor([-2.0, 0.5, -0.25])
    net.get_parameter("blocks.0.depthwise_bn.weight").data.fill_(7)
    found = scores.filter_scores("bn_scale", net, [])
    assert found["blocks.0.pointwise"][:4].tolist() == [2, 0.5, 0.25, 1]
    assert found["stem.conv"].tolist() == [1] * 4
    sentence = r"^bn_scale needs to know which batch norm scales which layer; give Own an attribute norms = \{layer: "
    with pytest.raises(ValueError, match=sentence):
        scores.filter_scores("bn_scale", Own(), [])


def test_magnitude_by_hand() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, (1, 2), bias=False))
    net[0].weight.data = torch.tensor([[[[3.0, -4.0]]], [[[0.0, 2.0]]]])
    assert scores.filter_scores("magnitude", net, []) == {"0": pytest.approx(torch.tensor([5.0, 2.0]))}
    assert scores.filter_scores("magnitude_l1", net, [])["0"].tolist() == [7, 2]


@pytest.mark.usefixtures("own_scores")
def test_a_score_of_ones_own() -> None:
    @scores.register("weighted", sampling="none", version=3)
    def weighted(
        model: nn.Module, sample: Any, *, layers: Any, temperature: float, power: int = 2
    ) -> dict[str, Tensor]:
        return {k: temperature * layer.weight.flatten(1).norm(dim=1) ** power for k, layer in reversed(layers.items())}

    found = scores.filter_scores("weighted", Own(), [], temperature=2.0)
    assert list(found) == ["first", "second"]  # in forward order, whatever the function's
    wanted = 2 * scores.filter_scores("magnitude", Own(), [])["first"] ** 2
    assert torch.allclose(found["first"], wanted)
    assert scores.get("weighted").version == 3
    assert scores.of_function(weighted) is scores.get("weighted")
    assert scores.of_function(print) is None

    scores.register("weighted")(weighted)  # the same function may be registered again, as when a module is reloaded

    with pytest.raises(ValueError, match=r"^a score called 'weighted' is registered already; choose another name$"):
        scores.register("weighted")(lambda model, sample: {})
    with pytest.raises(ValueError, match=r"^a score called 'loss' is registered already; choose another name$"):
        scores.register("loss")(weighted)
    assert scores.get("loss").function is not weighted


@pytest.mark.usefixtures("own_scores")
def test_a_function_that_takes_everything() -> None:
    taken: dict[str, Any] = {}

    @scores.register("greedy")
    def greedy(model: nn.Module, sample: Any, **options: Any) -> dict[str, Tensor]:
        taken.update(options)
        return {k: layer.weight.flatten(1).sum(1) for k, layer in options["layers"].items()}

    scores.filter_scores("greedy", Own(), [], temperature=3.0)
    assert set(taken) == {"layers", "temperature", "generator", "initial"}
    assert taken["temperature"] == 3.0


def test_an_option_that_does_not_exist() -> None:
    def fussy(model: nn.Module, sample: Any, *, momentum: float) -> dict[str, Tensor]:
        return {}

    sentence = "^score fussy asks for 'momentum'; it may ask for generator, initial, layers, temperature$"
    with pytest.raises(ValueError, match=sentence):
        scores.register("fussy")(fussy)
    assert "fussy" not in scores.names()


def test_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"^no score is called 'magnitud'; did you mean magnitude\?$"):
        scores.filter_scores("magnitud", Own(), [])
    with pytest.raises(ValueError, match=r"^no score is called 'x'; there are random, magnitude, magnitude_l1, "):
        scores.get("x")


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (
            {"first": torch.zeros(5)},
            "^score mine must return one tensor for each of the 2 layers; it returned 1, and differs in second$",
        ),
        (
            {"first": torch.zeros(5), "second": torch.zeros(4), "spread": torch.zeros(5)},
            "^score mine must return one tensor for each of the 2 layers; it returned 3, and differs in spread$",
        ),
        (
            {"first": torch.zeros(5), "second": torch.zeros(4, 1)},
            r"^score mine returned shape \[4, 1\] for second; expected one number for each of its 4 filters$",
        ),
        (
            {"first": torch.zeros(4), "second": torch.zeros(4)},
            r"^score mine returned shape \[4\] for first; expected one number for each of its 5 filters$",
        ),
    ],
)
def test_a_score_that_returns_something_else(result: dict[str, Tensor], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        scores.filter_scores(scores.from_function(lambda model, sample: result, "mine"), Own(), [])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("name", DATA)
def test_scores_on_a_gpu_are_those_on_the_cpu(name: str) -> None:
    for model in MODELS:
        net, sample = trained_looking(model), batches(6, 5, side=16)
        wanted = scores.filter_scores(name, net, sample)
        found = scores.filter_scores(name, net.cuda(), [(x.cuda(), y.cuda()) for x, y in sample])
        for layer, score in wanted.items():
            assert found[layer].device.type == "cuda"
            scale = score.abs().max().item()
            assert torch.allclose(found[layer].cpu(), score, rtol=1e-8, atol=1e-8 * scale), (model, layer)
