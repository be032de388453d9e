"""Scoring leaves no trace: numbers, modes, gradients and random state are put back."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from torch import nn

from pruning.modes import mode
from pruning.scores.buffers import Buffers

BNMode = Literal["eval", "train"]
"""Batch norm by its running statistics, or by those of each batch given."""


@contextmanager
def untouched(model: nn.Module, bn_mode: BNMode) -> Iterator[None]:
    """Evaluation or training mode inside; afterwards all is as before. Raises ValueError for another mode.

    Autocast and TF32 are off inside, since products with a Hessian lose their sign to them.
    """
    if bn_mode not in ("eval", "train"):
        raise ValueError(f"bn_mode is {bn_mode!r}; it must be 'eval' (running statistics) or 'train' (of each batch)")
    devices = {parameter.device for parameter in model.parameters()}
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(_numbers_restored(model))
        stack.enter_context(torch.random.fork_rng(devices=[device for device in devices if device.type == "cuda"]))
        stack.enter_context(torch.enable_grad())
        for kind in {"cpu", *(device.type for device in devices)}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(_without_tf32())
        stack.enter_context(mode(model, training=bn_mode == "train"))
        yield


@contextmanager
def _numbers_restored(model: nn.Module) -> Iterator[None]:
    """Parameters ask for gradients inside and have none; all numbers, gradients and wishes are put back."""
    parameters = list(model.parameters())
    weights = [(parameter, parameter.detach().clone()) for parameter in parameters]
    wanted = [(parameter, parameter.requires_grad, parameter.grad) for parameter in parameters]
    buffers = Buffers.of(model)
    try:
        for parameter in parameters:
            if parameter.is_floating_point():
                parameter.requires_grad_(True)
            parameter.grad = None  # so that a score that goes backward adds to nothing that is the caller's
        yield
    finally:
        buffers.put_back()
        for parameter, before in weights:
            parameter.data.copy_(before)
        for parameter, flag, gradient in wanted:
            parameter.grad = gradient
            parameter.requires_grad_(flag)


@contextmanager
def _without_tf32() -> Iterator[None]:
    """Per operation, as PyTorch refuses to read its older, wider switches once a newer one was set."""
    cudnn: Any = torch.backends.cudnn
    switches: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value
