"""What is faster gives the same numbers, on as many images as it is timed on."""

import pytest

from bench.speed.images import Images
from bench.speed.networks import batches, network, settle_norms
from bench.speed.sizes import Size
from bench.speed.textbook_scores import TEXTBOOK, Sample
from pruning import scores
from pruning.scores import filters

pytestmark = [pytest.mark.speed, pytest.mark.filterwarnings("default")]

_CHUNK = 32  # images of one pass; smaller ones take less memory, and no more time


@pytest.mark.parametrize("model", ["resnet56"])
def test_tangents_are_double_backward(
    model: str, device: str, pixels: Images, size: Size, monkeypatch: pytest.MonkeyPatch
) -> None:
    """theta . Hg of every filter, in float64; on a CPU the slower way takes half an hour."""

    def never(*_: object) -> None:
        raise AssertionError("double backward")

    monkeypatch.setattr(filters, "hessian_product", never)
    split = pixels.split.first(size.product_images)
    net = network(model, "dense", size.width).to(device)
    settle_norms(net, batches(net, split, size.batch)[0])
    net.double()
    given = [(images.double(), labels) for images, labels in batches(net, split, _CHUNK)]
    sample = Sample(list(scores.filter_layers(net)), given, {})
    expected = TEXTBOOK["grasp_t1"](net, sample)
    found = scores.filter_scores("grasp_t1", net, sample.batches)
    off = {layer: float((values / expected[layer] - 1).abs().max()) for layer, values in found.items()}
    print(f"{model}, {len(split)} images: within {max(off.values()):.1e} of each filter's own")
    assert list(off) == list(expected)
    assert all(each <= 1e-6 for each in off.values())
