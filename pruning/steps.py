"""Training and testing one network in steps that a GPU replays without the host.

A step reads and writes tensors that stay where they are: the order of the epoch, the position in it, the totals. So the
whole of it (gather, crop, flip, forward, backward, update, totals) can be captured once as a CUDA graph and replayed;
elsewhere the same step is called. Of images that do not fit into memory, the host puts each batch in its place first.
An epoch is a generator that hands back control every few steps, so that several networks can share one device; the
numbers are those of :func:`pruning.training.train_epoch`, to the bit.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning import capture, training
from pruning.data import Dataset, Streamed
from pruning.feeds import Part, feed
from pruning.held import Held
from pruning.modes import mode
from pruning.training import TEST_BATCH, Recipe, Result

T = TypeVar("T")
Turns = Generator[bool, None, T]
"""Work in turns; a turn yields whether it did anything, False while it could only wait for the GPU."""

BURST = 16
"""Steps of one turn: on a GPU a millisecond of the host, after which another network may enqueue its own."""


class _Graph(NamedTuple):
    """A captured step is good for one kind of step, number of images and learning rate."""

    part: Part
    size: int
    lr: float


class Steps:
    """Trains and tests ``net`` on ``dataset``, on its device or on disk; after surgery the new network needs a new one.

    ``momentum`` by parameter name continues an earlier run; without it there is none yet, and a recipe without momentum
    never has any. ``mask``, {parameter name: bool tensor of its shape}, sets the weights where it is False to zero and
    holds them there, see :class:`pruning.held.Held`, which says what it raises. ``replay`` False calls every step
    instead of capturing it, as is done on the CPU in any case. On a GPU, take the turns in a
    :func:`pruning.capture.lane` made after this: steps cannot be captured on the default stream.
    """

    def __init__(
        self,
        net: nn.Module,
        dataset: Dataset | Streamed,
        recipe: Recipe,
        *,
        momentum: Mapping[str, Tensor] | None = None,
        mask: Mapping[str, Tensor] | None = None,
        replay: bool = True,
    ) -> None:
        self.net, self.recipe = net, recipe
        self._feed = feed(net, dataset, recipe)
        device = self._feed.device
        self._parameters = dict(net.named_parameters())
        # Zeros give the first step what no buffer gives it, and are there before the step is captured.
        moving = self._parameters if recipe.momentum else {}
        self.momentum = {name: torch.zeros_like(p, requires_grad=False) for name, p in moving.items()}
        for name, speed in (momentum or {}).items():
            if name in self.momentum:
                self.momentum[name].copy_(speed)
        self._held = Held(net, mask or {}, self.momentum)
        self._totals = torch.zeros(2, dtype=torch.float64, device=device)
        self._loss, self._correct = self._totals.unbind()
        # Steps that the host waits for are so long that launching them costs nothing, and capturing them much memory.
        replays = replay and device.type == "cuda" and not self._feed.waits
        self._graphs = capture.Graphs[_Graph](self._state(), self._feed.generators) if replays else None

    def train(
        self, *, lr: float, seed: int, epoch: int, steps: int | None = None, lr_from: float | None = None
    ) -> Turns[Result]:
        """One pass over the training images in random order, the last partial batch included; online loss and accuracy.

        Order and augmentation follow from ``seed`` and ``epoch`` alone. With ``steps`` only so many first batches of
        the same pass are taken, and loss and accuracy are over their images; raises ValueError where there are fewer.
        The rate is ``lr``, or climbs from ``lr_from``, that of the first step, to ``lr``, that after the last of the
        whole pass.
        """
        whole = sizes(self._feed.images["train"], self.recipe.batch_size)
        taken = first_sizes(whole, steps)
        self._feed.train(seed, epoch)
        self.net.train()
        start = lr if lr_from is None else lr_from
        rates = [start + (lr - start) * number / len(whole) for number in range(len(taken))]
        return (yield from self._pass("train", taken, rates))

    def test(self) -> Turns[Result]:
        """Loss and accuracy in evaluation mode on all test images, not augmented; modes are put back."""
        self._feed.test()
        with mode(self.net, training=False):
            taken = sizes(self._feed.images["test"], TEST_BATCH)
            return (yield from self._pass("test", taken, [0.0] * len(taken)))

    def _pass(self, part: Part, taken: list[int], rates: list[float]) -> Turns[Result]:
        self._totals.zero_()
        constant = len(set(rates)) == 1  # else every step would be captured anew
        try:
            for number, (size, lr) in enumerate(zip(taken, rates, strict=True), start=1):
                self._feed.advance(size)
                step = partial(self._train, lr, size) if part == "train" else partial(self._test, size)
                if self._graphs is not None and constant:
                    self._graphs.run(_Graph(part, size, lr), step)
                else:
                    step()
                if number % BURST == 0 or self._feed.waits:
                    yield True
        finally:
            self._feed.close()
        loss, correct = yield from capture.arrival(self._totals)
        return Result(loss / sum(taken), 100 * correct / sum(taken))

    def _train(self, lr: float, size: int) -> None:
        images, labels = self._feed.inputs("train", size)
        logits = training.forward(self.net, images, self.recipe)
        loss = F.cross_entropy(logits / self.recipe.temperature, labels)
        for parameter in self._parameters.values():
            parameter.grad = None
        loss.backward()
        with torch.no_grad():
            self._held.update(self.recipe, lr)
            self._count(loss.double() * size, logits, labels)

    @torch.no_grad()  # here and not around the turns, between which other networks train
    def _test(self, size: int) -> None:
        images, labels = self._feed.inputs("test", size)
        logits = training.forward(self.net, images, self.recipe)
        loss = F.cross_entropy(logits / self.recipe.temperature, labels, reduction="sum")
        self._count(loss.double(), logits, labels)

    def _count(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self._loss.add_(loss)
        self._correct.add_((logits.argmax(1) == labels).sum())

    def _state(self) -> list[Tensor]:
        """All that a step changes."""
        numbers = [*self.net.parameters(), *self.net.buffers(), *self.momentum.values()]
        return [*numbers, *self._feed.state, self._totals]


def sizes(images: int, batch: int) -> list[int]:
    """Images of each batch of a pass."""
    full, rest = divmod(images, batch)
    return [*[batch] * full, *[rest] * bool(rest)]


def first_sizes(whole: list[int], steps: int | None) -> list[int]:
    """Those of the first ``steps`` batches, or of all. Raises ValueError where there are fewer."""
    if steps is not None and not 1 <= steps <= len(whole):
        raise ValueError(
            f"steps is {steps}; a pass over {sum(whole)} images has {len(whole)}, so ask for between 1 and {len(whole)}"
        )
    return whole[:steps]


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
