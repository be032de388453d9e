"""A shrunk network is the masked one: the masked one is made here, without the library."""

import copy
import warnings
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pruning import models, surgery

from .networks import MODELS, Own, images, trained_looking

Mask = dict[str, Tensor]
Index = list[int] | None
NORM = ("weight", "bias", "running_mean", "running_var")


def filters(net: nn.Module) -> dict[str, int]:
    return net.filters  # type: ignore[return-value]


def random_mask(net: nn.Module, seed: int, share: float) -> Mask:
    """Every filter stays with chance ``share``, and one of each layer at least."""
    generator, mask = torch.Generator().manual_seed(seed), {}
    for layer, n in filters(net).items():
        mask[layer] = torch.rand(n, generator=generator) < share
        mask[layer][int(torch.randint(n, (1,), generator=generator))] = True
    return mask


def norms_of(net: nn.Module, layer: str) -> list[str]:
    """The batch norms through which a channel of ``layer`` goes before it meets another convolution's sum."""
    if layer.startswith("units"):
        return [layer.replace("conv", "bn")]
    if layer.endswith("shortcut"):
        return [f"{layer}_bn"]
    if layer.startswith("stages"):
        return [layer.replace("conv", "bn")]
    own = "stem.bn" if layer == "stem.conv" else f"{layer}_bn"
    block = 0 if layer == "stem.conv" else int(layer.split(".")[1]) + 1
    following = f"blocks.{block}.depthwise_bn"
    return [own, following] if following in dict(net.named_modules()) else [own]


@torch.no_grad()
def masked(net: nn.Module, mask: Mask) -> nn.Module:
    """A copy of ``net``, of its shape, in which removed channels are silent."""
    net = copy.deepcopy(net)
    for layer, keep in mask.items():
        net.get_parameter(f"{layer}.weight")[~keep] = 0
        for norm in norms_of(net, layer):
            net.get_parameter(f"{norm}.weight")[~keep] = 0
            net.get_parameter(f"{norm}.bias")[~keep] = 0
    return net


def places(net: nn.Module, mask: Mask) -> dict[str, tuple[Index, ...]]:
    """Which rows and columns of each tensor of the unpruned ``net`` a network without the removed channels has."""
    left = {layer: keep.nonzero().flatten().tolist() for layer, keep in mask.items()}
    result: dict[str, tuple[Index, ...]] = {}

    def convolution(layer: str, inputs: Index, norm: str) -> None:
        result[f"{layer}.weight"] = (left[layer], inputs)
        result.update({f"{norm}.{part}": (left[layer],) for part in NORM})

    if "units.0.conv" in left:
        for before, layer in pairwise([None, *left]):
            convolution(layer, None if before is None else left[before], layer.replace("conv", "bn"))
        last = left["units.9.conv"]
    elif "blocks.0.pointwise" in left:
        convolution("stem.conv", None, "stem.bn")
        for i, (before, layer) in enumerate(pairwise(left)):
            result[f"blocks.{i}.depthwise.weight"] = (left[before],)
            result.update({f"blocks.{i}.depthwise_bn.{part}": (left[before],) for part in NORM})
            convolution(layer, left[before], f"{layer}_bn")
        last = left["blocks.12.pointwise"]
    else:
        convolution("stem.conv", None, "stem.bn")
        last = left["stem.conv"]
        for block in (f"stages.{s}.{i}" for s in range(3) for i in range(9)):
            convolution(f"{block}.conv1", last, f"{block}.bn1")
            convolution(f"{block}.conv2", left[f"{block}.conv1"], f"{block}.bn2")
            if f"{block}.shortcut" in left:
                convolution(f"{block}.shortcut", last, f"{block}.shortcut_bn")
                last = left[f"{block}.shortcut"]
            last = sorted({*last, *left[f"{block}.conv2"]})
    result["classifier.weight"] = (None, last)
    return result


def part(tensor: Tensor, indices: tuple[Index, ...]) -> Tensor:
    for axis, index in enumerate(indices):
        if index is not None:
            tensor = tensor.index_select(axis, torch.tensor(index))
    return tensor


def close(found: Tensor, wanted: Tensor, tolerance: float = 1e-10) -> bool:
    """Equal shapes, and a difference that is small beside the largest value (or beside 1)."""
    scale = max(1.0, wanted.abs().max().item())
    return found.shape == wanted.shape and (found - wanted).abs().max().item() <= tolerance * scale


def backward(net: nn.Module, x: Tensor) -> Tensor:
    net.zero_grad()
    logits: Tensor = net(x)
    F.cross_entropy(logits, torch.arange(len(x)) % 10).backward()
    return logits.detach()


some_masks = {"seed": st.integers(0, 2**31), "share": st.sampled_from([0.02, 0.3, 0.6, 0.9, 1.0])}


@pytest.mark.parametrize("name", MODELS)
@given(**some_masks)
@settings(max_examples=8, deadline=None, derandomize=True)
def test_masked_equals_shrunk(name: str, seed: int, share: float) -> None:
    net = trained_looking(name)
    mask = random_mask(net, seed, share)
    large, small = masked(net, mask), surgery.shrink(net, mask)
    where, x = places(net, mask), images(12, seed=seed)
    for training in (False, True):
        large.train(training)
        small.train(training)
        assert close(backward(small, x), backward(large, x)), f"logits, training={training}"
        for key, parameter in small.named_parameters():
            wanted = part(large.get_parameter(key).grad, where.get(key, ()))  # type: ignore[arg-type]
            assert parameter.grad is not None
            assert close(parameter.grad, wanted), f"gradient of {key}, training={training}"
    for key, buffer in small.named_buffers():
        if "running" in key:
            assert close(buffer, part(large.get_buffer(key), where[key])), key
            assert not torch.equal(buffer, part(net.get_buffer(key), where[key])), key


@pytest.mark.parametrize("name", MODELS)
@given(**some_masks)
@settings(max_examples=5, deadline=None, derandomize=True)
def test_shrinking_copies_the_kept_numbers_and_nothing_else(name: str, seed: int, share: float) -> None:
    net = trained_looking(name)
    mask = random_mask(net, seed, share)
    small, where = surgery.shrink(net, mask), places(net, mask)
    assert list(small.state_dict()) == list(net.state_dict())
    for key, tensor in small.state_dict().items():
        assert torch.equal(tensor, part(net.state_dict()[key], where.get(key, ()))), key
    assert models.kept_channels(small) == {  # type: ignore[arg-type]
        layer: tuple(keep.nonzero().flatten().tolist()) for layer, keep in mask.items()
    }


@pytest.mark.parametrize("name", MODELS)
def test_single_precision(name: str) -> None:
    net = trained_looking(name).float().eval()
    x = images(8).float()
    for seed in range(5):
        mask = random_mask(net, seed, 0.5)
        found, wanted = surgery.shrink(net, mask)(x), masked(net, mask)(x)
        assert (found - wanted).norm() <= 1e-5 * wanted.norm()


@pytest.mark.parametrize("name", MODELS)
@given(**some_masks)
@settings(max_examples=4, deadline=None, derandomize=True)
def test_expanding_gives_the_masked_function_in_the_old_shape(name: str, seed: int, share: float) -> None:
    net = trained_looking(name).eval()
    mask = random_mask(net, seed, share)
    large, x = surgery.expand(surgery.shrink(net, mask)), images(6)
    assert [p.shape for p in large.parameters()] == [p.shape for p in net.parameters()]
    assert models.kept_channels(large) == models.kept_channels(net)  # type: ignore[arg-type]
    for training in (False, True):
        assert close(large.train(training)(x), masked(net, mask).train(training)(x))


@pytest.mark.parametrize("name", MODELS)
@given(**some_masks)
@settings(max_examples=4, deadline=None, derandomize=True)
def test_shrinking_twice_is_shrinking_once(name: str, seed: int, share: float) -> None:
    net = trained_looking(name)
    first = random_mask(net, seed, 0.6)
    small = surgery.shrink(net, first)
    # A filter of the shrunk network is counted among those that are left.
    whole = random_mask(net, seed + 1, share)
    second = {layer: whole[layer][: int(keep.sum())].clone() for layer, keep in first.items()}
    for keep in second.values():
        keep[0] = True
    both = {layer: keep.clone() for layer, keep in first.items()}
    for layer, keep in both.items():
        keep[first[layer].nonzero().flatten()[~second[layer]]] = False
    twice, once = surgery.shrink(small, second), surgery.shrink(net, both)
    assert twice.architecture == once.architecture
    for key, tensor in once.state_dict().items():
        assert torch.equal(twice.state_dict()[key], tensor), key


def test_a_residual_stream_by_hand() -> None:
    """Stage 1 keeps channel 0 from the stem; block 0 adds channel 1. Channel 1 is in the stream from there on only."""
    net = trained_looking("resnet56", "0.125")  # 2, 4 and 8 channels
    mask = {layer: torch.tensor([True] + [False] * (n - 1)) for layer, n in filters(net).items()}
    mask["stages.0.0.conv2"] = torch.tensor([False, True])
    small = surgery.shrink(net, mask)
    weight = small.get_parameter
    assert weight("stages.0.0.conv1.weight").shape == (1, 1, 3, 3)
    assert weight("stages.0.1.conv1.weight").shape == (1, 2, 3, 3)
    assert weight("stages.0.8.conv1.weight").shape == (1, 2, 3, 3)
    assert weight("stages.1.0.shortcut.weight").shape == (1, 2, 1, 1)
    assert weight("stages.1.1.conv1.weight").shape == (1, 1, 3, 3)  # the shortcut starts a stream of its own
    assert weight("classifier.weight").shape == (10, 1)


def test_a_stream_channel_that_only_the_stem_does_not_write() -> None:
    net = trained_looking("resnet56").eval()
    mask = {"stem.conv": torch.tensor([False, True])}
    small = surgery.shrink(net, mask)
    assert models.parameters(net) - models.parameters(small) == 3 * 9 + 2 + 2 * 9  # row, scale and shift, 2 columns
    assert close(small(images(4)), masked(net, mask)(images(4)))


@pytest.mark.parametrize("name", MODELS)
def test_the_network_given_is_left_alone(name: str) -> None:
    net = trained_looking(name)
    before, description = copy.deepcopy(net.state_dict()), net.architecture
    torch.manual_seed(0)
    state = torch.get_rng_state()
    small = surgery.shrink(net, random_mask(net, 0, 0.5))
    surgery.shrink(net, {})
    assert torch.equal(torch.get_rng_state(), state)
    assert net.architecture is description
    assert all(torch.equal(net.state_dict()[key], tensor) for key, tensor in before.items())
    with torch.no_grad():
        for tensor in (*small.parameters(), *surgery.shrink(net, {}).parameters()):
            tensor.zero_()
    assert all(torch.equal(net.state_dict()[key], tensor) for key, tensor in before.items())  # nothing is shared


def test_dtype_modes_and_frozen_parameters_are_kept() -> None:
    net = trained_looking("resnet56").bfloat16()
    net.get_submodule("stages.0").eval()
    net.get_submodule("stages.0.3.bn1").train()
    net.get_parameter("classifier.bias").requires_grad_(False)
    small = surgery.shrink(net, random_mask(net, 0, 0.5))
    assert {p.dtype for p in small.parameters()} == {torch.bfloat16}
    assert small.get_buffer("stem.bn.num_batches_tracked").dtype == torch.int64
    assert {k: m.training for k, m in small.named_modules()} == {k: m.training for k, m in net.named_modules()}
    assert [k for k, p in small.named_parameters() if not p.requires_grad] == ["classifier.bias"]
    assert not surgery.shrink(net.eval(), {}).training


@pytest.mark.parametrize("name", MODELS)
def test_options_of_batch_norm_are_kept(name: str, tmp_path: Path) -> None:
    net = trained_looking(name)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps, module.momentum = 0.1, 0.3
    x = images(2)
    models.save(net, tmp_path / "net.safetensors")
    for other in (surgery.shrink(net, {}), models.load(tmp_path / "net.safetensors")):
        assert torch.equal(other.eval()(x), net.eval()(x))
        assert {m.momentum for m in other.modules() if isinstance(m, nn.BatchNorm2d)} == {0.3}


def test_mixed_precision_stays_mixed(tmp_path: Path) -> None:
    net = models.build("vgg13", width="0.125", seed=0).bfloat16()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.float()
    models.save(net, tmp_path / "net.safetensors")
    for other in (surgery.shrink(net, {}), models.load(tmp_path / "net.safetensors")):
        kinds = {name: tensor.dtype for name, tensor in net.state_dict().items()}
        assert {name: tensor.dtype for name, tensor in other.state_dict().items()} == kinds
        assert torch.float32 in kinds.values()


def test_a_compiled_network_is_cut_as_itself() -> None:
    net = models.build("vgg13", width="0.125", seed=0)
    small = surgery.shrink(torch.compile(net), {"units.0.conv": torch.arange(8) < 3})  # type: ignore[arg-type]
    assert small.get_parameter("units.0.conv.weight").shape[0] == 3


def test_an_empty_mask_keeps_all() -> None:
    net = trained_looking("vgg13")
    same = surgery.shrink(net, {})
    assert same is not net
    assert same.architecture == net.architecture
    assert all(torch.equal(a, b) for a, b in zip(same.parameters(), net.parameters(), strict=True))


def test_regrown_channels_are_zeros() -> None:
    net = trained_looking("vgg13")
    small = surgery.shrink(net, {"units.1.conv": torch.arange(8) < 6})
    wide = surgery.with_channels(small, {"units.1.conv": (0, 2, 7)})
    assert models.kept_channels(wide)["units.1.conv"] == (0, 2, 7)  # type: ignore[arg-type]
    for key in ("units.1.conv.weight", "units.1.bn.weight", "units.1.bn.bias", "units.1.bn.running_var"):
        tensor, old = wide.state_dict()[key], net.state_dict()[key]
        assert torch.equal(tensor[:2], old[[0, 2]])
        assert not tensor[2].any()
    columns = wide.get_parameter("units.2.conv.weight")
    assert torch.equal(columns[:, :2], net.get_parameter("units.2.conv.weight")[:, [0, 2]])
    assert not columns[:, 2].any()
    assert torch.equal(wide.get_parameter("units.0.conv.weight"), net.get_parameter("units.0.conv.weight"))


def test_with_channels_refuses_an_unknown_layer() -> None:
    with pytest.raises(ValueError, match=r"units\.1\.cnov"):
        surgery.with_channels(trained_looking("vgg13"), {"units.1.cnov": (0, 2)})


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (
            {"units.1.cnov": torch.ones(8, dtype=torch.bool)},
            r"^no prunable layer is called 'units\.1\.cnov'; did you mean units\.1\.conv\?$",
        ),
        (
            {"classifier": torch.ones(10, dtype=torch.bool)},
            r"^no prunable layer is called 'classifier'; there are units\.0\.conv, .*, units\.9\.conv$",
        ),
        (
            {"units.1.conv": torch.ones(7, dtype=torch.bool)},
            r"^the mask of units\.1\.conv must be a bool tensor of shape \[8\], not torch\.bool \[7\]$",
        ),
        (
            {"units.1.conv": torch.ones(8, 1, dtype=torch.bool)},
            r"^the mask of units\.1\.conv must be a bool tensor of shape \[8\], not torch\.bool \[8, 1\]$",
        ),
        (
            {"units.1.conv": torch.ones(8)},
            r"^the mask of units\.1\.conv must be a bool tensor of shape \[8\], not torch\.float32 \[8\]$",
        ),
        (
            {"units.1.conv": torch.zeros(8, dtype=torch.bool)},
            r"^the mask removes all 8 channels of units\.1\.conv; keep at least one$",
        ),
    ],
)
def test_masks_that_do_not_fit(mask: Mask, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        surgery.shrink(trained_looking("vgg13"), mask)


def test_a_mask_is_counted_in_the_network_given() -> None:
    small = surgery.shrink(trained_looking("vgg13"), {"units.1.conv": torch.arange(8) < 6})
    with pytest.raises(ValueError, match=r"must be a bool tensor of shape \[6\], not torch\.bool \[8\]"):
        surgery.shrink(small, {"units.1.conv": torch.arange(8) < 6})


def test_a_network_without_declared_structure_is_refused() -> None:
    sentence = (
        r"^surgery needs a network that declares its structure \(pruning\.models\.Prunable\), and Own does not; "
        r"scores and masks work on it all the same$"
    )
    for operation in (surgery.expand, lambda net: surgery.shrink(net, {})):
        with pytest.raises(TypeError, match=sentence):
            operation(Own())


def declared_like(net: nn.Module) -> dict[str, list[int]]:
    return {layer: [i for i in range(n) if i % 3 == 0] for layer, n in filters(net).items()}


@pytest.mark.filterwarnings("ignore")  # of torch-pruning's, and of what it imports
def test_sizes_and_function_are_those_of_torch_pruning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = pytest.importorskip("torch_pruning", reason="torch-pruning is not installed", exc_type=ImportError)
    net = trained_looking("vgg13", "0.25").eval()
    removed, x = declared_like(net), images(4, 32)
    theirs = copy.deepcopy(net)
    graph = oracle.DependencyGraph().build_dependency(theirs, example_inputs=x)
    for layer, indices in removed.items():
        graph.get_pruning_group(
            theirs.get_submodule(layer), oracle.prune_conv_out_channels, idxs=indices
        ).prune()  # fmt: skip
    mask = {layer: torch.arange(n) % 3 != 0 for layer, n in filters(net).items()}
    ours = surgery.shrink(net, mask)
    assert models.parameters(ours) == models.parameters(theirs) < models.parameters(net)
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()]
    assert close(ours(x), theirs(x))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("name", MODELS)
def test_masked_equals_shrunk_on_a_gpu(name: str) -> None:
    net = trained_looking(name).cuda()
    mask = {layer: keep.cuda() for layer, keep in random_mask(net, 0, 0.5).items()}
    large, small, x = masked(net, mask), surgery.shrink(net, mask), images(12).cuda()
    assert {p.device.type for p in (*small.parameters(), *small.buffers())} == {"cuda"}
    for training in (False, True):
        assert close(small.train(training)(x), large.train(training)(x))
    assert close(surgery.expand(small).eval()(x), large.eval()(x))
