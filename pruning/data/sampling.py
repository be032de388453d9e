"""Named random streams, and which images to take."""

from __future__ import annotations

import hashlib
import json

import torch
from torch import Tensor


def generator(seed: int, *name: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """The stream `name` of the experiment `seed`, e.g. `generator(0, "order", epoch)`.

    Its state follows from seed and name alone (SHA-256), so it needs no storing, and drawing more from one stream
    never shifts another. The numbers drawn differ between CPU and GPU.
    """
    digest = hashlib.sha256(json.dumps([seed, *name]).encode()).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def permutation(n: int, generator: torch.Generator) -> Tensor:
    """0 to n - 1 in random order, int64 [n], on the generator's device."""
    return torch.randperm(n, generator=generator, device=generator.device)


def shuffled(n: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` of n images without repetition, in random order; all n if there are fewer."""
    if count < 1:
        raise ValueError(f"a sample of {count} images was asked for; it needs at least one")
    return permutation(n, generator)[:count]


def class_balanced(labels: Tensor, classes: int, count: int, generator: torch.Generator) -> Tensor:
    """At random count // classes images of each class, or all of a class that has fewer; grouped by class, int64.

    Args:
        labels: int64 [N], on the generator's device.
        classes: number of classes; one that has no image contributes none.
        count: the number aimed at; what is not divisible by `classes`, or not available, is not made up for.
        generator: drawn from once.

    Raises:
        ValueError: `count` does not reach one image per class.
    """
    quota = count // classes
    if quota < 1:
        raise ValueError(f"{count} images do not cover {classes} classes; ask for at least {classes}")
    order = permutation(len(labels), generator)
    order = order[labels[order].argsort(stable=True)]
    available = torch.bincount(labels, minlength=classes)
    start = available.cumsum(0) - available
    place = torch.arange(len(labels), device=labels.device) - start[labels[order]]
    return order[place < quota]
