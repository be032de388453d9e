"""Training and testing, one epoch at a time, on a data set that stays on the device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.optim.sgd import sgd as functional_sgd

from pruning import data
from pruning.data import Augmentation, Split
from pruning.modes import mode
from pruning.narrow import narrow_norms

Precision = Literal["fp32", "tf32", "bf16"]
"""tf32 is fp32 here: whoever runs the process switches TF32 products on, which a GPU has and a CPU does not."""

TEST_BATCH = 500
"""Images tested at once; fixed, so that a test loss does not depend on the memory of the machine."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an epoch of training depends on, besides the learning rate. Losses are at ``temperature``."""

    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 1e-4  # on every parameter, batch norm and biases included
    temperature: float = 5.0
    augmentation: Augmentation = "crop_flip"
    mean: float | tuple[float, ...] = 0.5  # of every channel, or one for each
    std: float | tuple[float, ...] = 0.5
    precision: Precision = "fp32"


class Result(NamedTuple):
    """Mean loss per image and accuracy in percent."""

    loss: float
    accuracy: float


def sgd(net: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Stochastic gradient descent with momentum, not Nesterov's, starting without velocity."""
    return torch.optim.SGD(
        net.parameters(), lr=0.0, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=True
    )


def velocity(net: nn.Module, optimizer: torch.optim.SGD) -> dict[str, Tensor]:
    """Momentum by parameter name; empty before the first step."""
    return {
        name: optimizer.state[parameter]["momentum_buffer"]
        for name, parameter in net.named_parameters()
        if "momentum_buffer" in optimizer.state[parameter]
    }


def update(parameters: Mapping[str, nn.Parameter], velocity: Mapping[str, Tensor], recipe: Recipe, lr: float) -> None:
    """The step of :func:`sgd`, in place, without what an optimizer does around it; by parameter name.

    ``velocity`` is not read where the recipe has no momentum. Parameters without a gradient stay as they are.
    """
    moved = {name: parameter for name, parameter in parameters.items() if parameter.grad is not None}
    functional_sgd(
        list(moved.values()),
        [parameter.grad for parameter in moved.values() if parameter.grad is not None],
        [velocity[name] for name in moved] if recipe.momentum else [],
        fused=True,
        lr=lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        dampening=0.0,
        nesterov=False,
        maximize=False,
    )


def place(net: nn.Module, device: str | torch.device) -> nn.Module:
    """``net`` on ``device``, channels-last, which trains as fast or faster on a CPU (docs/PERFORMANCE.md)."""
    return net.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def train_epoch(
    net: nn.Module, optimizer: torch.optim.SGD, split: Split, recipe: Recipe, *, lr: float, seed: int, epoch: int
) -> Result:
    """One pass over ``split`` in random order, the last partial batch included; online loss and accuracy.

    Order and augmentation follow from ``seed`` and ``epoch`` alone, so that a run can go on from any epoch's end.
    A loss that is not finite does not stop the epoch; it shows in the result.
    """
    device = split.images.device
    order = data.permutation(len(split), data.generator(seed, "order", epoch, device=device))
    augmentation = data.generator(seed, "augmentation", epoch, device=device)
    for group in optimizer.param_groups:
        group["lr"] = lr
    net.train()
    totals = torch.zeros(2, dtype=torch.float64, device=device)  # loss, correct; read once, at the end
    for index in order.split(recipe.batch_size):
        images, labels = inputs(net, split, index, recipe, augmentation)
        logits = forward(net, images, recipe)
        loss = F.cross_entropy(logits / recipe.temperature, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            totals[0] += loss.double() * len(index)
            totals[1] += (logits.argmax(1) == labels).sum()
    return _result(totals, len(split))


@torch.no_grad()
def evaluate(net: nn.Module, split: Split, recipe: Recipe) -> Result:
    """Loss and accuracy of ``net`` in evaluation mode on all of ``split``, not augmented; modes are put back."""
    totals = torch.zeros(2, dtype=torch.float64, device=split.images.device)
    with mode(net, training=False):
        for index in torch.arange(len(split), device=split.images.device).split(TEST_BATCH):
            images, labels = inputs(net, split, index, recipe, None)
            logits = forward(net, images, recipe)
            totals[0] += F.cross_entropy(logits / recipe.temperature, labels, reduction="sum").double()
            totals[1] += (logits.argmax(1) == labels).sum()
    return _result(totals, len(split))


def inputs(
    net: nn.Module, split: Split, index: Tensor, recipe: Recipe, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Normalised images and labels at ``index``, augmented where there is a generator, in the layout of ``net``."""
    mean, std = constants(recipe, split.images.shape[-1])
    augmentation = "none" if generator is None else recipe.augmentation
    images, labels = data.batch(split, index, augmentation=augmentation, mean=mean, std=std, generator=generator)
    return laid_out(images, net), labels


def prepared(net: nn.Module, pixels: Tensor, recipe: Recipe) -> Tensor:
    """``pixels``, uint8 [B, H, W, C], normalised, [B, C, H, W] in the layout of ``net``."""
    return laid_out(data.normalised(pixels, *constants(recipe, pixels.shape[-1])), net)


def laid_out(images: Tensor, net: nn.Module) -> Tensor:
    """``images`` [B, C, H, W], given in channels-last memory, in the layout of ``net``."""
    return images if _channels_last(net) else images.contiguous()


def constants(recipe: Recipe, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of a recipe for each of ``channels``."""
    mean, std = (v if isinstance(v, tuple) else (v,) * channels for v in (recipe.mean, recipe.std))
    return mean, std


def forward(net: Callable[[Tensor], Tensor], images: Tensor, recipe: Recipe) -> Tensor:
    """Logits in fp32, computed in the recipe's precision."""
    bf16 = recipe.precision == "bf16"
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16), narrow_norms(images.device):
        logits = net(images)
    return logits.float()


def _channels_last(net: nn.Module) -> bool:
    weights = (m.weight for m in net.modules() if isinstance(m, nn.Conv2d))
    return any(w.is_contiguous(memory_format=torch.channels_last) and not w.is_contiguous() for w in weights)


def _result(totals: Tensor, number: int) -> Result:
    loss, correct = totals.tolist()
    return Result(loss / number, 100 * correct / number)
