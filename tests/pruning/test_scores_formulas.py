"""Every score against its formula, computed another way, in float64, on all three networks."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning import models, scores

MODELS = ("vgg13", "mobilenet_v1", "resnet56")
CLOSE = {"rtol": 1e-6, "atol": 0.0}


def trained_looking(name: str) -> nn.Module:
    """A narrow network in float64 whose batch norms are not at their trivial start."""
    net = models.build(name, 10, width="0.25", seed=1).double()
    generator = torch.Generator().manual_seed(2)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.2, 0.2),
                (module.running_mean, -0.1, 0.1),
                (module.running_var, 0.5, 1.5),
            ):
                assert tensor is not None
                tensor.data.uniform_(low, high, generator=generator)
    return net


@pytest.fixture(scope="module")
def sample() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(3)
    sizes = (7, 5)  # unequal, so that a mean over batches is not a mean over images
    return [
        (torch.rand(n, 3, 32, 32, dtype=torch.float64, generator=generator) * 2 - 1, torch.arange(n) % 10)
        for n in sizes
    ]


def whole(sample: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    return torch.cat([x for x, _ in sample]), torch.cat([y for _, y in sample])


def gradient_at(net: nn.Module, images: Tensor, labels: Tensor, temperature: float) -> dict[str, Tensor]:
    """Gradient of the mean loss through .backward(), which the library does not use."""
    net.eval()
    net.zero_grad()
    F.cross_entropy(net(images) / temperature, labels).backward()
    gradient = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    net.zero_grad()
    return gradient


def hessian_gradient_at(net: nn.Module, images: Tensor, labels: Tensor, temperature: float) -> dict[str, Tensor]:
    """H g by forward-over-reverse, where the library goes twice backward."""
    net.eval()
    parameters = {name: p.detach() for name, p in net.named_parameters()}

    def loss(values: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(net, values, (images,)) / temperature, labels)

    g = torch.func.grad(loss)(parameters)
    return torch.func.jvp(torch.func.grad(loss), (parameters,), (g,))[1]


def expected(name: str, net: nn.Module, sample: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """The formula of PROTOCOLS A.5, filter by filter."""
    images, labels = whole(sample)
    result = {}
    if name in ("loss", "taylor", "proposed"):
        g = gradient_at(net, images, labels, 5.0)
    elif name in ("grasp_t200", "grasp_t1", "abs_grasp"):
        g = hessian_gradient_at(net, images, labels, 200.0 if name == "grasp_t200" else 1.0)
    elif name == "fisher":
        parts = [gradient_at(net, x, y, 5.0) for x, y in sample]
        g = {key: torch.stack([part[key] ** 2 for part in parts]).mean(0) for key in parts[0]}
    else:
        g = {}
    for layer in net.filters:  # type: ignore[union-attr]
        weight = net.get_parameter(f"{layer}.weight").detach()
        values = []
        for p in range(len(weight)):
            theta = weight[p].flatten()
            slope = g[f"{layer}.weight"][p].flatten() if g else torch.empty(0)
            values.append(
                {
                    "magnitude": lambda t, s: t.square().sum().sqrt(),
                    "magnitude_l1": lambda t, s: t.abs().sum(),
                    "loss": lambda t, s: (t * s).abs().sum(),
                    "taylor": lambda t, s: (t * s).sum().abs(),
                    "proposed": lambda t, s: (t.abs() * (t * s).abs()).sum(),
                    "fisher": lambda t, s: (t.square() * s).sum(),
                    "grasp_t200": lambda t, s: (t * s).sum(),
                    "grasp_t1": lambda t, s: (t * s).sum(),
                    "abs_grasp": lambda t, s: (t * s).sum().abs(),
                }[name](theta, slope)
            )
        result[layer] = torch.stack(values)
    return result


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")  # torch.func.jvp imports torch's own scripts
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "name",
    ["magnitude", "magnitude_l1", "loss", "taylor", "proposed", "fisher", "grasp_t200", "grasp_t1", "abs_grasp"],
)
def test_a_score_is_its_formula(model: str, name: str, sample: list[tuple[Tensor, Tensor]]) -> None:
    net = trained_looking(model)
    found = scores.filter_scores(name, net, sample, temperature=5.0)
    wanted = expected(name, net, sample)
    assert list(found) == list(wanted)
    for layer, score in found.items():
        # A sum of terms of both signs is compared against the size of its layer, not of what is left of it.
        scale = wanted[layer].abs().max()
        assert torch.allclose(score / scale, wanted[layer] / scale, rtol=1e-6, atol=1e-9), layer


@pytest.mark.parametrize("name", ["loss", "grasp_t1"])
def test_how_the_sample_is_cut_into_batches_does_not_matter(
    name: str, sample: list[tuple[Tensor, Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    net = trained_looking("resnet56")
    once = scores.filter_scores(name, net, [whole(sample)])
    monkeypatch.setattr("pruning.scores.gradients.CHUNK", 4)
    cut = scores.filter_scores(name, net, sample)
    for layer in once:
        assert torch.allclose(once[layer], cut[layer], rtol=1e-9, atol=1e-12)
