"""Measuring a network while it trains, without touching the run (PROTOCOLS A.8)."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.plan import Probe
from bench.run_state import State
from bench.suites import gradient_flow
from bench.trial import Trial
from pruning import data, dynamics, training
from pruning.dynamics import Measured
from pruning.dynamics.laws import laws
from pruning.scores import Batch
from results.record import Law, Moment, finite

CALIBRATION_BATCHES = 20
"""At most, of training images, over which batch norm's statistics are averaged before training (PROTOCOLS A.5.1)."""

_THEORY_IMAGES = 4
"""In each of the two batches on which laws are checked; they hold on any."""

FIRST_OF = 5
"""Observations 4 and 5 look at what the first of so many rounds removes: all at once leaves networks at chance."""

_SCORES = {"magnitude": "norm", "loss": "loss", "grasp_t1": "theta_hg", "abs_grasp": "theta_hg"}
"""What each score of observations 4 and 5 is, of what is measured."""

NORM_AND_DISTANCE = "filters: norm, distance"
"""Distance between the masks that norms of filters and their distances from where they began would give."""

_NEXT = "filters: taylor, next norm change"
"""Loss preservation beside how much the squared norm of a filter changes in the next epoch (observation 2)."""


def probe(trial: Trial, stage: Probe, state: State) -> None:
    """Measure the network of ``state``; before training twice, as it is and with statistics of its own."""
    with state.timed("probe"):
        initial = {name: p.detach() for name, p in trial.place(trial.fresh()).named_parameters()}
        sample = _sample(trial, state.net)
        state.score_images = sum(len(labels) for _, labels in sample)
        if stage.epoch == 0:
            _add(trial, state, 0, sample, state.net, initial, recalibrated=False)
            own = dynamics.recalibrated(state.net, _calibration(trial, state.net))
            _add(trial, state, 0, sample, own, initial, recalibrated=True)
        else:
            _add(trial, state, stage.epoch, sample, state.net, initial, recalibrated=False)
    state.before = {}


def remember(state: State) -> None:
    """Keep the parameters as they are before an epoch that is measured at its end."""
    state.before = {name: parameter.detach().clone() for name, parameter in state.net.named_parameters()}


def follow(state: State, epoch: int) -> None:
    """After the epoch that follows a measured one, see how the norms of filters have changed."""
    last = state.moments[-1]
    if last.epoch + 1 != epoch:
        return
    place = len(state.moments) - 1
    norm, taylor = (state.arrays[f"{place}.filters.{name}"].double() for name in ("norm", "taylor"))
    layers = dynamics.filter_norms(state.net).cpu()
    found = dynamics.correlation(taylor, (layers**2 - norm**2).abs())
    last.correlations[_NEXT] = _plain(found)


def side_file(state: State) -> bytes:
    """The vectors of all moments as a compressed file of NumPy's: ``<place among the moments>.<kind>.<quantity>``."""
    whole = io.BytesIO()
    arrays: dict[str, Any] = {name: values.numpy() for name, values in sorted(state.arrays.items())}
    np.savez_compressed(whole, **arrays)
    return whole.getvalue()


def _add(
    trial: Trial,
    state: State,
    epoch: int,
    sample: list[Batch],
    net: Any,
    initial: Mapping[str, Tensor],
    *,
    recalibrated: bool,
) -> None:
    temperature, twice = trial.protocol.temperature, epoch in gradient_flow.panels(trial.protocol.epochs).values()
    before = state.before or None
    found = dynamics.measure(net, sample, temperature=temperature, before=before, initial=initial, twice=twice)
    distances = dict(found.distances)
    effects: dict[str, dynamics.Effect] = {}
    if epoch > 0:  # the observations are about networks that have been trained
        amount = gradient_flow.amount(trial.cell.model, trial.cell.dataset)
        norms = found.filters["norm"], found.filters["distance"]
        distances[NORM_AND_DISTANCE] = dynamics.mask_distance(*norms, share=float(amount))
        first = amount / FIRST_OF
        effects = dynamics.effects(net, sample, scores_of(found), amount=first, temperature=temperature)
    place = len(state.moments)
    for kind, numbers in (("filters", found.filters), ("weights", found.weights)):
        for name, values in numbers.items():
            state.arrays[f"{place}.{kind}.{name}"] = values.to(torch.float32).cpu()
    state.moments.append(
        Moment(
            epoch=epoch,
            recalibrated=recalibrated,
            correlations={name: _plain(each) for name, each in found.correlations.items()},
            distances=distances,
            gradient_norms={layer: finite(norm) for layer, norm in found.gradient_norms.items()},
            effects={name: (finite(each.loss), finite(each.gradient_norm)) for name, each in effects.items()},
            laws=_laws(trial, net, sample) if recalibrated or epoch == max(trial.protocol.probes) else [],
        )
    )


def _laws(trial: Trial, net: Any, sample: list[Batch]) -> list[Law]:
    """On a few images of the sample, spread over its classes."""
    images, labels = (torch.cat(parts) for parts in zip(*sample, strict=True))
    places = torch.arange(2 * _THEORY_IMAGES, device=labels.device) * len(labels) // (2 * _THEORY_IMAGES)
    batches = [(images[part], labels[part]) for part in (places[0::2], places[1::2])]
    return [
        Law(name=law.name, smooth=law.smooth, step=law.step, numbers={k: finite(v) for k, v in law.numbers.items()})
        for law in laws(net, batches, temperature=trial.protocol.temperature)
    ]


def scores_of(found: Measured) -> dict[str, dict[str, Tensor]]:
    """The scores that observations 4 and 5 compare: {score: {layer: Tensor[filters]}}."""
    signed = {score: found.filters[name] for score, name in _SCORES.items()}
    signed["abs_grasp"] = signed["abs_grasp"].abs()
    return {score: dynamics.by_layer(values, found.layers) for score, values in signed.items()}


def _plain(found: dynamics.Correlation) -> tuple[float | None, float | None, int]:
    return found.pearson, found.spearman, found.n


def _sample(trial: Trial, net: Any) -> list[Batch]:
    """The same images at every moment, augmented once; as many of each class (PROTOCOLS A.5)."""
    train, device = trial.data.train, trial.settings.device
    stream = trial.stream("probe_sample", device=device)
    index = data.class_balanced(train.labels, trial.data.classes, trial.protocol.score_samples, stream)
    return _batches(trial, net, index, "probe_augmentation")


def _calibration(trial: Trial, net: Any) -> list[Batch]:
    wanted = CALIBRATION_BATCHES * trial.protocol.batch_size
    stream = trial.stream("probe_calibration", device=trial.settings.device)
    return _batches(trial, net, data.shuffled(len(trial.data.train), wanted, stream), "probe_calibration_augmentation")


def _batches(trial: Trial, net: Any, index: Tensor, name: str) -> list[Batch]:
    stream, split = trial.stream(name, device=trial.settings.device), trial.resident.train
    parts = index.split(trial.protocol.batch_size)
    return [training.inputs(net, split, part, trial.recipe, stream) for part in parts]
