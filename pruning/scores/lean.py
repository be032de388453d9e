"""Gradients of first and second order through batches that cannot be cut and do not fit into memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn

from pruning.freed import given_back
from pruning.scores import memory
from pruning.scores.anew import computed_anew
from pruning.scores.second import twice_differentiable
from pruning.scores.spill import LEAST, saved_within


@contextmanager
def little_memory(modules: Sequence[nn.Module] | None) -> Iterator[None]:
    """Inside, ``modules`` are computed anew, with the functions of ``second``, and saved tensors wait in files.

    Memory that is freed goes back to the system. An eighth of ``memory.BUDGET`` is for saved tensors: what is being
    worked on, and gradients that are on their way, take all of it. Given None, nothing is other than outside.
    """
    if modules is None:
        yield
    else:
        # Around the modules, as torch.autograd.grad, in which they run again, puts such contexts aside.
        with (
            given_back(LEAST),
            computed_anew(modules, around=twice_differentiable),
            saved_within(memory.BUDGET // 8),
        ):
            yield
