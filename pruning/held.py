"""Training under a mask: removed weights are zero and stay so, at the price of one product per step.

Multiplying gradients by the mask, between backward pass and update, is enough: without a gradient a weight of zero has
no decay and gathers no velocity. The other weights move as if every forward pass began by masking the weights, which is
how open_lth does it (PROTOCOLS B.3). Only a gradient that is not finite gets through, and then the loss shows it.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pruning.masks import check_fits
from pruning.names import unknown


class Held:
    """The weights of ``net`` that ``mask`` removes, set to zero in place and held there while the others train.

    ``mask`` is {parameter name: bool tensor of its shape}, True where a weight stays; ``velocity``, by parameter name,
    is zeroed likewise. Raises ValueError for a name that no parameter has, and for a mask that does not fit.
    """

    @torch.no_grad()
    def __init__(self, net: nn.Module, mask: Mapping[str, Tensor], velocity: Mapping[str, Tensor]) -> None:
        parameters = dict(net.named_parameters())
        for name, keep in mask.items():
            if name not in parameters:
                raise unknown("parameter", name, parameters)
            check_fits(name, keep, parameters[name].shape)
        self._weights = [parameters[name] for name in mask]
        # As numbers in the layout of the gradients: on the CPU a product with bools takes ten times as long.
        self._keep = [torch.empty_like(parameters[name]).copy_(keep) for name, keep in mask.items()]
        for name, keep in mask.items():
            for tensors in (parameters, velocity):
                if name in tensors:
                    tensors[name].masked_fill_(~keep.to(tensors[name].device), 0)

    def gradients_(self) -> None:
        """Set the gradients of removed weights to zero."""
        pairs = [(w.grad, keep) for w, keep in zip(self._weights, self._keep, strict=True) if w.grad is not None]
        if pairs and pairs[0][0].is_cuda:
            torch._foreach_mul_(*zip(*pairs, strict=True))
            return
        for grad, keep in pairs:  # where there is no launch to save, one call for all takes longer
            grad.mul_(keep)
