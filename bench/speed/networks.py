"""The networks that are timed, what they are given, and their shapes."""

from typing import Literal

import torch
from torch import Tensor, nn

from bench.speed.roofline import Convolution
from bench.suites import gradient_flow
from bench.suites.missing_the_mark_grids import GRIDS
from pruning import masks, models, scores, surgery, training
from pruning.data import Split
from pruning.modes import mode
from pruning.rounds import FLOOR
from pruning.scores import Batch
from pruning.training import Recipe

State = Literal["dense", "pruned"]


def network(model: str, state: State, width: str) -> nn.Module:
    """``model`` at initialisation, or what is left of it when the paper's share for CIFAR-10 goes by magnitude."""
    net = models.build(model, width=width, seed=0)
    if state == "dense":
        return net
    found = scores.filter_scores("magnitude", net, [])
    return surgery.shrink(net, masks.global_mask(found, amount(model), floor=FLOOR, protected=protected(net)))


def amount(model: str) -> str:
    """The fraction of filters that the paper prunes on CIFAR-10."""
    return str(gradient_flow.amount(model, "cifar10"))


def published_recipe(model: str, batch: int) -> Recipe:
    """How the second paper trains ``model``, but in batches of ``batch``."""
    protocol = next(how for network, how in GRIDS["paper"].protocols.items() if network.model == model)
    return Recipe(
        batch_size=batch,
        momentum=protocol.momentum,
        weight_decay=protocol.weight_decay,
        temperature=protocol.temperature,
        augmentation=protocol.augmentation,
        mean=protocol.mean,
        std=protocol.std,
    )


def protected(net: nn.Module) -> tuple[str, ...]:
    """Layers that are never pruned."""
    return tuple(getattr(net, "protected", ()))


def batches(net: nn.Module, split: Split, size: int) -> list[Batch]:
    """All of ``split``, not augmented, in the memory layout of ``net``."""
    index = torch.arange(len(split), device=split.images.device)
    return [training.inputs(net, split, part, Recipe(), None) for part in index.split(size)]


@torch.no_grad()
def settle_norms(net: nn.Module, batch: Batch) -> None:
    """Give batch norm the statistics of ``batch``: with those of initialisation, activations fade with depth."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with mode(net, training=True):
        net(batch[0])
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


def shapes(net: nn.Module, image: tuple[int, int, int]) -> list[Convolution]:
    """The convolutions and linear layers that an image [C, H, W] passes, in that order."""
    found: list[Convolution] = []

    def note(module: nn.Module, _inputs: object, output: Tensor) -> None:
        weight = module.get_parameter("weight")
        outputs, inputs = weight.shape[:2]
        found.append(Convolution(inputs, outputs, weight[0, 0].numel(), output[0, 0].numel()))

    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    with torch.no_grad(), mode(net, training=False):
        net(torch.zeros(1, *image, device=next(net.parameters()).device))
    for hook in hooks:
        hook.remove()
    return found
