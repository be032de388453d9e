"""Several networks of one shape trained in step: their weights are stacked, so that every product is one of them all.

For a GPU, on which a product of LeNet's size is over before the next one is launched. Every network has its own order
of images, rate, mask and momentum, and comes out as :class:`pruning.steps.Steps` would train it, but for rounding: a
product of a stack may add up in another order than that of one network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from pruning import capture, data, training
from pruning.data import Dataset, Streamed
from pruning.held import Held
from pruning.steps import BURST, Turns, first_sizes, sizes
from pruning.training import TEST_BATCH, Recipe, Result


class _Pass(NamedTuple):
    """What members of a stack can do together."""

    part: str
    sizes: tuple[int, ...]  # images of each batch


class _Graph(NamedTuple):
    part: str
    size: int


@dataclass(eq=False)
class _Request:
    """A pass that a member waits for."""

    member: "Member"
    what: _Pass
    order: Tensor | None = None
    lr: float = 0.0
    result: Result | None = None
    error: BaseException | None = None
    given_up: bool = False  # its member no longer waits


@dataclass(eq=False)
class Member:
    """One network of a stack, trained and tested like one of :class:`pruning.steps.Steps`, whose methods these are.

    A pass begins once no other member can come to wait for one, so take their turns in turn.
    """

    stack: "Stack"
    net: nn.Module
    momentum: dict[str, Tensor]
    mask: Mapping[str, Tensor] = field(default_factory=dict)

    def train(
        self, *, lr: float, seed: int, epoch: int, steps: int | None = None, lr_from: float | None = None
    ) -> Turns[Result]:
        """See :meth:`pruning.steps.Steps.train`. Raises ValueError for a rate that climbs."""
        if lr_from is not None:
            raise ValueError("stacked networks train at one rate an epoch; train those with a warm-up one by one")
        split = self.stack.data.train
        found = first_sizes(sizes(len(split), self.stack.recipe.batch_size), steps)
        self.net.train()
        order = data.permutation(len(split), data.generator(seed, "order", epoch, device=self.stack.device))
        return (yield from self.stack.waited(_Request(self, _Pass("train", tuple(found)), order, lr)))

    def test(self) -> Turns[Result]:
        """See :meth:`pruning.steps.Steps.test`."""
        what = _Pass("test", tuple(sizes(len(self.stack.data.test), TEST_BATCH)))
        return (yield from self.stack.waited(_Request(self, what)))


class Stack:
    """Room for ``capacity`` networks like ``net``, which are trained on ``dataset`` by ``recipe``.

    Raises ValueError where :func:`why_not` gives a reason. ``replay`` as for :class:`pruning.steps.Steps`.
    """

    def __init__(self, net: nn.Module, dataset: Dataset, recipe: Recipe, capacity: int, *, replay: bool = True) -> None:
        if reason := why_not(net, dataset, recipe):
            raise ValueError(f"these networks cannot be stacked, as {reason}; train them one by one")
        self.net, self.data, self.recipe, self.capacity = net, dataset, recipe, capacity
        self.device = dataset.train.images.device
        self._waiting: list[_Request] = []
        self._arrivals = 0
        self._busy = False
        own = {name: parameter.detach() for name, parameter in net.named_parameters()}
        self._parameters = {name: self._rows(parameter) for name, parameter in own.items()}
        moving = own if recipe.momentum else {}
        self._momentum = {name: self._rows(parameter) for name, parameter in moving.items()}
        self._keep = {name: self._rows(parameter) for name, parameter in own.items()}
        self._rates = torch.zeros(capacity, device=self.device)
        self._order = torch.zeros(capacity, len(dataset.train), dtype=torch.int64, device=self.device)
        self._position = torch.zeros((), dtype=torch.int64, device=self.device)
        self._totals = torch.zeros(2, capacity, dtype=torch.float64, device=self.device)
        self._images = {"train": self._normalised(dataset.train.images), "test": self._normalised(dataset.test.images)}
        self._graphs = capture.Graphs[_Graph](self._state(), []) if replay and self.device.type == "cuda" else None

    def member(
        self,
        net: nn.Module,
        *,
        momentum: Mapping[str, Tensor] | None = None,
        mask: Mapping[str, Tensor] | None = None,
    ) -> Member:
        """``net`` as one of this stack; ``momentum`` and ``mask`` as for Steps.

        Raises ValueError where it has other parameters than the stack, and where Steps does.
        """
        shapes = {name: list(parameter.shape) for name, parameter in net.named_parameters()}
        if shapes != (ours := {name: list(rows.shape[1:]) for name, rows in self._parameters.items()}):
            raise ValueError(f"a network with parameters {shapes} does not go on a stack of those with {ours}")
        moving = dict(net.named_parameters()) if self.recipe.momentum else {}
        own = {name: torch.zeros_like(p, requires_grad=False) for name, p in moving.items()}
        for name in own.keys() & (momentum or {}).keys():
            own[name].copy_((momentum or {})[name])
        Held(net, mask or {}, own)  # checks the mask, and sets to zero what it removes
        return Member(self, net, own, mask or {})

    def waited(self, request: _Request) -> Turns[Result]:
        """The result of ``request``.

        Its member does the work of all that wait, once everybody else had a turn and none of them came to wait, too.
        """
        self._waiting.append(request)
        self._arrivals += 1
        before = None
        try:
            while request.result is None and request.error is None:
                if self._busy or before != self._arrivals:
                    before = self._arrivals
                    yield False
                else:
                    yield from self._run(self._together())
        finally:
            request.given_up = True
            self._waiting = [other for other in self._waiting if other is not request]
        if request.error is not None:
            raise request.error
        assert request.result is not None
        return request.result

    def _together(self) -> list[_Request]:
        """The most that can be done at once, of those that have waited longest."""
        kinds: dict[_Pass, list[_Request]] = {}
        for request in self._waiting:
            kinds.setdefault(request.what, []).append(request)
        return max(kinds.values(), key=len)[: self.capacity]

    def _run(self, requests: list[_Request]) -> Turns[None]:
        self._busy = True
        self._waiting = [request for request in self._waiting if request not in requests]
        try:
            results = yield from self._pass(requests)
            for request, result in zip(requests, results, strict=True):
                request.result = result
        except GeneratorExit:  # the member that did it for all is given up; somebody else will do it
            self._waiting += [request for request in requests if not request.given_up]
            raise
        except Exception as error:
            for request in requests:
                request.error = error
        finally:
            self._busy = False

    def _pass(self, requests: list[_Request]) -> Turns[list[Result]]:
        what = requests[0].what
        self._load(requests)
        for number, size in enumerate(what.sizes, start=1):
            step = partial(self._train if what.part == "train" else self._test, size)
            if self._graphs is None:
                step()
            else:
                self._graphs.run(_Graph(what.part, size), step)
            if number % BURST == 0:
                yield True
        totals = yield from capture.arrival(self._totals.flatten())
        if what.part == "train":
            self._unload(requests)
        images = sum(what.sizes)
        losses, correct = totals[: self.capacity], totals[self.capacity :]
        return [Result(losses[k] / images, 100 * correct[k] / images) for k in range(len(requests))]

    @torch.no_grad()
    def _load(self, requests: list[_Request]) -> None:
        """Put what the members are made of into their places; in the places that are left, nothing matters."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)  # each member has been at work on a stream of its own
        self._position.zero_()
        self._totals.zero_()
        for k, request in enumerate(requests):
            member = request.member
            for name, parameter in member.net.named_parameters():
                self._parameters[name][k].copy_(parameter)
            if request.order is None:
                continue
            self._order[k].copy_(request.order)
            self._rates[k].fill_(request.lr)
            for name, velocity in member.momentum.items():
                self._momentum[name][k].copy_(velocity)
            for name, keep in self._keep.items():
                if name in member.mask:
                    keep[k].copy_(member.mask[name])
                else:
                    keep[k].fill_(1)

    @torch.no_grad()
    def _unload(self, requests: list[_Request]) -> None:
        for k, request in enumerate(requests):
            for name, parameter in request.member.net.named_parameters():
                parameter.copy_(self._parameters[name][k])
            for name, velocity in request.member.momentum.items():
                velocity.copy_(self._momentum[name][k])
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _train(self, size: int) -> None:
        index = self._order.index_select(1, self._next(size))
        images = self._images["train"].index_select(0, index.flatten()).unflatten(0, index.shape)
        labels = self.data.train.labels.index_select(0, index.flatten()).view_as(index)
        slopes, (loss, correct) = vmap(grad(self._loss, has_aux=True))(self._parameters, images, labels)
        with torch.no_grad():
            self._update(slopes)
            self._totals.add_(torch.stack((loss.double() * size, correct)))

    @torch.no_grad()
    def _test(self, size: int) -> None:
        index = self._next(size)
        images = self._images["test"].index_select(0, index)
        labels = self.data.test.labels.index_select(0, index)
        _, (loss, correct) = vmap(self._loss, in_dims=(0, None, None))(self._parameters, images, labels)
        self._totals.add_(torch.stack((loss.double() * size, correct)))

    def _loss(self, parameters: dict[str, Tensor], images: Tensor, labels: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Of one network: the mean loss, and once more with the number of images that it is right about."""
        logits = training.forward(partial(functional_call, self.net, parameters), images, self.recipe)
        loss = F.cross_entropy(logits / self.recipe.temperature, labels)
        return loss, (loss.detach(), (logits.argmax(1) == labels).sum())

    def _update(self, slopes: Mapping[str, Tensor]) -> None:
        """Stochastic gradient descent, each network at its rate; what a mask removes has no gradient and no decay."""
        for name, parameter in self._parameters.items():
            step = slopes[name].mul(self._keep[name]).add_(parameter, alpha=self.recipe.weight_decay)
            if self._momentum:
                step = self._momentum[name].mul_(self.recipe.momentum).add_(step)
            parameter.addcmul_(step, self._rates.view(-1, *[1] * (parameter.dim() - 1)), value=-1)

    def _state(self) -> list[Tensor]:
        """All that a step changes."""
        return [*self._parameters.values(), *self._momentum.values(), self._position, self._totals]

    def _next(self, size: int) -> Tensor:
        index = self._position + torch.arange(size, device=self.device)
        self._position.add_(size)
        return index

    def _rows(self, parameter: Tensor) -> Tensor:
        return parameter.new_zeros(self.capacity, *parameter.shape)

    def _normalised(self, pixels: Tensor) -> Tensor:
        return training.prepared(self.net, pixels, self.recipe).contiguous()


def why_not(net: nn.Module, dataset: Dataset | Streamed, recipe: Recipe) -> str:
    """What keeps networks like ``net`` from being stacked, as the end of a sentence; empty for nothing."""
    if isinstance(dataset, Streamed):
        return f"{dataset.name} does not fit into memory"
    if recipe.augmentation != "none":
        return f"their images are augmented ({recipe.augmentation})"
    if any(True for _ in net.buffers()):
        return "they have buffers, as batch norm's statistics are"
    return ""
