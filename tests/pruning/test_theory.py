"""The identities of gradient flow, on a smooth network in small steps; and what batch statistics make of them."""

import copy
import math
from itertools import pairwise, product

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning import models
from pruning.dynamics import laws, recalibrated, theory
from pruning.dynamics.theory import GradientFlow
from pruning.scores import Batch

from .networks import MODELS
from .test_dynamics import Small, sample, small

RATES = (1e-2, 5e-3, 2.5e-3)


def halved(errors: list[float]) -> bool:
    """Whether an error falls in proportion to the step, each half the last."""
    return all(after == pytest.approx(before / 2, rel=0.1) for before, after in pairwise(errors))


def test_norms_of_filters_change_by_twice_theta_g() -> None:
    """Eq. 9; what is left is the square of the step, which is known exactly."""
    net, batches = small(), sample()
    flow = GradientFlow(net, batches)
    pairs = [flow.norm_change(rate) for rate in RATES]
    assert len(pairs[0].predicted) == 5
    assert halved([pair.error for pair in pairs])
    assert pairs[-1].error < 0.02
    net.eval()
    loss = torch.stack([F.cross_entropy(net(x), y, reduction="sum") for x, y in batches]).sum()
    loss = loss / sum(len(y) for _, y in batches)
    slopes = torch.autograd.grad(loss, [net.a.weight, net.b.weight])
    rest = torch.cat([slope.flatten(1).pow(2).sum(1) for slope in slopes])
    assert pairs[0].ratio == pytest.approx(
        float((pairs[0].measured @ pairs[0].predicted) / pairs[0].predicted.norm() ** 2)
    )
    torch.testing.assert_close(pairs[0].measured, pairs[0].predicted + 1e-2 * rest, rtol=1e-9, atol=1e-12)


def test_in_the_mean_over_batches_sgd_changes_norms_like_gradient_flow() -> None:
    """Eq. 15; single batches do not."""
    net, batches = small(), sample(count=12, size=3)
    flow = GradientFlow(net, batches)
    pairs = [flow.expected_norm_change(rate) for rate in RATES]
    assert halved([pair.error for pair in pairs])
    alone = GradientFlow(net, batches[:1]).expected_norm_change(RATES[-1])
    assert abs(alone.measured - pairs[-1].measured) > 10 * abs(pairs[-1].measured - pairs[-1].predicted)
    with pytest.raises(ValueError, match=r"^batches have \[2, 4\] images; the mean over them needs one size$"):
        GradientFlow(net, sample(6, 4)).expected_norm_change(1e-2)


def test_norms_accelerate_with_theta_hg() -> None:
    """Eq. 12."""
    flow = GradientFlow(small(), sample())
    pairs = [flow.norm_acceleration(rate) for rate in RATES]
    assert halved([pair.error for pair in pairs])
    assert pairs[-1].error < 0.05


def test_in_the_mean_over_pairs_of_batches_sgd_accelerates_norms_like_gradient_flow() -> None:
    """Appendix B, eq. 22, beside steps of torch's own SGD; the same batch twice is not enough."""
    net, batches = small(), sample(count=12, size=3)
    flow = GradientFlow(net, batches)
    pairs = [flow.expected_norm_acceleration(rate) for rate in RATES]
    assert halved([pair.error for pair in pairs])
    assert pairs[-1].predicted == pytest.approx(flow.norm_acceleration(RATES[-1]).predicted, rel=1e-12)
    changes = {
        (i, j): second_difference(net, [batches[i], batches[j]], RATES[0]) for i, j in product(range(4), repeat=2)
    }
    assert float(pairs[0].measured) == pytest.approx(sum(changes.values()) / 16, rel=1e-9)
    twice = sum(changes[i, i] for i in range(4)) / 4
    assert abs(twice - pairs[0].predicted) > 3 * abs(pairs[0].measured - pairs[0].predicted)
    with pytest.raises(ValueError, match=r"^batches have \[2, 4\] images; the mean over them needs one size$"):
        GradientFlow(net, sample(6, 4)).expected_norm_acceleration(1e-2)


def second_difference(net: nn.Module, batches: list[Batch], rate: float) -> float:
    """That of ||Theta||^2 over a step of SGD on each of two batches, per rate squared."""
    net = copy.deepcopy(net).eval()
    optimiser = torch.optim.SGD(net.parameters(), lr=rate)
    norms = [sum(float(p.detach().pow(2).sum()) for p in net.parameters())]
    for images, labels in batches:
        optimiser.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimiser.step()
        norms.append(sum(float(p.detach().pow(2).sum()) for p in net.parameters()))
    return (norms[2] - 2 * norms[1] + norms[0]) / rate**2


def test_distance_bounds_how_much_the_loss_has_fallen() -> None:
    """Eq. 7: what steps that are not infinitely small go beyond it halves with them, and later there is room."""
    flow = GradientFlow(small(), sample())
    runs = [list(flow.distance_bound(rate=1 / n, steps=20 * n)) for n in (10, 20, 40)]
    assert [bound.time for bound in runs[0][:2]] == pytest.approx([0.1, 0.2])
    beyond = [max(bound.distance / bound.decrease - 1 for bound in run) for run in runs]
    assert halved(beyond)
    assert beyond[-1] < 0.02
    assert 0 < runs[-1][-1].distance < 0.95 * runs[-1][-1].decrease


def test_nothing_of_it_touches_the_network() -> None:
    net = small()
    before = [value.clone() for value in net.state_dict().values()]
    list(laws.laws(net, sample(12, 3)))
    theory.scale_invariance(net, sample(), eps=1e-3)
    assert all(torch.equal(a, b) for a, b in zip(before, net.state_dict().values(), strict=True))
    assert isinstance(net, Small)
    assert net.n.eps == 1e-5


def batches(count: int = 24) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(count, 3, 16, 16, generator=generator), torch.randint(10, (count,), generator=generator))]


@pytest.mark.parametrize("name", MODELS)
def test_under_batch_statistics_the_scale_of_a_filter_does_not_matter(name: str) -> None:
    """In the limit of eps theta . g = 0 and theta . Hg = -||g||^2; at 1e-5 that is an approximation."""
    net = models.build(name, width="0.125", seed=0)
    limit, usual = (theory.scale_invariance(net, batches(), eps=eps) for eps in (1e-30, None))
    alive = limit.slope > 1e-6 * limit.slope.max()  # the rest fire for no image
    assert alive.double().mean() > 0.5
    assert limit.first[alive].max() < 1e-9
    assert limit.second[alive].max() < 1e-8
    assert usual.first[alive].max() > 100 * limit.first[alive].max()
    assert usual.second[alive].max() > 0.1


def test_with_running_statistics_scales_do_matter() -> None:
    net = recalibrated(models.build("vgg13", width="0.125", seed=0), batches())
    assert GradientFlow(net, batches()).norm_change(1e-4).predicted.abs().max() > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_kinks_curve_what_the_hessian_calls_straight(name: str) -> None:
    """Eq. 12 and 22 of a network with kinks are off by what goes only where no unit crosses its own."""
    net = recalibrated(models.build(name, width="0.125", seed=0), batches())
    images, labels = batches(8)[0]
    pair = [(images[:4], labels[:4]), (images[4:], labels[4:])]
    found = {(law.name, law.smooth, law.step): law.numbers for law in laws.laws(net, pair, temperature=5.0)}

    def errors(law: str, *, smooth: bool) -> dict[float, float]:
        return {step: found[law, smooth, step]["error"] for step in laws.STEPS}

    for law in ("norm_acceleration", "expected_norm_acceleration"):
        kinked, smooth = errors(law, smooth=False), errors(law, smooth=True)
        assert max(kinked[1e-2], kinked[1e-3]) > 5 * smooth[1e-2]
        assert kinked[1e-8] < 1e-6
        assert smooth[1e-4] == pytest.approx(smooth[1e-3] / 10, rel=0.2)
        assert smooth[1e-6] == pytest.approx(smooth[1e-4] / 100, rel=0.2, abs=1e-5)
    for law, which in product(("norm_change", "expected_norm_change"), (False, True)):  # of first order, kinks are none
        each = errors(law, smooth=which)
        assert all(each[step / 10] == pytest.approx(each[step] / 10, rel=0.01, abs=1e-7) for step in laws.STEPS[:3])
    coarse, fine = (found["distance_bound", True, step] for step, _ in (laws.PATHS[0], laws.PATHS[-1]))
    assert fine["most"] < 0.2 * coarse["most"]
    assert max(found["distance_bound", which, laws.PATHS[-1][0]]["end"] for which in (False, True)) < 0


def test_a_second_difference_is_exact_where_squared_norms_are_all_rounding() -> None:
    """Beside the difference of squared norms over two steps, which has lost every digit at the smallest."""
    flow = GradientFlow(small(), sample())
    for rate, digits in ((1e-2, 1e-9), (1e-9, 1e-6)):
        assert flow.norm_acceleration(rate).error < 20 * rate + digits
    plain = second_difference(
        small(), [(torch.cat([x for x, _ in sample()]), torch.cat([y for _, y in sample()]))] * 2, 1e-2
    )
    assert float(flow.norm_acceleration(1e-2).measured) == pytest.approx(plain, rel=1e-9)


def test_every_law_says_its_step_and_its_numbers() -> None:
    found = list(laws.laws(small(), sample(12, 3)))
    single = ("norm_change", "expected_norm_change", "norm_acceleration", "expected_norm_acceleration")
    expected = {(name, smooth, step) for name in single for smooth in (False, True) for step in laws.STEPS}
    expected |= {("distance_bound", smooth, step) for smooth in (False, True) for step, _ in laws.PATHS}
    expected |= {("scale_invariance", False, eps) for eps in (1e-5, laws.LIMIT)}
    assert {(law.name, law.smooth, law.step) for law in found} == expected
    assert len(found) == len(expected)
    assert [step * number for step, number in laws.PATHS] == pytest.approx([0.6] * len(laws.PATHS))
    flow = GradientFlow(small(), sample(12, 3))
    pair = flow.norm_acceleration(0.1 * flow.time)
    law = next(law for law in found if law.name == "norm_acceleration")
    assert law.numbers == pytest.approx({"ratio": float(pair.measured / pair.predicted), "error": pair.error})
    path = list(flow.distance_bound(0.1 * flow.time, 6))
    law = next(law for law in found if law.name == "distance_bound")
    assert law.numbers == pytest.approx({"most": max(b.excess for b in path), "end": path[-1].excess})


def test_the_time_that_steps_are_measured_in() -> None:
    """Of quadratic loss, one weight, it is 1 / curvature: here of logistic loss, 1 / (1 - p) in one dimension."""

    class One(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = torch.nn.Conv2d(1, 1, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([self.a(x).flatten(1), torch.zeros(len(x), 1).to(x)], 1)

    net = One().double()
    net.a.weight.data.fill_(0.7)  # logit 0.7 of label 0: gradient p - 1, curvature p (1 - p)
    p = 1 / (1 + math.exp(-0.7))
    flow = GradientFlow(net, [(torch.ones(1, 1, 1, 1), torch.zeros(1, dtype=torch.long))])
    assert flow.time == pytest.approx(1 / (p * (1 - p)))


def test_an_excess_is_a_share_of_the_decrease_also_where_the_loss_rises() -> None:
    assert theory.Bound(1.0, 1.2, 1.0).excess == pytest.approx(0.2)
    assert theory.Bound(1.0, 1.0, -0.5).excess == pytest.approx(3.0)
    assert theory.Bound(1.0, 1.0, 0.0).excess == float("inf")


def test_a_network_without_batch_norm_has_no_scale_to_be_invariant_to() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten(), torch.nn.Linear(2 * 14 * 14, 10))
    found = list(laws.laws(net, batches(2) * 2))
    assert {law.name for law in found} == {
        "norm_change", "expected_norm_change", "norm_acceleration", "expected_norm_acceleration", "distance_bound"
    }  # fmt: skip


def test_means_take_the_place_of_maxima() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4).double()

    class Pools(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([F.max_pool2d(x, 2), torch.max_pool2d(x, 2), torch.nn.MaxPool2d(2)(x)])

    assert torch.equal(theory.Smooth(Pools())(x), F.avg_pool2d(x, 2).expand(3, 1, 1, 2, 2))
    assert torch.equal(Pools()(x)[0], F.max_pool2d(x, 2))
    with pytest.raises(NotImplementedError, match=r"^a mean over windows has neither dilation nor indices$"):
        theory.Smooth(torch.nn.MaxPool2d(2, dilation=2))(x)


def test_softplus_takes_the_place_of_every_relu() -> None:
    x = torch.linspace(-1, 1, 5).double()

    class Relus(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([F.relu(x), F.relu(x.clone(), inplace=True), torch.relu(x), x.relu(), x.clone().relu_()])

    expected = torch.log1p(torch.exp(3 * x)) / 3
    torch.testing.assert_close(theory.Smooth(Relus(), 3.0)(x), expected.expand(5, 5), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(Relus()(x), x.clamp(min=0).expand(5, 5))
