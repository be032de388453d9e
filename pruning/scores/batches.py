"""The sample that a score is computed on: what a batch is, and going over all of them more than once."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]
"""Images [N, C, H, W] and labels [N]."""

IN_MEMORY = 2**28
"""Bytes of images remembered in memory; what comes after them waits in files."""


def checked(batch: object) -> Batch:
    """``batch``, if it is a pair of images and as many labels. Raises ValueError."""
    expected = "a batch is a pair of tensors: images [N, C, H, W] of floats and labels [N] of integers"
    if not isinstance(batch, tuple | list) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        raise ValueError(f"{expected}; given was {type(batch).__name__}. One batch alone goes into a list: [(x, y)]")
    images, labels = batch
    if not images.is_floating_point() or labels.is_floating_point() or images.shape[:1] != labels.shape:
        raise ValueError(
            f"{expected}; given were {images.dtype} {list(images.shape)} and {labels.dtype} {list(labels.shape)}"
        )
    return images, labels.long()


@contextmanager
def replayable(batches: Iterable[Batch]) -> Iterator[Iterable[Batch]]:
    """Inside, the same batches every time that one goes over them, without all of them in memory.

    A list is itself. All else is asked once and remembered, as a loader that is asked again may shuffle and augment
    anew. What is more than IN_MEMORY waits in temporary files, which are gone afterwards.
    """
    if isinstance(batches, Sequence):
        yield batches
        return
    with TemporaryDirectory(prefix="pruning-sample-") as folder:
        yield _Remembered(batches, Path(folder))


class _Remembered:
    """Remembers on the first way through, so that nothing is read before it is wanted."""

    def __init__(self, source: Iterable[Batch], folder: Path) -> None:
        self.source: Iterable[Batch] | None = source
        self.folder = folder
        self.kept: list[Batch | Path] = []

    def __iter__(self) -> Iterator[Batch]:
        if self.source is None:
            for kept in self.kept:
                yield torch.load(kept) if isinstance(kept, Path) else kept
            return
        source, self.source = self.source, None
        room = IN_MEMORY
        for batch in source:
            images, labels = checked(batch)
            room -= images.nbytes
            self.kept.append((images, labels) if room >= 0 else self._written(images, labels))
            yield images, labels

    def _written(self, images: Tensor, labels: Tensor) -> Path:
        path = self.folder / f"{len(self.kept)}.pt"
        torch.save((images.clone(), labels.clone()), path)  # clones, as a slice would be saved with all it is cut from
        return path
