"""What a run of one cell works with: its images, its score, its networks before training."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.cell import UNPRUNED, Cell
from bench.plan import initialisation
from bench.protocol import Protocol
from bench.settings import Settings
from pruning import data, models, scores, training
from pruning.data import Dataset, Split, Streamed, streaming
from pruning.scores import Batch, Granularity, Score
from pruning.stacked import Member, Stack
from pruning.steps import Steps


class Diverged(Exception):  # noqa: N818
    """The loss, or a score, is no longer a finite number."""


@dataclass(frozen=True)
class Trial:
    """A cell, how it is run, and everything that follows from the two."""

    cell: Cell
    protocol: Protocol
    settings: Settings

    @cached_property
    def score(self) -> Score | None:
        """A built-in score, or the user's, loaded only now; None for a cell that prunes nothing."""
        return None if self.cell.score in UNPRUNED else _score(self.cell, self.settings)

    @cached_property
    def data(self) -> Dataset | Streamed:
        """The images on the device, or on disk; none where the cell neither trains nor scores on any."""
        return self._loaded[0]

    @property
    def resident(self) -> Dataset:
        """The same, where it fits into memory. Raises ValueError where it does not."""
        if isinstance(self.data, Streamed):
            raise ValueError(f"{self.cell.id}: {self.data.name} is decoded as it is used, and this needs all of it")
        return self.data

    @property
    def fingerprint(self) -> str:
        """Of the whole data set, whatever part of it is used."""
        return self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[Dataset | Streamed, str]:
        protocol, device = self.protocol, self.settings.device
        if protocol.epochs == 0 and (self.score is None or self.score.sampling == "none"):
            nothing = data.without_images(self.cell.dataset, protocol.image_size)
            return nothing.to(device), nothing.fingerprint
        limits = (protocol.train_limit, protocol.test_limit)
        return _dataset(self.cell.dataset, self.settings.data_root, device, protocol.image_size, limits)

    @property
    def image(self) -> tuple[int, int, int]:
        """Shape of an image, [C, H, W]."""
        return self.data.image

    @cached_property
    def recipe(self) -> training.Recipe:
        """How an epoch is trained."""
        protocol = self.protocol
        return training.Recipe(
            batch_size=protocol.batch_size,
            momentum=protocol.momentum,
            weight_decay=protocol.weight_decay,
            temperature=protocol.temperature,
            augmentation=protocol.augmentation,
            mean=protocol.mean,
            std=protocol.std,
            precision=protocol.precision,
        )

    def steps(
        self,
        net: nn.Module,
        *,
        momentum: Mapping[str, Tensor] | None = None,
        mask: Mapping[str, Tensor] | None = None,
    ) -> Steps | Member:
        """What trains ``net``, alone or on the stack of this process; see :class:`pruning.steps.Steps`."""
        number = self.settings.stacked
        if number == 1 or isinstance(self.data, Streamed):
            return Steps(net, self.data, self.recipe, momentum=momentum, mask=mask)
        stack = _stack(self.cell.model, self.protocol.width, self.data, self.recipe, number)
        return stack.member(net, momentum=momentum, mask=mask)

    def stream(self, *name: str | int, device: str = "cpu") -> torch.Generator:
        """The random stream of that name, which the seed of the cell decides."""
        return data.generator(self.cell.seed, *name, device=device)

    def fresh(self, start: str | None = None) -> nn.Module:
        """The unpruned network before training, on the CPU, by the cell's initialisation or by ``start``."""
        return models.build(
            self.cell.model,
            self.data.classes,
            in_channels=self.image[0],
            width=self.protocol.width,
            image_size=self.image[1],
            initialisation=start or initialisation(self.cell, self.protocol),
            seed=self.stream("init").initial_seed(),
        )

    def place(self, net: nn.Module) -> nn.Module:
        """``net`` on the device, laid out as it trains fastest there."""
        return training.place(net, self.settings.device)

    def sample(self, k: int) -> Tensor | None:
        """Which training images round ``k`` scores on, drawn anew every round; None for a score without data.

        Class-balanced samples are grouped by class for scores of filters, as in the released code, and in random order
        for those of weights, where batch norm sees the batch (PROTOCOLS A.5, B.5).
        """
        assert self.score is not None
        train, wanted = self.data.train, self.protocol.score_samples
        if self.score.sampling == "none":
            return None
        stream = self.stream("score_sample", k, device=str(train.labels.device))
        if self.score.sampling == "shuffled":
            return data.shuffled(len(train), wanted, stream)
        index = data.class_balanced(train.labels, self.data.classes, wanted, stream)
        return index[data.permutation(len(index), stream)] if self.score.granularity == "weights" else index

    def batches(self, sample: Tensor | None, k: int, net: nn.Module) -> Sequence[Batch]:
        """The images of a sample as ``net`` is to see them, augmented as in training; the same whenever it is asked."""
        if sample is None:
            return []
        size = self.protocol.scoring_batch or self.protocol.batch_size
        if isinstance(self.data, Streamed):
            images = _decoded(self.data, sample.numpy().tobytes(), self.cell.seed, k)
            return Prepared(net, images, self.recipe, size, self.settings.device)
        stream = self.stream("score_augmentation", k, device=self.settings.device)
        return [training.inputs(net, self.data.train, part, self.recipe, stream) for part in sample.split(size)]


@dataclass(frozen=True)
class Prepared(Sequence[Batch]):
    """Batches of decoded images, uint8 on the CPU, each brought to the device when it is asked for."""

    net: nn.Module
    images: Split
    recipe: training.Recipe
    size: int
    device: str

    def __len__(self) -> int:
        return -(-len(self.images) // self.size)

    def __getitem__(self, number: Any) -> Any:
        pixels, labels = (whole.split(self.size)[number].to(self.device) for whole in self._whole)
        return training.prepared(self.net, pixels, self.recipe), labels

    @property
    def _whole(self) -> tuple[Tensor, Tensor]:
        return self.images.images, self.images.labels


@lru_cache(maxsize=2)
def _dataset(
    name: str, root: Path, device: str, image_size: int | None, limits: tuple[int | None, int | None]
) -> tuple[Dataset | Streamed, str]:
    """The images of a cell on its device, and the fingerprint of the whole set; shared by cells of one process."""
    if name == "imagenet":
        return _imagenet(root, image_size, limits)
    whole = data.load(name, root, image_size)
    placed = whole.limited(*limits).to(device)
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)  # the next cell reads them on another stream
    return placed, whole.fingerprint


@lru_cache(maxsize=1)  # a score in iterations asks for it in each, and so do the other cells of a seed
def _decoded(source: Streamed, sample: bytes, seed: int, k: int) -> Split:
    """The images of a sample of a data set on disk, in memory."""
    index = torch.frombuffer(bytearray(sample), dtype=torch.int64)
    return streaming.sampled(source, index, seed=seed, k=k, workers=source.workers)


@lru_cache(maxsize=1)
def _stack(model: str, width: str, images: Dataset, recipe: training.Recipe, number: int) -> Stack:
    """What the networks of a process are trained on together."""
    channels, side, _ = images.image
    net = models.build(model, images.classes, in_channels=channels, width=width, image_size=side)
    return Stack(net.to(images.train.images.device), images, recipe, number)


def _imagenet(
    root: Path, image_size: int | None, limits: tuple[int | None, int | None]
) -> tuple[Dataset | Streamed, str]:
    """ImageNet stays on disk, and whole."""
    if image_size is not None or limits != (None, None):
        raise ValueError("ImageNet is decoded as it is used, at its own size and whole; a protocol cannot limit it")
    found = replace(data.imagenet(root), workers=torch.get_num_threads())
    return found, found.fingerprint


def _score(cell: Cell, settings: Settings) -> Score:
    """The score of a cell: a built-in one, or the user's, loaded only now."""
    reference = settings.score_references.get(cell.score)
    if reference is not None:
        module, _, function = reference.partition(":")
        found = getattr(importlib.import_module(module), function)
        registered = scores.of_function(found)
        if registered:
            return replace(registered, name=cell.score)
        return scores.from_function(found, cell.score, granularity=_granularity(cell))
    return scores.get("random" if cell.score == "uniform" else cell.score, granularity=_granularity(cell))


def _granularity(cell: Cell) -> Granularity:
    return "weights" if cell.granularity == "weights" else "filters"
