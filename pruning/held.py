"""Training under a mask: removed weights are zero and stay so, at the price of reading the mask once per step.

Multiplying gradients by the mask, between backward pass and update, is enough: without a gradient a weight of zero has
no decay and gathers no velocity. The other weights move as if every forward pass began by masking the weights, which is
how open_lth does it (PROTOCOLS B.3). Only a gradient that is not finite gets through, and then the loss shows it.
Without momentum and decay, as LeNet is trained, product and update are one: the mask is in each weight's own rate.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pruning import training
from pruning.masks import check_fits
from pruning.names import unknown
from pruning.training import Recipe


class Held:
    """The weights of ``net`` that ``mask`` removes, set to zero in place and held there while the others train.

    ``mask`` is {parameter name: bool tensor of its shape}, True where a weight stays; ``velocity``, by parameter name,
    is zeroed likewise. Raises ValueError for a name that no parameter has, and for a mask that does not fit.
    """

    @torch.no_grad()
    def __init__(self, net: nn.Module, mask: Mapping[str, Tensor], velocity: Mapping[str, Tensor]) -> None:
        self._parameters, self._velocity = dict(net.named_parameters()), velocity
        for name, keep in mask.items():
            if name not in self._parameters:
                raise unknown("parameter", name, self._parameters)
            check_fits(name, keep, self._parameters[name].shape)
        # As numbers in the layout of the gradients: on the CPU a product with bools takes ten times as long.
        self._keep = {name: torch.empty_like(self._parameters[name]).copy_(keep) for name, keep in mask.items()}
        self._lr: float | None = None
        self._rates: dict[str, Tensor] = {}  # of the masked weights, at that learning rate
        # Elsewhere a step by a weight's own rate may round otherwise than the update that it stands for.
        self._fuses = all((p.device.type, p.dtype) == ("cpu", torch.float32) for p in self._parameters.values())
        for name, keep in mask.items():
            for tensors in (self._parameters, velocity):
                if name in tensors:
                    tensors[name].masked_fill_(~keep.to(tensors[name].device), 0)

    @torch.no_grad()
    def update(self, recipe: Recipe, lr: float) -> None:
        """The step of :func:`pruning.training.update` with gradients of zero for removed weights, to the bit.

        What the gradients hold afterwards is not said.
        """
        if self._keep and self._fuses and not recipe.momentum and not recipe.weight_decay:
            self._descend(lr)
        else:
            self._gradients_()
            training.update(self._parameters, self._velocity, recipe, lr)

    def _descend(self, lr: float) -> None:
        """Without momentum and decay: every masked weight moves at a rate of its own, ``lr`` or 0."""
        if lr != self._lr:
            self._lr, self._rates = lr, {name: keep * -lr for name, keep in self._keep.items()}
        for name, parameter in self._parameters.items():
            if parameter.grad is None:
                continue
            if name in self._rates:
                parameter.addcmul_(parameter.grad, self._rates[name])
            else:
                parameter.add_(parameter.grad, alpha=-lr)

    def _gradients_(self) -> None:
        """Set the gradients of removed weights to zero."""
        gradients = [(self._parameters[name].grad, keep) for name, keep in self._keep.items()]
        pairs = [(grad, keep) for grad, keep in gradients if grad is not None]
        if pairs and pairs[0][0].is_cuda:
            torch._foreach_mul_(*zip(*pairs, strict=True))
            return
        for grad, keep in pairs:  # where there is no launch to save, one call for all takes longer
            grad.mul_(keep)
