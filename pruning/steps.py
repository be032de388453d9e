"""Training and testing one network in steps that a GPU replays without the host.

A step reads and writes tensors that stay where they are: the order of the epoch, the position in it, the totals. So the
whole of it (gather, crop, flip, forward, backward, update, totals) can be captured once as a CUDA graph and replayed;
elsewhere the same step is called. An epoch is a generator that hands back control every few steps, so that several
networks can share one device; the numbers are those of :func:`pruning.training.train_epoch`, to the bit.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning import capture, data, training
from pruning.data import Dataset, Split
from pruning.held import Held
from pruning.modes import mode
from pruning.training import TEST_BATCH, Recipe, Result

T = TypeVar("T")
Turns = Generator[bool, None, T]
"""Work in turns; a turn yields whether it did anything, False while it could only wait for the GPU."""

BURST = 16
"""Steps of one turn: on a GPU a millisecond of the host, after which another network may enqueue its own."""

_KEPT = 256 * 2**20
"""Bytes up to which normalised images are kept beside the stored ones; MNIST's take 188 MB."""


class _Graph(NamedTuple):
    """A captured step is good for one kind of step, number of images and learning rate."""

    kind: str
    size: int
    lr: float


class Steps:
    """Trains and tests ``net`` on ``data``, which are on one device; after surgery the new network needs a new one.

    ``momentum`` by parameter name continues an earlier run; without it there is none yet, and a recipe without momentum
    never has any. ``mask``, {parameter name: bool tensor of its shape}, sets the weights where it is False to zero and
    holds them there, see :class:`pruning.held.Held`, which says what it raises. ``replay`` False calls every step
    instead of capturing it, as is done on the CPU in any case. On a GPU, take the turns in a
    :func:`pruning.capture.lane` made after this: steps cannot be captured on the default stream.
    """

    def __init__(
        self,
        net: nn.Module,
        dataset: Dataset,
        recipe: Recipe,
        *,
        momentum: Mapping[str, Tensor] | None = None,
        mask: Mapping[str, Tensor] | None = None,
        replay: bool = True,
    ) -> None:
        self.net, self.data, self.recipe = net, dataset, recipe
        device = dataset.train.images.device
        self._parameters = dict(net.named_parameters())
        # Zeros give the first step what no buffer gives it, and are there before the step is captured.
        moving = self._parameters if recipe.momentum else {}
        self.momentum = {name: torch.zeros_like(p, requires_grad=False) for name, p in moving.items()}
        for name, speed in (momentum or {}).items():
            if name in self.momentum:
                self.momentum[name].copy_(speed)
        self._held = Held(net, mask or {}, self.momentum)
        self._order = torch.zeros(len(dataset.train), dtype=torch.int64, device=device)
        self._position = torch.zeros((), dtype=torch.int64, device=device)
        self._totals = torch.zeros(2, dtype=torch.float64, device=device)
        self._loss, self._correct = self._totals.unbind()
        self._augmentation = torch.Generator(device)
        self._normalised: Tensor | None = None
        replays = replay and device.type == "cuda"
        self._graphs = capture.Graphs[_Graph](self._state(), [self._augmentation]) if replays else None

    def train(self, *, lr: float, seed: int, epoch: int, steps: int | None = None) -> Turns[Result]:
        """One pass over the training images in random order, the last partial batch included; online loss and accuracy.

        Order and augmentation follow from ``seed`` and ``epoch`` alone. With ``steps`` only so many first batches of
        the same pass are taken, and loss and accuracy are over their images; raises ValueError where there are fewer.
        """
        split, device = self.data.train, self._order.device
        self._order.copy_(data.permutation(len(split), data.generator(seed, "order", epoch, device=device)))
        self._augmentation.manual_seed(data.generator(seed, "augmentation", epoch).initial_seed())
        self.net.train()
        self._normalise()
        sizes = _sizes(len(split), self.recipe.batch_size, steps)
        return (yield from self._pass("train", split, sizes, lr, partial(self._train, lr)))

    def test(self) -> Turns[Result]:
        """Loss and accuracy in evaluation mode on all test images, not augmented; modes are put back."""
        sizes = _sizes(len(self.data.test), TEST_BATCH)
        with mode(self.net, training=False):
            return (yield from self._pass("test", self.data.test, sizes, 0.0, self._test))

    def _pass(
        self, kind: str, split: Split, sizes: list[int], lr: float, step: Callable[[Split, int], None]
    ) -> Turns[Result]:
        self._position.zero_()
        self._totals.zero_()
        for number, size in enumerate(sizes, start=1):
            self._run(_Graph(kind, size, lr), partial(step, split, size))
            if number % BURST == 0:
                yield True
        loss, correct = yield from capture.arrival(self._totals)
        return Result(loss / sum(sizes), 100 * correct / sum(sizes))

    def _run(self, graph: _Graph, step: Callable[[], None]) -> None:
        if self._graphs is None:
            step()
        else:
            self._graphs.run(graph, step)

    def _train(self, lr: float, split: Split, size: int) -> None:
        images, labels = self._inputs(split, self._order.index_select(0, self._next(size)))
        logits = training.forward(self.net, images, self.recipe)
        loss = F.cross_entropy(logits / self.recipe.temperature, labels)
        for parameter in self._parameters.values():
            parameter.grad = None
        loss.backward()
        with torch.no_grad():
            self._held.gradients_()
            training.update(self._parameters, self.momentum, self.recipe, lr)
            self._count(loss.double() * size, logits, labels)

    def _normalise(self) -> None:
        """Once for all where images are neither augmented nor many: for a small network it is a tenth of every step."""
        images, recipe = self.data.train.images, self.recipe
        if recipe.augmentation == "none" and self._normalised is None and 4 * images.numel() <= _KEPT:
            mean, std = (training.per_channel(value, images.shape[-1]) for value in (recipe.mean, recipe.std))
            self._normalised = data.normalised(images, mean, std).permute(0, 2, 3, 1)

    def _inputs(self, split: Split, index: Tensor) -> tuple[Tensor, Tensor]:
        if self._normalised is None:
            return training.inputs(self.net, split, index, self.recipe, self._augmentation)
        images = self._normalised.index_select(0, index).permute(0, 3, 1, 2)
        return training.laid_out(images, self.net), split.labels.index_select(0, index)

    @torch.no_grad()  # here and not around the turns, between which other networks train
    def _test(self, split: Split, size: int) -> None:
        images, labels = training.inputs(self.net, split, self._next(size), self.recipe, None)
        logits = training.forward(self.net, images, self.recipe)
        loss = F.cross_entropy(logits / self.recipe.temperature, labels, reduction="sum")
        self._count(loss.double(), logits, labels)

    def _next(self, size: int) -> Tensor:
        index = self._position + torch.arange(size, device=self._position.device)
        self._position.add_(size)
        return index

    def _count(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self._loss.add_(loss)
        self._correct.add_((logits.argmax(1) == labels).sum())

    def _state(self) -> list[Tensor]:
        """All that a step changes."""
        numbers = [*self.net.parameters(), *self.net.buffers(), *self.momentum.values()]
        return [*numbers, self._position, self._totals]


def _sizes(images: int, batch: int, steps: int | None = None) -> list[int]:
    """Images of each batch of a pass, or of its first ``steps``."""
    full, rest = divmod(images, batch)
    sizes = [*[batch] * full, *[rest] * bool(rest)]
    if steps is not None and not 1 <= steps <= len(sizes):
        raise ValueError(
            f"steps is {steps}; a pass over {images} images has {len(sizes)}, so ask for between 1 and {len(sizes)}"
        )
    return sizes[:steps]


Lane = AbstractContextManager[object]
"""What the turns of one network are taken in, see :func:`pruning.capture.lane`."""


def finished(turns: Turns[T], lane: Lane | None = None) -> T:
    """The result of work in turns, taken one after the other in ``lane``, if given."""
    return together([(turns, lane or nullcontext())])[0]


def together(under_way: Sequence[tuple[Turns[T], Lane]]) -> list[T]:
    """The results of several pieces of work, a turn of each after the other, each in its lane."""
    results: dict[int, T] = {}
    while len(results) < len(under_way):
        busy = False
        for number, (turns, lane) in enumerate(under_way):
            if number not in results:
                try:
                    with lane:
                        busy |= next(turns)
                except StopIteration as stop:
                    results[number] = stop.value
                    busy = True
        capture.rest(busy)
    return [results[number] for number in range(len(under_way))]
