"""Mean gradients and exact Hessian products over a sample, in bounded memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning.scores import memory
from pruning.scores.batches import Batch, checked, replayable
from pruning.scores.lean import little_memory
from pruning.scores.second import twice_differentiable

CHUNK = 128
"""Images whose activations are held at once, unless batch statistics tie a whole batch together."""

Numbers = dict[str, Tensor]
Part = tuple[Tensor, Tensor, tuple[nn.Module, ...] | None]


def parts(model: nn.Module, batches: Iterable[Batch], *, graphs: int = 1) -> Iterator[Part]:
    """``batches`` cut to at most CHUNK images each, fewer where activations would not fit into ``memory.BUDGET``.

    Where batch norm looks at the batch, as in training mode, batches are left as they are. Beside images and labels
    come, where a batch does not fit, the modules that can be computed anew, else None. ``graphs`` is how much the pass
    holds, in activations of going forward. Raises ValueError where there is not a single image, or a batch is not one.
    """
    found, whole = None, model.training or any(_looks_at_batch(module) for module in model.modules())
    for batch in batches:
        images, labels = checked(batch)
        if len(images) == 0:
            continue
        found = found or memory.survey(model, images)
        room = max(1, memory.BUDGET // (graphs * found.held))
        if whole:
            yield images, labels, None if len(images) <= room else found.modules
        else:
            size = min(CHUNK, room)
            yield from ((*part, None) for part in zip(images.split(size), labels.split(size), strict=True))
    if found is None:
        raise ValueError("this score needs data, and the batches given hold not one image")


def _looks_at_batch(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None


def total_loss(model: nn.Module, images: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of logits / temperature, summed over the images."""
    return F.cross_entropy(model(images) / temperature, labels, reduction="sum")


def mean_gradient(model: nn.Module, batches: Iterable[Batch], temperature: float) -> Numbers:
    """Gradient of the mean loss over all images, for every parameter; zeros where the loss does not depend on it.

    Of a batch that cannot be cut and is too large, activations are computed anew instead of being kept.
    """
    return mean_loss(model, batches, temperature)[1]


def mean_loss(model: nn.Module, batches: Iterable[Batch], temperature: float) -> tuple[float, Numbers]:
    """The mean loss over all images, and its gradient as :func:`mean_gradient` gives it."""
    parameters = dict(model.named_parameters())
    sums = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    number, losses = 0, []
    for images, labels, large in parts(model, batches):
        with little_memory(large):
            loss = total_loss(model, images, labels, temperature)
            for total, part in zip(sums.values(), _gradients(loss, parameters.values()), strict=True):
                total += part
        losses.append(loss.detach().double())
        number += len(images)
    return float(torch.stack(losses).sum()) / number, {name: total / number for name, total in sums.items()}


def per_batch_gradients(model: nn.Module, batches: Iterable[Batch], temperature: float) -> Iterator[Numbers]:
    """The mean gradient of each batch by itself; of those that hold an image."""
    for batch in batches:
        if len(checked(batch)[0]):
            yield mean_gradient(model, [batch], temperature)


def hessian_gradient(model: nn.Module, batches: Iterable[Batch], temperature: float) -> Numbers:
    """H g of the mean loss over all images, for every parameter; both H and g run over all parameters.

    Goes over the batches twice; those of a generator are remembered, in files where they are large.
    """
    with replayable(batches) as sample:
        return hessian_product(model, sample, temperature, mean_gradient(model, sample, temperature))


def hessian_product(
    model: nn.Module, batches: Iterable[Batch], temperature: float, vector: Mapping[str, Tensor]
) -> Numbers:
    """H v of the mean loss over all images, for the parameters that ``vector`` names; H runs over these alone.

    Exact: the gradient of <v, gradient of the loss> chunk by chunk with v held constant (double backward;
    forward-over-reverse took 1.2 to 3 times as long on the CPU for the three networks). The network must be twice
    differentiable where the data is, as ReLU networks are almost everywhere.
    """
    parameters = {name: parameter for name, parameter in model.named_parameters() if name in vector}
    sums = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    number = 0
    for images, labels, large in parts(model, batches, graphs=GRAPHS):
        with twice_differentiable(), little_memory(large):
            loss = total_loss(model, images, labels, temperature)
            for total, part in zip(sums.values(), _along(vector, loss, parameters), strict=True):
                total += part
        number += len(images)
    return {name: total / number for name, total in sums.items()}


GRAPHS = 3
"""What double backward holds, in activations of going forward; 2.6 on ResNet-50."""


def _along(vector: Mapping[str, Tensor], loss: Tensor, parameters: Mapping[str, Tensor]) -> Sequence[Tensor]:
    """The gradient of <vector, gradient of the loss>. The graph ends here, so that the next batch finds its room."""
    slopes = _gradients(loss, parameters.values(), create_graph=True)
    along = torch.stack([(slope * vector[name]).sum() for name, slope in zip(parameters, slopes, strict=True)])
    return _gradients(along.sum(), parameters.values())


def _gradients(output: Tensor, inputs: Iterable[Tensor], *, create_graph: bool = False) -> Sequence[Tensor]:
    return torch.autograd.grad(
        output, list(inputs), create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
