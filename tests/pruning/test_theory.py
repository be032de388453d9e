"""The identities of gradient flow, on a smooth network in small steps; and what batch statistics make of them."""

from itertools import pairwise

import pytest
import torch

from pruning import models
from pruning.dynamics import recalibrated, theory
from pruning.scores import Batch

from .networks import MODELS
from .test_dynamics import Small, sample, small


def halved(errors: list[float]) -> bool:
    """Whether an error falls in proportion to the step, each half the last."""
    return all(after == pytest.approx(before / 2, rel=0.1) for before, after in pairwise(errors))


def test_norms_of_filters_change_by_twice_theta_g() -> None:
    """Eq. 9; what is left is the square of the step, which is known exactly."""
    net, batches = small(), sample()
    pairs = [theory.norm_change(net, batches, rate=rate) for rate in (1e-2, 5e-3, 2.5e-3)]
    assert len(pairs[0].predicted) == 5
    assert halved([pair.error for pair in pairs])
    assert pairs[-1].error < 0.02
    slope = theory._slope(net, batches, 1.0)[1]
    rest = torch.cat([slope[f"{name}.weight"].flatten(1).pow(2).sum(1) for name in "ab"])
    torch.testing.assert_close(pairs[0].measured, pairs[0].predicted + 1e-2 * rest, rtol=1e-9, atol=1e-12)


def test_in_the_mean_over_batches_sgd_changes_norms_like_gradient_flow() -> None:
    """Eq. 15; single batches do not."""
    net, batches = small(), sample(count=12, size=3)
    pairs = [theory.expected_norm_change(net, batches, rate=rate) for rate in (1e-2, 5e-3, 2.5e-3)]
    assert halved([pair.error for pair in pairs])
    alone = theory.expected_norm_change(net, batches[:1], rate=2.5e-3)
    assert abs(alone.measured - pairs[-1].measured) > 10 * abs(pairs[-1].measured - pairs[-1].predicted)
    with pytest.raises(ValueError, match=r"^batches have \[2, 4\] images; the mean over them needs one size$"):
        theory.expected_norm_change(net, sample(6, 4), rate=1e-2)


def test_norms_accelerate_with_theta_hg() -> None:
    """Eq. 12."""
    pairs = [theory.norm_acceleration(small(), sample(), rate=rate) for rate in (1e-2, 5e-3, 2.5e-3)]
    assert halved([pair.error for pair in pairs])
    assert pairs[-1].error < 0.05


def test_distance_bounds_how_much_the_loss_has_fallen() -> None:
    """Eq. 7: what steps that are not infinitely small go beyond it halves with them, and later there is room."""
    runs = [list(theory.distance_bound(small(), sample(), rate=1 / n, steps=20 * n)) for n in (10, 20, 40)]
    assert [bound.time for bound in runs[0][:2]] == pytest.approx([0.1, 0.2])
    beyond = [max(bound.distance / bound.decrease - 1 for bound in run) for run in runs]
    assert halved(beyond)
    assert beyond[-1] < 0.02
    assert 0 < runs[-1][-1].distance < 0.95 * runs[-1][-1].decrease


def test_nothing_of_it_touches_the_network() -> None:
    net = small()
    before = [value.clone() for value in net.state_dict().values()]
    theory.norm_acceleration(net, sample(), rate=0.1)
    list(theory.distance_bound(net, sample(), rate=0.1, steps=2))
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
    assert limit.second[alive].median() < 1e-6
    assert usual.first[alive].max() > 100 * limit.first[alive].max()


def test_with_running_statistics_scales_do_matter() -> None:
    net = recalibrated(models.build("vgg13", width="0.125", seed=0), batches())
    assert theory.norm_change(net, batches(), rate=1e-4).predicted.abs().max() > 1e-3
