"""Scoring leaves no trace: modes, buffers, gradients and random state are put back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

from pruning.modes import mode

BNMode = Literal["eval", "train"]
"""Batch norm by its running statistics, or by those of each batch given."""


@contextmanager
def untouched(model: nn.Module, bn_mode: BNMode) -> Iterator[None]:
    """Evaluation or training mode inside; afterwards all is as before. Raises ValueError for another mode.

    TF32 is off inside, since products with a Hessian lose their sign to it.
    """
    if bn_mode not in ("eval", "train"):
        raise ValueError(f"bn_mode is {bn_mode!r}; it must be 'eval' (running statistics) or 'train' (of each batch)")
    gpus = {parameter.device for parameter in model.parameters() if parameter.is_cuda}
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    try:
        with torch.random.fork_rng(devices=list(gpus)), torch.enable_grad(), mode(model, training=bn_mode == "train"):
            for parameter, _ in wanted:
                parameter.requires_grad_(True)
                parameter.grad = None  # so that a score that goes backward adds to nothing that is the caller's
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
            yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32
        for buffer, before in buffers:
            buffer.data.copy_(before)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
