"""Mean gradients and exact Hessian-gradient products over a sample, in bounded memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]
"""Images [N, C, H, W] and labels [N]."""

CHUNK = 128
"""Images whose activations are held at once, unless batch statistics tie a whole batch together."""


def chunks(model: nn.Module, batches: Iterable[Batch]) -> Iterator[Batch]:
    """``batches`` cut to at most CHUNK images each.

    Where batch norm looks at the batch, as in training mode, batches are left as they are. Raises ValueError where
    there is not a single image, or a batch is not one.
    """
    empty, whole = True, model.training or any(_looks_at_batch(module) for module in model.modules())
    for batch in batches:
        images, labels = checked(batch)
        empty = empty and not len(images)
        if whole:
            yield images, labels
        else:
            yield from zip(images.split(CHUNK), labels.split(CHUNK), strict=True)
    if empty:
        raise ValueError("this score needs data, and the batches given hold not one image")


def _looks_at_batch(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None


def checked(batch: object) -> Batch:
    """``batch``, if it is a pair of images and as many labels."""
    expected = "a batch is a pair of tensors: images [N, C, H, W] of floats and labels [N] of integers"
    if not isinstance(batch, tuple | list) or len(batch) != 2 or not all(isinstance(part, Tensor) for part in batch):
        raise ValueError(f"{expected}; given was {type(batch).__name__}. One batch alone goes into a list: [(x, y)]")
    images, labels = batch
    if not images.is_floating_point() or labels.is_floating_point() or images.shape[:1] != labels.shape:
        raise ValueError(
            f"{expected}; given were {images.dtype} {list(images.shape)} and {labels.dtype} {list(labels.shape)}"
        )
    return images, labels.long()


def total_loss(model: nn.Module, images: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of logits / temperature, summed over the images."""
    return F.cross_entropy(model(images) / temperature, labels, reduction="sum")


def mean_gradient(model: nn.Module, batches: Iterable[Batch], temperature: float) -> dict[str, Tensor]:
    """Gradient of the mean loss over all images, for every parameter; zeros where the loss does not depend on it."""
    parameters = dict(model.named_parameters())
    sums = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    number = 0
    for images, labels in chunks(model, batches):
        loss = total_loss(model, images, labels, temperature)
        for total, part in zip(sums.values(), _gradients(loss, parameters.values()), strict=True):
            total += part
        number += len(images)
    return {name: total / number for name, total in sums.items()}


def per_batch_gradients(model: nn.Module, batches: Iterable[Batch], temperature: float) -> Iterator[dict[str, Tensor]]:
    """The mean gradient of each batch by itself; of those that hold an image."""
    for batch in batches:
        if len(checked(batch)[0]):
            yield mean_gradient(model, [batch], temperature)


def hessian_gradient(model: nn.Module, batches: Iterable[Batch], temperature: float) -> dict[str, Tensor]:
    """H g of the mean loss over all images, for every parameter; both H and g run over all parameters."""
    batches = list(batches)
    return hessian_product(model, batches, temperature, mean_gradient(model, batches, temperature))


def hessian_product(
    model: nn.Module, batches: Iterable[Batch], temperature: float, vector: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """H v of the mean loss over all images, for the parameters that ``vector`` names; H runs over these alone.

    Exact: the gradient of <v, gradient of the loss> chunk by chunk with v held constant (double backward;
    forward-over-reverse took 1.2 to 3 times as long on the CPU for the three networks). The network must be twice
    differentiable where the data is, as ReLU networks are almost everywhere.
    """
    parameters = {name: parameter for name, parameter in model.named_parameters() if name in vector}
    sums = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    number = 0
    for images, labels in chunks(model, batches):
        loss = total_loss(model, images, labels, temperature)
        slopes = _gradients(loss, parameters.values(), create_graph=True)
        along = torch.stack([(slope * vector[name]).sum() for name, slope in zip(parameters, slopes, strict=True)])
        for total, part in zip(sums.values(), _gradients(along.sum(), parameters.values()), strict=True):
            total += part
        number += len(images)
    return {name: total / number for name, total in sums.items()}


def _gradients(output: Tensor, inputs: Iterable[Tensor], *, create_graph: bool = False) -> Sequence[Tensor]:
    return torch.autograd.grad(
        output, list(inputs), create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
