"""Scores of weights by name: what they are of, what they leave alone, how one is added, and what is refused."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from pruning import masks, models, scores, versions
from pruning.scores import registry

from .networks import Own, batches, images, trained_looking

DATA = ("snip", "grasp", "abs_grasp", "grasp_class_split")
EVERY = (*DATA, "random", "magnitude", "synflow")


@pytest.fixture
def own_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is registered here is forgotten afterwards."""
    monkeypatch.setattr(registry, "_SCORES", dict(registry._SCORES))


def test_names() -> None:
    assert sorted(scores.names("weights")) == sorted(EVERY)
    assert set(scores.names("weights")) & set(scores.names()) == {"random", "magnitude", "abs_grasp"}
    for name in ("random", "magnitude", "abs_grasp"):
        assert scores.get(name).granularity == "filters"
        assert scores.get(name, "weights").granularity == "weights"
        assert scores.get(name, "weights").function is not scores.get(name).function
    assert {name: scores.get(name, "weights").version for name in EVERY} == versions.WEIGHT_SCORES


def test_what_each_is_given() -> None:
    found = {name: (score.sampling, score.bn_mode) for name in EVERY for score in [scores.get(name, "weights")]}
    assert all(found[name] == ("class_balanced", "train") for name in DATA)
    assert all(found[name] == ("none", "eval") for name in ("random", "magnitude", "synflow"))


def test_parameters_are_every_layers_in_the_order_registered() -> None:
    net = Own()
    assert list(scores.weight_parameters(net)) == ["first.weight", "spread.weight", "second.weight", "head.weight"]
    assert scores.weight_parameters(net)["spread.weight"] is net.spread.weight
    assert list(scores.weight_parameters(nn.Linear(2, 2))) == ["weight"]
    assert list(scores.weight_parameters(nn.Sequential(nn.ConvTranspose1d(2, 2, 2), nn.Conv3d(1, 1, 1)))) == [
        "0.weight",
        "1.weight",
    ]
    net = models.build("resnet56", width="0.125")
    found = list(scores.weight_parameters(net))
    assert len(found) == 58
    assert (found[0], found[-1]) == ("stem.conv.weight", "classifier.weight")
    assert "stages.1.0.shortcut.weight" in found
    wrapped = nn.Module()
    wrapped._orig_mod = net  # as torch.compile keeps it
    assert list(scores.weight_parameters(wrapped)) == found
    assert list(scores.weight_scores("magnitude", wrapped, [])) == found


def test_a_shared_weight_is_there_once() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    net[2].weight = net[0].weight
    x, y = torch.rand(3, 4), torch.arange(3)
    assert list(scores.weight_parameters(net)) == ["0.weight"]
    found = scores.weight_scores("snip", net, [(x, y)])
    nn.functional.cross_entropy(net(x), y).backward()
    assert torch.allclose(found["0.weight"], (net[0].weight * net[0].weight.grad).abs())
    assert scores.weight_scores("synflow", net, [], image=(4,))["0.weight"].all()


def test_networks_without_weights() -> None:
    with pytest.raises(ValueError, match=r"^ReLU has no convolution or linear layer whose weights could be scored$"):
        scores.weight_scores("magnitude", nn.ReLU(), [])
    net = Own()
    parametrizations.spectral_norm(net.first)
    with pytest.raises(ValueError, match=r"^the weight of first is computed from other parameters, so there is noth"):
        scores.weight_scores("magnitude", net, [])


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_module_will_do(name: str, dtype: torch.dtype) -> None:
    net = Own().to(dtype)
    found = scores.weight_scores(name, net, [(images(6).to(dtype), torch.arange(6))])
    wanted = scores.weight_parameters(net)
    assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in wanted.items()}
    assert list(found) == list(wanted)
    assert all(score.isfinite().all() for score in found.values())
    assert all((score != 0).any() for score in found.values())
    assert not any(score.requires_grad for score in found.values())
    assert {score.dtype for score in found.values()} == {torch.float64 if name in ("random", "synflow") else dtype}


def state_of(net: nn.Module) -> dict[str, Any]:
    return {
        "numbers": {key: tensor.clone() for key, tensor in net.state_dict().items()},
        "gradients": {k: None if p.grad is None else p.grad.clone() for k, p in net.named_parameters()},
        "objects": [id(t) for p in net.parameters() for t in (p, p.grad)] + [id(buffer) for buffer in net.buffers()],
        "wants": [p.requires_grad for p in net.parameters()],
        "modes": [m.training for m in net.modules()],
        "random": torch.get_rng_state(),
        "grad enabled": torch.is_grad_enabled(),
    }


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return torch.equal(a, b) if isinstance(a, Tensor) and isinstance(b, Tensor) else bool(a == b)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("bn_mode", [None, "train", "eval"])
def test_all_is_as_before(name: str, bn_mode: Any) -> None:
    net = trained_looking("resnet20")
    for i, (module, parameter) in enumerate(zip(net.modules(), net.parameters(), strict=False)):
        module.training = i % 3 > 0
        parameter.grad = torch.full_like(parameter, 3.0) if i % 2 else None
        parameter.requires_grad_(i % 4 > 0)
    before = state_of(net)
    with torch.no_grad():
        before["grad enabled"] = False
        first = scores.weight_scores(name, net, batches(4, side=16), bn_mode=bn_mode)
        assert same(before, state_of(net))
    second = scores.weight_scores(name, net, batches(4, side=16), bn_mode=bn_mode)
    assert same(first, second)


def test_scores_are_nobodys_weights(own_scores: None) -> None:
    @scores.register("itself", granularity="weights", sampling="none")
    def itself(model: nn.Module, sample: Any, *, parameters: dict[str, nn.Parameter]) -> dict[str, Tensor]:
        return dict(parameters)

    net = Own()
    before = copy.deepcopy(net.state_dict())
    for score in scores.weight_scores("itself", net, []).values():
        score.zero_()
    assert same(before, net.state_dict())


@pytest.mark.parametrize("name", EVERY)
def test_half_precision_is_scored_in_single(name: str) -> None:
    half = trained_looking("resnet20").to(torch.bfloat16)
    sample = [(x.to(torch.bfloat16), y) for x, y in batches(8)]
    found = scores.weight_scores(name, half, sample)
    single = scores.weight_scores(name, copy.deepcopy(half).float(), [(x.float(), y) for x, y in sample])
    assert same(found, single)


@pytest.mark.parametrize("name", DATA)
def test_batches_may_come_from_a_generator(name: str) -> None:
    def stream() -> Iterator[tuple[Tensor, Tensor]]:
        yield from batches(3, 2)

    net = Own().double()
    assert same(scores.weight_scores(name, net, stream()), scores.weight_scores(name, net, batches(3, 2)))


def test_only_snip_looks_at_the_temperature() -> None:
    net, sample = Own().double(), batches(5)
    for name in DATA:
        one, five = (scores.weight_scores(name, net, sample, temperature=t) for t in (1.0, 5.0))
        assert same(one, five) is (name != "snip")
        assert same(one, scores.weight_scores(name, net, sample))


def test_they_make_a_mask() -> None:
    net = Own().double()
    found = scores.weight_scores("grasp", net, batches(5))
    assert any((score < 0).any() for score in found.values())
    mask = masks.global_mask(found, "0.9")
    highest_pruned = max(score[~mask[name]].max() for name, score in found.items() if not mask[name].all())
    assert highest_pruned <= min(score[mask[name]].min() for name, score in found.items() if mask[name].any())


# Adding one, and names.


def test_a_score_of_ones_own(own_scores: None) -> None:
    @scores.register("mine", granularity="weights", sampling="none", version=3)
    def mine(
        model: nn.Module, sample: Any, *, parameters: Any, temperature: float, image: Any, power: int = 2
    ) -> dict[str, Tensor]:
        assert image == (3, 4, 4)
        return {name: temperature * weight**power for name, weight in reversed(parameters.items())}

    found = scores.weight_scores("mine", Own(), [], temperature=2.0, image=(3, 4, 4))
    assert list(found) == list(scores.weight_parameters(Own()))
    assert torch.equal(found["head.weight"], 2 * Own().head.weight.detach() ** 2)
    score = scores.get("mine", granularity="weights")
    assert (score.version, score.granularity, scores.of_function(mine)) == (3, "weights", score)
    assert "mine" not in scores.names()
    assert "mine" in scores.names("weights")

    @scores.register("mine", sampling="none")  # another, of filters
    def of_filters(model: nn.Module, sample: Any, *, layers: Any) -> dict[str, Tensor]:
        return {name: layer.weight.flatten(1).sum(1) for name, layer in layers.items()}

    assert scores.get("mine", granularity="weights") is score
    assert list(scores.filter_scores("mine", Own(), [])) == ["first", "second"]
    with pytest.raises(ValueError, match=r"^a score called 'mine' is registered already; choose another name$"):
        scores.register("mine", granularity="weights")(lambda model, sample: {})


def test_one_that_is_not_registered() -> None:
    def cube(model: nn.Module, sample: Any, **options: Any) -> dict[str, Tensor]:
        assert set(options) == {"parameters", "temperature", "generator", "image"}
        return {name: weight**3 for name, weight in options["parameters"].items()}

    score = scores.from_function(cube, "cube", granularity="weights")
    assert torch.equal(scores.weight_scores(score, Own(), [])["head.weight"], Own().head.weight.detach() ** 3)
    with pytest.raises(ValueError, match=r"^score cube is one of weights, and filters are to be scored; use s"):
        scores.filter_scores(score, Own(), [])
    with pytest.raises(ValueError, match=r"^score loss is one of filters, and weights are to be scored; use s"):
        scores.weight_scores(scores.get("loss"), Own(), [])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda net: scores.weight_scores("snap", net, []),
            "^no score of weights is called 'snap'; did you mean sni",
        ),
        (lambda net: scores.weight_scores("x", net, []), "^no score of weights is called 'x'; there are random, magni"),
        (
            lambda net: scores.weight_scores("taylor", net, []),
            r"^score taylor is one of filters, and weights are to be scored; use scores\.filter_scores$",
        ),
        (
            lambda net: scores.filter_scores("synflow", net, []),
            r"^score synflow is one of weights, and filters are to be scored; use scores\.weight_scores$",
        ),
        (
            lambda net: scores.get("snip", "layers"),  # type: ignore[arg-type]
            "^granularity is 'layers'; it must be 'filters' or 'weights'$",
        ),
        (
            lambda net: scores.register("new", granularity="layer")(lambda model, sample: {}),  # type: ignore[arg-type]
            "^granularity is 'layer'; it must be 'filters' or 'weights'$",
        ),
        (
            lambda net: scores.weight_scores("snip", net, [], bn_mode="running"),  # type: ignore[arg-type]
            "^bn_mode is 'running'; it must be 'eval'",
        ),
        (
            lambda net: scores.weight_scores("snip", net, [], temperature=0),
            "^temperature is 0; it must be a finite n",
        ),
        (lambda net: scores.weight_scores("snip", net, batches(2)[0]), "^a batch is a pair of tensors"),  # type: ignore[arg-type]
    ],
)
def test_what_is_refused(call: Callable[[nn.Module], Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call(Own().double())
    assert "new" not in scores.names()


def test_an_option_of_the_other_granularity() -> None:
    def fussy(model: nn.Module, sample: Any, *, layers: Any) -> dict[str, Tensor]:
        return {}

    sentence = "^score fussy asks for 'layers'; it may ask for generator, image, parameters, temperature$"
    with pytest.raises(ValueError, match=sentence):
        scores.from_function(fussy, "fussy", granularity="weights")


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (
            {"0.weight": torch.zeros(2, 3)},
            r"^score mine must return one tensor for each of the 2 parameters; it returned 1, and differs in 1\.we",
        ),
        (
            {"0.weight": torch.zeros(2, 3), "1.weight": torch.zeros(2)},
            r"^score mine returned shape \[2\] for 1\.weight; expected one number for each of its weights, \[2, 2\]$",
        ),
    ],
)
def test_a_score_that_returns_something_else(result: dict[str, Tensor], sentence: str) -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    score = scores.from_function(lambda model, sample: result, "mine", granularity="weights")
    with pytest.raises(ValueError, match=sentence):
        scores.weight_scores(score, net, [])


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("sample", [[], [(torch.zeros(0, 3, 8, 8), torch.zeros(0, dtype=torch.int64))]])
def test_no_data(name: str, sample: list[tuple[Tensor, Tensor]]) -> None:
    with pytest.raises(ValueError, match="needs data"):
        scores.weight_scores(name, Own(), sample)


def test_class_split_wants_two_images() -> None:
    with pytest.raises(ValueError, match=r"^grasp_class_split needs data for its two halves, and there are 1 images$"):
        scores.weight_scores("grasp_class_split", Own().double(), batches(1))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("name", [*DATA, "synflow"])
def test_scores_on_a_gpu_are_those_on_the_cpu(name: str) -> None:
    for model in ("resnet20", "vgg16"):
        net, sample = trained_looking(model), batches(6, 5, side=16)
        wanted = scores.weight_scores(name, net, sample)
        found = scores.weight_scores(name, net.cuda(), [(x.cuda(), y.cuda()) for x, y in sample])
        for parameter, score in wanted.items():
            assert found[parameter].device.type == "cuda"
            assert torch.allclose(found[parameter].cpu(), score, rtol=1e-8, atol=1e-8 * score.abs().max().item())
