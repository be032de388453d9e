"""Seconds of theta . Hg of all filters on the paper's sample, against double backward as it is fastest."""

import copy
from itertools import product

import pytest
from torch import nn

from bench.speed.competitors import defaults
from bench.speed.images import Images
from bench.speed.networks import batches, network, settle_norms
from bench.speed.race import Race, Work, seconds
from bench.speed.sizes import Size
from bench.speed.textbook_scores import TEXTBOOK, Sample
from pruning import scores, training
from pruning.data import Split
from pruning.scores import Batch
from pruning.training import Recipe

pytestmark = [pytest.mark.speed, pytest.mark.filterwarnings("default")]

CHUNKS = (32, 64, 128, 256)
"""Images of one pass that the textbook's way is tried with, in PyTorch's layout and in the engine's.

In float32: in float64 it takes longer, and products with a Hessian lose their sign to less.
"""

SCORE = "grasp_t1"
_TRIALS = 3
"""Rounds in which the textbook's ways are tried."""


@pytest.mark.parametrize("model", ["resnet56"])
def test_product(model: str, race: Race, pixels: Images, size: Size) -> None:
    """The fastest of the textbook's ways on a tenth of the images is timed on all of them."""
    split = pixels.split.first(size.product_images)
    net = network(model, "dense", size.width).to(race.device)
    settle_norms(net, batches(net, split, size.batch)[0])
    placed = training.place(copy.deepcopy(net), race.device)
    nets = {"NCHW": net, "the engine's": copy.deepcopy(placed)}
    few = split.first(max(1, size.product_images // 10))
    ways = {way: _textbook(nets[way[1]], few, way[0]) for way in product(CHUNKS, nets)}
    rounds = [{way: seconds(work, race.device) for way, work in ways.items()} for _ in range(_TRIALS)]
    tried = {way: min(spent[way] for spent in rounds[1:]) for way in ways}  # the first round warms up
    chunk, layout = min(tried, key=lambda way: tried[way])
    ours = batches(placed, split, size.batch)
    race.run(
        {
            "textbook": _textbook(nets[layout], split, chunk),
            "a pass per class": _textbook(nets[layout], split, None),
        },
        ("filter_scores", lambda: scores.filter_scores(SCORE, placed, ours)),
        rounds=size.rounds,
        group="Hessian product",
        setup={"model": model, "images": len(split), "textbook's chunk": chunk, "textbook's layout": layout},
    )


def _textbook(net: nn.Module, split: Split, chunk: int | None) -> Work:
    """Double backward over ``split`` in chunks; without one class by class, as released code goes."""
    passes = batches(net, split, chunk) if chunk else _by_class(net, split)
    sample = Sample(list(scores.filter_layers(net)), passes, {})

    def work() -> object:
        with defaults():
            return TEXTBOOK[SCORE](net, sample)

    return work


def _by_class(net: nn.Module, split: Split) -> list[Batch]:
    parts = [split.labels.eq(label).nonzero()[:, 0] for label in split.labels.unique()]
    return [training.inputs(net, split, part, Recipe(), None) for part in parts]
