"""What scoring must not change, and what must not change it, on networks that users bring."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from pruning import models, scores

from .networks import Own, batches, trained_looking


class Statistics(nn.Module):
    """A normalisation that assigns its running mean anew, as hand-written ones do."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 4]."""
        out = self.conv(x).mean((2, 3))
        if self.training:
            self.mean = 0.5 * self.mean + 0.5 * out.detach().mean(0)
        return out - self.mean


def test_a_buffer_that_is_assigned_anew_is_put_back() -> None:
    net = Statistics().double()
    before = net.mean
    labels = torch.tensor([0, 1, 2])
    scores.filter_scores("loss", net, [(batches(3)[0][0], labels)], bn_mode="train")
    assert net.mean is before
    assert net.mean.tolist() == [0, 0, 0, 0]


def test_weights_that_a_score_writes_to_are_put_back() -> None:
    def careless(model: nn.Module, batches: Any, *, layers: dict[str, nn.Conv2d]) -> dict[str, Tensor]:
        for layer in layers.values():
            layer.weight.data.zero_()
        raise RuntimeError("half-way")

    net = Own()
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(RuntimeError, match="half-way"):
        scores.filter_scores(scores.from_function(careless, "careless"), net, [])
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_scores_are_nobodys_weights() -> None:
    def view(model: nn.Module, batches: Any, *, layers: dict[str, nn.Conv2d]) -> dict[str, Tensor]:
        return {name: layer.weight[:, 0, 0, 0] for name, layer in layers.items()}

    net = Own()
    found = scores.filter_scores(scores.from_function(view, "view"), net, [])
    before = net.first.weight.clone()
    found["first"].zero_()
    assert torch.equal(net.first.weight, before)


def test_a_power_iteration_is_not_advanced() -> None:
    net = Own()
    parametrizations.spectral_norm(net.first)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    scores.filter_scores("magnitude", net, [])
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize("name", ["loss", "grasp_t200"])
def test_autocast_does_not_reach_a_score(name: str) -> None:
    net = trained_looking("vgg13").float()
    sample = [(x.float(), y) for x, y in batches(16)]
    plain = scores.filter_scores(name, net, sample)
    with torch.autocast("cpu", torch.bfloat16):
        cast = scores.filter_scores(name, net, sample)
    assert all(torch.equal(plain[layer], cast[layer]) for layer in plain)


def _precisions() -> list[str]:
    backends: Any = torch.backends
    return [backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision, backends.cudnn.rnn.fp32_precision]


@pytest.mark.parametrize("wanted", ["ieee", "tf32"])
def test_precisions_are_put_back_whichever_way_they_were_set(wanted: str) -> None:
    backends: Any = torch.backends
    before = _precisions()
    try:
        backends.cuda.matmul.fp32_precision = backends.cudnn.conv.fp32_precision = wanted
        scores.filter_scores("magnitude", Own(), [])
        assert _precisions()[:2] == [wanted, wanted]
    finally:
        backends.cuda.matmul.fp32_precision, backends.cudnn.conv.fp32_precision, _ = before
    assert _precisions() == before
    assert torch.get_float32_matmul_precision() == "highest"


def test_tf32_is_off_inside() -> None:
    def look(model: nn.Module, batches: Any, *, layers: dict[str, nn.Conv2d]) -> dict[str, Tensor]:
        seen.extend(_precisions())
        return {name: layer.weight.flatten(1).sum(1) for name, layer in layers.items()}

    seen: list[str] = []
    scores.filter_scores(scores.from_function(look, "look"), Own(), [])
    assert seen == ["ieee"] * 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["fisher", "grasp_t200", "loss", "magnitude"])
def test_half_precision_is_scored_in_single(name: str, dtype: torch.dtype) -> None:
    half = trained_looking("resnet56").to(dtype)
    sample = [(x.to(dtype), y) for x, y in batches(16)]
    found = scores.filter_scores(name, half, sample)
    single = scores.filter_scores(name, copy.deepcopy(half).float(), [(x.float(), y) for x, y in sample])
    assert all(torch.equal(found[layer], single[layer]) for layer in single)
    assert next(half.parameters()).dtype == dtype


def test_a_compiled_network_is_scored_as_itself() -> None:
    net = models.build("vgg13", width="0.125", seed=0)
    compiled = torch.compile(net)
    assert list(scores.filter_scores("magnitude", compiled, [])) == list(net.filters)  # type: ignore[arg-type]


def test_inference_mode_does_not_matter() -> None:
    net, sample = trained_looking("vgg13"), batches(4)
    plain = scores.filter_scores("grasp_t1", net, sample)
    with torch.inference_mode():
        found = scores.filter_scores("grasp_t1", net, sample)
    assert all(torch.equal(plain[layer], found[layer]) for layer in plain)


def test_batch_norm_without_running_statistics_sees_whole_batches() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(), nn.Linear(64, 10)
    ).double()
    (x, y), *_ = batches(200, side=4)
    x = x + torch.arange(200).view(-1, 1, 1, 1) / 20  # the second half of the batch is unlike the first
    whole = torch.autograd.grad(nn.functional.cross_entropy(net(x) / 5, y), net[0].weight)[0]  # type: ignore[arg-type]
    expected = (net[0].weight * whole).flatten(1).abs().sum(1)  # type: ignore[operator]
    assert torch.allclose(scores.filter_scores("loss", net, [(x, y)])["0"], expected, rtol=1e-9)


class Tied(nn.Module):
    """Two convolutions with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 3]."""
        return self.b(self.a(x)).mean((2, 3))  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["loss", "fisher", "grasp_t1"])
def test_a_weight_that_is_not_a_layers_own_is_one_sentence(name: str) -> None:
    sample = [(batches(3)[0][0], torch.tensor([0, 1, 2]))]
    with pytest.raises(ValueError, match=r"b has no weight of its own to take a gradient by: it is shared"):
        scores.filter_scores(name, Tied().double(), sample)


X, Y = batches(4)[0]


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        ((X, Y), "given was Tensor. One batch alone goes into a list"),
        ([(X, Y, Y)], "a batch is a pair of tensors.*given was tuple"),
        ([{"x": X}], "given was dict"),
        ([(X, Y.double())], r"given were torch.float64 \[4, 3, 8, 8\] and torch.float64 \[4\]"),
        ([(X, Y[:3])], r"and torch.int64 \[3\]"),
        ([((X * 100).byte(), Y)], "given were torch.uint8"),
    ],
)
def test_a_batch_that_is_none_is_one_sentence(sample: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        scores.filter_scores("loss", Own().double(), sample)


def test_labels_of_any_integer_type_will_do() -> None:
    net = Own().double()
    assert torch.equal(
        scores.filter_scores("loss", net, [(X, Y.int())])["first"], scores.filter_scores("loss", net, [(X, Y)])["first"]
    )


def test_fisher_does_not_count_empty_batches() -> None:
    net = Own().double()
    with_empty = scores.filter_scores("fisher", net, [(X, Y), (X[:0], Y[:0])])
    assert torch.equal(with_empty["first"], scores.filter_scores("fisher", net, [(X, Y)])["first"])


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_one_sentence(temperature: float) -> None:
    with pytest.raises(ValueError, match=r"temperature is .*; it must be a finite number above 0"):
        scores.filter_scores("loss", Own().double(), [(X, Y)], temperature=temperature)


def test_a_function_defined_again_takes_its_own_place() -> None:
    def define() -> None:
        @scores.register("again", sampling="none")
        def again(model: nn.Module, batches: Any, *, layers: dict[str, nn.Conv2d]) -> dict[str, Tensor]:
            return {name: layer.weight.flatten(1).sum(1) for name, layer in layers.items()}

    try:
        define()
        define()
        assert "again" in scores.names()
    finally:
        scores.registry._SCORES.pop("again")
