"""Training on images that are decoded on the way, and at a rate that climbs: the plain loop's numbers."""

import multiprocessing
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from pruning import data, feeds, training
from pruning.data import Streamed, streaming
from pruning.feeds import Decoded, Resident, feed
from pruning.steps import Steps, finished
from pruning.training import Recipe

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*use of fork\\(\\) may lead to deadlocks:DeprecationWarning"),
]

RECIPE = Recipe(batch_size=4, augmentation="resized_crop_flip", mean=(0.5, 0.4, 0.3), std=0.25, temperature=1.0)


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 5, 8), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
        return nn.Sequential(*layers, nn.Linear(16, 3))


def by_hand(net: nn.Module, tiny: Streamed, rates: list[float]) -> list[float]:
    """Losses of the first steps of an epoch, each at its rate."""
    optimizer, losses = training.sgd(net, RECIPE), []
    batches = streaming.training_batches(tiny, RECIPE.batch_size, seed=0, epoch=1)
    for (pixels, labels), rate in zip(batches, rates, strict=False):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        images = data.normalised(pixels, (0.5, 0.4, 0.3), (0.25,) * 3).contiguous()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item() * len(labels))
    return losses


def equal(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict().values(), other.state_dict().values()
    return all(torch.equal(a, b) for a, b in zip(*states, strict=True))


@pytest.mark.parametrize(("batch", "part"), [(4, 4), (64, 64), (1024, 64), (500, 50), (200, 50), (67, 1), (128, 64)])
def test_a_batch_is_whole_parts(batch: int, part: int) -> None:
    assert feeds._part(batch) == part


@pytest.mark.parametrize(("workers", "most"), [(0, 64), (2, 64), (2, 3)])
def test_an_epoch_of_decoded_images_is_the_plain_loop_to_the_bit(
    tiny: Streamed, workers: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 9 images in batches of 4, whoever decodes how many; then a test on the middles of the others."""
    monkeypatch.setattr(streaming, "PART", most)
    ours, plain = network(), network()
    steps = Steps(ours, replace(tiny, workers=workers), RECIPE)
    trained = finished(steps.train(lr=0.1, seed=0, epoch=1))
    assert trained.loss == pytest.approx(sum(by_hand(plain, tiny, [0.1] * 3)) / 9, rel=1e-7)
    assert equal(ours, plain)
    tested = finished(steps.test())
    ((pixels, labels),) = streaming.evaluation_batches(tiny, 6)
    with torch.no_grad():
        logits = plain.eval()(data.normalised(pixels, (0.5, 0.4, 0.3), (0.25,) * 3).contiguous())
    assert tested.loss == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-6)
    assert tested.accuracy == pytest.approx(100 * (logits.argmax(1) == labels).float().mean().item())


def test_a_part_of_an_epoch_leaves_no_process_behind(tiny: Streamed) -> None:
    ours, plain = network(), network()
    steps = Steps(ours, replace(tiny, workers=2), RECIPE)
    finished(steps.train(lr=0.1, seed=0, epoch=1, steps=1))
    assert multiprocessing.active_children() == []
    by_hand(plain, tiny, [0.1])
    assert equal(ours, plain)


def test_an_epoch_that_is_given_up_leaves_no_process_behind(tiny: Streamed) -> None:
    steps = Steps(network(), replace(tiny, workers=2), RECIPE)
    turns = steps.train(lr=0.1, seed=0, epoch=1)
    assert next(turns) is True
    assert len(multiprocessing.active_children()) == 2
    turns.close()
    assert multiprocessing.active_children() == []


def test_a_damaged_image_ends_the_epoch_and_its_processes(tiny: Streamed) -> None:
    path = tiny.train.folder / "n02/n02_1.JPEG"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(data.DataError, match=r"n02_1\.JPEG is not a whole image; fetch it again"):
        finished(Steps(network(), replace(tiny, workers=1), RECIPE).train(lr=0.1, seed=0, epoch=1))
    assert multiprocessing.active_children() == []


def test_only_one_augmentation_is_done_on_the_way(tiny: Streamed) -> None:
    sentence = r"^augmentation 'crop_flip' needs images that fit into memory; those of tiny are decoded on the way, by "
    with pytest.raises(ValueError, match=sentence + "'resized_crop_flip'$"):
        Steps(network(), tiny, replace(RECIPE, augmentation="crop_flip"))


def test_what_feeds_a_network_follows_from_the_data(tiny: Streamed) -> None:
    assert isinstance(feed(network(), tiny, RECIPE), Decoded)
    assert isinstance(feed(network(), data.load("digits"), RECIPE), Resident)
    assert tiny.image == (3, 224, 224)
    assert data.load("digits", image_size=16).image == (3, 16, 16)


@pytest.mark.parametrize("steps", [None, 2])
def test_the_rate_climbs_step_by_step(tiny: Streamed, steps: int | None) -> None:
    """From .2 to .5 over the three steps of the epoch, however many are taken: .2, .3, .4."""
    ours, plain = network(), network()
    turns = Steps(ours, tiny, RECIPE).train(lr=0.5, seed=0, epoch=1, steps=steps, lr_from=0.2)
    loss = finished(turns).loss
    losses = by_hand(plain, tiny, [0.2, 0.3, 0.4][:steps])
    assert loss == pytest.approx(sum(losses) / (8 if steps else 9), rel=1e-5)
    for one, other in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    constant = network()
    by_hand(constant, tiny, [0.2] * (steps or 3))
    assert not torch.allclose(next(ours.parameters()), next(constant.parameters()), atol=1e-4)
