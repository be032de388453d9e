"""The numbers of a record, read off a state at its end."""

import resource
import sys
from typing import Any

import torch
from torch import nn

from bench.run_state import State
from pruning import analysis, models, scores
from pruning.models.counting import multiply_adds
from results.record import Layer, MaskFacts, Metrics

Image = tuple[int, int, int]
_LAST = ("test_accuracy", "test_loss", "train_accuracy", "train_loss")


def metrics(state: State, dense: nn.Module, image: Image, *, weights: bool) -> Metrics:
    """Accuracies in percent and sizes; ``dense`` is the unpruned network, ``image`` [C, H, W].

    Where ``weights`` are pruned, parameters and multiply-adds are those of the weights that are left.
    """
    curve = state.curve
    final = [
        (accuracy, -epoch)
        for epoch, phase, accuracy in zip(curve["epoch"], curve["round"], curve["test_accuracy"], strict=True)
        if phase is None and accuracy is not None
    ]
    best, negative_epoch = max(final, default=(None, None))  # of equal ones the first
    last: dict[str, Any] = {f"{name}_last": curve[name][-1] if curve[name] else None for name in _LAST}
    left: dict[str, Any] = _weights_left(state, image) if weights else _filters_left(state, image)
    return Metrics(
        test_accuracy_best=best,
        best_epoch=None if negative_epoch is None else -negative_epoch,
        params_dense=models.parameters(dense),
        macs_dense=models.macs(dense, image),
        **last,
        **left,
    )


def _filters_left(state: State, image: Image) -> dict[str, int]:
    left = state.kept().values()
    return {
        "filters_pruned": sum(int((~keep).sum()) for keep in left),
        "filters_total": sum(len(keep) for keep in left),
        "params": models.parameters(state.net),
        "macs": models.macs(state.net, image),
    }


def _weights_left(state: State, image: Image) -> dict[str, int]:
    counts = _weights(state)
    pruned = sum(total - kept for kept, total in counts.values())
    saved = multiply_adds(state.net, image, {name: total - kept for name, (kept, total) in counts.items()})
    return {
        "weights_pruned": pruned,
        "weights_total": sum(total for _, total in counts.values()),
        "params": models.parameters(state.net) - pruned,
        "macs": models.macs(state.net, image) - saved,
    }


def _weights(state: State) -> dict[str, tuple[int, int]]:
    """Weights left and in all, by parameter."""
    if state.mask is not None:
        return analysis.layer_counts(state.mask)
    return {name: (weight.numel(),) * 2 for name, weight in scores.weight_parameters(state.net).items()}


def layers(state: State, *, weights: bool) -> list[Layer]:
    """Filters left per prunable layer, or weights per tensor."""
    counts = (
        _weights(state) if weights else {layer: (int(keep.sum()), len(keep)) for layer, keep in state.kept().items()}
    )
    return [Layer(name=name, kept=kept, total=total) for name, (kept, total) in counts.items()]


def mask_facts(state: State, image: Image) -> MaskFacts | None:
    """What the mask over weights does to the network; None where there is none."""
    if state.mask is None:
        return None
    pruned, total = analysis.collapsed(state.net, state.mask)
    connected = analysis.effective(state.net, state.mask, image)
    return MaskFacts(
        neurons_pruned=pruned,
        neurons_total=total,
        neuron_curve=[round(share, 6) for share in analysis.neuron_curve(state.net, state.mask)],
        effective_weights=sum(int(keep.sum()) for keep in connected.values()),
    )


def peak_memory(device: str) -> int:
    """Bytes: of the GPU since the cell began, or of the process, earlier cells included."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
