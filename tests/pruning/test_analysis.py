"""What masks leave: neurons by counting, paths drawn by hand, then against a walk over all units and the gradient."""

import copy
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pruning import masks, models, scores
from pruning.analysis import collapsed, effective, effective_by_gradient, layer_counts, neuron_curve, neuron_sparsity
from pruning.masks import Mask

from .networks import Own

BOTH = pytest.mark.parametrize("connected", [effective, effective_by_gradient])


def kept(rows: Sequence[object]) -> Tensor:
    return torch.tensor(rows).bool()


def ints(mask: Mask) -> dict[str, object]:
    assert all(part.dtype == torch.bool for part in mask.values())
    return {name: part.int().tolist() for name, part in mask.items()}


def same(one: Mask, other: Mask) -> bool:
    return list(one) == list(other) and all(torch.equal(part, other[name]) for name, part in one.items())


def mlp(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


def weights(net: nn.Module) -> dict[str, Tensor]:
    return {name: p for name, p in net.named_parameters() if name.endswith("weight") and p.dim() > 1}


def whole(net: nn.Module) -> Mask:
    return {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights(net).items()}


def random_mask(net: nn.Module, seed: int, share: float) -> Mask:
    """Each weight stays with a chance that differs from layer to layer, ``share`` or above."""
    generator = torch.Generator().manual_seed(seed)
    mask = {}
    for name, weight in weights(net).items():
        chance = share ** torch.rand(1, generator=generator, dtype=torch.float64)
        mask[name] = torch.rand(weight.shape, generator=generator, dtype=torch.float64) < chance
    return mask


def taps(*places: tuple[int, int]) -> Tensor:
    """A 3x3 kernel from one channel to one, which keeps these places of its nine."""
    keep = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    for row, column in places:
        keep[0, 0, row, column] = True
    return keep


ALL_TAPS = torch.ones(1, 1, 3, 3, dtype=torch.bool)


def conv3(**options: int) -> nn.Conv2d:
    return nn.Conv2d(1, 1, 3, padding=1, **options)  # type: ignore[arg-type]


# Counting


def test_layer_counts_by_hand() -> None:
    mask = {"b": kept([[1, 0], [0, 0]]), "a": kept([0, 0, 0]), "c": kept([1])}
    assert list(layer_counts(mask).items()) == [("b", (1, 4)), ("a", (0, 3)), ("c", (1, 1))]


def test_a_neuron_of_a_convolution_is_an_output_channel() -> None:
    net = nn.Sequential(nn.Conv2d(2, 2, (1, 2)), nn.Conv2d(2, 2, 1, groups=2), nn.Flatten(), mlp(2, 3, 1))
    mask = whole(net)
    mask["0.weight"] = kept([[[[1, 0]], [[0, 0]]], [[[0, 0]], [[0, 0]]]])
    mask["3.0.weight"][:] = False  # hidden units do not count beside convolutions
    sparsity = neuron_sparsity(net, mask)
    assert {layer: part.tolist() for layer, part in sparsity.items()} == {"0": [0.75, 1.0], "1": [0.0, 0.0]}
    assert all(part.dtype == torch.float64 for part in sparsity.values())
    assert collapsed(net, mask) == (1, 4)
    assert neuron_curve(net, mask, points=5) == [1.0, 0.5, 0.5, 0.5, 0.25]


def test_without_convolutions_a_neuron_is_a_hidden_unit() -> None:
    net = mlp(2, 3, 2, 4)
    mask = whole(net)
    mask["0.weight"] = kept([[0, 0], [1, 0], [1, 1]])
    mask["4.weight"][:] = False  # the output layer has no neurons
    sparsity = neuron_sparsity(net, mask)
    assert {layer: part.tolist() for layer, part in sparsity.items()} == {"0": [1.0, 0.5, 0.0], "2": [0.0, 0.0]}
    assert collapsed(net, mask) == (1, 5)


def test_layers_without_a_mask_are_whole() -> None:
    net = mlp(2, 2, 2, 1)
    assert collapsed(net, {"2.weight": kept([[0, 0], [1, 0]])}) == (1, 4)
    assert neuron_curve(net, {}, points=2) == [1.0, 0.0]


def test_a_sparsity_on_the_grid_is_reached_exactly() -> None:
    net = mlp(100, 101, 1)
    mask = {"0.weight": torch.arange(100) >= torch.arange(101)[:, None]}  # unit i has lost i of 100
    assert neuron_curve(net, mask) == [(101 - i) / 101 for i in range(101)]
    assert neuron_sparsity(net, mask)["0"].tolist() == [i / 100 for i in range(101)]


@given(seed=st.integers(0, 10**6), inputs=st.integers(1, 60), points=st.integers(2, 120))
@settings(deadline=None, max_examples=40)
def test_the_curve_is_what_fractions_say(seed: int, inputs: int, points: int) -> None:
    net = mlp(inputs, 7, 5, 2)
    mask = random_mask(net, seed, 0.1)
    lost = [Fraction(int((~row).sum()), len(row)) for name in ("0.weight", "2.weight") for row in mask[name]]
    grid = [Fraction(i, points - 1) for i in range(points)]
    assert neuron_curve(net, mask, points) == [sum(one >= s for one in lost) / 12 for s in grid]
    assert collapsed(net, mask) == (sum(one == 1 for one in lost), 12)


# Paths by hand


@BOTH
def test_dead_ends_of_an_mlp(connected) -> None:  # type: ignore[no-untyped-def]
    net = mlp(2, 4, 4, 1)
    mask = {
        # Unit 0 is fed and read; 1 has no input; 2 has no output; 3 leads to a unit that has none.
        "0.weight": kept([[1, 0], [0, 0], [1, 1], [0, 1]]),
        # Unit 0 reads the living 0 and the dead 1; 1 reads the dead 1 alone; 2 has no output; 3 has no input.
        "2.weight": kept([[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 0]]),
        "4.weight": kept([[1, 1, 0, 1]]),
    }
    assert ints(connected(net, mask, (2,))) == {
        "0.weight": [[1, 0], [0, 0], [0, 0], [0, 0]],
        "2.weight": [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
        "4.weight": [[1, 0, 0, 0]],
    }


@BOTH
def test_a_cut_leaves_nothing(connected) -> None:  # type: ignore[no-untyped-def]
    net = mlp(3, 3, 3, 2)
    mask = whole(net)
    mask["2.weight"] = kept([[0, 0, 0]] * 3)
    assert not any(part.any() for part in connected(net, mask, (3,)).values())


@BOTH
def test_one_chain_in_a_network_otherwise_empty(connected) -> None:  # type: ignore[no-untyped-def]
    net = mlp(2, 2, 2, 2)
    mask = {
        "0.weight": kept([[0, 0], [0, 1]]),
        "2.weight": kept([[0, 1], [0, 0]]),
        "4.weight": kept([[0, 0], [1, 0]]),
    }
    assert ints(connected(net, mask, (2,))) == ints(mask)


@BOTH
def test_what_is_not_masked_is_whole(connected) -> None:  # type: ignore[no-untyped-def]
    assert ints(connected(mlp(2, 2, 1), {"2.weight": kept([[1, 0]])}, (2,))) == {"2.weight": [[1, 0]]}


@BOTH
def test_a_layer_that_is_not_used_is_not_connected(connected) -> None:  # type: ignore[no-untyped-def]
    class Part(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)  # type: ignore[no-any-return]

    found = connected(Part(), whole(Part()), (2,))
    assert ints(found) == {"used.weight": [[1, 1]], "unused.weight": [[0, 0]]}


@BOTH
def test_a_compiled_network_is_the_network_in_it(connected) -> None:  # type: ignore[no-untyped-def]
    net, mask = mlp(2, 2, 1), {"2.weight": kept([[1, 0]])}
    compiled = torch.compile(net)
    assert ints(connected(compiled, mask, (2,))) == ints(mask)
    assert collapsed(compiled, {"0.weight": kept([[0, 0], [1, 0]])}) == (1, 2)


@BOTH
def test_a_kernel_position_that_meets_padding_alone_is_not_connected(connected) -> None:  # type: ignore[no-untyped-def]
    net, mask = nn.Sequential(conv3()), {"0.weight": ALL_TAPS}
    assert torch.equal(connected(net, mask, (1, 1, 1))["0.weight"], taps((1, 1)))
    assert torch.equal(connected(net, mask, (1, 1, 2))["0.weight"], taps((1, 0), (1, 1), (1, 2)))
    assert torch.equal(connected(net, mask, (1, 2, 2))["0.weight"], ALL_TAPS)


@BOTH
def test_zeros_that_padding_brought_in_are_followed(connected) -> None:  # type: ignore[no-untyped-def]
    # Place (0, 0) moves a 2x2 map one down and to the right: only the pixel at (1, 1) is left.
    net = nn.Sequential(conv3(), nn.ReLU(inplace=True), conv3())
    mask = {"0.weight": taps((0, 0)), "2.weight": ALL_TAPS}
    found = connected(net, mask, (1, 2, 2))
    assert torch.equal(found["0.weight"], taps((0, 0)))
    assert torch.equal(found["2.weight"], taps((1, 1), (1, 2), (2, 1), (2, 2)))
    # Moved on once more, it falls off the map.
    assert not any(part.any() for part in connected(net, {**mask, "2.weight": taps((0, 0))}, (1, 2, 2)).values())


@BOTH
def test_a_strided_convolution_reads_every_other_pixel(connected) -> None:  # type: ignore[no-untyped-def]
    net = nn.Sequential(conv3(), nn.Conv2d(1, 1, 1, stride=2))
    for tap, alive in (((0, 0), False), ((1, 1), True)):
        mask = {"0.weight": taps(tap), "1.weight": kept([[[[1]]]])}
        found = connected(net, mask, (1, 2, 2))
        assert ints(found) == (
            ints(mask) if alive else {name: torch.zeros_like(p).int().tolist() for name, p in mask.items()}
        )


class Residual(nn.Module):
    """Two channels, a block of two 1x1 convolutions beside the stream, a batch norm and a ReLU in place on the sum."""

    def __init__(self, shortcut: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 1)
        self.conv1, self.conv2 = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
        self.norm = nn.BatchNorm2d(2)
        self.shortcut = nn.Conv2d(2, 2, 1) if shortcut else None
        self.head = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x), inplace=True)
        y = self.norm(self.conv2(F.relu(self.conv1(x), inplace=True)))
        y += x if self.shortcut is None else self.shortcut(x)
        return self.head(F.relu(y, inplace=True).mean((2, 3)))  # type: ignore[no-any-return]


def residual_mask(shortcut: bool) -> Mask:
    mask = whole(Residual(shortcut))
    mask["conv2.weight"][:] = False
    return mask


@BOTH
def test_the_stream_lives_past_a_dead_block(connected) -> None:  # type: ignore[no-untyped-def]
    alive = {
        name: int(part.sum()) for name, part in connected(Residual(False), residual_mask(False), (1, 2, 2)).items()
    }
    assert alive == {"stem.weight": 2, "conv1.weight": 0, "conv2.weight": 0, "head.weight": 2}


@BOTH
def test_a_shortcut_lives_past_a_dead_block_and_not_without_weights(connected) -> None:  # type: ignore[no-untyped-def]
    mask = residual_mask(True)
    mask["shortcut.weight"] = kept([[1, 0], [0, 0]])[:, :, None, None]
    found = ints(connected(Residual(True), mask, (1, 2, 2)))
    assert found["stem.weight"] == [[[[1]]], [[[0]]]]
    assert found["shortcut.weight"] == [[[[1]], [[0]]], [[[0]], [[0]]]]
    assert found["head.weight"] == [[1, 0]]
    mask["shortcut.weight"][:] = False
    assert not any(part.any() for part in connected(Residual(True), mask, (1, 2, 2)).values())


def test_a_path_leads_through_every_input_of_a_max_pool() -> None:
    net, mask = nn.Sequential(conv3(), nn.MaxPool2d(2)), {"0.weight": ALL_TAPS}
    assert torch.equal(effective(net, mask, (1, 2, 2))["0.weight"], ALL_TAPS)
    # Four pixels of value 4; the gradient goes to the first, in whose corner five places meet padding.
    corner = taps((1, 1), (1, 2), (2, 1), (2, 2))
    assert torch.equal(effective_by_gradient(net, mask, (1, 2, 2))["0.weight"], corner)


@pytest.mark.parametrize(
    ("pool", "cells"),
    [
        (nn.MaxPool1d(2), 4),
        (nn.MaxPool1d(2, ceil_mode=True), 5),
        (nn.MaxPool1d(3, stride=4, padding=1), 4),  # of the fifth, nothing but padding would be beside it
        (nn.AdaptiveMaxPool1d(2), 5),
        (nn.MaxPool2d((1, 2)), 4),
        (nn.MaxPool2d((1, 2), ceil_mode=True), 5),
        (nn.AdaptiveMaxPool2d((1, 1)), 5),
        (nn.MaxPool3d((1, 1, 2), dilation=(1, 1, 1)), 4),
        (nn.AdaptiveMaxPool3d(1), 5),
        (nn.AvgPool1d(2), 4),
        (nn.AdaptiveAvgPool2d(1), 5),
    ],
)
def test_pools_pass_on_the_windows_they_have(pool: nn.Module, cells: int) -> None:
    dimensions = int(type(pool).__name__[-2])
    shape = (1,) * (dimensions - 1) + (5,)
    net = nn.Sequential(nn.Linear(5, 5), nn.Unflatten(1, (1, *shape)), pool, nn.Flatten())
    mask = {"0.weight": torch.eye(5).bool()}
    expected = torch.eye(5).bool()
    expected[cells:] = False
    if isinstance(pool, nn.MaxPool1d) and pool.padding:
        expected = torch.diag(kept([1, 1, 0, 1, 1]))
    assert torch.equal(effective(net, mask, (5,))["0.weight"], expected)


def test_max_pooling_called_by_its_other_name() -> None:
    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = conv3()

        def forward(self, x: Tensor) -> Tensor:
            return torch.max_pool2d(self.conv(x), 2)

    assert torch.equal(effective(Called(), {"conv.weight": ALL_TAPS}, (1, 2, 2))["conv.weight"], ALL_TAPS)


# Against a walk over the units, and against the gradient


def walked(masks: Sequence[Tensor]) -> list[Tensor]:
    """What is connected in an MLP with these masks [out, in]: reached from an input and reaching an output."""
    reached = [[True] * masks[0].shape[1]]
    for keep in masks:
        reached.append([any(k and r for k, r in zip(row, reached[-1], strict=True)) for row in keep.tolist()])
    reaching = [[True] * masks[-1].shape[0]]
    for keep in reversed(masks):
        reaching.append([any(k and r for k, r in zip(row, reaching[-1], strict=True)) for row in keep.T.tolist()])
    ends = zip(masks, reached, reaching[-2::-1], strict=False)
    return [keep & kept(out)[:, None] & kept(inputs)[None, :] for keep, inputs, out in ends]


@given(
    seed=st.integers(0, 10**6),
    share=st.floats(0.01, 1),
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=6),
)
@settings(deadline=None, max_examples=100)
def test_mlps_by_walking(seed: int, share: float, sizes: list[int]) -> None:
    net = mlp(*sizes)
    mask = random_mask(net, seed, share)
    expected = {name: part.int().tolist() for name, part in zip(mask, walked(list(mask.values())), strict=True)}
    assert ints(effective(net, mask, (sizes[0],))) == expected
    assert ints(effective_by_gradient(net, mask, (sizes[0],))) == expected


def by_gradient(net: nn.Module, mask: Mask, image: tuple[int, ...]) -> Mask:
    """The definition of the paper on a copy of the network, without the library."""
    net = copy.deepcopy(net).double().eval()
    for name, module in list(net.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            net.set_submodule(name, nn.Identity())
    for name, parameter in net.named_parameters():
        parameter.data = mask[name].double() if name in mask else torch.zeros_like(parameter)
    net(torch.ones(1, *image, dtype=torch.float64)).sum().backward()
    return {name: keep & (net.get_parameter(name).grad != 0) for name, keep in mask.items()}


@pytest.mark.parametrize("name", ["resnet56", "mobilenet_v1"])
@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 0.2))
@settings(deadline=None, max_examples=8)
def test_networks_without_max_pools_by_gradient(name: str, seed: int, share: float) -> None:
    net = models.build(name, width="0.125", seed=0)
    mask, image = random_mask(net, seed, share), (3, 8, 8)
    expected = by_gradient(net, mask, image)
    assert same(effective(net, mask, image), expected)
    assert same(effective_by_gradient(net, mask, image), expected)


@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 0.2), side=st.sampled_from([8, 16, 20]))
@settings(deadline=None, max_examples=15)
def test_vgg13_by_gradient(seed: int, share: float, side: int) -> None:
    net = models.build("vgg13", width="0.0625", seed=0)
    mask, image = random_mask(net, seed, share), (3, side, side)
    largest, found = effective_by_gradient(net, mask, image), effective(net, mask, image)
    assert same(largest, by_gradient(net, mask, image))
    assert all((found[name] | ~largest[name]).all() for name in mask)
    with pytest.MonkeyPatch.context() as patch:  # an average passes its gradient to every input
        patch.setattr(F, "max_pool2d", F.avg_pool2d)
        assert same(found, by_gradient(net, mask, image))


@pytest.mark.parametrize(
    ("name", "width", "side", "amount"),
    [
        ("resnet20", "1", 32, "0.982"),
        ("vgg16", "1", 32, "0.982"),
        ("resnet18", "1", 64, "0.982"),
        ("resnet50", "0.25", 64, "0.945"),
    ],
)
def test_networks_of_the_second_paper_by_gradient(name: str, width: str, side: int, amount: str) -> None:
    """At their highest sparsities, where max pools happen to cut no path off; and whole, all of them is connected."""
    net, image = models.build(name, width=width, initialisation="kaiming_normal", seed=0), (3, side, side)
    mask = masks.global_mask(scores.weight_scores("magnitude", net, []), amount=amount)
    found = effective(net, mask, image)
    assert 0 < sum(int(part.sum()) for part in found.values()) < sum(int(part.sum()) for part in mask.values())
    assert same(found, by_gradient(net, mask, image))
    assert same(effective_by_gradient(net, mask, image), found)
    dense = whole(net)
    assert same(effective(net, dense, image), dense)
    assert same(by_gradient(net, dense, image), dense)


@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 0.2))
@settings(deadline=None, max_examples=10)
def test_connected_weights_are_kept_stay_connected_and_grow_with_the_mask(seed: int, share: float) -> None:
    net = models.build("vgg13", width="0.0625", seed=0)
    mask, more = random_mask(net, seed, share), random_mask(net, seed + 1, share)
    found = effective(net, mask, (3, 8, 8))
    assert all((mask[name] | ~part).all() for name, part in found.items())
    assert same(effective(net, found, (3, 8, 8)), found)
    wider = effective(net, {name: mask[name] | more[name] for name in mask}, (3, 8, 8))
    assert all((wider[name] | ~part).all() for name, part in found.items())


# What must not matter


def test_more_paths_than_float64_can_count() -> None:
    net = mlp(*[32] * 250)  # 32^250 = 1e376
    mask = whole(net)
    mask["0.weight"][5] = False
    found = effective(net, mask, (32,))
    assert [int(found[name].sum()) for name in list(mask)[:3]] == [31 * 32, 31 * 32, 32 * 32]
    with pytest.raises(
        ValueError, match=r"^the network has more paths than float64 can count; use effective, which counts none$"
    ):
        effective_by_gradient(net, mask, (32,))


class Inexact(TorchFunctionMode):
    """Convolutions that add a trace to every number, forwards and backwards, as fast algorithms do."""

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if func is not torch.conv2d:
            return func(*args, **(kwargs or {}))
        for tensor in args[:2]:
            if tensor.requires_grad:
                tensor.register_hook(lambda gradient: gradient + 1e-3)
        return func(*args, **(kwargs or {})) + 1e-3


def test_a_chain_of_transposed_convolutions_is_followed_however_long() -> None:
    net = nn.Sequential(*[nn.ConvTranspose1d(16, 16, 1) for _ in range(250)])
    mask = whole(net)
    mask["1.weight"][3] = False  # [in, out, 1]: nobody reads channel 3 of the first layer
    found = effective(net, mask, (16, 1))
    assert [int(found[name].sum()) for name in list(mask)[:3]] == [15 * 16, 15 * 16, 256]


def test_inexact_convolutions_invent_no_paths() -> None:
    net = models.build("resnet56", width="0.125", seed=0)
    mask = random_mask(net, 0, 0.05)
    exact = effective(net, mask, (3, 8, 8))
    assert 0 < sum(int(part.sum()) for part in exact.values()) < sum(int(part.sum()) for part in mask.values())
    with Inexact():
        assert same(effective(net, mask, (3, 8, 8)), exact)


@BOTH
def test_relus_in_place_on_both_sides_of_a_batch_norm(connected) -> None:  # type: ignore[no-untyped-def]
    relu = nn.ReLU(inplace=True)
    net = nn.Sequential(nn.Conv2d(1, 2, 1), relu, nn.BatchNorm2d(2), relu, nn.Conv2d(2, 1, 1), relu)
    mask = {"0.weight": kept([1, 1])[:, None, None, None], "4.weight": kept([[1, 0]])[:, :, None, None]}
    assert ints(connected(net, mask, (1, 1, 1)))["0.weight"] == [[[[1]]], [[[0]]]]


@BOTH
def test_weights_biases_and_statistics_do_not_matter(connected) -> None:  # type: ignore[no-untyped-def]
    net = Own()
    mask = random_mask(net, 3, 0.3)
    expected = connected(net, mask, (3, 4, 4))
    for parameter in net.parameters():
        parameter.data.normal_()
    net.norm.running_mean.fill_(3.0)  # type: ignore[union-attr]
    assert same(connected(net.half(), mask, (3, 4, 4)), expected)
    with torch.inference_mode():
        assert same(connected(net.requires_grad_(False), mask, (3, 4, 4)), expected)


@BOTH
def test_the_network_is_left_as_it_was(connected) -> None:  # type: ignore[no-untyped-def]
    net = models.build("resnet56", width="0.125", seed=0)
    net.stages.eval()  # type: ignore[union-attr]
    parameters = dict(net.named_parameters())
    for parameter in parameters.values():
        parameter.grad = torch.ones_like(parameter)
    parameters["stem.conv.weight"].requires_grad_(False)
    state, modes = copy.deepcopy(net.state_dict()), [module.training for module in net.modules()]
    random, mask = torch.get_rng_state(), random_mask(net, 0, 0.1)
    given_mask = copy.deepcopy(mask)
    connected(net, mask, (3, 8, 8))
    assert all(net.get_parameter(name) is parameter for name, parameter in parameters.items())
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is not None and (parameter.grad == 1).all() for parameter in parameters.values())
    assert [name for name, parameter in parameters.items() if not parameter.requires_grad] == ["stem.conv.weight"]
    assert [module.training for module in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert same(mask, given_mask)


# What is refused


@pytest.mark.parametrize(
    "look",
    [
        collapsed,
        neuron_curve,
        neuron_sparsity,
        lambda net, mask: effective(net, mask, (2,)),
        lambda net, mask: effective_by_gradient(net, mask, (2,)),
    ],
)
def test_masks_that_do_not_fit(look) -> None:  # type: ignore[no-untyped-def]
    net = mlp(2, 3, 1)
    sentence = r"^no weight of a convolution or linear layer is called '0\.weigth'; did you mean 0\.weight\?$"
    with pytest.raises(ValueError, match=sentence):
        look(net, {"0.weigth": torch.ones(3, 2).bool()})
    with pytest.raises(
        ValueError, match=r"^no weight of a convolution or linear layer is called '0\.bias'; there are 0\.weight"
    ):
        look(net, {"0.bias": torch.ones(3).bool()})
    sentence = r"^the mask of 0\.weight must be a bool tensor of shape \[3, 2\], not torch\.bool \[2, 3\]$"
    with pytest.raises(ValueError, match=sentence):
        look(net, {"0.weight": torch.ones(2, 3).bool()})
    sentence = r"^the mask of 0\.weight must be a bool tensor of shape \[3, 2\], not torch\.float32 \[3, 2\]$"
    with pytest.raises(ValueError, match=sentence):
        look(net, {"0.weight": torch.ones(3, 2)})


def test_networks_and_grids_that_cannot_be_looked_at() -> None:
    sentence = (
        r"^Linear has no neurons to look at: it needs a convolution or two linear layers, "
        r"the last of which is its output$"
    )
    with pytest.raises(ValueError, match=sentence):
        neuron_sparsity(nn.Linear(2, 1), {})
    with pytest.raises(ValueError, match=r"^points is 1; it must be at least 2, for the sparsities 0 and 1$"):
        neuron_curve(mlp(2, 3, 1), {}, points=1)
    sentence = r"^0 is a transposed convolution, whose weights are not stored by output channel$"
    with pytest.raises(ValueError, match=sentence):
        collapsed(nn.Sequential(nn.ConvTranspose2d(2, 3, 1)), {})
    net = nn.Sequential(conv3(), nn.MaxPool2d(2, dilation=2))
    sentence = r"^a max pool is dilated by 2; paths are known through pools without dilation$"
    with pytest.raises(ValueError, match=sentence):
        effective(net, {"0.weight": ALL_TAPS}, (1, 4, 4))
