"""Measures of a moment of training: by hand, against autograd's own Hessian, and without a trace."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn
from torch.func import functional_call

from pruning import dynamics, masks, models, scores, surgery
from pruning.dynamics import correlation, mask_distance, measure, recalibrated
from pruning.dynamics.probe import IN_TRAINING
from pruning.scores import Batch

from .networks import MODELS


class Small(nn.Module):
    """Two convolutions with batch norms, smooth in between, that declares which norm belongs to which."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.n = nn.Conv2d(1, 2, 2, bias=False), nn.BatchNorm2d(2)
        self.b, self.m = nn.Conv2d(2, 3, 1, bias=False), nn.BatchNorm2d(3)
        self.out = nn.Linear(3, 2)
        self.norms = {"a": "n", "b": "m"}

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.n(self.a(x)))
        return self.out(torch.tanh(self.m(self.b(x))).mean((2, 3)))  # type: ignore[no-any-return]


def small() -> Small:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = Small().double()
        for norm in (net.n, net.m):
            nn.init.uniform_(norm.weight)
            nn.init.uniform_(norm.running_mean)  # type: ignore[arg-type]
            nn.init.uniform_(norm.running_var, 0.5, 2)  # type: ignore[arg-type]
        return net


def sample(count: int = 6, size: int = 4) -> list[Batch]:
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(count, 1, 3, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(2, (count,), generator=generator)
    return list(zip(images.split(size), labels.split(size), strict=True))


def moved(net: nn.Module, seed: int, by: float = 0.1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {n: p.detach() + by * torch.randn(p.shape, generator=generator) for n, p in net.named_parameters()}


def derivatives(
    net: nn.Module, batches: list[Batch], temperature: float
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Gradient, and Hessian times gradient, from the whole Hessian."""
    net = copy.deepcopy(net).eval()
    names, parameters = zip(*((n, p.detach()) for n, p in net.named_parameters()), strict=True)
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))

    def loss(flat: Tensor) -> Tensor:
        parts = [
            part.view_as(p) for part, p in zip(flat.split([p.numel() for p in parameters]), parameters, strict=True)
        ]
        logits = functional_call(net, dict(zip(names, parts, strict=True)), (images,))
        return F.cross_entropy(logits / temperature, labels)

    flat = torch.cat([p.flatten() for p in parameters])
    g = torch.autograd.functional.jacobian(loss, flat)
    product = torch.autograd.functional.hessian(loss, flat) @ g
    sizes = [p.numel() for p in parameters]

    def named(whole: Tensor) -> dict[str, Tensor]:
        return {n: part.view_as(p) for n, p, part in zip(names, parameters, whole.split(sizes), strict=True)}

    return named(g), named(product)


def test_measures_are_those_of_the_whole_hessian() -> None:
    net, batches = small(), sample()
    before, initial = moved(net, 1), moved(net, 2, 1.0)
    found = measure(net, batches, temperature=5.0, before=before, initial=initial, sampled=10, twice=True)
    (g1, hg1), (g5, hg5) = derivatives(net, batches, 1.0), derivatives(net, batches, 5.0)
    own = {name: parameter.detach() for name, parameter in net.named_parameters()}

    def per_filter(values: dict[str, Tensor]) -> Tensor:
        return torch.cat([values[name].flatten(1).sum(1) for name in ("a.weight", "b.weight")])

    def scales(values: dict[str, Tensor]) -> Tensor:
        return torch.cat([values["n.weight"], values["m.weight"]])

    expected = {
        "theta_g": per_filter({n: own[n] * g1[n] for n in own}),
        "theta_hg": per_filter({n: own[n] * hg1[n] for n in own}),
        "loss": per_filter({n: (own[n] * g5[n]).abs() for n in own}),
        "taylor": per_filter({n: own[n] * g5[n] for n in own}).abs(),
        "norm": per_filter({n: own[n] ** 2 for n in own}).sqrt(),
        "distance": per_filter({n: (own[n] - initial[n]) ** 2 for n in own}).sqrt(),
        "norm_before": per_filter({n: before[n] ** 2 for n in own}).sqrt(),
        "theta_dtheta": per_filter({n: own[n] * (own[n] - before[n]) for n in own}).abs(),
        "sigma": scales(own),
        "sigma_g": (scales(own) * scales(g5)).abs(),
        "sigma_dsigma": (scales(own) * (scales(own) - scales(before))).abs(),
    }
    assert found.layers == {"a": 2, "b": 3}
    assert found.filters.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(found.filters[name], values, rtol=1e-9, atol=1e-12)
    assert found.gradient_norms == pytest.approx({n: float(g5[f"{n}.weight"].norm()) for n in "ab"}, rel=1e-9)

    whole = {
        "theta_g": torch.cat([(own[n] * g1[n]).flatten() for n in ("a.weight", "b.weight")]),
        "theta_hg": torch.cat([(own[n] * hg1[n]).flatten() for n in ("a.weight", "b.weight")]),
        "loss": torch.cat([(own[n] * g5[n]).flatten().abs() for n in ("a.weight", "b.weight")]),
        "theta_dtheta": torch.cat([(own[n] * (own[n] - before[n])).flatten().abs() for n in ("a.weight", "b.weight")]),
    }
    pairs = {f"filters: {x}, {y}": (expected[x], expected[y]) for x, y in dynamics.FILTER_PAIRS}
    pairs |= {f"weights: {x}, {y}": (whole[x], whole[y]) for x, y in dynamics.WEIGHT_PAIRS}
    theta = {name: own[f"{name}.weight"] for name in "ab"}
    slopes, products = ([theta[n] * of[f"{n}.weight"] for n in "ab"] for of in (g5, hg5))
    pairs[f"weights: theta_g, theta_hg{IN_TRAINING}"] = tuple(
        torch.cat([v.flatten() for v in of]) for of in (slopes, products)
    )
    pairs[f"filters: theta_g, theta_hg{IN_TRAINING}"] = tuple(
        torch.cat([v.flatten(1).sum(1) for v in of]) for of in (slopes, products)
    )
    assert found.correlations.keys() == pairs.keys()
    for name, (x, y) in pairs.items():
        assert found.correlations[name].pearson == pytest.approx(stats.pearsonr(x, y).statistic, rel=1e-6)
        assert found.correlations[name].spearman == pytest.approx(stats.spearmanr(x, y).statistic, rel=1e-6)
        assert found.correlations[name].n == len(x)
    assert found.weights.keys() == whole.keys()
    assert {len(values) for values in found.weights.values()} == {10}
    rows = {tuple(f"{float(values[k]):.9g}" for values in whole.values()) for k in range(len(whole["loss"]))}
    kept = {tuple(f"{float(found.weights[name][k]):.9g}" for name in whole) for k in range(10)}
    assert len(kept) == 10
    assert kept <= rows
    weights = [torch.cat([of[n].flatten() for n in ("a.weight", "b.weight")]) for of in (before, own)]
    assert found.distances == {
        "weights": mask_distance(*weights),
        "filters": mask_distance(scales(before), scales(own)),
    }


def test_what_there_is_nothing_to_compare_with_is_left_out() -> None:
    net = small()
    found = measure(net, sample(), temperature=1.0)
    assert set(found.filters) == {"theta_g", "theta_hg", "loss", "taylor", "norm", "sigma", "sigma_g"}
    assert set(found.correlations) == {"filters: theta_g, theta_hg", "weights: theta_g, theta_hg"}
    assert found.distances == {}
    assert len(found.weights["loss"]) == 8 + 6  # all there are
    plain = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, 2)).double()
    assert not {"sigma", "sigma_g"} & measure(plain, sample(), temperature=1.0).filters.keys()


@pytest.mark.parametrize("name", MODELS)
def test_filters_are_scored_as_the_scores_score_them(name: str) -> None:
    net = models.build(name, width="0.25", seed=1).double()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, 3, 16, 16, generator=generator, dtype=torch.float64)
    batches = [(images, torch.randint(10, (6,), generator=generator))]
    net = recalibrated(net, batches)
    found = measure(net, batches, temperature=5.0, initial=moved(net, 1))
    for measured, score in (("loss", "loss"), ("taylor", "taylor"), ("theta_hg", "grasp_t1"), ("norm", "magnitude")):
        expected = torch.cat(list(scores.filter_scores(score, net, batches, temperature=5.0).values()))
        largest = float(expected.abs().max())
        torch.testing.assert_close(found.filters[measured], expected, rtol=1e-8, atol=1e-10 * largest)
    assert found.layers == {layer: len(values) for layer, values in scores.filter_scores("magnitude", net, []).items()}
    assert len(found.filters["sigma"]) == len(found.filters["norm"])


@pytest.mark.parametrize("training", [False, True])
def test_a_measure_leaves_no_trace(training: bool) -> None:
    net = small().train(training)
    net.a.weight.grad = torch.ones_like(net.a.weight)
    before, state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    measure(net, iter(sample()), temperature=5.0, before=moved(net, 1))
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(net.a.weight.grad, torch.ones_like(net.a.weight))
    assert net.b.weight.grad is None
    assert all(module.training is training for module in net.modules())


def test_batches_of_any_size_measure_the_same() -> None:
    one, many = (measure(small(), sample(size=size), temperature=5.0) for size in (6, 1))
    for name, values in one.filters.items():
        torch.testing.assert_close(values, many.filters[name], rtol=1e-9, atol=1e-12)


def test_mask_distance_by_hand() -> None:
    before, after = torch.tensor([1.0, -5, 3, 4, 2]), torch.tensor([5.0, 0.5, 3, 4, -2])
    # Of five, the one at place int(0.2 * 5) = 1 of 1 2 3 4 5 is 2: what is larger stays, so 1 and 2 go.
    assert mask_distance(before, before) == 0
    assert mask_distance(before, after) == pytest.approx(2 / 5)  # then the second and the last go instead
    assert mask_distance(before, after, share=0.0) == pytest.approx(2 / 5)
    assert mask_distance(torch.tensor([1.0, 1, 2, 2]), torch.tensor([1.0, 2, 2, 3]), share=0.5) == pytest.approx(1 / 4)
    with pytest.raises(ValueError, match=r"^share is 1\.0; it must be at least 0 and below 1$"):
        mask_distance(before, after, share=1.0)
    with pytest.raises(ValueError, match=r"^masks of shapes \[5\] and \[2\] have no distance$"):
        mask_distance(before, torch.ones(2))


@given(st.integers(2, 40), st.integers(0, 10_000))
def test_correlations_are_scipy_s_and_do_not_care_for_scale(n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(9, (n,), generator=generator).double()
    y = torch.randn(n, generator=generator, dtype=torch.float64)
    found = correlation(x, y)
    if len(set(x.tolist())) == 1:
        assert found == (None, None, n)
        return
    assert found.pearson == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
    scaled = correlation(3 * x - 7, -y)
    assert scaled.pearson == pytest.approx(-(found.pearson or 0), abs=1e-9)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-9, max_value=9), min_size=2))
def test_ranks_in_single_precision_are_scipy_s(values: list[float]) -> None:
    """Of numbers of either sign, of both zeros, of ties and of what is too small to be normal."""
    values = [*values, *values[:2], 0.0, -0.0, 1e-40, -1e-40]
    x, y = torch.tensor(values), torch.arange(float(len(values)))
    assert correlation(x, y).spearman == pytest.approx(stats.spearmanr(x.double(), y).statistic, abs=1e-9)


def test_correlations_that_there_are_not() -> None:
    assert correlation(torch.ones(3), torch.arange(3.0)) == (None, None, 3)
    assert correlation(torch.ones(1), torch.ones(1)) == (None, None, 1)
    with pytest.raises(ValueError, match=r"^numbers of shapes \[2\] and \[3\] do not pair up$"):
        correlation(torch.ones(2), torch.ones(3))
    assert correlation(torch.tensor([1.0, math.nan]), torch.arange(2.0)) == (None, None, 2)
    assert correlation(torch.arange(2.0), torch.tensor([1.0, -math.inf])) == (None, None, 2)
    tiny = torch.arange(3.0, dtype=torch.float64) * 1e-200  # its norm is no number
    assert correlation(tiny, tiny) == (None, pytest.approx(1.0), 3)
    assert correlation(torch.tensor([1.0, 1.0, 3.0]), torch.tensor([4.0, 6.0, 5.0])).spearman == pytest.approx(0.0)


def test_statistics_are_means_over_the_batches() -> None:
    net, batches = small(), sample(count=8, size=4)
    found = recalibrated(net.eval(), batches)
    seen = [net.a(images) for images, _ in batches]
    mean = torch.stack([each.mean((0, 2, 3)) for each in seen]).mean(0)
    var = torch.stack([each.var((0, 2, 3)) for each in seen]).mean(0)
    torch.testing.assert_close(found.get_buffer("n.running_mean"), mean)
    torch.testing.assert_close(found.get_buffer("n.running_var"), var)
    assert not torch.allclose(found.get_buffer("n.running_mean"), net.get_buffer("n.running_mean"))
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), found.parameters(), strict=True))
    assert not any(module.training for module in found.modules())
    assert {norm.momentum for norm in found.modules() if isinstance(norm, nn.BatchNorm2d)} == {0.1}
    with pytest.raises(ValueError, match=r"^statistics are estimated on images, and there is not one batch$"):
        recalibrated(net, [])


def test_an_initialised_network_says_something_only_with_its_own_statistics() -> None:
    """PROTOCOLS A.5.1: with fresh statistics the products of weights and gradients all but vanish."""
    net = models.build("mobilenet_v1", width="0.25", seed=0)
    generator = torch.Generator().manual_seed(0)
    batches = [(torch.randn(40, 3, 16, 16, generator=generator), torch.randint(10, (40,), generator=generator))]
    fresh, own = (measure(each, batches, temperature=1.0) for each in (net, recalibrated(net, batches)))
    assert fresh.filters["theta_g"].abs().max() < 1e-4 * own.filters["theta_g"].abs().max()


def test_what_pruning_does_in_the_moment_is_what_a_smaller_network_does() -> None:
    """A filter's score is its place in its layer, so that the first ones go."""
    net = models.build("vgg13", width="0.125", seed=0).double()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, 3, 16, 16, generator=generator, dtype=torch.float64)
    batches = [(images[:4], torch.tensor([0, 1, 2, 3])), (images[4:], torch.tensor([4, 5]))]
    net = recalibrated(net, batches)
    of = {name: torch.arange(len(layer.weight)).double() for name, layer in scores.filter_layers(net).items()}
    found = dynamics.effects(net, batches, {"place": of}, amount="0.5", temperature=5.0)
    assert list(found) == ["none", "place"]
    lowest = masks.global_mask(of, amount="0.5", floor="0.05", protected=net.protected)
    assert not all(bool(kept.all()) for kept in lowest.values())
    assert all(bool(kept[-1]) for kept in lowest.values())
    for name, left in (("none", net), ("place", surgery.shrink(net, lowest))):
        left = copy.deepcopy(left).eval()
        loss = sum(F.cross_entropy(left(x) / 5.0, y, reduction="sum") for x, y in batches) / 6
        slopes = torch.autograd.grad(loss, list(left.parameters()))
        norm = math.sqrt(sum(float(slope.pow(2).sum()) for slope in slopes))
        assert found[name] == (pytest.approx(loss.item(), rel=1e-9), pytest.approx(norm, rel=1e-9))


def test_a_score_that_is_not_finite_has_no_effect() -> None:
    net = models.build("vgg13", width="0.125", seed=0)
    batches = [(torch.randn(2, 3, 16, 16), torch.tensor([0, 1]))]
    of = {name: torch.ones(len(layer.weight)) for name, layer in scores.filter_layers(net).items()}
    next(iter(of.values()))[0] = math.inf
    found = dynamics.effects(net, batches, {"wild": of}, amount="0.5", temperature=1.0)
    assert math.isfinite(found["none"].loss)
    assert all(math.isnan(value) for value in found["wild"])


def test_scales_are_measured_where_the_network_declares_one_for_every_layer() -> None:
    net = small()
    plain = measure(net, sample(), temperature=5.0, before=moved(net, 1))
    net.norms = {"b": "m", "a": "n", "out": "m"}  # in any order, and with others
    other = measure(net, sample(), temperature=5.0, before=moved(net, 1))
    torch.testing.assert_close(other.filters["sigma_dsigma"], plain.filters["sigma_dsigma"], rtol=0, atol=0)
    for norms in ({"a": "n"}, {"a": "n", "b": "nowhere"}, nn.ModuleList()):
        net.norms = norms
        assert "sigma" not in measure(net, sample(), temperature=5.0, before=moved(net, 1)).filters


def test_recalibration_draws_no_random_number() -> None:
    net, state = nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Dropout(0.5)).double(), torch.get_rng_state()
    recalibrated(net, sample())
    assert torch.equal(torch.get_rng_state(), state)
