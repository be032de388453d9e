"""Gradients of first and second order through batches that cannot be cut and do not fit into memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning.freed import given_back
from pruning.scores import memory
from pruning.scores.anew import computed_anew
from pruning.scores.spill import LEAST, saved_within
from pruning.substitute import Substitute

PIECE = 2**26
"""Bytes of input that batch norm works on at once; its second derivative makes ten tensors of that size."""


@contextmanager
def little_memory(modules: Sequence[nn.Module] | None) -> Iterator[None]:
    """Inside, ``modules`` are computed anew, saved tensors wait in files, and batch norm takes channels by and by.

    Memory that is freed goes back to the system. An eighth of ``memory.BUDGET`` is for saved tensors: what is being
    worked on, and gradients that are on their way, take all of it. Given None, nothing is other than outside.
    """
    if modules is None:
        yield
    else:
        # Around the modules as well, as torch.autograd.grad, in which they run again, puts such contexts aside.
        with (
            given_back(LEAST),
            computed_anew(modules, around=partial(Substitute, _batch_norm)),
            saved_within(memory.BUDGET // 8),
            Substitute(_batch_norm),
        ):
            yield


def _batch_norm(
    input: Tensor,  # noqa: A002 - named as in torch
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *others: Any,
    **options: Any,
) -> Tensor:
    """That of a large input is that of parts of its channels, which have nothing to do with each other."""
    if input.nbytes <= PIECE:
        return F.batch_norm(input, running_mean, running_var, weight, bias, *others, **options)
    size = max(1, input.shape[1] * PIECE // input.nbytes)
    per_channel = [
        [None] * -(-input.shape[1] // size) if tensor is None else tensor.split(size)
        for tensor in (running_mean, running_var, weight, bias)
    ]
    parts = zip(input.split(size, dim=1), *per_channel, strict=True)
    return torch.cat([F.batch_norm(*part, *others, **options) for part in parts], dim=1)
