"""The numbers of a record, read off a state at its end."""

import resource
import sys

import torch
from torch import nn

from bench.run_state import State
from pruning import models
from results.record import Layer, Metrics


def metrics(state: State, dense: nn.Module, image: tuple[int, int, int]) -> Metrics:
    """Accuracies in percent and sizes; ``dense`` is the unpruned network, ``image`` [C, H, W]."""
    curve, left = state.curve, state.kept().values()
    final = [
        (accuracy, -epoch)
        for epoch, phase, accuracy in zip(curve["epoch"], curve["round"], curve["test_accuracy"], strict=True)
        if phase is None and accuracy is not None
    ]
    best, negative_epoch = max(final, default=(None, None))  # of equal ones the first
    return Metrics(
        test_accuracy_best=best,
        best_epoch=None if negative_epoch is None else -negative_epoch,
        test_accuracy_last=curve["test_accuracy"][-1],
        test_loss_last=curve["test_loss"][-1],
        train_accuracy_last=curve["train_accuracy"][-1],
        train_loss_last=curve["train_loss"][-1],
        filters_pruned=sum(int((~keep).sum()) for keep in left),
        filters_total=sum(len(keep) for keep in left),
        params=models.parameters(state.net),
        params_dense=models.parameters(dense),
        macs=models.macs(state.net, image),
        macs_dense=models.macs(dense, image),
    )


def layers(state: State) -> list[Layer]:
    """Filters left per prunable layer."""
    return [Layer(name=layer, kept=int(keep.sum()), total=len(keep)) for layer, keep in state.kept().items()]


def peak_memory(device: str) -> int:
    """Bytes: of the GPU since the cell began, or of the process, earlier cells included."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
