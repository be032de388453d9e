"""Random-resized crops: boxes and pixels, by hand and against torchvision."""

from math import exp, log, sqrt

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms import RandomResizedCrop, functional

from pruning import data
from pruning.data.resized_crop import ATTEMPTS, RATIO, SCALE, boxes_at, random_boxes

GREY_LEVELS = 1
"""By which pixels may differ from torchvision's, which rounds in fixed point where we round single precision."""


def box(
    tried: list[tuple[float, float]], place: tuple[float, float], height: int, width: int, **ranges: object
) -> object:
    numbers = torch.tensor(tried, dtype=torch.float64)[:, None], torch.tensor([place], dtype=torch.float64)
    return boxes_at(*numbers, height, width, **ranges)[0].tolist()  # type: ignore[arg-type]


def test_boxes_by_hand() -> None:
    # Areas from 0 to 100 pixels of 10x10, widths from 1/4 of the height to 4 times the height; 0.5 is a square.
    ranges = {"scale": (0.0, 1.0), "ratio": (0.25, 4.0)}
    assert box([(0.25, 0.5)], (0.0, 0.999), 10, 10, **ranges) == [0, 5, 5, 5]  # 25 pixels
    assert box([(0.16, 1.0)], (0.5, 0.5), 10, 10, **ranges) == [4, 1, 2, 8]  # 16: corner 0.5 * 9, 0.5 * 3
    assert box([(0.16, 0.0)], (0.0, 0.0), 10, 10, **ranges) == [0, 0, 8, 2]
    assert box([(0.50, 0.5)], (0.0, 0.0), 10, 10, **ranges) == [0, 0, 7, 7]  # sides of 7.07
    assert box([(1.0, 0.5)], (0.999, 0.999), 10, 10, **ranges) == [0, 0, 10, 10]
    assert box([(0.36, 1.0), (0.25, 0.5)], (0.0, 0.0), 10, 10, **ranges) == [0, 0, 5, 5]  # 12 pixels wide does not fit
    assert box([(0.25, 0.5), (0.16, 1.0)], (0.0, 0.0), 10, 10, **ranges) == [0, 0, 5, 5]  # the first that fits
    assert box([(0.0, 0.5)], (0.9, 0.9), 10, 10, **ranges) == [0, 0, 10, 10]  # no pixel at all: the fallback


@pytest.mark.parametrize(("height", "width"), [(20, 64), (64, 20), (21, 64), (64, 27), (9, 9), (30, 31)])
def test_the_fallback_is_torchvision_s(height: int, width: int) -> None:
    never = (2.0, 3.0)
    expected = RandomResizedCrop.get_params(torch.zeros(3, height, width), list(never), list(RATIO))
    assert box([(0.5, 0.5)] * ATTEMPTS, (0.1, 0.9), height, width, scale=never) == list(expected)


def plain(tried: list[tuple[float, float]], place: tuple[float, float], height: int, width: int) -> list[int]:
    """torchvision's algorithm, number by number, for images that are nearly square."""
    for area, aspect in tried:
        target = height * width * (SCALE[0] + (SCALE[1] - SCALE[0]) * area)
        ratio = exp(log(RATIO[0]) + (log(RATIO[1]) - log(RATIO[0])) * aspect)
        h, w = round(sqrt(target / ratio)), round(sqrt(target * ratio))
        if 0 < h <= height and 0 < w <= width:
            return [int(place[0] * (height - h + 1)), int(place[1] * (width - w + 1)), h, w]
    return [0, 0, height, width]


UNIT = st.integers(0, 2**20 - 1).map(lambda number: number / 2**20)
PAIR = st.tuples(UNIT, UNIT)


@given(st.lists(PAIR, min_size=1, max_size=3), PAIR, st.integers(8, 70), st.integers(0, 9))
def test_boxes_follow_from_the_numbers_drawn(
    tried: list[tuple[float, float]], place: tuple[float, float], side: int, more: int
) -> None:
    width = side * (10 + more % 3) // 10
    assert box(tried, place, side, width) == plain(tried, place, side, width)


def cells(boxes: torch.Tensor, side: int) -> torch.Tensor:
    """How many boxes [n, 4] have which area, shape and place: 4, 3 and 3 by 3 kinds."""
    top, left, height, width = boxes.double().unbind(1)
    area = ((height * width / side**2 - 0.1) / 0.225).long().clamp(0, 3)
    shape = (((width / height).log() / log(1.25) + 1) * 1.5).long().clamp(0, 2)
    down, right = (
        ((corner + 0.5) / (side - length + 1) * 3).long() for corner, length in ((top, height), (left, width))
    )
    return torch.bincount(((area * 3 + shape) * 3 + down) * 3 + right, minlength=108)


def alike(first: torch.Tensor, second: torch.Tensor) -> float:
    """p-value of both counts having one distribution."""
    table = torch.stack((first, second))
    return float(stats.chi2_contingency(table[:, table.sum(0) > 0].numpy()).pvalue)


def torchvisions(count: int, side: int) -> torch.Tensor:
    image = torch.zeros(1, side, side)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.tensor([RandomResizedCrop.get_params(image, list(SCALE), list(RATIO)) for _ in range(count)])


def test_boxes_have_torchvision_s_distribution() -> None:
    theirs = cells(torchvisions(6_000, 64), 64)
    assert alike(cells(random_boxes(20_000, 64, 64, data.generator(0, "boxes")), 64), theirs) > 0.01
    # Shapes beyond (0.8, 1.25), or the fallback without further attempts, would be noticed.
    assert alike(cells(random_boxes(20_000, 64, 64, data.generator(0), ratio=(0.75, 4 / 3)), 64), theirs) < 1e-6
    tried, place = torch.rand(2, 1, 20_000, 2, generator=data.generator(0), dtype=torch.float64)
    assert alike(cells(boxes_at(tried, place[0], 64, 64), 64), theirs) < 1e-6


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_boxes_lie_within_the_image(height: int, width: int, seed: int) -> None:
    top, left, tall, wide = random_boxes(50, height, width, data.generator(seed)).unbind(1)
    assert (torch.stack((top, left)) >= 0).all()
    assert (torch.stack((tall, wide)) >= 1).all()
    assert (top + tall <= height).all()
    assert (left + wide <= width).all()


@pytest.mark.parametrize(
    ("left", "width", "flip", "expected"),
    [
        (0, 4, 0, [0, 40, 80, 120]),
        (0, 4, 1, [120, 80, 40, 0]),
        (0, 2, 0, [0, 10, 30, 40]),  # at -0.25, 0.25, 0.75 and 1.25 pixels; the 80 beside the box stays outside
        (2, 2, 0, [80, 90, 110, 120]),
        (2, 2, 1, [120, 110, 90, 80]),
        (1, 1, 0, [40, 40, 40, 40]),
    ],
)
def test_pixels_of_a_row_by_hand(left: int, width: int, flip: int, expected: list[int]) -> None:
    images = torch.tensor([0, 40, 80, 120], dtype=torch.uint8).view(1, 1, 4, 1)
    found = data.resized_crop_flip_at(
        images, torch.tensor([0]), torch.tensor([[0, left, 1, width]]), torch.tensor([flip])
    )
    assert found.flatten().tolist() == expected


def test_rows_are_enlarged_like_columns() -> None:
    images = torch.tensor([0, 40, 80, 120], dtype=torch.uint8).view(1, 4, 1, 1)
    found = data.resized_crop_flip_at(images, torch.tensor([0]), torch.tensor([[1, 0, 2, 1]]), torch.tensor([1]))
    assert found.flatten().tolist() == [40, 50, 70, 80]


def given_crops(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images [40, 3, H, W], their boxes, which were flipped, and their crops [40, 3, H, W]."""
    stream = data.generator(5, height)
    images = torch.randint(256, (40, height, width, 3), generator=stream, dtype=torch.uint8)
    boxes = random_boxes(40, height, width, stream)
    flips = torch.arange(40) % 2
    crops = data.resized_crop_flip_at(images, torch.arange(40), boxes, flips)
    return images.permute(0, 3, 1, 2), boxes, flips, crops.permute(0, 3, 1, 2)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (28, 40)])
def test_pixels_are_torchvision_s(height: int, width: int, antialias: bool) -> None:
    for image, place, flip, crop in zip(*given_crops(height, width), strict=True):
        expected = functional.resized_crop(image, *place.tolist(), [height, width], antialias=antialias)
        difference = (functional.hflip(expected) if flip else expected).int() - crop.int()
        assert difference.abs().max() <= GREY_LEVELS
        assert (difference != 0).double().mean() < 0.02


def test_pixels_are_the_nearest_to_double_precision() -> None:
    for image, (top, left, height, width), flip, crop in zip(*given_crops(64, 64), strict=True):
        inside = image[None, :, top : top + height, left : left + width].double()
        exact = F.interpolate(inside, (64, 64), mode="bilinear", align_corners=False)[0]
        error = (exact.flip(2) if flip else exact) - crop
        assert error.abs().max() < 0.5 + 0.005  # grey levels


def test_half_of_the_crops_are_flipped() -> None:
    rising = torch.arange(16, dtype=torch.uint8).expand(16, 16)[None, :, :, None].contiguous()
    crops = data.resized_crop_flip(rising, torch.zeros(2_000, dtype=torch.int64), data.generator(0))
    flipped = int((crops[:, 0, 0, 0] > crops[:, 0, -1, 0]).sum())
    assert stats.binomtest(flipped, 2_000).pvalue > 0.01
