"""One epoch at a time, against a loop written out."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning import data, models, training
from pruning.data import Split
from pruning.training import Recipe

from .networks import MODELS

RECIPE = Recipe(batch_size=8)


def random_split(count: int = 20, side: int = 8, channels: int = 3) -> Split:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, side, side, channels), generator=generator, dtype=torch.uint8)
    return Split(pixels, torch.arange(count) % 10)


def network(name: str = "vgg13") -> nn.Module:
    return training.place(models.build(name, width="0.125", seed=0), "cpu")


def linear() -> nn.Module:
    """No batch norm, so that an image's loss does not depend on the others."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 10))


def state(net: nn.Module) -> list[Tensor]:
    return [tensor.clone() for tensor in net.state_dict().values()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_an_epoch_is_the_loop_written_out(name: str) -> None:
    split, ours, theirs = random_split(), network(name), network(name)
    result = training.train_epoch(ours, training.sgd(ours, RECIPE), split, RECIPE, lr=0.1, seed=3, epoch=7)

    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, fused=True)
    order = torch.randperm(20, generator=data.generator(3, "order", 7))
    augmentation = data.generator(3, "augmentation", 7)
    losses, correct = 0.0, 0
    theirs.train()
    for index in (order[:8], order[8:16], order[16:]):
        crops = data.crop_flip(split.images, index, augmentation)
        x = ((crops.float() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2).contiguous()
        logits = theirs(x)
        loss = F.cross_entropy(logits / 5, split.labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses += loss.item() * len(index)
        correct += int((logits.argmax(1) == split.labels[index]).sum())

    assert equal(state(ours), state(theirs))
    assert result.loss == pytest.approx(losses / 20, rel=1e-12)
    assert result.accuracy == 100 * correct / 20
    assert not torch.equal(next(ours.parameters()), next(network(name).parameters()))


def test_a_step_of_sgd_by_hand() -> None:
    """v = momentum v + g + decay w; w = w - lr v, decay on biases too."""
    net = linear()
    recipe = Recipe(batch_size=10, weight_decay=0.1, augmentation="none", temperature=1.0)
    split, optimizer = random_split(10), training.sgd(net, recipe)
    x = ((split.images.float() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2)
    weights = {name: p.detach().clone() for name, p in net.named_parameters()}
    speed = {name: torch.zeros_like(p) for name, p in weights.items()}
    for epoch, lr in enumerate((0.1, 0.01)):
        training.train_epoch(net, optimizer, split, recipe, lr=lr, seed=0, epoch=epoch)
        for p in weights.values():
            p.requires_grad_(True)
        loss = F.cross_entropy(F.linear(x.flatten(1), weights["1.weight"], weights["1.bias"]), split.labels)
        slopes = torch.autograd.grad(loss, list(weights.values()))
        for name, slope in zip(weights, slopes, strict=True):
            speed[name] = 0.9 * speed[name] + slope + 0.1 * weights[name].detach()
            weights[name] = weights[name].detach() - lr * speed[name]
        for name, p in net.named_parameters():
            assert torch.allclose(p, weights[name], rtol=1e-5, atol=1e-7), (name, epoch)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({}, False),
        ({"epoch": 1}, True),
        ({"seed": 1}, True),
    ],
)
def test_order_and_augmentation_follow_from_seed_and_epoch(change: dict[str, int], differs: bool) -> None:
    split, results = random_split(), []
    for options in ({"seed": 0, "epoch": 0}, {"seed": 0, "epoch": 0, **change}):
        net = network()
        torch.rand(5)  # the global stream plays no part
        training.train_epoch(net, training.sgd(net, RECIPE), split, RECIPE, lr=0.1, **options)
        results.append(state(net))
    assert equal(*results) is not differs


@pytest.mark.parametrize("count", [16, 17, 20, 3])
def test_the_last_partial_batch_counts_by_its_images(count: int) -> None:
    net, split = linear(), random_split(count)
    recipe = Recipe(batch_size=8, augmentation="none")
    net[1].weight.data *= 20  # type: ignore[index, operator]  # losses that differ much from image to image
    online = training.train_epoch(net, training.sgd(net, recipe), split, recipe, lr=0.0, seed=0, epoch=0)
    x = ((split.images.float() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2)
    losses = F.cross_entropy(net(x) / 5, split.labels, reduction="none")
    assert online.loss == pytest.approx(losses.mean().item(), rel=1e-6)
    order = torch.randperm(count, generator=data.generator(0, "order", 0))
    by_batch = torch.stack([losses[index].mean() for index in order.split(8)]).mean().item()
    if count % 8 and count > 8:
        assert online.loss != pytest.approx(by_batch, rel=1e-3)  # a mean of the batches' means would be wrong
    tested = training.evaluate(net, split, recipe)
    assert tested.loss == pytest.approx(online.loss, rel=1e-6)
    correct = (net(x).argmax(1) == split.labels).double().mean().item()
    assert tested.accuracy == online.accuracy == pytest.approx(100 * correct)


def test_testing_in_parts_is_testing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net, split = network("resnet56"), random_split(23)
    once = training.evaluate(net, split, RECIPE)
    monkeypatch.setattr(training, "TEST_BATCH", 7)
    assert training.evaluate(net, split, RECIPE) == pytest.approx(once, rel=1e-5)


@pytest.mark.parametrize("mode", [True, False])
def test_testing_changes_nothing(mode: bool) -> None:
    net = network().train(mode)
    before = state(net)
    training.evaluate(net, random_split(), RECIPE)
    assert {module.training for module in net.modules()} == {mode}
    assert equal(state(net), before)
    assert all(p.grad is None for p in net.parameters())


def test_testing_puts_back_the_mode_of_every_module() -> None:
    net = network().train()
    net.get_submodule("units.0.bn").eval()
    training.evaluate(net, random_split(), RECIPE)
    assert not net.get_submodule("units.0.bn").training


def test_testing_uses_running_statistics_and_no_augmentation() -> None:
    net, split = network(), random_split()
    training.train_epoch(net, training.sgd(net, RECIPE), split, RECIPE, lr=0.1, seed=0, epoch=0)
    x = ((split.images.float() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2)
    wanted = F.cross_entropy(net.eval()(x) / 5, split.labels).item()
    assert training.evaluate(net.train(), split, RECIPE).loss == pytest.approx(wanted, rel=1e-5)
    assert F.cross_entropy(net.train()(x) / 5, split.labels).item() != pytest.approx(wanted, rel=1e-4)


def test_a_loss_that_is_not_finite_shows() -> None:
    net, split = linear(), random_split()
    with torch.no_grad():
        net[1].bias[0] = torch.inf  # type: ignore[index]
    result = training.train_epoch(net, training.sgd(net, RECIPE), split, RECIPE, lr=0.1, seed=0, epoch=0)
    assert result.loss != result.loss


def placed() -> nn.Module:
    """Convolutions, channels-last."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 24, 3), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(24, 10),
        )  # fmt: skip
    return training.place(net, "cpu")


def channels_last(net: nn.Module) -> set[bool]:
    return {
        m.weight.is_contiguous(memory_format=torch.channels_last)
        for m in net.modules()
        if isinstance(m, nn.Conv2d) and m.weight.shape[1] > 1 and m.kernel_size != (1, 1)  # else the two are one
    }


@pytest.mark.parametrize("width", ["0.0625", "1"])
@pytest.mark.parametrize("name", ["vgg13", "mobilenet_v1", "resnet56"])
def test_networks_are_placed_channels_last_however_narrow(name: str, width: str) -> None:
    net = models.build(name, width=width, seed=0)
    assert channels_last(net) == {False}
    assert channels_last(training.place(net, "cpu")) == {True}


def test_networks_without_convolutions_are_placed() -> None:
    assert training.place(linear(), "cpu")(torch.zeros(1, 192)).shape == (1, 10)


def plain() -> nn.Module:
    return placed().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("make", [placed, plain])
def test_inputs_have_the_layout_of_the_network(make) -> None:  # type: ignore[no-untyped-def]
    net = make()
    x, labels = training.inputs(net, random_split(), torch.tensor([4, 2]), RECIPE, None)
    assert x.is_contiguous(memory_format=torch.channels_last) is (make is placed)
    assert x.is_contiguous() is (make is plain)
    assert x.shape == (2, 3, 8, 8)
    assert labels.tolist() == [4, 2]


@pytest.mark.parametrize("channels", [1, 3])
def test_mean_and_deviation_are_of_every_channel(channels: int) -> None:
    recipe = Recipe(mean=0.25, std=0.5)
    split = Split(torch.full((1, 2, 2, channels), 255, dtype=torch.uint8), torch.tensor([0]))
    x, _ = training.inputs(linear(), split, torch.tensor([0]), recipe, None)
    assert torch.equal(x, torch.full((1, channels, 2, 2), 1.5))


def test_bf16_gives_float_logits_near_those_of_fp32() -> None:
    net, x = network().eval(), torch.rand(4, 3, 8, 8)
    full, half = (training.forward(net, x, Recipe(precision=precision)) for precision in ("fp32", "bf16"))  # type: ignore[arg-type]
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    assert torch.allclose(full, half, atol=0.05)
