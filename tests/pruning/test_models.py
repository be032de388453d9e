"""Networks by name: sizes to the unit (PROTOCOLS A.1.3), initialisation, forward order, storage and export."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pruning import models, surgery
from pruning.models import Architecture
from pruning.models.shortcut import Shortcut

from .networks import MODELS, Own, images, trained_looking


def shape_of(name: str, classes: int = 10, **options: object) -> nn.Module:
    """The network without numbers, which costs nothing."""
    with torch.device("meta"):
        return models.build(name, classes, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "classes", "number"),
    [
        ("vgg13", 10, 9_413_066),
        ("vgg13", 100, 9_459_236),
        ("vgg13", 200, 9_510_536),
        ("mobilenet_v1", 10, 3_217_226),
        ("mobilenet_v1", 100, 3_309_476),
        ("mobilenet_v1", 200, 3_411_976),
        ("resnet56", 10, 855_770),
        ("resnet56", 100, 861_620),
        ("resnet56", 200, 868_120),
    ],
)
def test_parameters(name: str, classes: int, number: int) -> None:
    assert models.parameters(shape_of(name, classes)) == number


@pytest.mark.parametrize(("name", "number"), [("vgg13", 9_453_248), ("mobilenet_v1", 3_287_488), ("resnet56", 857_264)])
def test_weights_of_convolutions_and_classifier(name: str, number: int) -> None:
    layers = [m for m in shape_of(name, 100).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert sum(layer.weight.numel() for layer in layers) == number
    assert [m.bias is None for m in layers] == [True] * (len(layers) - 1) + [False]


@pytest.mark.parametrize(
    ("name", "classes", "image", "number"),
    [
        ("vgg13", 10, (3, 32, 32), 228_267_008),
        ("vgg13", 100, (3, 32, 32), 228_313_088),
        ("mobilenet_v1", 10, (3, 32, 32), 46_354_432),
        ("mobilenet_v1", 100, (3, 32, 32), 46_446_592),
        ("resnet56", 10, (3, 32, 32), 125_747_840),
        ("resnet56", 100, (3, 32, 32), 125_753_600),
        # Four times the convolutions of 32x32, once the classifier of 512, 1024 and 64 inputs.
        ("vgg13", 10, (3, 64, 64), 4 * (228_267_008 - 5_120) + 5_120),
        ("mobilenet_v1", 10, (3, 64, 64), 4 * (46_354_432 - 10_240) + 10_240),
        ("resnet56", 10, (3, 64, 64), 4 * (125_747_840 - 640) + 640),
    ],
)
def test_macs(name: str, classes: int, image: tuple[int, int, int], number: int) -> None:
    assert models.macs(shape_of(name, classes), image) == number


def test_macs_of_a_vgg_unit_by_hand_and_the_mode_is_put_back() -> None:
    unit = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 5))
    assert models.macs(unit, (2, 2, 2)) == 3 * 2 * 9 * 4 + 12 * 5
    assert unit.training
    assert unit[1].num_batches_tracked == 0  # type: ignore[comparison-overlap]
    assert models.macs(unit.eval(), (2, 2, 2)) == 276
    assert not unit.training


@pytest.mark.parametrize(
    ("layer", "image"),
    [
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), (4, 7, 5)),
        (nn.Conv2d(4, 6, (1, 3), dilation=2), (4, 7, 5)),
        (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), (4, 7, 5)),
        (nn.Linear(5, 6), (4, 7, 5)),  # of every row
    ],
)
def test_macs_of_a_layer_are_half_of_what_torch_counts(layer: nn.Module, image: tuple[int, int, int]) -> None:
    with FlopCounterMode(display=False) as counter:
        layer(torch.zeros(1, *image))
    assert models.macs(layer, image) == counter.get_total_flops() // 2 > 0


def test_macs_of_a_layer_that_is_used_twice() -> None:
    layer = nn.Conv2d(3, 3, 1)
    assert models.macs(nn.Sequential(layer, nn.ReLU(), layer), (3, 2, 2)) == 2 * 9 * 4


def test_macs_leave_out_what_puts_channels_in_their_places() -> None:
    net = models.build("resnet20", width="0.25")  # 4, 8 and 16 channels
    small = surgery.with_channels(net, {"stages.0.0.conv2": (1, 3), "stages.1.0.shortcut": (0, 2, 5)})
    assert models.macs(net, (3, 32, 32)) - models.macs(small, (3, 32, 32)) == 2 * 4 * 9 * 1024 + 5 * 4 * 256
    small.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with FlopCounterMode(display=False) as counter:
        small(torch.zeros(1, 3, 32, 32).contiguous(memory_format=torch.channels_last))
    placing = 2 * 4 * 1024 + 3 * 8 * 256
    assert counter.get_total_flops() // 2 == models.macs(small, (3, 32, 32)) + placing


class Lazy(nn.Sequential):
    """Knows how wide it is when it has seen an image."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 2, 1), nn.LazyConv2d(5, 3))


def test_macs_of_layers_whose_weights_are_made_up_in_passing() -> None:
    assert models.macs(Lazy(), (3, 4, 4)) == 3 * 2 * 16 + 2 * 5 * 9 * 4
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 2, 1)))
    assert models.macs(net, (3, 4, 4)) == 3 * 2 * 16


def test_macs_puts_back_the_mode_of_every_module() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    net[1].eval()
    models.macs(net, (1, 2, 2))
    assert net.training
    assert not net[1].training


@pytest.mark.parametrize(("name", "layers", "filters"), [("vgg13", 10, 2944), ("mobilenet_v1", 14, 5984)])
def test_filters_without_protection(name: str, layers: int, filters: int) -> None:
    net = shape_of(name)
    assert (len(net.filters), sum(net.filters.values()), net.protected) == (layers, filters, ())  # type: ignore


def test_filters_of_resnet56() -> None:
    net = shape_of("resnet56")
    assert (len(net.filters), sum(net.filters.values())) == (57, 2128)  # type: ignore[arg-type]
    assert net.protected == ("stem.conv",)
    assert [layer for layer in net.filters if "shortcut" in layer] == ["stages.1.0.shortcut", "stages.2.0.shortcut"]  # type: ignore


@pytest.mark.parametrize("name", MODELS)
def test_keys_are_in_the_order_in_which_the_layers_run(name: str) -> None:
    net, ran = models.build(name, width="0.125", seed=0), []
    for layer, module in net.named_modules():
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            module.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
    net(images(2).float())
    assert list(net.filters) == ran  # type: ignore[arg-type]
    assert {"vgg13": 10, "mobilenet_v1": 14, "resnet56": 57}[name] == len(ran)
    if name == "resnet56":
        at = ran.index("stages.1.0.shortcut")
        assert ran[at - 2 : at] == ["stages.1.0.conv1", "stages.1.0.conv2"]


@pytest.mark.parametrize("name", MODELS)
def test_norms_name_the_batch_norm_that_runs_next(name: str) -> None:
    net, ran = models.build(name, width="0.125", seed=0), []
    for layer, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            module.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
    net(images(2).float())
    assert net.norms == {layer: ran[ran.index(layer) + 1] for layer in net.filters}  # type: ignore


@pytest.mark.parametrize(("classes", "channels", "side"), [(10, 3, 64), (10, 1, 28), (200, 3, 32), (3, 3, 17)])
@pytest.mark.parametrize("name", MODELS)
def test_images_of_other_sizes(name: str, classes: int, channels: int, side: int) -> None:
    net = models.build(name, classes, in_channels=channels, width="0.125", seed=0)
    x = images(2, side, channels).float()
    logits = net(x)  # in training mode, where every layer passes signals of order one on
    assert logits.shape == (2, classes)
    assert logits.isfinite().all()
    x[:, :, -1, -1] += 100  # the last pixel is seen, not lost to rounding in the pools
    assert not torch.equal(net(x), logits)


def test_width_multiplies_every_channel_count_exactly() -> None:
    assert list(shape_of("vgg13", width="0.25").filters.values()) == [16, 16, 32, 32, 64, 64, 128, 128, 128, 128]  # type: ignore
    assert list(shape_of("resnet56", width=0.1).filters.values())[:2] == [1, 1]  # type: ignore
    assert set(shape_of("resnet56", width="0.3").filters.values()) == {4, 9, 19}  # type: ignore
    assert set(shape_of("resnet56", width=2).filters.values()) == {32, 64, 128}  # type: ignore
    # In binary floating point 0.29 * 100 is 28.999999999999996.
    assert Architecture(name="vgg13", width="0.29").channels(100) == 29
    assert Architecture(name="vgg13", width="0.001").channels(64) == 1


@pytest.mark.parametrize("name", MODELS)
def test_weights_fill_the_default_interval(name: str) -> None:
    net = models.build(name, width="0.25", seed=0)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight
            bound = weight[0].numel() ** -0.5
            assert weight.abs().max() <= bound
            if weight.numel() >= 300:  # the chance that none of 300 comes within 5 % of the bound is 2e-7
                assert weight.abs().max() > 0.95 * bound
                assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)
            if module.bias is not None:
                assert 0 < module.bias.abs().max() <= bound
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()
            assert (module.momentum, module.eps) == (0.1, 1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_seed_decides_the_weights_and_leaves_the_global_generator_alone(name: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = models.build(name, width="0.125", seed=1)
    torch.rand(3)
    torch.manual_seed(5)
    two = models.build(name, width="0.125", seed=1)
    other = models.build(name, width="0.125", seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not any(
        torch.equal(a, b) for (key, a), b in zip(one.named_parameters(), other.parameters(), strict=True)
        if "conv" in key or "wise.weight" in key
    )  # fmt: skip
    torch.manual_seed(1)
    drawn = models.build(name, width="0.125")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), drawn.parameters(), strict=True))
    assert not torch.equal(torch.get_rng_state(), before)  # without a seed it draws from the global generator


def test_vgg_normalises_after_the_relu() -> None:
    """conv -> ReLU -> BN: with shift -1 every pixel that the ReLU cut is at -1 exactly, and none is lower."""
    net = models.build("vgg13", width="0.125", seed=0).double().eval()
    unit = net.get_submodule("units.0")
    unit.bn.bias.data.fill_(-1.0)  # type: ignore[union-attr]
    x = images(4)
    out, conv = unit(x), unit.conv(x)  # type: ignore[operator]
    assert (conv < 0).any()
    assert torch.equal(out[conv < 0], torch.full_like(out[conv < 0], -1.0))
    assert torch.allclose(out[conv > 0], conv[conv > 0] / (1 + 1e-5) ** 0.5 - 1, rtol=1e-12, atol=0)


def test_mobilenet_and_resnet_end_a_unit_with_the_relu() -> None:
    for name in ("mobilenet_v1", "resnet56"):
        stem = trained_looking(name).get_submodule("stem").eval()
        stem.bn.bias.data.fill_(-1.0)  # type: ignore[union-attr]
        out = stem(images(4))
        assert out.min() == 0
        assert out.max() > 0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("vgg133", r"^no model is called 'vgg133'; did you mean vgg13\?$"),
        ("mobilenet", r"^no model is called 'mobilenet'; did you mean mobilenet_v1\?$"),
        ("transformer", r"^no model is called 'transformer'; there are vgg13, mobilenet_v1, .*resnet18_modified$"),
    ],
)
def test_an_unknown_name(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        models.build(name)


def test_names() -> None:
    filters = ["vgg13", "mobilenet_v1", "resnet56"]
    assert models.names()[:3] == filters
    assert all(isinstance(shape_of(name), models.Prunable) for name in filters)
    assert not isinstance(Own(), models.Prunable)


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [
        ((), "layer units.0.conv would lose all of its 8 channels; keep at least one"),
        ((1, 0), "channels kept in units.0.conv must be ascending and between 0 and 7"),
        ((0, 0), "channels kept in units.0.conv must be ascending and between 0 and 7"),
        ((-1, 0), "channels kept in units.0.conv must be ascending and between 0 and 7"),
        ((8,), "channels kept in units.0.conv must be ascending and between 0 and 7"),
    ],
)
def test_an_architecture_that_does_not_fit(kept: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        models.from_architecture(Architecture(name="vgg13", width="0.125", kept={"units.0.conv": kept}))


@given(
    st.builds(
        Architecture,
        name=st.sampled_from(MODELS),
        num_classes=st.integers(1, 1000),
        width=st.sampled_from(["1", "0.25"]),
        kept=st.dictionaries(st.text(), st.lists(st.integers(0, 99)).map(tuple)),
    )
)
@settings(max_examples=30, deadline=None)
def test_an_architecture_survives_json(architecture: Architecture) -> None:
    assert Architecture.from_dict(json.loads(json.dumps(architecture.to_dict()))) == architecture


def test_kept_channels_counts_in_the_unpruned_network() -> None:
    kept = {"units.0.conv": (1, 3), "units.1.conv": (0, 7)}
    net = models.from_architecture(Architecture(name="vgg13", width="0.125", kept=kept), seed=0)
    assert models.kept_channels(net)["units.0.conv"] == (1, 3)  # type: ignore[arg-type]
    assert models.kept_channels(net)["units.2.conv"] == tuple(range(16))  # type: ignore[arg-type]
    assert net.get_parameter("units.1.conv.weight").shape == (2, 2, 3, 3)


def uneven(net: nn.Module) -> nn.Module:
    """``net`` without a third of its channels, other ones in every layer."""
    filters: dict[str, int] = net.filters  # type: ignore[assignment]
    mask = {layer: (torch.arange(n) + i) % 3 != 0 for i, (layer, n) in enumerate(filters.items())}
    return surgery.shrink(net, mask)


RELOAD = """
import sys
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
from pruning import models
folder = Path(sys.argv[1])
x = load_file(folder / "images")["x"]
save_file({name: models.load(folder / name).eval()(x).detach() for name in sys.argv[2:]}, folder / "logits")
"""


def test_a_shrunk_network_is_the_same_in_a_new_process(tmp_path: Path) -> None:
    x, expected = images(3), {}
    save_file({"x": x}, tmp_path / "images")
    for name in MODELS:
        net = uneven(trained_looking(name))
        models.save(net, tmp_path / name)
        expected[name] = net.eval()(x).detach()
    subprocess.run([sys.executable, "-c", RELOAD, str(tmp_path), *MODELS], check=True, cwd=Path(__file__).parents[2])
    logits = load_file(tmp_path / "logits")
    for name in MODELS:
        assert logits[name].dtype == torch.float64
        assert torch.equal(logits[name], expected[name]), name


def test_loading_gives_back_every_number_and_the_shape(tmp_path: Path) -> None:
    net = uneven(models.build("resnet56", 7, in_channels=1, width="0.25", seed=3))
    net(images(2, channels=1).float())  # moves the running statistics
    models.save(net, tmp_path / "net")
    again = models.load(tmp_path / "net")
    assert again.architecture == net.architecture
    assert list(again.state_dict()) == list(net.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), net.state_dict().values(), strict=True))
    assert again.get_buffer("stem.bn.num_batches_tracked") == 1


def test_channels_last_weights_can_be_saved(tmp_path: Path) -> None:
    net = models.build("vgg13", width="0.125", seed=0).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    models.save(net, tmp_path / "net")
    weight = models.load(tmp_path / "net").get_parameter("units.1.conv.weight")
    assert torch.equal(weight, net.get_parameter("units.1.conv.weight"))


def test_files_that_are_something_else(tmp_path: Path) -> None:
    text, bare = tmp_path / "net.pt", tmp_path / "bare.safetensors"
    text.write_text("this is a text, long enough for a header of some bytes")
    with pytest.raises(ValueError, match=r"net\.pt is not a safetensors file \("):
        models.load(text)
    save_file({"x": torch.zeros(1)}, bare)
    sentence = r"bare\.safetensors holds tensors but no architecture; it was not written by pruning\.models\.save"
    with pytest.raises(ValueError, match=sentence):
        models.load(bare)
    with pytest.raises(TypeError, match=r"^Own has no architecture to save; store its state_dict instead$"):
        models.save(Own(), tmp_path / "own")


@pytest.mark.parametrize("name", MODELS)
def test_export_of_a_shrunk_network(name: str) -> None:
    net, x = uneven(trained_looking(name)).eval(), images(2)
    program = torch.export.export(net, (x,))
    other = images(2, seed=9)
    eager: Tensor = net(other)
    assert torch.allclose(program.module()(other), eager, rtol=1e-12, atol=1e-14)
    assert not torch.allclose(eager, net(x))


def test_depthwise_convolutions_stay_in_single_precision_under_autocast_on_a_cpu() -> None:
    net = models.build("mobilenet_v1", width="0.25", seed=0)
    kinds: dict[bool, set[torch.dtype]] = {True: set(), False: set()}
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            depthwise = module.groups > 1
            module.register_forward_hook(lambda _m, _x, out, depthwise=depthwise: kinds[depthwise].add(out.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        net(torch.rand(2, 3, 16, 16))
    assert kinds == {True: {torch.float32}, False: {torch.bfloat16}}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_shortcut_is_the_strided_convolution(stride: int, layout: torch.memory_format) -> None:
    own = Shortcut(3, 5, stride).double()
    plain = nn.Conv2d(3, 5, 1, stride, bias=False).double()
    plain.load_state_dict(own.state_dict())
    x = torch.randn(2, 3, 7, 8, dtype=torch.float64).to(memory_format=layout)
    slopes = []
    for layer, each in ((own, x.clone().requires_grad_()), (plain, x.clone().contiguous().requires_grad_())):
        y = layer(each)
        slopes.append((y, *torch.autograd.grad((y**2).sum(), (each, layer.weight))))
    for ours, expected in zip(*slopes, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12, check_stride=False)
