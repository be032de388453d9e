"""Where the steps of a pass get their images: from a data set on the device, or from processes that decode files."""

from collections.abc import Iterator
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from pruning import data, training
from pruning.data import Dataset, Streamed, streaming
from pruning.training import TEST_BATCH, Recipe

Part = Literal["train", "test"]

_KEPT = 256 * 2**20
"""Bytes up to which normalised images are kept beside the stored ones; MNIST's take 188 MB."""


class Feed(Protocol):
    """Batches of one pass after the other, for steps that a GPU may replay.

    ``state`` are the tensors and ``generators`` the random streams that :meth:`inputs` changes. One that ``waits`` for
    its images lets nobody have a turn meanwhile.
    """

    waits: bool

    images: dict[Part, int]
    device: torch.device
    state: list[Tensor]
    generators: list[torch.Generator]

    def train(self, seed: int, epoch: int) -> None:
        """Begin a pass over the training images, in an order and augmented as follows from ``seed`` and ``epoch``."""

    def test(self) -> None:
        """Begin a pass over the test images."""

    def advance(self, size: int) -> None:
        """What the host does before a step; it is not captured."""

    def inputs(self, part: Part, size: int) -> tuple[Tensor, Tensor]:
        """The next ``size`` normalised images, in the layout of the network, and labels: a part of the step."""

    def close(self) -> None:
        """End the pass that is under way."""


def feed(net: nn.Module, dataset: Dataset | Streamed, recipe: Recipe) -> Feed:
    """The images of ``dataset`` as ``net`` is trained on them by ``recipe``."""
    return Decoded(net, dataset, recipe) if isinstance(dataset, Streamed) else Resident(net, dataset, recipe)


class Resident:
    """Images that lie on the device; gathered by an order and a position that lie there, too."""

    waits = False

    def __init__(self, net: nn.Module, dataset: Dataset, recipe: Recipe) -> None:
        self.net, self.data, self.recipe = net, dataset, recipe
        self.images: dict[Part, int] = {"train": len(dataset.train), "test": len(dataset.test)}
        self.device = dataset.train.images.device
        self._order = torch.zeros(len(dataset.train), dtype=torch.int64, device=self.device)
        self._position = torch.zeros((), dtype=torch.int64, device=self.device)
        self._augmentation = torch.Generator(self.device)
        self._normalised: Tensor | None = None
        self.state, self.generators = [self._position], [self._augmentation]

    def train(self, seed: int, epoch: int) -> None:
        """See :class:`Feed`."""
        stream = data.generator(seed, "order", epoch, device=self.device)
        self._order.copy_(data.permutation(len(self._order), stream))
        self._augmentation.manual_seed(data.generator(seed, "augmentation", epoch).initial_seed())
        self._normalise()
        self._position.zero_()

    def test(self) -> None:
        """See :class:`Feed`."""
        self._position.zero_()

    def advance(self, size: int) -> None:
        """See :class:`Feed`; the position is moved by the step itself."""

    def inputs(self, part: Part, size: int) -> tuple[Tensor, Tensor]:
        """See :class:`Feed`."""
        index = self._next(size)
        if part == "test":
            return training.inputs(self.net, self.data.test, index, self.recipe, None)
        index = self._order.index_select(0, index)
        if self._normalised is None:
            return training.inputs(self.net, self.data.train, index, self.recipe, self._augmentation)
        images = self._normalised.index_select(0, index).permute(0, 3, 1, 2)
        return training.laid_out(images, self.net), self.data.train.labels.index_select(0, index)

    def close(self) -> None:
        """See :class:`Feed`; nothing is open."""

    def _next(self, size: int) -> Tensor:
        index = self._position + torch.arange(size, device=self.device)
        self._position.add_(size)
        return index

    def _normalise(self) -> None:
        """Once for all where images are neither augmented nor many: for a small network it is a tenth of every step."""
        images, recipe = self.data.train.images, self.recipe
        if recipe.augmentation == "none" and self._normalised is None and 4 * images.numel() <= _KEPT:
            constants = training.constants(recipe, images.shape[-1])
            self._normalised = data.normalised(images, *constants).permute(0, 2, 3, 1)


class Decoded:
    """Images that processes decode and augment, a part of a batch each; it is put together on the device.

    Raises ValueError for another augmentation than that of :mod:`pruning.data.streaming`.
    """

    waits = True

    def __init__(self, net: nn.Module, dataset: Streamed, recipe: Recipe) -> None:
        if recipe.augmentation != streaming.AUGMENTATION:
            raise ValueError(
                f"augmentation {recipe.augmentation!r} needs images that fit into memory; those of {dataset.name} are "
                f"decoded on the way, by {streaming.AUGMENTATION!r}"
            )
        self.net, self.data, self.recipe = net, dataset, recipe
        self.images: dict[Part, int] = {"train": len(dataset.train), "test": len(dataset.test)}
        self.device = next(net.parameters()).device
        channels, *sides = dataset.image
        largest = max(recipe.batch_size, TEST_BATCH)
        self._pixels = torch.zeros(largest, *sides, channels, dtype=torch.uint8, device=self.device)
        self._labels = torch.zeros(largest, dtype=torch.int64, device=self.device)
        self._parts: Iterator[streaming.Batch] = iter(())
        self.state, self.generators = list[Tensor](), list[torch.Generator]()

    def train(self, seed: int, epoch: int) -> None:
        """See :class:`Feed`."""
        size = _part(self.recipe.batch_size)
        self._parts = streaming.training_batches(self.data, size, seed=seed, epoch=epoch, workers=self.data.workers)

    def test(self) -> None:
        """See :class:`Feed`."""
        self._parts = streaming.evaluation_batches(self.data, _part(TEST_BATCH), workers=self.data.workers)

    def advance(self, size: int) -> None:
        """See :class:`Feed`; waits until the batch is decoded. Raises DataError where an image is damaged."""
        filled = 0
        while filled < size:
            pixels, labels = next(self._parts)
            there = slice(filled, filled + len(labels))
            self._pixels[there].copy_(pixels)
            self._labels[there].copy_(labels)
            filled += len(labels)

    def inputs(self, part: Part, size: int) -> tuple[Tensor, Tensor]:  # noqa: ARG002 - augmented, or not, already
        """See :class:`Feed`."""
        return training.prepared(self.net, self._pixels[:size], self.recipe), self._labels[:size]

    def close(self) -> None:
        """See :class:`Feed`; ends the processes."""
        self._parts = iter(())


def _part(batch: int) -> int:
    """Images that a process decodes at a time, so that batches are whole parts."""
    return max(size for size in range(1, streaming.PART + 1) if batch % size == 0)
