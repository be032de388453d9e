"""Ways to train for an epoch.

``released`` is what code released with papers does: plain PyTorch in fp32 and its default memory layout, torchvision's
transforms on PIL images in a DataLoader of two workers, SGD as it comes, loss and accuracy read off in every step.
``resident`` is the same loop, but its images lie on the device as one uint8 tensor and are augmented by the batch.
``engine`` is how this project trains its cells; ``engines`` is several of them at once, ``stack`` several as one.

All of them train the same network, with the same recipe, at the same rate, all images of the split once.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from pruning import capture, data, masks, scores, training
from pruning.data import Split
from pruning.held import Held
from pruning.stacked import Stack
from pruning.steps import Steps, finished, sizes, together
from pruning.training import Recipe, Result

Epoch = Callable[[int], Result]
"""Trains for the epoch of that number; mean loss and accuracy."""

LR = 0.1
WORKERS = 2


def engine(net: nn.Module, split: Split, recipe: Recipe) -> Epoch:
    """This project's own path, as cells take it."""
    steps, lane = _steps(net, split, recipe), capture.lane(split.images.device)
    return lambda epoch: finished(steps.train(lr=LR, seed=0, epoch=epoch), lane)


def engines(net: nn.Module, split: Split, recipe: Recipe, number: int) -> Epoch:
    """``number`` networks at once, in turns, each on its share of the images: as many steps as one network takes.

    The result is that of the first.
    """
    share = split.first(len(split) // number)
    networks = [(_steps(net, share, recipe), capture.lane(split.images.device)) for _ in range(number)]

    def epoch(of: int) -> Result:
        under_way = [(steps.train(lr=LR, seed=n, epoch=of), lane) for n, (steps, lane) in enumerate(networks)]
        return together(under_way)[0]

    return epoch


def stack(net: nn.Module, split: Split, recipe: Recipe, number: int) -> Epoch:
    """``number`` masked networks as one, each on its share of the images; the result is that of the first."""
    share = split.first(len(split) // number)
    placed = copy.deepcopy(net).to(split.images.device)
    under = Stack(placed, _dataset(share), recipe, number)
    members = [under.member(copy.deepcopy(placed), mask=_half(placed)) for _ in range(number)]
    lane = capture.lane(split.images.device)

    def epoch(of: int) -> Result:
        return together([(member.train(lr=LR, seed=n, epoch=of), lane) for n, member in enumerate(members)])[0]

    return epoch


def masked(net: nn.Module, split: Split, recipe: Recipe, number: int = 1) -> Epoch:
    """This project's own path for one network under such a mask: as many epochs of one share, one after the other."""
    placed = training.place(copy.deepcopy(net), split.images.device)
    share = _dataset(split.first(len(split) // number))
    steps, lane = Steps(placed, share, recipe, mask=_half(placed)), capture.lane(split.images.device)

    def epoch(of: int) -> Result:
        first, *_ = (finished(steps.train(lr=LR, seed=n, epoch=of), lane) for n in range(number))
        return first

    return epoch


def updates(net: nn.Module, split: Split, recipe: Recipe, *, mask: bool) -> Callable[[], None]:
    """The updates of an epoch without its forward and backward passes, under such a mask or none."""
    placed = training.place(copy.deepcopy(net), split.images.device)
    parameters = dict(placed.named_parameters())
    speed = {name: torch.zeros_like(p, requires_grad=False) for name, p in parameters.items() if recipe.momentum}
    held = Held(placed, _half(placed) if mask else {}, speed)
    for parameter in parameters.values():
        parameter.grad = torch.zeros_like(parameter)

    def epoch() -> None:
        for _ in sizes(len(split), recipe.batch_size):
            held.update(recipe, LR)

    return epoch


def _half(net: nn.Module) -> dict[str, Tensor]:
    return masks.global_mask(scores.weight_scores("magnitude", net, []), amount="0.5")


def _dataset(split: Split) -> data.Dataset:
    return data.Dataset("speed", 10, split, split, fingerprint="")


def _steps(net: nn.Module, split: Split, recipe: Recipe) -> Steps:
    placed = training.place(copy.deepcopy(net), split.images.device)
    return Steps(placed, _dataset(split), recipe)


def released(net: nn.Module, split: Split, recipe: Recipe) -> Epoch:
    """Released code's way. Its workers start in the first epoch, the warm-up, and stay while the result is kept."""
    loader = DataLoader(
        PILImages(split, recipe),
        batch_size=recipe.batch_size,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    return _plain(net, split.images.device, recipe, lambda _epoch: loader)


def resident(net: nn.Module, split: Split, recipe: Recipe) -> Epoch:
    """Released code's loop on resident data; images and their order are those of ``engine``."""
    return _plain(net, split.images.device, recipe, lambda epoch: _resident_batches(split, recipe, epoch))


class PILImages(Dataset[tuple[Tensor, int]]):
    """Items as torchvision's CIFAR10 makes them: an array becomes a PIL image, which the transforms make a tensor."""

    def __init__(self, split: Split, recipe: Recipe) -> None:
        self.arrays, self.targets = split.images.cpu().numpy(), split.labels.tolist()
        channels = split.images.shape[-1]
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(split.images.shape[1], padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize([recipe.mean] * channels, [recipe.std] * channels),
            ]
        )

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.targets[index]


def _resident_batches(split: Split, recipe: Recipe, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    device = split.images.device
    order = data.permutation(len(split), data.generator(0, "order", epoch, device=device))
    generator = data.generator(0, "augmentation", epoch, device=device)
    mean, std = training.constants(recipe, split.images.shape[-1])
    for index in order.split(recipe.batch_size):
        images, labels = data.batch(
            split, index, augmentation=recipe.augmentation, mean=mean, std=std, generator=generator
        )
        yield images.contiguous(), labels


Batches = Callable[[int], Iterable[tuple[Tensor, Tensor]]]


def _plain(net: nn.Module, device: torch.device, recipe: Recipe, batches: Batches) -> Epoch:
    """The training loop of PyTorch's tutorials."""
    net = copy.deepcopy(net).to(device)
    optimizer = torch.optim.SGD(net.parameters(), lr=LR, momentum=recipe.momentum, weight_decay=recipe.weight_decay)

    def epoch(number: int) -> Result:
        net.train()
        total, correct, seen = 0.0, 0.0, 0
        for images, labels in batches(number):
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            logits = net(images)
            loss = F.cross_entropy(logits / recipe.temperature, labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            correct += (logits.argmax(1) == labels).sum().item()
            seen += len(labels)
        return Result(total / seen, 100 * correct / seen)

    def as_pytorch_comes(number: int) -> Result:
        with defaults():
            return epoch(number)

    return as_pytorch_comes


@contextmanager
def defaults() -> Iterator[None]:
    """cuDNN as PyTorch ships it, which cells do not use it as: any algorithm, and TF32 in convolutions."""
    cudnn: Any = torch.backends.cudnn  # torch declares no type for .conv
    switches = (cudnn.conv, cudnn.rnn)
    before = cudnn.deterministic, [switch.fp32_precision for switch in switches]
    try:
        cudnn.deterministic = False
        for switch in switches:
            switch.fp32_precision = "tf32"
        yield
    finally:
        cudnn.deterministic = before[0]
        for switch, value in zip(switches, before[1], strict=True):
            switch.fp32_precision = value
