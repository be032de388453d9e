"""The scores of single weights (PROTOCOLS B.5; Frankle et al., ICLR 2021, section 3 and appendices B to D, H).

Throughout, w are the weights of the convolutions and linear layers, and g and H are gradient and Hessian of the mean
cross-entropy of logits / temperature over all images given. Each function returns {parameter: Tensor of its shape}; the
lowest are pruned first, so signs are turned where the paper removes the highest. Scores that read data are meant for
ten images of every class, with batch norm in training mode: its statistics are those of each batch as it is given.

All are in the precision of the network, but random and synflow in float64. Such a batch cannot be cut, so memory goes
with its size, not with the number of batches. Of one that does not fit, activations are computed anew, and what
autograd saves waits in temporary files (:mod:`pruning.scores.spill`): 256 images of 224 pixels through ResNet-50 take
snip to 5.5 GiB on the CPU, grasp to 11.4, in float32. In evaluation mode batches are cut to fit.
"""
# ruff: noqa: ARG001 - every score takes (model, batches), whether it reads them or not

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from pruning.scores.batches import Batch, checked
from pruning.scores.gradients import hessian_gradient, hessian_product, mean_gradient
from pruning.scores.registry import register

Parameters = Mapping[str, nn.Parameter]
Scores = dict[str, Tensor]

TEMPERATURE = 200.0
"""Of the GraSP scores, as in the code of their authors (PROTOCOLS B.5)."""


@register("random", granularity="weights", sampling="none")
def random(
    model: nn.Module, batches: Iterable[Batch], *, parameters: Parameters, generator: torch.Generator | None
) -> Scores:
    """U(0, 1) per weight in float64, drawn on the generator's device."""
    scores = {}
    for name, weight in parameters.items():
        device = weight.device if generator is None else generator.device
        draw = torch.rand(weight.shape, generator=generator, device=device, dtype=torch.float64)
        scores[name] = draw.to(weight.device)
    return scores


@register("magnitude", granularity="weights", sampling="none")
def magnitude(model: nn.Module, batches: Iterable[Batch], *, parameters: Parameters) -> Scores:
    """|w|."""
    return {name: weight.abs() for name, weight in parameters.items()}


@register("snip", granularity="weights", sampling="class_balanced", bn_mode="train")
def snip(model: nn.Module, batches: Iterable[Batch], *, parameters: Parameters, temperature: float) -> Scores:
    """|w g| (appendix B.2), which is the slope of the loss in a factor before the weight.

    Its authors divide by the sum over all weights, which no ranking can tell. The paper does not say which statistics
    batch norm uses; training mode is our choice (PROTOCOLS B.11).
    """
    g = mean_gradient(model, batches, temperature)
    return {name: (weight * g[name]).abs() for name, weight in parameters.items()}


@register("grasp", granularity="weights", sampling="class_balanced", bn_mode="train")
def grasp(model: nn.Module, batches: Iterable[Batch], *, parameters: Parameters) -> Scores:
    """w Hg at temperature 200, exact; the paper removes the highest -w Hg (appendix C.1, eq. 4).

    One pass for each batch; H and g run over every parameter, biases and batch norm included.
    """
    product = hessian_gradient(model, batches, TEMPERATURE)
    return {name: weight * product[name] for name, weight in parameters.items()}


@register("abs_grasp", granularity="weights", sampling="class_balanced", bn_mode="train")
def abs_grasp(model: nn.Module, batches: Iterable[Batch], *, parameters: Parameters) -> Scores:
    """|w Hg| at temperature 200: the weights that matter least to the gradient norm go first (appendix H)."""
    return {name: score.abs() for name, score in grasp(model, batches, parameters=parameters).items()}


@register("grasp_class_split", granularity="weights", sampling="class_balanced", bn_mode="train")
def grasp_class_split(model: nn.Module, batches: Iterable[Batch], *, parameters: Parameters) -> Scores:
    """w Hg as the authors of GraSP compute it (github.com/alecwangcq/GraSP, PROTOCOLS B.5).

    All images are put in the order of their classes and cut in two, so that each half, a pass of its own, has other
    classes, and batch norm other statistics. g is the sum of the two passes' mean gradients; Hg the sum over the passes
    of the gradient of <g, mean gradient of the pass>. Both run over the weights alone. Their code draws the linear
    layers of the scored copy anew; that is left to the caller, who can give such a copy.
    """
    halves = _class_halves(batches)
    gradients = [mean_gradient(model, [half], TEMPERATURE) for half in halves]
    g = {name: torch.stack([gradient[name] for gradient in gradients]).sum(0) for name in parameters}
    products = [hessian_product(model, [half], TEMPERATURE, g) for half in halves]
    return {name: weight * sum(product[name] for product in products) for name, weight in parameters.items()}


def _class_halves(batches: Iterable[Batch]) -> tuple[Batch, Batch]:
    """The images in the order of their classes, first and second half. Raises ValueError where there are under two."""
    pairs = [checked(batch) for batch in batches]
    number = sum(len(labels) for _, labels in pairs)
    if number < 2:
        raise ValueError(f"grasp_class_split needs data for its two halves, and there are {number} images")
    images, labels = torch.cat([images for images, _ in pairs]), torch.cat([labels for _, labels in pairs])
    order = torch.argsort(labels, stable=True)
    first, second = order[: number // 2], order[number // 2 :]
    return (images[first], labels[first]), (images[second], labels[second])


@register("synflow", granularity="weights", sampling="none")
def synflow(
    model: nn.Module, batches: Iterable[Batch], *, parameters: Parameters, image: Sequence[int] | None
) -> Scores:
    """|w dR/d|w||, R the sum of the logits for an image of ones, every parameter replaced by its absolute value.

    That is every one: biases and the scale and shift of batch norm too (PROTOCOLS B.11). Buffers stay; in evaluation
    mode a fresh batch norm multiplies by its scale alone. In float64, as R of deep networks is beyond float32
    (appendix D.2). Without biases and shifts the scores of each layer sum to R (D.5). Reads no data, and of the batches
    only the shape of an image, where ``image`` does not give it. Raises ValueError where neither does.
    """
    shape = _shape(image, batches)
    positive = {name: tensor.detach().abs().double().requires_grad_() for name, tensor in model.named_parameters()}
    buffers = {name: _double(buffer) for name, buffer in model.named_buffers()}
    ones = torch.ones(1, *shape, dtype=torch.float64, device=next(iter(parameters.values())).device)
    total = torch.func.functional_call(model, positive | buffers, (ones,)).sum()
    weights = [positive[name] for name in parameters]
    slopes = torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True)
    pairs = zip(weights, slopes, strict=True)
    return {name: (weight.detach() * slope).abs_() for name, (weight, slope) in zip(parameters, pairs, strict=True)}


def _double(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def _shape(image: Sequence[int] | None, batches: Iterable[Batch]) -> tuple[int, ...]:
    """That of one image. Raises ValueError where it is not known, or none."""
    if image is None:
        for batch in batches:
            return tuple(checked(batch)[0].shape[1:])
        raise ValueError("synflow needs the shape of an image; give image=(channels, height, width), or a batch")
    if not image or not all(isinstance(size, int) and size > 0 for size in image):
        raise ValueError(f"image is {image}; it must be the shape of one, as (channels, height, width)")
    return tuple(image)
