"""Random-resized crops: a box of random area and aspect ratio, enlarged to the size of the image, perhaps flipped.

Boxes are drawn as torchvision's RandomResizedCrop draws them, for all images of a batch at once. Pixels are those of
its bilinear resize to one grey level, antialiased or not: a box is never larger than its image, and antialiasing
changes nothing where images grow.
"""

from __future__ import annotations

from math import log

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

SCALE = (0.1, 1.0)
"""Share of the image's area that a box aims at (PROTOCOLS B.2)."""

RATIO = (0.8, 1.25)
"""Width by height that a box aims at (PROTOCOLS B.2)."""

ATTEMPTS = 10
"""Boxes that are tried before the fallback, as in torchvision; those of a square image all fail once in 10^9."""

Range = tuple[float, float]


def resized_crop_flip(images: Tensor, index: Tensor, generator: torch.Generator) -> Tensor:
    """A random box of each image at `index` [B], resized to the size of the image, flipped with probability 1/2.

    Same distribution as torchvision's RandomResizedCrop((H, W), SCALE, RATIO) and RandomHorizontalFlip (TinyImageNet,
    PROTOCOLS B.2). The generator is on the device of the images.

    Args:
        images: uint8 [N, H, W, C].
        index: int64 [B].
        generator: drawn from for attempts, for places and for flips, each once.

    Returns:
        uint8 [B, H, W, C].
    """
    boxes = random_boxes(len(index), images.shape[1], images.shape[2], generator)
    flips = torch.randint(2, (len(index),), generator=generator, device=images.device)
    return resized_crop_flip_at(images, index, boxes, flips)


def random_boxes(
    count: int, height: int, width: int, generator: torch.Generator, scale: Range = SCALE, ratio: Range = RATIO
) -> Tensor:
    """Boxes int64 [count, 4] within images of one size, as top, left, height, width; on the generator's device."""
    device = generator.device
    # Double precision, in which torchvision rounds sides, so that one and the same number gives the same box.
    tried = torch.rand(ATTEMPTS, count, 2, generator=generator, device=device, dtype=torch.float64)
    place = torch.rand(count, 2, generator=generator, device=device, dtype=torch.float64)
    return boxes_at(tried, place, height, width, scale, ratio)


def boxes_at(
    tried: Tensor, place: Tensor, height: int, width: int, scale: Range = SCALE, ratio: Range = RATIO
) -> Tensor:
    """Boxes [B, 4] (top, left, height, width) that follow from numbers in [0, 1).

    The first attempt whose rounded sides fit into the image counts. Where none does, the box is the largest in the
    middle of the image whose aspect ratio is within `ratio`.

    Args:
        tried: [attempts, B, 2], where in `scale` an attempt's area lies, and where in `ratio`, logarithmically.
        place: [B, 2], where between its extreme positions a box lies, vertically and horizontally.
        height: of the images, in pixels.
        width: likewise.
        scale: least and greatest area, as a share of the image's.
        ratio: least and greatest width by height.
    """
    area = height * width * (scale[0] + (scale[1] - scale[0]) * tried[..., 0])
    aspect = torch.exp(log(ratio[0]) + (log(ratio[1]) - log(ratio[0])) * tried[..., 1])
    sides = torch.stack(((area / aspect).sqrt(), (area * aspect).sqrt()), dim=-1).round()
    image = torch.cat([place.new_full((1,), side) for side in (height, width)])
    largest = torch.cat([place.new_full((1,), side) for side in _largest(height, width, ratio)])
    fits = ((sides > 0) & (sides <= image)).all(dim=-1)
    first = fits.int().argmax(dim=0)  # the first of those that fit
    found = sides.gather(0, first[None, :, None].expand(1, -1, 2))[0]
    some = fits.any(dim=0)[:, None]
    box = torch.where(some, found, largest)
    room = image - box
    corner = torch.where(some, place * (room + 1), room / 2).floor()
    return torch.cat((corner, box), dim=-1).long()


def _largest(height: int, width: int, ratio: Range) -> tuple[int, int]:
    if width < ratio[0] * height:
        return round(width / ratio[0]), width
    if width > ratio[1] * height:
        return height, round(height * ratio[1])
    return height, width


def resized_crop_flip_at(images: Tensor, index: Tensor, boxes: Tensor, flips: Tensor) -> Tensor:
    """The given boxes [B, 4] (top, left, height, width), bilinearly enlarged; `flips` [B] is 1 to flip."""
    _, height, width, _ = images.shape
    rows = _source(boxes[:, 0], boxes[:, 2], height)
    columns = _source(boxes[:, 1], boxes[:, 3], width)
    columns = torch.where(flips[:, None] == 1, columns.flip(1), columns)
    shape = len(index), height, width
    # grid_sample counts from -1 at the left edge of the first pixel to 1 at the right edge of the last.
    across = ((2 * columns + 1) / width - 1)[:, None, :].expand(shape)
    down = ((2 * rows + 1) / height - 1)[:, :, None].expand(shape)
    planes = images.index_select(0, index).permute(0, 3, 1, 2).float()
    found = F.grid_sample(planes, torch.stack((across, down), dim=-1), padding_mode="border", align_corners=False)
    return found.round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _source(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Where the middles of `size` pixels lie that share `length` pixels from `start` on: float32 [B, size]."""
    middle = torch.arange(size, device=start.device) + 0.5
    # Kept between the middles of the box's outer pixels, so that nothing outside the box shines in.
    within = (middle * (length[:, None] / size) - 0.5).clamp_(min=0)
    return start[:, None] + torch.minimum(within, length[:, None] - 1.0)
