"""Crop, flip and normalisation, by hand and against torchvision."""

import pytest
import torch
from scipy import stats
from torchvision.transforms import v2
from torchvision.transforms.functional import to_tensor
from torchvision.transforms.v2 import functional as tv

from pruning import data

TWO_BY_TWO = torch.tensor([[[[1], [2]], [[3], [4]]]], dtype=torch.uint8)


def place(top: int, left: int, flip: int) -> list[list[int]]:
    index = torch.tensor([0])
    crop = data.crop_flip_at(TWO_BY_TWO, index, torch.tensor([[top, left]]), torch.tensor([flip]), padding=1)
    return crop[0, :, :, 0].tolist()


def random_images(count: int, side: int = 32, channels: int = 3) -> torch.Tensor:
    return torch.randint(256, (count, side, side, channels), generator=data.generator(1, "images"), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("top", "left", "flip", "expected"),
    [
        (1, 1, 0, [[1, 2], [3, 4]]),
        (1, 1, 1, [[2, 1], [4, 3]]),
        (0, 0, 0, [[0, 0], [0, 1]]),
        (0, 0, 1, [[0, 0], [1, 0]]),
        (2, 1, 0, [[3, 4], [0, 0]]),
        (1, 2, 0, [[2, 0], [4, 0]]),
        (1, 2, 1, [[0, 2], [0, 4]]),
        (2, 2, 1, [[0, 4], [0, 0]]),
    ],
)
def test_crop_then_flip_by_hand(top: int, left: int, flip: int, expected: list[list[int]]) -> None:
    assert place(top, left, flip) == expected


def test_every_offset_and_flip_equals_torchvision_pixel_by_pixel() -> None:
    images = random_images(3)
    for top in range(9):
        for left in range(9):
            flips = torch.tensor([0, 1, 1])
            crops = data.crop_flip_at(images, torch.tensor([2, 0, 1]), torch.tensor([[top, left]] * 3), flips)
            padded = tv.pad(images[[2, 0, 1]].permute(0, 3, 1, 2), [4])
            expected = tv.crop(padded, top, left, 32, 32)
            expected[1:] = tv.horizontal_flip(expected[1:])
            assert torch.equal(crops.permute(0, 3, 1, 2), expected)


def histogram(crops: torch.Tensor) -> torch.Tensor:
    """Counts [9, 9, 2] of top, left and flip, read off crops [B, 32, 32, 2] of the image of row and column + 1."""
    middle = crops[:, 16].long()
    top = middle[:, :, 0].amax(1) - 1 + 4 - 16
    flip = (middle[:, 17, 1] < middle[:, 16, 1]).long()
    left = torch.where(flip == 1, middle[:, 15, 1], middle[:, 16, 1]) - 1 + 4 - 16
    return torch.bincount((top * 9 + left) * 2 + flip, minlength=162).view(9, 9, 2)


def coordinate_image() -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(1, 33), torch.arange(1, 33), indexing="ij")
    return torch.stack((rows, columns), dim=-1).to(torch.uint8)[None]


def test_histogram_recovers_what_was_drawn() -> None:
    offsets, flips = torch.tensor([[0, 8], [5, 2], [5, 2]]), torch.tensor([1, 0, 0])
    counts = histogram(data.crop_flip_at(coordinate_image(), torch.zeros(3, dtype=torch.int64), offsets, flips))
    assert counts.nonzero().tolist() == [[0, 8, 1], [5, 2, 0]]
    assert counts[5, 2, 0] == 2


def ours(count: int) -> torch.Tensor:
    index = torch.zeros(count, dtype=torch.int64)
    return histogram(data.crop_flip(coordinate_image(), index, data.generator(0, "augmentation")))


def torchvisions(count: int) -> torch.Tensor:
    image = coordinate_image()[0].permute(2, 0, 1)
    transform = v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return histogram(torch.stack([transform(image) for _ in range(count)]).permute(0, 2, 3, 1))


def test_offsets_and_flips_are_uniform_and_independent() -> None:
    counts = ours(32_400)
    assert counts.sum() == 32_400
    assert stats.chisquare(counts.flatten().numpy()).pvalue > 0.01


def test_distribution_equals_torchvision() -> None:
    table = torch.stack((ours(8_100).flatten(), torchvisions(8_100).flatten()))
    assert stats.chi2_contingency(table.numpy()).pvalue > 0.01


def test_a_biased_flip_would_be_noticed() -> None:
    counts = ours(32_400)
    biased = torch.stack((counts[:, :, 0] + counts[:, :, 1] // 8, counts[:, :, 1] - counts[:, :, 1] // 8))
    assert stats.chisquare(biased.flatten().numpy()).pvalue < 1e-6


@pytest.mark.parametrize("channels", [1, 3])
def test_normalised_equals_torchvision_to_the_bit(channels: int) -> None:
    images = random_images(5, 28, channels)
    mean, std = [0.4914, 0.4822, 0.4465][:channels], [0.247, 0.243, 0.261][:channels]
    found = data.normalised(images, mean, std)
    # The classic ToTensor, which divides by 255; v2.ToDtype multiplies by the reciprocal and differs in the last bit.
    expected = tv.normalize(torch.stack([to_tensor(image.numpy()) for image in images]), mean, std)
    assert torch.equal(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_normalised_by_hand_and_in_other_precisions() -> None:
    images = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)
    mean, std = [0.5, 0.2, 0.5], [0.5, 0.5, 0.25]
    assert data.normalised(images, mean, std, torch.float64).flatten().tolist() == pytest.approx([-1, 0, 2], abs=1e-12)
    assert data.normalised(images, mean, std, torch.bfloat16).dtype == torch.bfloat16
    assert data.normalised(images, mean, std, torch.bfloat16).flatten().tolist() == pytest.approx([-1, 0, 2], abs=1e-6)


def test_padding_is_raw_black_and_not_the_mean() -> None:
    split = data.Split(torch.full((1, 32, 32, 1), 255, dtype=torch.uint8), torch.tensor([7]))
    black = data.crop_flip_at(split.images, torch.tensor([0]), torch.tensor([[0, 4]]), torch.tensor([0]))
    assert data.normalised(black, [0.5], [0.5])[0, 0, :, 0].tolist() == [-1.0] * 4 + [1.0] * 28


def test_batch_without_augmentation_does_not_depend_on_how_it_is_split() -> None:
    split = data.Split(random_images(10, 8), torch.arange(10))
    index = torch.tensor([3, 9, 0, 1, 1])
    kwargs = {"augmentation": "none", "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    inputs, labels = data.batch(split, index, **kwargs)
    parts = [data.batch(split, part, **kwargs) for part in index.split(2)]
    assert torch.equal(inputs, torch.cat([part[0] for part in parts]))
    assert labels.tolist() == index.tolist()


def test_augmented_batch_is_the_stream_s_crop_normalised() -> None:
    split = data.Split(random_images(10), torch.arange(10))
    index, mean, std = torch.tensor([4, 2]), [0.5] * 3, [0.5] * 3
    inputs, labels = data.batch(
        split, index, augmentation="crop_flip", mean=mean, std=std, generator=data.generator(0, "crop")
    )
    crops = data.crop_flip(split.images, index, data.generator(0, "crop"))
    assert torch.equal(inputs, data.normalised(crops, mean, std))
    assert labels.tolist() == [4, 2]
    assert not torch.equal(crops, split.images[index])


def test_errors_say_what_to_do() -> None:
    split = data.Split(random_images(2), torch.arange(2))
    index, half = torch.tensor([0]), [0.5] * 3
    with pytest.raises(ValueError, match="draws random numbers; give it a generator"):
        data.batch(split, index, augmentation="crop_flip", mean=half, std=half)
    with pytest.raises(ValueError, match="no augmentation 'cutout'; choose 'none' or 'crop_flip'"):
        data.batch(split, index, augmentation="cutout", mean=half, std=half)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="images of 3 channels need as many means and deviations, not 1 and 1"):
        data.batch(split, index, augmentation="none", mean=[0.5], std=[0.5])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_gpu_gives_the_same_pixels_and_never_waits() -> None:
    images, index = random_images(6), torch.tensor([5, 0])
    offsets, flips = torch.tensor([[0, 8], [3, 1]]), torch.tensor([1, 0])
    on_gpu = [tensor.cuda() for tensor in (images, index, offsets, flips)]
    split = data.Split(on_gpu[0], torch.arange(6, device="cuda"))
    stream = data.generator(0, device="cuda")
    try:
        torch.cuda.set_sync_debug_mode("error")
        crops = data.crop_flip_at(*on_gpu)
        data.batch(split, on_gpu[1], augmentation="crop_flip", mean=[0.5] * 3, std=[0.5] * 3, generator=stream)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(crops.cpu(), data.crop_flip_at(images, index, offsets, flips))
