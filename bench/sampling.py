"""Which training images a score sees, and how they are cut into batches (PROTOCOLS A.5, B.5)."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from bench.protocol import Protocol
from pruning import data, training
from pruning.data import Dataset
from pruning.scores import Batch, Score
from pruning.training import Recipe


@dataclass(frozen=True)
class Sample:
    """Images of one scoring, by their index in the training set, augmented as in training."""

    index: Tensor
    sampler: "Sampler"
    k: int
    net: nn.Module

    def batches(self) -> Iterator[Batch]:
        """The images in batches; the same ones whenever it is called."""
        own = self.sampler
        images = own.data.train
        stream = data.generator(own.seed, "score_augmentation", self.k, device=images.images.device)
        for part in self.index.split(own.protocol.scoring_batch or own.protocol.batch_size):
            yield training.inputs(self.net, images, part, own.recipe, stream)


@dataclass(frozen=True)
class Sampler:
    """Draws samples of a data set for the scores of one cell."""

    data: Dataset
    recipe: Recipe
    protocol: Protocol
    seed: int

    def sample(self, score: Score, k: int, net: nn.Module) -> Sample | None:
        """The images that round ``k`` scores ``net`` on, drawn anew every round; None for a score without data.

        Class-balanced samples are grouped by class for scores of filters, as in the released code, and in random order
        for those of weights, where batch norm sees the batch.
        """
        train, wanted = self.data.train, self.protocol.score_samples
        if score.sampling == "none":
            return None
        stream = data.generator(self.seed, "score_sample", k, device=train.images.device)
        if score.sampling == "shuffled":
            return Sample(data.shuffled(len(train), wanted, stream), self, k, net)
        index = data.class_balanced(train.labels, self.data.classes, wanted, stream)
        if score.granularity == "weights":
            index = index[data.permutation(len(index), stream)]
        return Sample(index, self, k, net)
