"""Seconds of every score on one sample, against the textbook's way; images are resident and normalised beforehand."""

import copy

import pytest

from bench.speed.competitors import defaults
from bench.speed.images import Images
from bench.speed.networks import batches, network, settle_norms
from bench.speed.race import Race
from bench.speed.sizes import Size
from bench.speed.textbook_scores import TEXTBOOK, Sample
from pruning import models, scores, training

pytestmark = [pytest.mark.speed, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("model", ["resnet56"])
@pytest.mark.parametrize("score", scores.names())
def test_score(score: str, model: str, race: Race, pixels: Images, size: Size) -> None:
    """Time both on the same images, in batches of the same size."""
    split = pixels.split.first(size.score_images)
    net = network(model, "dense", size.width).to(race.device)
    settle_norms(net, batches(net, split, size.batch)[0])
    start = models.build(model, width=size.width, seed=1).to(race.device)
    initial = {name: parameter.detach() for name, parameter in start.named_parameters()}
    sample = Sample(list(scores.filter_layers(net)), batches(net, split, size.batch), initial)
    placed = training.place(copy.deepcopy(net), race.device)
    ours = batches(placed, split, size.batch)

    def textbook() -> object:
        with defaults():
            return TEXTBOOK[score](net, sample)

    needs_data = scores.get(score).sampling != "none"
    race.run(
        {"textbook": textbook},
        ("filter_scores", lambda: scores.filter_scores(score, placed, ours, initial=initial)),
        rounds=size.rounds if needs_data else size.quick_rounds,
        group="Score",
        setup={"score": score, "model": model, "images": len(split) if needs_data else "none"},
    )
