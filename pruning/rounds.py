"""One round of pruning: how many filters are gone after it, and which, with the released code's quirks as options.

The defaults are the paper's own words; every ``released`` value is one quirk of the authors' code (PROTOCOLS
A.4.3-A.4.6), available alone or, in the ``released`` profile, together with the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Literal, get_args, get_type_hints

import torch
from torch import Tensor

from pruning import amounts, masks
from pruning.amounts import Amount
from pruning.masks import Mask, Scores
from pruning.models import Prunable

FLOOR = Fraction(1, 20)
"""Share of every layer that always stays, the highest-scoring filters."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a round chooses. Each ``released`` value is one quirk of the released code.

    schedule: ``even`` or front-loaded shares. total: ``exact`` counts, or floored in every round (ResNet-56: the
    percentage left cut to an integer). floor: the ``highest`` 5 % of a layer stay, or the last 5 % by index
    (ResNet-56: at least one).
    counting: filters of prunable layers, or MobileNet's depthwise layers once more. revival: a pruned filter stays so,
    or ResNet-56's second and shortcut convolutions compete again with score 0.
    """

    allocation: Literal["global", "uniform"] = "global"
    schedule: amounts.Schedule = "even"
    total: Literal["exact", "released"] = "exact"
    floor: Literal["highest", "released"] = "highest"
    counting: Literal["producers", "released"] = "producers"
    revival: Literal["forbidden", "released"] = "forbidden"

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected {' or '.join(get_args(kind))}")
        quirks = (self.total, self.floor, self.counting, self.revival)
        if self.allocation == "uniform" and "released" in quirks:
            raise ValueError("uniform pruning is not in the released code; use it with the paper's own rules")


def round_mask(
    net: Prunable, scores: Scores, previous: Mapping[str, Tensor], *, amount: Amount, rounds: int, k: int, rule: Rule
) -> Mask:
    """The filters left after round ``k`` (from 1) of ``rounds`` that prune ``amount`` in all.

    ``scores`` and ``previous`` (True: still there) run over the unpruned network's filters, [channels] per layer;
    scores of filters that are gone are not looked at. Raises ValueError where the amount cannot be met.
    """
    if not 1 <= k <= rounds:
        raise ValueError(f"round {k} of {rounds} does not exist; rounds count from 1")
    share = amounts.cumulative(amount, rounds, rule.schedule)[k - 1]
    if rule.allocation == "uniform":
        return masks.uniform_mask(scores, share, floor=FLOOR, previous=previous, protected=net.protected)
    if (rule.total, rule.floor, rule.counting, rule.revival) == ("exact", "highest", "producers", "forbidden"):
        return masks.global_mask(scores, share, floor=FLOOR, previous=previous, protected=net.protected)
    duplicated = _duplicated(net) if rule.counting == "released" else ()
    gone = {layer: ~keep for layer, keep in previous.items()}
    target = _entries_gone(net, gone, duplicated, share, amount, rounds, k, rule)
    if rule.revival == "released":
        scores, gone = _revived(net, scores, gone)
    stays = _stays(net, scores, gone, rule)
    mask = masks.ranked(scores, target, gone=gone, stays=stays, duplicated=duplicated)
    return _at_least_one(mask, scores, gone) if rule.floor == "released" else mask


def _entries_gone(
    net: Prunable,
    gone: Mask,
    duplicated: tuple[str, ...],
    share: Fraction,
    amount: Amount,
    rounds: int,
    k: int,
    rule: Rule,
) -> int:
    """Entries of the ranking that are gone after round ``k``."""
    weight = {layer: 2 if layer in duplicated else 1 for layer in gone}
    total = sum(weight[layer] * part.numel() for layer, part in gone.items())
    before = sum(weight[layer] * int(part.sum()) for layer, part in gone.items())
    if rule.total == "exact":
        return amounts.count(share, total)
    if _residual(net):
        percent = amounts.integer_percentages(amount, rounds, rule.schedule)[k - 1]
        return floor(Fraction(100 - percent, 100) * total)
    return before + floor(amounts.ratios(amount, rounds, rule.schedule)[k - 1] * (total - before))


def _stays(net: Prunable, scores: Scores, gone: Mask, rule: Rule) -> Mask:
    alive = {layer: ~part for layer, part in gone.items()}
    if rule.floor == "highest":
        return masks.kept_by_floor(scores, alive, FLOOR, net.protected)
    if _residual(net):
        return masks.kept_by_floor(scores, alive, None, net.protected)
    return {layer: tail_by_index(part.numel()) for layer, part in gone.items()}


def tail_by_index(size: int) -> Tensor:
    """True for the filters that the released code never prunes: the last int(.05 size) + 1 by index (A.4.5)."""
    return torch.arange(size) >= size - (size // 20 + 1)


def _revived(net: Prunable, scores: Scores, gone: Mask) -> tuple[Scores, Mask]:
    """Pruned filters of a residual stream back in the ranking with score 0: their shape was never narrowed (A.4.6)."""
    back = [layer for layer in gone if _residual(net) and not layer.endswith("conv1")]
    scores = {
        layer: torch.where(gone[layer], 0.0, score) if layer in back else score for layer, score in scores.items()
    }
    return scores, {layer: torch.zeros_like(part) if layer in back else part for layer, part in gone.items()}


def _at_least_one(mask: Mask, scores: Scores, gone: Mask) -> Mask:
    """The highest-scoring filter of those in the ranking, put back in every emptied layer; the total undershoots."""
    for layer, keep in mask.items():
        if not keep.any():
            candidates = scores[layer].masked_fill(gone[layer], -torch.inf)
            keep[int(torch.argsort(candidates, stable=True)[-1])] = True
    return mask


def _duplicated(net: Prunable) -> tuple[str, ...]:
    """Layers whose filters the released code counts twice: every one that feeds a depthwise layer (A.4.4)."""
    return tuple(net.filters)[:-1] if net.architecture.name == "mobilenet_v1" else ()


def _residual(net: Prunable) -> bool:
    return net.architecture.name.startswith("resnet")
