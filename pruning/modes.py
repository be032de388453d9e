"""Training and evaluation mode for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def mode(net: nn.Module, *, training: bool) -> Iterator[None]:
    """``net`` in training or evaluation mode inside; afterwards every module in the mode it had."""
    before = {module: module.training for module in net.modules()}
    net.train(training)
    try:
        yield
    finally:
        for module, was_training in before.items():
            module.training = was_training
