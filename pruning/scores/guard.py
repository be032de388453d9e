"""Scoring leaves no trace: modes, buffers, gradients and random state are put back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

BNMode = Literal["running", "batch"]


@contextmanager
def untouched(model: nn.Module, bn_mode: BNMode) -> Iterator[None]:
    """Evaluation mode (``running``) or training mode (``batch``) inside; afterwards all is as before.

    ``running`` normalises by the running statistics, ``batch`` by those of each batch given. TF32 is off inside, since
    products with a Hessian lose their sign to it.
    """
    modes = {module: module.training for module in model.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    try:
        with torch.random.fork_rng(), torch.enable_grad():
            model.train(bn_mode == "batch")
            for parameter, _ in wanted:
                parameter.requires_grad_(True)
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
            yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32
        for module, mode in modes.items():
            module.training = mode
        for buffer, before in buffers:
            buffer.data.copy_(before)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
