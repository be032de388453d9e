"""A round of filter pruning: score; mask and surgery."""

from typing import Any

import torch
from torch import Tensor

from bench.cell import Cell
from bench.plan import Prune, Score
from bench.protocol import Protocol
from bench.run_state import State
from bench.trial import Diverged, Trial
from pruning import models, rounds, scores, surgery


def score(trial: Trial, stage: Score, state: State) -> None:
    """Put the scores of round ``stage.k`` into ``state``, which forgets its momentum.

    Raises Diverged where one is not finite.
    """
    with state.timed("score"):
        state.scores = _scores(trial, stage.k, state)
        broken = [layer for layer, found in state.scores.items() if not torch.isfinite(found).all()]  # waits for a GPU
    if broken:
        raise Diverged(
            f"score {trial.cell.score} was not finite for {broken[0]} and {len(broken) - 1} other layers in "
            f"round {stage.k}"
        )
    state.momentum, state.steps = {}, None


def prune(trial: Trial, stage: Prune, state: State) -> None:
    """Cut what round ``stage.k`` removes, by the scores in ``state``, out of the network."""
    previous = state.kept()
    with state.timed("surgery"):
        mask = rounds.round_mask(
            state.net,
            {layer: _spread(state.scores[layer], keep) for layer, keep in previous.items()},
            previous,
            amount=stage.amount,
            rounds=stage.rounds,
            k=stage.k,
            rule=_rule(trial.cell, trial.protocol),
        )
        kept = {layer: tuple(keep.nonzero().flatten().tolist()) for layer, keep in mask.items()}
        state.net = trial.place(surgery.with_channels(state.net, kept))
    state.scores = {}


def _scores(trial: Trial, k: int, state: State) -> dict[str, Tensor]:
    assert trial.score is not None
    sample = trial.sample(k)
    state.score_images = None if sample is None else len(sample)
    return scores.filter_scores(
        trial.score,
        state.net,
        trial.batches(sample, k, state.net),
        temperature=trial.protocol.temperature,
        generator=trial.stream("score", k),
        initial=_initial(trial, state.net) if trial.score.asks_for("initial") else None,
    )


def _initial(trial: Trial, net: Any) -> dict[str, Tensor]:
    """The parameters ``net`` started from, cut to what is left of it."""
    start = surgery.with_channels(trial.fresh(), models.kept_channels(net))
    return {name: parameter.detach() for name, parameter in start.named_parameters()}


def _rule(cell: Cell, protocol: Protocol) -> rounds.Rule:
    return rounds.Rule(
        allocation="uniform" if cell.score == "uniform" else "global",
        schedule=protocol.schedule,
        total=protocol.total,
        floor=protocol.floor,
        counting=protocol.counting,
        revival=protocol.revival,
    )


def _spread(values: Tensor, keep: Tensor) -> Tensor:
    """``values`` of the filters that are left, at their places among all; zeros elsewhere."""
    wide = torch.zeros(len(keep), dtype=torch.float64)
    wide[keep] = values.double().cpu()
    return wide
