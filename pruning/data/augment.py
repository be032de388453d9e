"""From stored uint8 images to a training batch, without a loop over images and without waiting for a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from pruning.data.dataset import Split
from pruning.data.resized_crop import resized_crop_flip

Augmentation = Literal["none", "crop_flip", "flip_crop", "resized_crop_flip", "flip_shift"]


def batch(
    split: Split,
    index: Tensor,
    *,
    augmentation: Augmentation,
    mean: Sequence[float],
    std: Sequence[float],
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Inputs [B, C, H, W] in channels-last memory and labels [B] of the images at `index` [B].

    Raises:
        ValueError: the augmentation is not known, or it has no generator to draw from.
    """
    if augmentation == "none":
        images = split.images.index_select(0, index)
    elif augmentation not in AUGMENTATIONS:
        known = " or ".join(map(repr, ("none", *AUGMENTATIONS)))
        raise ValueError(f"there is no augmentation {augmentation!r}; choose {known}")
    elif generator is None:
        raise ValueError(f"augmentation {augmentation!r} draws random numbers; give it a generator")
    else:
        images = AUGMENTATIONS[augmentation](split.images, index, generator)
    return normalised(images, mean, std, dtype), split.labels.index_select(0, index)


def normalised(
    images: Tensor, mean: Sequence[float], std: Sequence[float], dtype: torch.dtype = torch.float32
) -> Tensor:
    """(x / 255 - mean) / std per channel of uint8 images [B, H, W, C], as [B, C, H, W] in channels-last memory.

    Computed in float32, or float64 if that is `dtype`, and with torchvision's operations in torchvision's order.
    """
    count, height, width, channels = images.shape
    if not len(mean) == len(std) == channels:
        raise ValueError(
            f"images of {channels} channels need as many means and deviations, not {len(mean)} and {len(std)}"
        )
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    # Constants as long as a row make the innermost loop long enough to be vectorised; over three channels it is not.
    rows = images.reshape(-1, width * channels).to(precision).div_(255)
    rows.sub_(_row(mean, width, rows)).div_(_row(std, width, rows))
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2).to(dtype)


def _row(values: Sequence[float], width: int, like: Tensor) -> Tensor:
    # Filled on the device: a copy from the host would wait for the GPU and cannot be captured in a CUDA graph.
    return torch.cat([like.new_full((1,), value) for value in values]).repeat(width)


def crop_flip(images: Tensor, index: Tensor, generator: torch.Generator, padding: int = 4) -> Tensor:
    """The images at `index` [B], each cropped at random from its zero-padded self, then flipped with probability 1/2.

    Same distribution as torchvision's RandomCrop(size, padding) and RandomHorizontalFlip on raw pixels. The generator,
    on the device of the images, is drawn from once for all offsets and once for all flips.

    Args:
        images: uint8 [N, H, W, C].
        index: int64 [B].
        generator: advanced by 3 B numbers.
        padding: pixels on each side, so that offsets run from 0 to 2 * padding.

    Returns:
        uint8 [B, H, W, C].
    """
    offsets = torch.randint(2 * padding + 1, (len(index), 2), generator=generator, device=images.device)
    flips = torch.randint(2, (len(index),), generator=generator, device=images.device)
    return crop_flip_at(images, index, offsets, flips, padding)


def crop_flip_at(images: Tensor, index: Tensor, offsets: Tensor, flips: Tensor, padding: int = 4) -> Tensor:
    """Crop and flip with given top and left offsets [B, 2] into the padded images and flips [B], 1 to flip."""
    # A flipped crop is the crop, from the other side, of the flipped image.
    left = torch.where(flips == 1, 2 * padding - offsets[:, 1], offsets[:, 1])
    return flip_crop_at(images, index, torch.stack((offsets[:, 0], left), dim=1), flips, padding)


def flip_crop(images: Tensor, index: Tensor, generator: torch.Generator, padding: int = 4) -> Tensor:
    """The images at `index` [B], each flipped with probability 1/2, then cropped at random from its zero-padded self.

    open_lth's order for CIFAR-10, and the modified TinyImageNet's flip and shift by up to 4 pixels (PROTOCOLS B.2).
    Offsets to the left and to the right are equally likely, so the distribution is that of :func:`crop_flip`; the
    numbers drawn differ, as flips come first. Arguments and result are the same.
    """
    flips = torch.randint(2, (len(index),), generator=generator, device=images.device)
    offsets = torch.randint(2 * padding + 1, (len(index), 2), generator=generator, device=images.device)
    return flip_crop_at(images, index, offsets, flips, padding)


def flip_crop_at(images: Tensor, index: Tensor, offsets: Tensor, flips: Tensor, padding: int = 4) -> Tensor:
    """Flip and crop with given flips [B], 1 to flip, and top and left offsets [B, 2] into the padded flipped images."""
    _, height, width, channels = images.shape
    count, padded_height, padded_width = len(index), height + 2 * padding, width + 2 * padding
    chosen = images.index_select(0, index)
    both = chosen.new_zeros(2, count, padded_height, padded_width, channels)
    inside = both[:, :, padding : padding + height, padding : padding + width]
    inside[0] = chosen
    inside[1] = chosen.flip(2)
    source = torch.arange(count, device=images.device) + count * flips
    first_row = (source * padded_height + offsets[:, 0]) * padded_width + offsets[:, 1]
    starts = first_row[:, None] + padded_width * torch.arange(height, device=images.device)
    # Every run of `width` pixels, overlapping: a row of a crop is then one contiguous copy, faster than pixel by pixel.
    runs = both.as_strided((both.numel() // channels - width + 1, width * channels), (channels, 1))
    return runs.index_select(0, starts.view(-1)).view(count, height, width, channels)


Augment = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""(images uint8 [N, H, W, C], index int64 [B], generator on their device) to uint8 [B, H, W, C]."""

AUGMENTATIONS: dict[str, Augment] = {
    "crop_flip": crop_flip,
    "flip_crop": flip_crop,
    "resized_crop_flip": resized_crop_flip,
    "flip_shift": flip_crop,
}
"""What each name of :data:`Augmentation` does, except "none"."""
