"""The networks of Frankle et al. 2021: sizes to the unit (PROTOCOLS B.1), forward order, how their numbers start."""

import copy
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning import models, surgery, versions
from pruning.models import Architecture

from .networks import Own, images, trained_looking

RESNETS = ("resnet20", "wrn14_8", "wrn14_10", "wrn20_8", "wrn32_2")
VGGS = ("vgg11", "vgg16", "vgg19", "vgg2_16")
IMAGENET = ("resnet18", "resnet50", "resnet18_modified")
NARROW = {"wrn14_8": "0.03125", "wrn14_10": "0.03125", "wrn20_8": "0.03125", "resnet20": "0.25", "resnet50": "0.0625"}
NAMES = ("lenet300_100", *RESNETS, *VGGS, *IMAGENET)
INITIALISATIONS = ("default", "kaiming_normal", "unit_variance")


def shape_of(name: str, classes: int = 10, **options: object) -> nn.Module:
    """The network without numbers, which costs nothing."""
    with torch.device("meta"):
        return models.build(name, classes, **options)  # type: ignore[arg-type]


def narrow(name: str, **options: object) -> nn.Module:
    """A small one for images of 8 pixels a side."""
    return models.build(name, **{"width": NARROW.get(name, "0.125"), "image_size": 8, "seed": 0} | options)  # type: ignore[arg-type]


def layers(net: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    return {name: module for name, module in net.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize(
    ("name", "classes", "channels", "numbers", "weights", "tensors"),
    [
        ("lenet300_100", 10, 1, 266_610, 266_200, 3),
        ("resnet20", 10, 3, 272_474, 270_896, 22),
        ("vgg16", 10, 3, 14_728_266, 14_715_584, 14),
        ("vgg2_16", 10, 3, 14_728_266 + 513 * 512, 14_715_584 + 512 * 512, 15),
        ("resnet18", 200, 3, 11_279_112, 11_269_312, 21),
        ("resnet18_modified", 200, 3, 11_271_432, 11_261_632, 21),
        ("resnet50", 1000, 3, 25_557_032, 25_502_912, 54),
    ],
)
def test_parameters_and_weights(
    name: str, classes: int, channels: int, numbers: int, weights: int, tensors: int
) -> None:
    net = shape_of(name, classes, in_channels=channels)
    assert models.parameters(net) == numbers
    prunable = [layer.weight for layer in layers(net).values()]
    assert (sum(weight.numel() for weight in prunable), len(prunable)) == (weights, tensors)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("wrn14_8", "11.09"),
        ("wrn14_10", "17.33"),
        ("wrn20_8", "17.29"),
        ("wrn32_2", "1.86"),
        ("vgg2_16", "14.99"),
        ("resnet18_modified", "11.17"),
    ],
)
def test_parameters_as_printed(name: str, millions: str) -> None:
    assert f"{models.parameters(shape_of(name)) / 1e6:.2f}" == millions


@pytest.mark.parametrize(
    ("name", "convolutions"),
    [("vgg11", [64, 128, 256, 256, *[512] * 4]), ("vgg19", [64, 64, 128, 128, *[256] * 4, *[512] * 8])],
)
def test_the_plans_of_the_other_vggs(name: str, convolutions: list[int]) -> None:
    *convs, last = layers(shape_of(name)).values()
    assert [conv.weight.shape[0] for conv in convs] == convolutions
    assert last.weight.shape == (10, 512)


@pytest.mark.parametrize(("name", "channels"), [("resnet20", 784), ("vgg16", 4224)])
def test_channels_of_the_convolutions(name: str, channels: int) -> None:
    convs = [layer for layer in layers(shape_of(name)).values() if isinstance(layer, nn.Conv2d)]
    assert sum(conv.out_channels for conv in convs) == channels


@pytest.mark.parametrize(
    ("name", "classes", "image", "printed"),
    [
        ("lenet300_100", 10, (1, 28, 28), "0.2662M"),
        ("resnet20", 10, (3, 32, 32), "40.8M"),
        ("vgg16", 10, (3, 32, 32), "313.2M"),
        ("resnet18", 200, (3, 64, 64), "148.1M"),
        ("resnet18_modified", 200, (3, 64, 64), "2221.8M"),
        ("resnet18_modified", 10, (3, 32, 32), "555.4M"),
        ("resnet50", 1000, (3, 224, 224), "4089M"),
        ("wrn14_8", 10, (3, 32, 32), "1681M"),
        ("wrn14_10", 10, (3, 32, 32), "2626M"),
        ("wrn20_8", 10, (3, 32, 32), "2587M"),
        ("wrn32_2", 10, (3, 32, 32), "275.6M"),
    ],
)
def test_macs_as_printed(name: str, classes: int, image: tuple[int, int, int], printed: str) -> None:
    digits = len(printed.partition(".")[2].rstrip("M"))
    count = models.macs(shape_of(name, classes, in_channels=image[0]), image)
    assert f"{count / 1e6:.{digits}f}M" == printed


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_registered_in_the_order_in_which_they_run(name: str) -> None:
    net, ran = narrow(name), list[str]()
    for layer, module in layers(net).items():
        module.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
    net(images(2).float())
    assert ran == list(layers(net))
    weights = [key.removesuffix(".weight") for key, value in net.named_parameters() if value.dim() > 1]
    assert weights == ran


@pytest.mark.parametrize(
    ("name", "layer", "before"),
    [
        ("resnet20", "stages.1.0.shortcut", ["stages.1.0.conv1", "stages.1.0.conv2"]),
        ("wrn32_2", "stages.2.0.shortcut", ["stages.2.0.conv1", "stages.2.0.conv2"]),
        ("resnet18", "layer2.0.downsample.0", ["layer2.0.conv1", "layer2.0.conv2"]),
        ("resnet50", "layer1.0.downsample.0", ["layer1.0.conv1", "layer1.0.conv2", "layer1.0.conv3"]),
    ],
)
def test_a_shortcut_comes_after_the_convolutions_of_its_block(name: str, layer: str, before: Sequence[str]) -> None:
    names = list(layers(shape_of(name)))
    at = names.index(layer)
    assert names[at - len(before) : at] == before


@pytest.mark.parametrize(("name", "shortcuts"), [("resnet20", 2), ("wrn14_8", 2), ("resnet18", 3), ("resnet50", 4)])
def test_shortcuts_are_only_where_the_shape_changes(name: str, shortcuts: int) -> None:
    assert sum("shortcut" in layer or "downsample" in layer for layer in layers(shape_of(name))) == shortcuts


@pytest.mark.parametrize("side", [17, 28])
@pytest.mark.parametrize("name", NAMES[1:])
def test_images_of_other_sizes(name: str, side: int) -> None:
    net = narrow(name, num_classes=3, in_channels=1)
    x = images(2, side, channels=1).float()
    logits = net(x)
    assert logits.shape == (2, 3)
    x[:, :, -1, -1] += 100  # the last pixel is seen, not lost to rounding in the pools
    assert not torch.equal(net(x), logits)


def test_lenet_by_hand() -> None:
    """Hidden widths 1 and 1: out(relu(fc2(relu(fc1(flattened)))))."""
    net = models.build("lenet300_100", 2, in_channels=2, width="0.001", image_size=1).double()
    values = {
        "fc1.weight": [[1.0, 2.0]], "fc1.bias": [-4.0],
        "fc2.weight": [[-3.0]], "fc2.bias": [4.0],
        "out.weight": [[2.0], [-1.0]], "out.bias": [0.5, 0.25],
    }  # fmt: skip
    net.load_state_dict({key: torch.tensor(value, dtype=torch.float64) for key, value in values.items()})
    x = torch.tensor([[3.0, 1.0], [5.0, 1.0], [0.0, 0.0]], dtype=torch.float64).view(3, 2, 1, 1)
    # fc1: 1, 3, -4 -> 1, 3, 0; fc2: 1, -5, 4 -> 1, 0, 4
    assert net(x).tolist() == [[2.5, -0.75], [0.5, 0.25], [8.5, -3.75]]


def test_lenet_has_the_size_of_mnist_unless_told_otherwise() -> None:
    net = shape_of("lenet300_100", in_channels=1)
    assert [tuple(layer.weight.shape) for layer in layers(net).values()] == [(300, 784), (100, 300), (10, 100)]
    half = shape_of("lenet300_100", width="0.5", image_size=8)
    assert [tuple(layer.weight.shape) for layer in layers(half).values()] == [(150, 192), (50, 150), (10, 50)]


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (2, 1, 28, 27), (2, 784)])
def test_lenet_refuses_other_images(shape: tuple[int, ...]) -> None:
    net = models.build("lenet300_100", in_channels=1, seed=0)
    given = ", ".join(map(str, shape[1:]))
    sentence = (
        rf"^lenet300_100 was built for images of shape \[1, 28, 28\] and was given \[{given}\]; "
        "build it with the in_channels and the image_size of the data$"
    )
    with pytest.raises(ValueError, match=sentence):
        net(torch.zeros(shape))


@pytest.mark.parametrize("side", [0, -1])
def test_an_image_size_that_is_none(side: int) -> None:
    sentence = rf"^image_size is {side}; it must be the images' side in pixels, at least 1$"
    with pytest.raises(ValueError, match=sentence):
        models.build("lenet300_100", image_size=side)


@pytest.mark.parametrize("name", VGGS)
def test_a_vgg_by_hand(name: str) -> None:
    """Convolution with bias, BN, ReLU; a max pool after 1, 2, 4 and 6 (VGG-16: 2, 4, 7, 10); the mean of a 2x2 map."""
    net = trained_looking(name).eval()
    pools = {"vgg11": (1, 2, 4, 6), "vgg19": (2, 4, 8, 12)}.get(name, (2, 4, 7, 10))
    pairs = list(zip((m for m in net.modules() if isinstance(m, nn.Conv2d)), _norms(net), strict=True))
    x = given = images(2, 32)
    for count, (conv, norm) in enumerate(pairs, start=1):
        assert conv.bias is not None
        x = F.relu(norm(F.conv2d(x, conv.weight, conv.bias, padding=1)))
        if count in pools:
            x = F.max_pool2d(x, 2)
    assert x.shape[2:] == (2, 2)
    *hidden, last = (m for m in net.modules() if isinstance(m, nn.Linear))
    x = x.mean((2, 3))
    assert len(hidden) == (name == "vgg2_16")
    for layer in hidden:
        x = F.relu(layer(x))
    assert torch.allclose(net(given), last(x), rtol=1e-12, atol=1e-14)


def _norms(net: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvisions_network_is_ours_with_the_same_state(name: str) -> None:
    import torchvision

    theirs = getattr(torchvision.models, name)(num_classes=7).eval()
    ours = models.build(name, 7, seed=0).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    x = images(2, 40).double()  # as our shortcuts convolve in another order
    torch.testing.assert_close(ours.double()(x), theirs.double()(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "sides"), [("resnet18", [32, 16, 16, 8, 4, 2]), ("resnet18_modified", [64, 64, 64, 32, 16, 8])]
)
def test_the_modified_resnet18_keeps_the_resolution(name: str, sides: list[int]) -> None:
    net, seen = narrow(name), list[int]()
    kernel = net.get_parameter("conv1.weight").shape[-1]
    assert kernel == (3 if name == "resnet18_modified" else 7)
    parts = ["conv1", "layer1.0.conv1", "layer1", "layer2", "layer3", "layer4"]
    for part in parts:
        net.get_submodule(part).register_forward_hook(lambda _m, _x, out: seen.append(out.shape[-1]))
    net(images(1, 64).float())
    assert seen == sides


def test_names_are_those_with_a_version() -> None:
    assert models.names() == list(versions.MODELS)
    assert set(NAMES) == set(models.names()) - {"vgg13", "mobilenet_v1", "resnet56"}


@pytest.mark.parametrize("name", NAMES)
def test_storage(name: str, tmp_path: Path) -> None:
    net = narrow(name, num_classes=4, initialisation="kaiming_normal")
    net(images(2).float())  # moves the running statistics
    models.save(net, tmp_path / "net")
    again = models.load(tmp_path / "net")
    assert again.architecture == net.architecture == Architecture(
        name=name, num_classes=4, width=net.architecture.width, image_size=8
    )  # fmt: skip
    assert same(again, net)


def test_an_architecture_of_before_image_size_can_still_be_read() -> None:
    values = Architecture(name="vgg13").to_dict()
    assert values.pop("image_size") is None
    assert Architecture.from_dict(values) == Architecture(name="vgg13")


@pytest.mark.parametrize("name", ["lenet300_100", "vgg16", "resnet18"])
def test_no_channels_are_left_out_of_networks_that_declare_no_structure(name: str) -> None:
    net = shape_of(name)
    assert not isinstance(net, models.Prunable)
    sentence = (
        rf"^channels cannot be left out of {name}, which does not declare its structure \(pruning\.models\.Prunable\); "
        "build it with an empty kept$"
    )
    with torch.device("meta"), pytest.raises(ValueError, match=sentence):
        models.from_architecture(Architecture(name=name, kept={"fc1": (0, 2)}))


@pytest.mark.parametrize("name", RESNETS)
def test_a_resnet_without_some_channels_is_the_one_in_which_they_are_silent(name: str) -> None:
    net = trained_looking(name, width=NARROW.get(name, "0.125")).eval()
    mask = {layer: (torch.arange(n) + i) % 3 != 0 for i, (layer, n) in enumerate(net.filters.items())}  # type: ignore
    silent = copy.deepcopy(net)
    for layer, keep in mask.items():
        for part in ("weight", "bias"):
            silent.get_parameter(f"{net.norms[layer]}.{part}").data[~keep] = 0  # type: ignore[index]
    x = images(3, 16)
    small = surgery.shrink(net, mask)
    assert torch.allclose(small(x), silent(x), rtol=1e-10, atol=1e-10)
    assert models.parameters(small) < models.parameters(net)
    assert not torch.allclose(small(x), net(x), rtol=1e-3)


DRAWN = [(name, "kaiming_normal") for name in NAMES] + [(name, "unit_variance") for name in ("lenet300_100", "vgg2_16")]


def fan_in(layer: nn.Conv2d | nn.Linear) -> int:
    return math.prod(layer.weight.shape[1:])


def pooled(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten().double() for tensor in tensors])


@pytest.mark.parametrize(("name", "initialisation"), DRAWN)
def test_weights_are_normal_in_every_layer(name: str, initialisation: str) -> None:
    net = narrow(name, width="0.25", initialisation=initialisation)
    for key, layer in layers(net).items():
        weight, n = layer.weight.detach(), layer.weight.numel()
        std = math.sqrt(2 / fan_in(layer)) if initialisation == "kaiming_normal" else 1.0
        # Five standard errors of the mean and of the standard deviation.
        assert abs(weight.mean().item()) < 5 * std / math.sqrt(n), key
        assert abs(weight.std().item() / std - 1) < 5 / math.sqrt(2 * n), key
    standard = pooled([layer.weight / layer.weight.std() for layer in layers(net).values()])
    assert (standard**4).mean().item() == pytest.approx(3, rel=0.1)  # 1.8 if it were uniform


@pytest.mark.parametrize(("name", "initialisation"), DRAWN)
def test_biases_keep_the_default_and_scales_are_uniform(name: str, initialisation: str) -> None:
    net = narrow(name, width="0.25", initialisation=initialisation)
    biases = [layer.bias * math.sqrt(fan_in(layer)) for layer in layers(net).values() if layer.bias is not None]
    assert biases
    assert pooled(biases).abs().max() <= 1 + 1e-6
    if name.startswith(("vgg", "lenet")):  # elsewhere only the ten of the last layer
        assert pooled(biases).abs().max() > 0.9
        assert pooled(biases).std().item() == pytest.approx(3**-0.5, rel=0.2)
    if norms := _norms(net):
        scales = pooled([norm.weight for norm in norms])
        assert 0 <= scales.min() < 0.05
        assert 0.95 < scales.max() <= 1
        # Five standard errors; the standard deviation of U(0, 1) is 0.289, that of its squared deviations 0.0745.
        assert abs(scales.mean().item() - 0.5) < 5 * 0.289 / math.sqrt(len(scales))
        assert abs(scales.var().item() - 1 / 12) < 5 * 0.0745 / math.sqrt(len(scales))
        assert not any(norm.bias.any() for norm in norms)


@pytest.mark.parametrize("name", models.names())
def test_by_default_every_layer_is_drawn_as_pytorch_draws_it_in_forward_order(name: str) -> None:
    net = narrow(name, seed=7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        for layer in layers(net).values():
            bias = layer.bias is not None
            if isinstance(layer, nn.Linear):
                alone: nn.Module = nn.Linear(layer.in_features, layer.out_features, bias)
            else:
                sizes = (layer.in_channels, layer.out_channels, *layer.kernel_size)
                alone = nn.Conv2d(sizes[0], sizes[1], sizes[2:], groups=layer.groups, bias=bias)
            assert same(layer, alone)
    for norm in _norms(net):
        assert (norm.weight == 1).all()
        assert not norm.bias.any()


@pytest.mark.parametrize(
    ("name", "initialisation"),
    [
        *[(name, "default") for name in models.names()],
        *[(name, how) for name in ("lenet300_100", "vgg2_16", "resnet20") for how in INITIALISATIONS[1:]],
    ],
)
def test_drawing_anew_with_the_seed_gives_the_network_of_that_seed(name: str, initialisation: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    net = narrow(name, initialisation=initialisation, seed=1)
    other = narrow(name, initialisation=initialisation, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    pairs = zip(layers(net).values(), layers(other).values(), strict=True)
    assert not any(torch.equal(one.weight, two.weight) for one, two in pairs)
    other(images(2).float())  # moves the running statistics
    parameters = list(other.parameters())
    models.initialise(other, initialisation, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(net, other)
    assert all(a is b for a, b in zip(other.parameters(), parameters, strict=True))  # in place: optimisers keep theirs
    assert all(parameter.requires_grad for parameter in parameters)


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_without_a_seed_the_global_generator_decides(initialisation: str) -> None:
    torch.manual_seed(1)
    one = narrow("resnet20", initialisation=initialisation, seed=None)
    two = narrow("resnet20", initialisation=initialisation, seed=None)
    torch.manual_seed(1)
    again = narrow("resnet20", initialisation=initialisation, seed=None)
    assert same(one, again)
    assert not same(one, two)


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_every_number_of_a_network_of_ones_own_is_drawn_anew(initialisation: str) -> None:
    net = Own()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(7)
    net(images(2).float())
    models.initialise(net, initialisation, seed=0)
    assert not any((parameter == 7).any() for parameter in net.parameters())
    assert not net.norm.running_mean.any()  # type: ignore[union-attr]
    assert net.norm.num_batches_tracked == 0
    if initialisation == "kaiming_normal":  # a depthwise filter adds up nine products
        models.initialise(wide := nn.Conv2d(4096, 4096, 3, groups=4096), initialisation, seed=0)
        assert wide.weight.std().item() == pytest.approx(math.sqrt(2 / 9), rel=0.03)


def test_the_draw_depends_on_neither_precision_nor_memory_format() -> None:
    expected = narrow("resnet20", initialisation="kaiming_normal", seed=3)
    double = narrow("resnet20").double()
    models.initialise(double, "kaiming_normal", seed=3)
    assert {parameter.dtype for parameter in double.parameters()} == {torch.float64}
    assert same(double.float(), expected)
    last = narrow("resnet20").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    models.initialise(last, "kaiming_normal", seed=3)
    assert last.get_parameter("stages.0.0.conv1.weight").stride()[1] == 1
    assert same(last, expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_the_draw_does_not_depend_on_the_device(initialisation: str) -> None:
    expected = narrow("resnet20", initialisation=initialisation, seed=3)
    net = narrow("resnet20").to("cuda")
    state = torch.cuda.get_rng_state()
    models.initialise(net, initialisation, seed=3)
    assert torch.equal(torch.cuda.get_rng_state(), state)
    assert {parameter.device.type for parameter in net.parameters()} == {"cuda"}
    assert same(net.cpu(), expected)


def test_batch_norm_without_scales_and_networks_without_numbers() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, affine=False), nn.ReLU())
    net(torch.rand(2, 1, 3, 3))
    models.initialise(net, "kaiming_normal", seed=0)
    assert (net[1].running_var == 1).all()  # type: ignore[union-attr]
    with torch.device("meta"):
        bare = models.build("vgg16", initialisation="kaiming_normal", seed=0)
    assert all(parameter.is_meta for parameter in bare.parameters())


def test_an_unknown_initialisation_changes_nothing() -> None:
    net = Own()
    before = copy.deepcopy(net)
    with pytest.raises(ValueError, match=r"^no initialisation is called 'kaiming'; did you mean kaiming_normal\?$"):
        models.initialise(net, "kaiming")
    with pytest.raises(ValueError, match=r"^no initialisation is called 'kaiming'"):
        models.build("lenet300_100", initialisation="kaiming")
    assert same(net, before)
    assert models.initialisations() == list(INITIALISATIONS)


def test_parameters_that_no_rule_draws() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 3)
            self.scale = nn.Parameter(torch.ones(3))

    net = nn.Sequential(Scaled())
    before = copy.deepcopy(net)
    sentence = r"^0 \(Scaled\) holds parameters of its own that no rule draws; give it a method reset_parameters$"
    with pytest.raises(ValueError, match=sentence):
        models.initialise(net, "kaiming_normal", seed=0)
    with pytest.raises(ValueError, match=r"^the network \(Scaled\) holds parameters"):
        models.initialise(net[0], "default", seed=0)
    assert same(net, before)
