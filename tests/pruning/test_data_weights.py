"""What the second suite adds to batches: flips before crops, names of augmentations, constants."""

import os
from pathlib import Path
from typing import get_args

import pytest
import torch
from scipy import stats
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torchvision.transforms.v2 import functional as tv

from pruning import data
from pruning.data.augment import AUGMENTATIONS

NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")


def random_images(count: int, height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.randint(256, (count, height, width, 3), generator=data.generator(1, "images"), dtype=torch.uint8)


def every_draw(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """All offsets [2 * side ** 2, 2], below `side`, with and without a flip [2 * side ** 2]."""
    numbers = torch.cartesian_prod(torch.arange(side), torch.arange(side), torch.arange(2))
    return numbers[:, :2], numbers[:, 2]


@pytest.mark.parametrize(
    ("top", "left", "flip", "expected"),
    [
        (1, 1, 0, [[1, 2], [3, 4]]),
        (1, 1, 1, [[2, 1], [4, 3]]),
        (1, 2, 0, [[2, 0], [4, 0]]),
        (1, 2, 1, [[1, 0], [3, 0]]),
        (0, 0, 1, [[0, 0], [0, 2]]),
        (2, 0, 1, [[0, 4], [0, 0]]),
    ],
)
def test_flip_then_crop_by_hand(top: int, left: int, flip: int, expected: list[list[int]]) -> None:
    images = torch.tensor([[[[1], [2]], [[3], [4]]]], dtype=torch.uint8)
    crop = data.flip_crop_at(images, torch.tensor([0]), torch.tensor([[top, left]]), torch.tensor([flip]), padding=1)
    assert crop[0, :, :, 0].tolist() == expected


def test_every_flip_and_offset_equals_torchvision_pixel_by_pixel() -> None:
    images, (offsets, flips) = random_images(1, 12, 10), every_draw(9)
    crops = data.flip_crop_at(images, torch.zeros(len(flips), dtype=torch.int64), offsets, flips)
    image = images[0].permute(2, 0, 1)
    for crop, (top, left), flip in zip(crops, offsets.tolist(), flips.tolist(), strict=True):
        flipped = tv.horizontal_flip(image) if flip else image
        assert torch.equal(crop.permute(2, 0, 1), tv.crop(tv.pad(flipped, [4]), top, left, 12, 10))


def test_flip_then_crop_has_the_distribution_of_crop_then_flip() -> None:
    images, (offsets, flips) = random_images(1, 12, 10), every_draw(9)
    index = torch.zeros(len(flips), dtype=torch.int64)
    flip_first, crop_first = (f(images, index, offsets, flips) for f in (data.flip_crop_at, data.crop_flip_at))
    # Every draw is equally likely, so equal sets of results, each of which occurs once, are equal distributions.
    assert {crop.numpy().tobytes() for crop in flip_first} == {crop.numpy().tobytes() for crop in crop_first}
    assert len({crop.numpy().tobytes() for crop in flip_first}) == len(flips) == 162
    assert not torch.equal(flip_first, crop_first)


def test_offsets_and_flips_are_uniform_and_independent() -> None:
    images, (offsets, flips) = random_images(1, 3, 3), every_draw(3)
    known = data.flip_crop_at(images, torch.zeros(18, dtype=torch.int64), offsets, flips, padding=1)
    number = {crop.numpy().tobytes(): position for position, crop in enumerate(known)}
    drawn = data.flip_crop(images, torch.zeros(9_000, dtype=torch.int64), data.generator(0, "flip_crop"), padding=1)
    counts = torch.bincount(torch.tensor([number[crop.numpy().tobytes()] for crop in drawn]), minlength=18)
    assert stats.chisquare(counts.numpy()).pvalue > 0.01
    moved = counts[1::2] // 8
    counts[1::2] -= moved
    counts[::2] += moved
    assert stats.chisquare(counts.numpy()).pvalue < 1e-6, "flips that are too rare would be noticed"


def test_every_name_does_something() -> None:
    assert get_args(data.Augmentation) == ("none", *AUGMENTATIONS)
    assert AUGMENTATIONS["flip_shift"] is AUGMENTATIONS["flip_crop"] is data.flip_crop


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmented_batch_follows_from_its_stream(name: data.Augmentation) -> None:
    split, index = data.Split(random_images(6, 20, 24), torch.arange(6)), torch.tensor([5, 0, 2])
    found, labels = data.batch(
        split, index, augmentation=name, mean=[0.0] * 3, std=[1.0] * 3, generator=data.generator(3)
    )
    expected = AUGMENTATIONS[name](split.images, index, data.generator(3))
    assert expected.dtype == torch.uint8
    assert expected.is_contiguous()
    assert torch.equal((found * 255).round().byte().permute(0, 2, 3, 1), expected)
    assert labels.tolist() == [5, 0, 2]
    assert not torch.equal(expected, split.images[index])
    assert not torch.equal(expected, AUGMENTATIONS[name](split.images, index, data.generator(4)))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_no_number_reaches_the_host(name: str) -> None:
    stream = torch.Generator()
    with FakeTensorMode():  # tensors without values, so that asking for one fails, as a GPU would have to be waited for
        images, index = torch.zeros(5, 16, 12, 3, dtype=torch.uint8), torch.arange(3)
        assert AUGMENTATIONS[name](images, index, stream).shape == (3, 16, 12, 3)
        with pytest.raises(DataDependentOutputException):
            index.sum().item()


def test_errors_name_what_there_is() -> None:
    split, index = data.Split(random_images(1), torch.tensor([0])), torch.tensor([0])
    known = "'none' or 'crop_flip' or 'flip_crop' or 'resized_crop_flip' or 'flip_shift'"
    with pytest.raises(ValueError, match=rf"^there is no augmentation 'flip'; choose {known}$"):
        data.batch(split, index, augmentation="flip", mean=[0.5] * 3, std=[0.5] * 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^augmentation 'flip_shift' draws random numbers; give it a generator$"):
        data.batch(split, index, augmentation="flip_shift", mean=[0.5] * 3, std=[0.5] * 3)


def test_constants_fit_batches() -> None:
    grey = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)
    white = data.normalised(grey, *data.IMAGENET, torch.float64)[0, :, 0, 0].tolist()
    # (1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225 and (1 - 0.1307) / 0.3081.
    assert white == pytest.approx([2.2489083, 2.4285714, 2.64], abs=1e-7)
    assert data.normalised(grey[..., :1], *data.MNIST, torch.float64).flatten()[0].item() == pytest.approx(2.8214865)


@pytest.mark.data
def test_mnist_is_grey_and_has_its_constants() -> None:
    if "PRUNING_BENCH_DATA" not in os.environ:
        pytest.skip("PRUNING_BENCH_DATA is not set")
    try:
        found = data.load("mnist", Path(os.environ["PRUNING_BENCH_DATA"]))
    except data.MissingData as error:
        pytest.skip(str(error))
    assert found.train.images.shape == (60_000, 28, 28, 1)
    assert found.test.images.shape == (10_000, 28, 28, 1)
    pixels = found.train.images.double() / 255
    assert (round(pixels.mean().item(), 4),) == data.MNIST.mean
    assert (round(pixels.std().item(), 4),) == data.MNIST.std


@pytest.mark.gpu
@NO_GPU
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gpu_replays_an_augmentation_with_new_numbers_and_never_waits(name: str) -> None:
    images, index = random_images(64).cuda(), torch.arange(64, device="cuda")
    stream = data.generator(0, device="cuda")
    AUGMENTATIONS[name](images, index, stream)  # libraries create their handles, which no graph can hold
    torch.cuda.synchronize()
    stream.manual_seed(7)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(stream)
    try:
        torch.cuda.set_sync_debug_mode("error")
        with torch.cuda.graph(graph):
            found = AUGMENTATIONS[name](images, index, stream)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    graph.replay()
    first = found.clone()
    graph.replay()
    assert not torch.equal(first, found)
    assert torch.equal(first, AUGMENTATIONS[name](images, index, stream.manual_seed(7)))
