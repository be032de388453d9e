"""What measuring a moment takes, beside training over the same images."""

import copy

import pytest

from bench import probing
from bench.speed import competitors
from bench.speed.images import Images
from bench.speed.networks import amount, batches, network, settle_norms
from bench.speed.race import Race
from bench.speed.sizes import Size
from bench.suites.gradient_flow import MODELS
from pruning import dynamics, training
from pruning.training import Recipe

pytestmark = [pytest.mark.speed, pytest.mark.filterwarnings("default")]

BATCHES = 4


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("model", MODELS)
def test_probe(model: str, twice: bool, race: Race, pixels: Images, size: Size) -> None:
    """All that a cell measures of a moment but the laws, which take eight images, twice in a run."""
    split, recipe = pixels.split.first(min(BATCHES * size.batch, len(pixels.split))), Recipe(batch_size=size.batch)
    net = network(model, "dense", size.width).to(race.device)
    settle_norms(net, batches(net, split, size.batch)[0])
    placed = training.place(copy.deepcopy(net), race.device)
    before = {name: 0.9 * parameter.detach() for name, parameter in placed.named_parameters()}
    sample = batches(placed, split, size.batch)

    def probe() -> object:
        temperature = recipe.temperature
        found = dynamics.measure(placed, sample, temperature=temperature, before=before, initial=before, twice=twice)
        scores = probing.scores_of(found)
        return dynamics.effects(placed, sample, scores, amount=amount(model), temperature=temperature)

    epoch = competitors.engine(net, split, recipe)
    race.run(
        {"training": lambda: epoch(1)},
        ("probe", probe),
        rounds=size.rounds,
        group="Probe",
        setup={"model": model, "Hessian products": 1 + twice, "data": pixels.name, "batch": size.batch},
        images=len(split),
    )
