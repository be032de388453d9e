"""Training under a mask, by hand and against masking before every forward pass; parts of epochs; normalisation."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pruning import capture, data, feeds, models, training
from pruning.data import Dataset, Split
from pruning.data.dataset import dataset
from pruning.held import Held
from pruning.steps import Steps, finished
from pruning.training import Recipe

from .test_steps import DEVICES, Rehearsed, equal, needs_gpu

RECIPE = Recipe(batch_size=16, temperature=1.0)
LENET = replace(RECIPE, momentum=0.0, weight_decay=0.0, augmentation="none", mean=0.1307, std=0.3081)


def noise(count: int = 40, side: int = 8, channels: int = 3, device: str = "cpu") -> Dataset:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, side, side, channels), generator=generator, dtype=torch.uint8)
    split = Split(pixels, torch.randint(10, (count,), generator=generator))
    return dataset("noise", 10, split, split.first(10)).to(device)


def perceptron(inputs: int = 192) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 12), nn.ReLU(), nn.Linear(12, 10))


def network(name: str, device: str = "cpu") -> nn.Module:
    if name == "perceptron":
        return perceptron().to(device)
    return training.place(models.build(name, width="0.25", seed=0), device)


def random_mask(net: nn.Module, density: float = 0.5, seed: int = 1) -> dict[str, Tensor]:
    """Of every weight with more than one dimension."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (torch.rand(p.shape, generator=generator) < density).to(p.device)
        for name, p in net.named_parameters()
        if p.dim() > 1
    }


def removed(net: nn.Module, mask: dict[str, Tensor]) -> list[Tensor]:
    return [net.get_parameter(name)[~keep] for name, keep in mask.items()]


@torch.no_grad()
def mask_weights(net: nn.Module, mask: dict[str, Tensor]) -> None:
    for name, keep in mask.items():
        net.get_parameter(name).mul_(keep)


def as_open_lth(net: nn.Module, found: Split, recipe: Recipe, mask: dict[str, Tensor], epochs: int) -> None:
    """The weights times the mask before every forward pass, and plain descent on all of them (PROTOCOLS B.3)."""
    optimizer = torch.optim.SGD(
        net.parameters(), lr=0.1, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=True
    )
    net.train()
    for epoch in range(epochs):
        order = torch.randperm(len(found), generator=data.generator(3, "order", epoch))
        augmentation = data.generator(3, "augmentation", epoch)
        for index in order.split(recipe.batch_size):
            mask_weights(net, mask)
            images, labels = training.inputs(net, found, index, recipe, augmentation)
            optimizer.zero_grad()
            F.cross_entropy(net(images) / recipe.temperature, labels).backward()
            optimizer.step()
    mask_weights(net, mask)


def test_two_steps_by_hand() -> None:
    """One pixel of 1, logits (w, u) with u removed: the slope of w is sigmoid(w) - 1. v = v / 2 + slope + w / 10."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    net[1].weight.data = torch.tensor([[math.log(3)], [7.0]])
    one = Split(torch.full((1, 1, 1, 1), 255, dtype=torch.uint8), torch.tensor([0]))
    recipe = Recipe(momentum=0.5, weight_decay=0.1, temperature=1.0, augmentation="none", mean=0.0, std=1.0)
    mask = {"1.weight": torch.tensor([[True], [False]])}
    fast = Steps(net, dataset("one", 2, one, one), recipe, mask=mask)
    assert net[1].weight.flatten().tolist() == pytest.approx([math.log(3), 0])
    speed, w = -1 / 4 + math.log(3) / 10, math.log(3)
    first = finished(fast.train(lr=0.5, seed=0, epoch=1))
    w -= 0.5 * speed
    assert first == (pytest.approx(math.log(4 / 3)), 100)
    assert net[1].weight.flatten().tolist() == pytest.approx([w, 0])
    finished(fast.train(lr=0.5, seed=0, epoch=2))
    speed = speed / 2 + 1 / (1 + math.exp(-w)) - 1 + w / 10
    assert net[1].weight.flatten().tolist() == pytest.approx([w - 0.5 * speed, 0])
    assert fast.momentum["1.weight"].flatten().tolist() == pytest.approx([speed, 0])


@pytest.mark.parametrize("recipe", [RECIPE, LENET], ids=["momentum", "plain"])
@pytest.mark.parametrize("name", ["perceptron", "vgg13", "resnet56"])
def test_surviving_weights_are_those_of_masking_before_every_forward(name: str, recipe: Recipe) -> None:
    ours, theirs, found = network(name), network(name), noise(24 if name == "resnet56" else 40)
    mask = random_mask(ours)
    fast = Steps(ours, found, recipe, mask=mask)
    for epoch in range(2):
        finished(fast.train(lr=0.1, seed=3, epoch=epoch))
    as_open_lth(theirs, found.train, recipe, mask, epochs=2)
    assert equal(ours, theirs)
    assert not any(part.any() for part in removed(ours, mask))
    assert not equal(ours, network(name))


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    yield
    torch.set_num_threads(before)


def updated(ours: nn.Module, mask: dict[str, Tensor], recipe: Recipe, fused: bool, idle: str) -> set[str]:
    """Update a network like torch, by masked gradients, while the rate drops and rises; what has not moved.

    ``idle`` has no gradient.
    """
    theirs = copy.deepcopy(ours)
    held = Held(ours, mask, {name: torch.zeros_like(p) for name, p in ours.named_parameters()})
    mask_weights(theirs, mask)
    start = copy.deepcopy(theirs)
    optimizer = torch.optim.SGD(
        theirs.parameters(), lr=1.0, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=fused
    )
    generator = torch.Generator().manual_seed(2)
    for lr in (0.1, 0.1, 0.1 * 0.1, 0.1 * 0.1, 0.001, 0.1):
        for name, parameter in ours.named_parameters():
            if name != idle:
                slope = torch.empty_like(parameter).copy_(torch.randn(parameter.shape, generator=generator))
                parameter.grad = slope
                theirs.get_parameter(name).grad = slope * mask[name] if name in mask else slope.clone()
        held.update(recipe, lr)
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        assert equal(ours, theirs)
    return {name for name, p in ours.named_parameters() if torch.equal(p, start.get_parameter(name))}


@pytest.mark.parametrize(
    ("recipe", "fused"),
    [
        (RECIPE, True),
        (replace(LENET, momentum=0.9), True),
        (replace(LENET, weight_decay=0.1), True),
        (LENET, True),
        (LENET, False),
    ],
)
@pytest.mark.parametrize(("model", "number"), [("lenet300_100", 1), ("lenet300_100", 2), ("vgg13", 1)])
def test_updates_are_those_of_torch_by_masked_gradients(model: str, recipe: Recipe, fused: bool, number: int) -> None:
    """LeNet as large as it is, so that two threads share a weight. One weight has no mask, as biases have none."""
    lenet = model == "lenet300_100"
    net = training.place(
        models.build(model, width="1" if lenet else "0.25", in_channels=1 if lenet else 3, seed=0), "cpu"
    )
    mask = random_mask(net)
    unmasked, *_, idle = mask
    del mask[unmasked]
    with threads(number):
        assert updated(net, mask, recipe, fused, idle) == {idle}


def test_updates_in_half_precision_are_those_of_torch() -> None:
    net = perceptron().bfloat16()
    assert updated(net, random_mask(net), LENET, fused=True, idle="") == set()


@given(st.floats(0, 1), st.integers(0, 2**31), st.sampled_from([RECIPE, LENET]))
@settings(deadline=None, max_examples=25)
def test_removed_weights_and_their_momentum_are_zero_all_the_time(density: float, seed: int, recipe: Recipe) -> None:
    net, found = perceptron(), noise()
    mask, running = random_mask(net, density, seed), {name: torch.ones_like(p) for name, p in net.named_parameters()}
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    fast = Steps(net, found, recipe, mask=mask, momentum=running)
    assert all(torch.equal(net.get_parameter(name)[keep], before[name][keep]) for name, keep in mask.items())
    for step in range(3):
        assert not any(part.any() for part in removed(net, mask))
        if recipe.momentum:
            assert not any(fast.momentum[name][~keep].any() for name, keep in mask.items())
        finished(fast.train(lr=0.1, seed=0, epoch=step, steps=1))
    assert all((speed == 1).all() for speed in running.values())  # what was given is copied


def test_a_mask_of_all_weights_changes_no_bit() -> None:
    found, nets = noise(), [network("vgg13") for _ in range(2)]
    whole = {name: torch.ones_like(p, dtype=torch.bool) for name, p in nets[0].named_parameters()}
    results = [
        finished(Steps(net, found, RECIPE, mask=mask).train(lr=0.1, seed=0, epoch=0))
        for net, mask in zip(nets, (None, whole), strict=True)
    ]
    assert results[0] == results[1]
    assert equal(*nets)


def test_a_mask_on_a_parameter_that_takes_no_part_or_does_not_learn() -> None:
    net, found = perceptron(), noise()
    net.register_parameter("idle", nn.Parameter(torch.ones(3)))
    net[1].weight.requires_grad_(False)  # type: ignore[index, union-attr]
    mask = {**random_mask(net), "idle": torch.tensor([True, False, True])}
    before = net.get_parameter("1.weight").clone()
    finished(Steps(net, found, RECIPE, mask=mask).train(lr=0.1, seed=0, epoch=0))
    assert net.get_parameter("idle").tolist() == [1, 0, 1]
    assert torch.equal(net.get_parameter("1.weight"), before * mask["1.weight"])
    assert not any(part.any() for part in removed(net, mask))


def test_a_run_goes_on_from_its_momentum_under_the_mask() -> None:
    found, straight, stopped = noise(), network("vgg13"), network("vgg13")
    mask = random_mask(straight)
    whole, first = (Steps(net, found, RECIPE, mask=mask) for net in (straight, stopped))
    for epoch in (1, 2):
        finished(whole.train(lr=0.1, seed=0, epoch=epoch))
    finished(first.train(lr=0.1, seed=0, epoch=1))
    finished(Steps(stopped, found, RECIPE, mask=mask, momentum=first.momentum).train(lr=0.1, seed=0, epoch=2))
    assert equal(straight, stopped)


def test_warming_up_leaves_no_trace_under_a_mask() -> None:
    found, plain, ours = noise(), network("vgg13"), network("vgg13")
    mask = random_mask(plain)
    called, rehearsed = (Steps(net, found, RECIPE, mask=mask) for net in (plain, ours))
    rehearsed._graphs = cast(Any, Rehearsed(rehearsed._state(), rehearsed._feed.generators))
    for part in (called, rehearsed):
        finished(part.train(lr=0.1, seed=0, epoch=0, steps=2))
        finished(part.train(lr=0.1, seed=0, epoch=1))
    assert equal(plain, ours)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("recipe", [RECIPE, LENET], ids=["momentum", "plain"])
def test_replayed_masked_steps_are_called_steps_to_the_bit(recipe: Recipe) -> None:
    found, nets = noise(device="cuda"), [network("vgg13", "cuda") for _ in range(2)]
    mask = random_mask(nets[0])
    for net, replay in zip(nets, (False, True), strict=True):
        fast, lane = Steps(net, found, recipe, mask=mask, replay=replay), capture.lane("cuda")
        finished(fast.train(lr=0.1, seed=0, epoch=0, steps=2), lane)
        finished(fast.train(lr=0.1, seed=0, epoch=1), lane)
        assert not any(part.any() for part in removed(net, mask))
    assert equal(*nets)


def test_masks_that_do_not_fit_change_nothing() -> None:
    net, found = perceptron(), noise()
    before = perceptron()
    good = {"1.weight": torch.zeros(12, 192, dtype=torch.bool)}
    with pytest.raises(ValueError, match=r"^no parameter is called '3.weights'; did you mean 3\.weight\?$"):
        Steps(net, found, RECIPE, mask={**good, "3.weights": torch.ones(10, 12, dtype=torch.bool)})
    sentence = r"^the mask of 3.weight must be a bool tensor of shape \[10, 12\], not torch.bool \[12, 10\]$"
    with pytest.raises(ValueError, match=sentence):
        Steps(net, found, RECIPE, mask={**good, "3.weight": torch.ones(12, 10, dtype=torch.bool)})
    with pytest.raises(ValueError, match=r"not torch.float32 \[10, 12\]$"):
        Steps(net, found, RECIPE, mask={**good, "3.weight": torch.ones(10, 12)})
    assert equal(net, before)


@pytest.mark.parametrize("device", DEVICES)
def test_without_momentum_steps_are_the_plain_loop_to_the_bit(device: str) -> None:
    found, plain, ours = noise(device=device), perceptron().to(device), perceptron().to(device)
    optimizer, fast, lane = training.sgd(plain, LENET), Steps(ours, found, LENET), capture.lane(device)
    for epoch in (1, 2):
        train = training.train_epoch(plain, optimizer, found.train, LENET, lr=0.1, seed=3, epoch=epoch)
        assert finished(fast.train(lr=0.1, seed=3, epoch=epoch), lane) == train
        assert equal(plain, ours)
    assert fast.momentum == training.velocity(plain, optimizer) == {}


def online(net: nn.Module, found: Split, recipe: Recipe, batches: int) -> tuple[list[float], int]:
    """Losses of the first ``batches`` of epoch 5, learning, and how many images were right."""
    order = torch.randperm(len(found), generator=data.generator(3, "order", 5))
    augmentation, optimizer = data.generator(3, "augmentation", 5), training.sgd(net, recipe)
    optimizer.param_groups[0]["lr"] = 0.1
    losses, correct = [], 0
    net.train()
    for index in order.split(recipe.batch_size)[:batches]:
        images, labels = training.inputs(net, found, index, recipe, augmentation)
        logits = net(images)
        losses += F.cross_entropy(logits / recipe.temperature, labels, reduction="none").tolist()
        correct += int((logits.argmax(1) == labels).sum())
        optimizer.zero_grad()
        F.cross_entropy(logits / recipe.temperature, labels).backward()
        optimizer.step()
    return losses, correct


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_first_steps_of_an_epoch(number: int) -> None:
    """Of 40 images: 16, 32 or, with the partial batch, all."""
    found, ours, theirs = noise(), network("vgg13"), network("vgg13")
    result = finished(Steps(ours, found, RECIPE).train(lr=0.1, seed=3, epoch=5, steps=number))
    losses, correct = online(theirs, found.train, RECIPE, number)
    assert len(losses) == [16, 32, 40][number - 1]
    assert result == (pytest.approx(sum(losses) / len(losses), rel=1e-6), 100 * correct / len(losses))
    assert equal(ours, theirs)


def test_all_steps_of_an_epoch_are_the_epoch() -> None:
    found, nets = noise(), [network("vgg13") for _ in range(2)]
    results = [
        finished(Steps(net, found, RECIPE).train(lr=0.1, seed=0, epoch=1, steps=number))
        for net, number in zip(nets, (None, 3), strict=True)
    ]
    assert results[0] == results[1]
    assert equal(*nets)


@pytest.mark.parametrize("number", [-1, 0, 4])
def test_steps_that_an_epoch_does_not_have(number: int) -> None:
    net = perceptron()
    sentence = rf"^steps is {number}; a pass over 40 images has 3, so ask for between 1 and 3$"
    with pytest.raises(ValueError, match=sentence):
        finished(Steps(net, noise(), RECIPE).train(lr=0.1, seed=0, epoch=0, steps=number))
    assert equal(net, perceptron())


def test_a_mean_and_deviation_for_each_channel_by_hand() -> None:
    split = Split(torch.tensor([255, 0, 51], dtype=torch.uint8).view(1, 1, 1, 3), torch.tensor([0]))
    recipe = Recipe(mean=(0.5, 0.25, 0.2), std=(0.5, 0.25, 0.1))
    x, _ = training.inputs(perceptron(3), split, torch.tensor([0]), recipe, None)
    assert x.flatten().tolist() == pytest.approx([1, -1, 0], abs=1e-7)
    with pytest.raises(ValueError, match=r"^images of 3 channels need as many means and deviations, not 1 and 3$"):
        training.inputs(perceptron(3), split, torch.tensor([0]), replace(recipe, mean=(0.5,)), None)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_images_normalised_once_are_those_normalised_every_time(
    channels: int, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, augmentation="none", mean=(0.485, 0.456, 0.406)[:channels], std=0.3081)
    found, nets = noise(channels=channels), [convolution(channels, layout) for _ in range(2)]
    results, kept = [], []
    for net, limit in zip(nets, (4 * found.train.images.numel(), 4 * found.train.images.numel() - 1), strict=True):
        monkeypatch.setattr(feeds, "_KEPT", limit)
        fast = Steps(net, found, recipe)
        results.append([finished(fast.train(lr=0.1, seed=0, epoch=epoch)) for epoch in (0, 1)])
        kept.append(cast(feeds.Resident, fast._feed)._normalised is not None)
    assert kept == [True, False]
    assert results[0] == results[1]
    assert equal(*nets)


def convolution(channels: int, layout: torch.memory_format) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(channels, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)
        )  # fmt: skip
    return net.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]
