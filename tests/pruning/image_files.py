"""Made-up images on disk."""

from pathlib import Path

import torch
from PIL import Image

from pruning import data

SIZES = ((300, 260), (240, 330), (280, 280))  # width, height


def save(path: Path, number: int) -> None:
    """A blurred image, of which no two are alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = torch.randint(256, (9, 9, 3), generator=data.generator(number, "image"), dtype=torch.uint8)
    Image.fromarray(coarse.numpy()).resize(SIZES[number % 3], Image.Resampling.BICUBIC).save(path, quality=90)
