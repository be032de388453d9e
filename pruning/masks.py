"""Masks: which weights or filters stay, chosen from scores by an allocation.

A mask maps a name to a bool tensor, True where something stays. Counts are exact, ties go by position (the earlier is
pruned first), and with ``previous`` given nothing comes back.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from fractions import Fraction
from math import ceil

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from pruning.amounts import Amount, count
from pruning.names import unknown

Scores = Mapping[str, Tensor]
Mask = dict[str, Tensor]


def global_mask(
    scores: Scores,
    amount: Amount,
    *,
    floor: Amount | None = None,
    previous: Mapping[str, Tensor] | None = None,
    protected: Collection[str] = (),
) -> Mask:
    """Keep the highest scores of all tensors taken together.

    ``amount`` is the fraction pruned of all elements, those of ``protected`` tensors and those pruned in ``previous``
    counted in: floor(amount * N + 1/2) of N are gone afterwards. ``floor``, a fraction, keeps at least
    max(1, ceil(floor * n)) of every tensor's n elements, the highest-scoring ones; None keeps none for certain.
    Elements of ``protected`` tensors always stay. Scores of elements that are gone already are not looked at.

    Raises ValueError where a score is not finite, or where the floors leave no room for ``amount`` (the message names
    the largest amount they do leave room for).
    """
    target, gone, stays = _budget(scores, amount, floor, previous, protected)
    return ranked(scores, target, gone=gone, stays=stays)


def ranked(
    scores: Scores,
    number: int,
    *,
    gone: Mapping[str, Tensor],
    stays: Mapping[str, Tensor],
    duplicated: Collection[str] = (),
) -> Mask:
    """Remove the ``number`` first entries of one ranking over all tensors: what is ``gone``, then the lowest scores.

    What ``stays`` comes last. Ties go by position. A name in ``duplicated`` enters the ranking twice in a row, so that
    its elements use up two entries each and go as soon as their first entry does. Raises ValueError where ``number``
    reaches into what stays, or a score that matters is not finite.
    """
    # Half the memory, and a selection ten times as fast, where single precision orders the scores no differently.
    single = all(score.dtype == torch.float32 for score in scores.values())
    entries = {
        name: _entries(name, score.detach().to("cpu", torch.float32 if single else torch.float64), gone, stays)
        for name, score in scores.items()
    }
    names = [name for name in scores for _ in range(1 + (name in duplicated))]
    ranking = torch.cat([entries[name] for name in names])
    room = _count(ranking < torch.inf)
    if number > room:
        raise ValueError(f"{number} entries cannot be pruned: only {room} may go")
    parts = torch.split(_left(ranking, number), [len(entries[name]) for name in names])
    first = dict(reversed(list(zip(names, parts, strict=True))))
    return {name: first[name].view(score.shape).to(score.device) for name, score in scores.items()}


def _entries(name: str, score: Tensor, gone: Mapping[str, Tensor], stays: Mapping[str, Tensor]) -> Tensor:
    """What a tensor enters the ranking with: its scores, below them all what is gone, and above them what stays."""
    entry, out = score.flatten(), gone[name].cpu().flatten()
    if not (np.isfinite(entry.numpy()) | out.numpy()).all():
        raise ValueError(f"the scores of {name} are not all finite, so they cannot be ranked")
    return entry.masked_fill(stays[name].cpu().flatten(), torch.inf).masked_fill_(out, -torch.inf)


def _left(ranking: Tensor, number: int) -> Tensor:
    """False for the ``number`` lowest; what is gone already, and so among them, is not looked at again."""
    keep = ranking > -torch.inf
    gone = len(ranking) - _count(keep)
    if not 0 < gone <= number:
        return _without_lowest(ranking, number)
    return keep.masked_scatter(keep, _without_lowest(ranking[keep], number - gone))


def _without_lowest(ranking: Tensor, number: int) -> Tensor:
    """False for the ``number`` lowest, of equals the first; in linear time, as sorting 25 million takes seconds."""
    if number == 0:
        return torch.ones_like(ranking, dtype=torch.bool)
    last: float = np.partition(ranking.numpy(), number - 1)[number - 1].item()
    keep = ranking > last
    equals = (ranking == last).nonzero().squeeze(1)
    keep[equals[number - _count(ranking < last) :]] = True
    return keep


def kept_by_floor(
    scores: Scores, alive: Mapping[str, Tensor], floor: Amount | None, protected: Collection[str]
) -> Mask:
    """True for what must stay: all of ``protected`` tensors, and of every other the highest that the floor keeps."""
    stays = {}
    for name, score in scores.items():
        if name in protected or floor is None:
            stays[name] = alive[name] & (name in protected)
            continue
        candidates = alive[name].flatten().nonzero().squeeze(1)
        order = torch.argsort(score.detach().flatten()[candidates].double(), stable=True)
        highest = candidates[order[len(order) - min(floor_count(floor, score.numel()), len(order)) :]]
        stay = torch.zeros(score.numel(), dtype=torch.bool, device=score.device)
        stay[highest] = True
        stays[name] = stay.view(score.shape)
    return stays


def uniform_mask(
    scores: Scores,
    amount: Amount,
    *,
    floor: Amount | None = None,
    previous: Mapping[str, Tensor] | None = None,
    protected: Collection[str] = (),
) -> Mask:
    """Keep the highest scores of each tensor, the same share of every tensor pruned.

    The total is that of :func:`global_mask`; it is dealt out over the tensors that are not ``protected`` in proportion
    to their size, by largest remainder on the cumulative target, so that rounds never pile up rounding errors.
    Raises ValueError as :func:`global_mask` does.
    """
    target, gone, stays = _budget(scores, amount, floor, previous, protected)
    sizes = {name: score.numel() for name, score in scores.items() if name not in protected}
    lowest = {name: _count(gone[name]) for name in sizes}
    highest = {name: size - _count(stays[name]) for name, size in sizes.items()}
    pruned = _largest_remainder(target - _number(gone) + sum(lowest.values()), sizes, lowest, highest)
    mask: Mask = {}
    for name in scores:
        one = {name: scores[name]}
        number = pruned.get(name, _count(gone[name]))
        mask |= ranked(one, number, gone={name: gone[name]}, stays={name: stays[name]})
    return mask


def floor_count(floor: Amount | None, size: int) -> int:
    """Elements of a tensor of ``size`` that always stay: max(1, ceil(floor * size)), or 0 without a floor."""
    if floor is None:
        return 0
    try:
        fraction = Fraction(str(floor)) if isinstance(floor, float | str) else Fraction(floor)
    except (ValueError, TypeError, ArithmeticError):
        fraction = Fraction(-1)
    if not 0 <= fraction <= 1:
        raise ValueError(f"floor is {floor}; it must be a fraction kept of every tensor, for example 0.05")
    return max(1, ceil(fraction * size))


@torch.no_grad()
def zero_(net: nn.Module, mask: Mapping[str, Tensor]) -> None:
    """Set to zero, in place, what ``mask`` removes; works on any network.

    A name is a parameter (a weight mask of its shape) or a convolution or linear layer (a filter mask over its output
    channels: its weight rows and bias go). A batch norm that follows is not touched, so for filters this equals removal
    only where ``pruning.surgery`` would say so. Raises KeyError for a name that the network does not have, ValueError
    for a mask that does not fit, TypeError for another kind of layer.
    """
    parameters, modules = dict(net.named_parameters()), dict(net.named_modules())
    for name, keep in mask.items():
        if name in parameters:
            check_fits(name, keep, parameters[name].shape)
            parameters[name].mul_(keep.to(parameters[name].device))
        elif name in modules:
            for parameter in _rows_of(name, modules[name]):
                check_fits(name, keep, parameter.shape[:1])
                parameter[~keep.to(parameter.device)] = 0
        else:
            raise KeyError(f"the network has no parameter or module called {name!r}")


def _rows_of(name: str, module: nn.Module) -> list[nn.Parameter]:
    """The parameters of a layer that its output channels index first. Raises TypeError where it is no such layer."""
    transposed = getattr(module, "transposed", False)
    if not isinstance(module, nn.modules.conv._ConvNd | nn.Linear) or transposed or is_parametrized(module):
        raise TypeError(
            f"{name} is a {type(module).__name__}, whose output channels cannot be zeroed here; "
            "a mask may name a plain convolution or linear layer, or a parameter"
        )
    own = dict(module.named_parameters(recurse=False))
    if not set(own) <= {"weight", "bias"}:
        raise TypeError(f"the weight of {name} is computed from {', '.join(own)}; remove that first")
    return list(own.values())


def check_fits(name: str, keep: Tensor, shape: torch.Size) -> None:
    """Raises ValueError where ``keep`` is no bool tensor of ``shape``, the mask that ``name`` needs."""
    if keep.dtype != torch.bool or keep.shape != shape:
        raise ValueError(
            f"the mask of {name} must be a bool tensor of shape {list(shape)}, not {keep.dtype} {list(keep.shape)}"
        )


def _budget(
    scores: Scores,
    amount: Amount,
    floor: Amount | None,
    previous: Mapping[str, Tensor] | None,
    protected: Collection[str],
) -> tuple[int, Mask, Mask]:
    """How many are to be gone in all, which are gone already, and which must stay. Raises where that cannot be met."""
    if not scores:
        raise ValueError("there are no scores, so there is nothing to prune")
    _check_protected(scores, protected)
    alive = _alive(scores, previous)
    stays = kept_by_floor(scores, alive, floor, protected)
    total = sum(score.numel() for score in scores.values())
    gone = {name: ~keep for name, keep in alive.items()}
    target = count(amount, total)
    _check_room(target, _number(gone), total - _number(stays) - _number(gone), total, amount)
    return target, gone, stays


def _check_protected(scores: Scores, protected: Collection[str]) -> None:
    if isinstance(protected, str):
        raise ValueError(f"protected is the text {protected!r}; it must be a collection of names, as [{protected!r}]")
    for name in protected:
        if name not in scores:
            raise unknown("scored tensor", name, scores)


def _alive(scores: Scores, previous: Mapping[str, Tensor] | None) -> Mask:
    if previous is None:
        return {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    if list(previous) != list(scores) or any(previous[name].shape != scores[name].shape for name in scores):
        raise ValueError("the previous mask must have the names and shapes of the scores, in the same order")
    if any(keep.dtype != torch.bool for keep in previous.values()):
        raise ValueError("the previous mask must be of bool tensors, True where something is still there")
    return {name: previous[name].to(score.device) for name, score in scores.items()}


def _count(flags: Tensor) -> int:
    """How many are True; a sum of bools takes twenty times as long on the CPU."""
    return int(torch.count_nonzero(flags))


def _number(mask: Mapping[str, Tensor]) -> int:
    return sum(_count(part) for part in mask.values())


def _check_room(target: int, gone: int, room: int, total: int, amount: Amount) -> None:
    if target < gone:
        raise ValueError(f"{gone} of {total} are pruned already, more than the {target} that amount {amount} asks for")
    if target - gone > room:
        # As a decimal with enough places that it prunes just as many.
        places = 10 ** (len(str(total)) + 3)
        most = Decimal(places * (gone + room) // total) / places
        raise ValueError(
            f"amount {amount} would prune {target} of {total}, but what must stay in each layer leaves at most "
            f"{gone + room}; the largest feasible amount is {most}"
        )


def _largest_remainder(
    target: int, sizes: Mapping[str, int], lowest: Mapping[str, int], highest: Mapping[str, int]
) -> dict[str, int]:
    """``target`` dealt out in proportion to ``sizes``, within bounds; each unit goes where most is owed, ties by order.

    Started from zero this is the method of largest remainders; started from earlier counts it never takes back. What is
    owed is counted in units of 1/whole, so that it is an integer. Every unit that is owed more than a limit is dealt;
    the limit is found by bisection, and of those owed exactly it, the first.
    """
    whole = sum(sizes.values())
    owed = {name: target * size - lowest[name] * whole for name, size in sizes.items()}

    def dealt(limit: int) -> dict[str, int]:
        """Units owed more than ``limit``, after the lowest: the j-th from 0 is owed that much less j whole."""
        return {name: min(max(0, -((limit - owed[name]) // whole)), highest[name] - lowest[name]) for name in sizes}

    number = target - sum(lowest.values())
    low, high = min(owed.values(), default=0) - whole * (number + 1), max(owed.values(), default=0)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if sum(dealt(middle).values()) <= number else (middle + 1, high)
    some, all_ = dealt(low), dealt(low - 1)
    left = number - sum(some.values())
    for name in sizes:
        if left > 0 and all_[name] > some[name]:
            some[name] += 1
            left -= 1
    return {name: lowest[name] + some[name] for name in sizes}
