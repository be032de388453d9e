"""Pruning of weights at a prune point: score, mask, ablation, and what is trained on (PROTOCOLS B.4-B.6)."""

import torch
from torch import Tensor, nn

from bench.plan import Alter, Sparsify
from bench.run_state import State
from bench.trial import Diverged, Trial
from pruning import ablations, iterative, masks, models, scores


def sparsify(trial: Trial, stage: Sparsify, state: State) -> None:
    """Put a mask into ``state``; training will hold to it. Raises Diverged where a score is not finite."""
    with state.timed("score"):
        state.mask = _mask(trial, stage, state)
    state.momentum, state.steps = {}, None


def alter(trial: Trial, stage: Alter, state: State) -> None:
    """Another mask of the same layer densities, or other weights under the same mask."""
    assert state.mask is not None
    if stage.ablation == "shuffle":
        state.mask = ablations.shuffled(state.mask, trial.stream("shuffle"))
    if stage.ablation == "reinit":
        models.initialise(state.net, trial.protocol.initialisation, trial.stream("reinit").initial_seed())


def _mask(trial: Trial, stage: Sparsify, state: State) -> masks.Mask:
    """By scores of the network as it is, or, of one ablation, as it would be at variance 1."""
    scored = state.net
    if stage.ablation == "unit_variance_score":
        scored = trial.place(trial.fresh("unit_variance"))
    sample = trial.sample(1)
    state.score_images = None if sample is None else len(sample)

    def score(net: nn.Module) -> dict[str, Tensor]:
        return _scores(trial, sample, net)

    return iterative.weight_mask(scored, score, stage.amount, iterations=stage.iterations)


def _scores(trial: Trial, sample: Tensor | None, net: nn.Module) -> dict[str, Tensor]:
    assert trial.score is not None
    found = scores.weight_scores(
        trial.score,
        net,
        trial.batches(sample, 1, net),
        temperature=trial.protocol.temperature,
        generator=trial.stream("score", 1),
        image=trial.image,
    )
    if broken := [name for name, score in found.items() if not torch.isfinite(score).all()]:
        raise Diverged(f"score {trial.cell.score} was not finite for {broken[0]} and {len(broken) - 1} other tensors")
    return ablations.inverted(found) if trial.cell.ablation == "invert" else found
