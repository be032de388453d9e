"""Images per second of training, data included: released code's way, the same on resident data, and the engine."""

import math
from dataclasses import replace
from itertools import count

import pytest

from bench.speed import competitors, roofline
from bench.speed.competitors import Epoch
from bench.speed.images import Images, grey
from bench.speed.networks import State, network, published_recipe, shapes
from bench.speed.peaks import element_bytes, peak_of
from bench.speed.race import Race, Work
from bench.speed.sizes import Size
from bench.suites.gradient_flow import MODELS
from pruning import models
from pruning.training import Precision, Recipe

# A warning of torch, or of starting processes beside threads, ends no measurement.
pytestmark = [pytest.mark.speed, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("precision", ["fp32", "bf16"], indirect=True)
@pytest.mark.parametrize("state", ["dense", "pruned"])
@pytest.mark.parametrize("model", MODELS)
def test_training_step(model: str, state: State, precision: Precision, race: Race, pixels: Images, size: Size) -> None:
    """Time an epoch of ``size.images`` images; the baselines are in fp32 whatever the engine's precision."""
    kind = race.device.partition(":")[0]
    split = pixels.split.first(size.images[kind])
    net, recipe = network(model, state, size.width), Recipe(batch_size=size.batch)
    work = roofline.work(shapes(net, (3, 32, 32)))
    engine = competitors.engine(net, split, Recipe(batch_size=size.batch, precision=precision))
    race.run(
        {
            "released": _epochs(competitors.released(net, split, recipe)),
            "resident": _epochs(competitors.resident(net, split, recipe)),
        },
        ("engine", _epochs(engine)),
        rounds=size.rounds,
        group="Training step with data",
        setup={"model": model, "network": state, "precision": precision, "data": pixels.name, "batch": size.batch},
        images=len(split),
        floor=roofline.floor(work, len(split), element_bytes(precision), peak_of(race.device, precision, size)),
    )


@pytest.mark.parametrize("model", ["lenet300_100", "resnet20", "vgg16"])
def test_masked_step(model: str, race: Race, pixels: Images, size: Size) -> None:
    """Time an epoch of a network of which half the weights are held at zero, against the same network whole.

    Both as the second paper trains it. × updates is the share of the whole that the update takes, mask included.
    """
    lenet = model == "lenet300_100"
    split = pixels.split.first(size.images[race.device.partition(":")[0]])
    if lenet:  # whose epochs of so few images are too short to be timed
        split = grey(size.stacked_images // 8).to(race.device)
    net = models.build(model, in_channels=1 if lenet else 3, width=size.width, seed=0)
    recipe = published_recipe(model, size.batch)
    race.run(
        {
            "whole": _epochs(competitors.engine(net, split, recipe)),
            "updates": competitors.updates(net, split, recipe, mask=True),
            "updates of the whole": competitors.updates(net, split, recipe, mask=False),
        },
        ("masked", _epochs(competitors.masked(net, split, recipe))),
        rounds=size.rounds,
        group="Masked training step with data",
        setup={"model": model, "network": "masked", "precision": "fp32", "batch": size.batch},
        images=len(split),
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"], indirect=True)
@pytest.mark.parametrize("number", [2, 4, 8, 16])
@pytest.mark.parametrize("state", ["dense", "pruned"])
@pytest.mark.parametrize("model", MODELS)
def test_networks_at_once(
    model: str, state: State, number: int, precision: Precision, race: Race, pixels: Images, size: Size
) -> None:
    """Time as many steps as above, shared by ``number`` networks that train at once."""
    if race.device == "cpu" and size.name != "tiny":
        pytest.skip("one network at a time fills a CPU")
    split = pixels.split.first(size.images[race.device.partition(":")[0]])
    net, recipe = network(model, state, size.width), Recipe(batch_size=size.batch)
    fast = replace(recipe, precision=precision)
    race.run(
        {
            "released": _epochs(competitors.released(net, split, recipe)),
            "resident": _epochs(competitors.resident(net, split, recipe)),
            "engine": _epochs(competitors.engine(net, split, fast)),
        },
        ("at once", _epochs(competitors.engines(net, split, fast, number))),
        rounds=size.rounds,
        group="Networks at once",
        setup={
            "model": model,
            "network": state,
            "precision": precision,
            "at once": number,
            "data": pixels.name,
            "batch": size.batch,
        },
        images=len(split) // number * number,
    )


@pytest.mark.parametrize("number", [16, 64, 128])
def test_networks_on_a_stack(number: int, race: Race, size: Size) -> None:
    """Time the steps of ``number`` masked LeNets that are trained as one, against the same number of steps of one."""
    if race.device == "cpu" and size.name != "tiny":
        pytest.skip("the product of one network fills a CPU")
    split = grey(size.stacked_images).to(race.device)
    net = models.build("lenet300_100", in_channels=1, width=size.width, seed=0)
    recipe = Recipe(batch_size=min(size.batch, len(split) // number), augmentation="none", momentum=0, weight_decay=0)
    race.run(
        {"engine": _epochs(competitors.masked(net, split, recipe, number))},
        ("stack", _epochs(competitors.stack(net, split, recipe, number))),
        rounds=size.rounds,
        group="Networks on a stack",
        setup={"model": "lenet300_100", "network": "masked", "stacked": number, "batch": recipe.batch_size},
        images=len(split),
    )


def _epochs(epoch: Epoch) -> Work:
    """One epoch after the other. Fails where the loss is no number: then the arithmetic is not that of training."""
    numbers = count(1)

    def work() -> None:
        assert math.isfinite(epoch(next(numbers)).loss)

    return work
