"""Masks over millions of weights: the ranking against one that sorts, and how long it takes."""

import time
from collections.abc import Callable, Collection

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pruning import masks
from pruning.amounts import count
from pruning.masks import Mask, Scores

FRACTIONS = st.decimals(min_value=0, max_value="0.9999", places=4)


def sorting(scores: Scores, number: int, gone: Mask, stays: Mask, duplicated: Collection[str]) -> Mask:
    """:func:`pruning.masks.ranked` by a stable sort of all entries in double precision."""
    entries, first = [], []
    for name, score in scores.items():
        entry = score.double().flatten()
        entry = entry.masked_fill(stays[name].flatten(), torch.inf).masked_fill(gone[name].flatten(), -torch.inf)
        entries += [entry, entry] if name in duplicated else [entry]
        first += [True, False] if name in duplicated else [True]
    keep = torch.ones(sum(map(len, entries)), dtype=torch.bool)
    keep[torch.argsort(torch.cat(entries), stable=True)[:number]] = False
    parts = (part for part, counts in zip(torch.split(keep, list(map(len, entries))), first, strict=True) if counts)
    return {name: part.view(score.shape) for (name, score), part in zip(scores.items(), parts, strict=True)}


def same(a: Mask, b: Mask) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


@st.composite
def rankings(draw: st.DrawFn) -> tuple[dict[str, Tensor], Mask, Mask, list[str]]:
    """Scores of one precision or of several, with ties and zeros of both signs; what is gone, what stays, and twice."""
    names = [f"l{i}" for i in range(draw(st.integers(1, 5)))]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    levels, spread = draw(st.sampled_from([1, 2, 5, 10**6])), draw(st.sampled_from([1.0, 1e-42, 1e-30, 1e38]))
    types = draw(st.sampled_from([[torch.float32], [torch.float64], [torch.float32, torch.float64, torch.int64]]))
    scores, gone, stays = {}, {}, {}
    for number, name in enumerate(names):
        shape = (draw(st.integers(1, 30)), draw(st.integers(1, 3)))
        signs = 1 - 2 * torch.randint(2, shape, generator=generator)
        values = torch.randint(levels, shape, generator=generator).double() / levels * signs
        kind = types[number % len(types)]
        scores[name] = (values if kind == torch.int64 else values * spread).to(kind)
        gone[name] = torch.rand(shape, generator=generator) < draw(st.sampled_from([0.0, 0.3, 1.0]))
        stays[name] = torch.rand(shape, generator=generator) < draw(st.sampled_from([0.0, 0.2]))
        if kind.is_floating_point:
            scores[name][gone[name]] = torch.nan  # not looked at
    return scores, gone, stays, draw(st.lists(st.sampled_from(names), unique=True))


@given(rankings(), st.floats(0, 1))
@settings(deadline=None, max_examples=150)
def test_the_ranking_is_the_one_that_sorts(
    case: tuple[dict[str, Tensor], Mask, Mask, list[str]], fraction: float
) -> None:
    scores, gone, stays, duplicated = case
    room = sum(int((gone[n] | ~stays[n]).sum()) * (1 + (n in duplicated)) for n in scores)
    for number in {0, int(fraction * room), room}:
        found = masks.ranked(scores, number, gone=gone, stays=stays, duplicated=duplicated)
        assert same(found, sorting(scores, number, gone, stays, duplicated))
    with pytest.raises(ValueError, match=f"^{room + 1} entries cannot be pruned: only {room} may go$"):
        masks.ranked(scores, room + 1, gone=gone, stays=stays, duplicated=duplicated)


def test_of_equals_at_the_threshold_the_first_go_by_hand() -> None:
    scores = {"b": torch.tensor([[2.0, 0.0], [-0.0, 1.0]]), "a": torch.tensor([0.0, -1.0, 0.0])}
    # -1, then zeros of either sign: two of b, the first of a.
    mask = masks.global_mask(scores, "0.57")
    assert {name: part.int().tolist() for name, part in mask.items()} == {"b": [[1, 0], [0, 1]], "a": [0, 0, 1]}


def test_single_precision_beside_double_is_compared_in_double() -> None:
    scores = {
        "a": torch.tensor([1.0 + 2**-30], dtype=torch.float64),
        "b": torch.tensor([1.0]),
        "c": torch.tensor([9.0]),
    }
    assert [bool(part) for part in masks.global_mask(scores, "0.34").values()] == [True, False, True]
    assert [bool(part) for part in masks.global_mask(scores, "0.67").values()] == [False, False, True]


@given(st.integers(0, 2**31), FRACTIONS)
@settings(deadline=None, max_examples=20)
def test_channels_last_weights_are_ranked_by_position_not_by_memory(seed: int, amount: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    plain = {"w": torch.randint(3, (4, 3, 2, 2), generator=generator).float()}
    last = {"w": plain["w"].to(memory_format=torch.channels_last)}
    assert same(masks.global_mask(last, amount), masks.global_mask(plain, amount))


@pytest.mark.usefixtures("one_thread")  # whose waiting for each other processor time would count
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_million_weights_take_a_fraction_of_a_sort(dtype: torch.dtype) -> None:
    scores = {"w": torch.rand(1_000_000, generator=torch.Generator().manual_seed(0), dtype=dtype)}
    none = {"w": torch.zeros(1_000_000, dtype=torch.bool)}

    def seconds(choose: Callable[[], Mask]) -> float:
        took = []
        for _ in range(3):
            start = time.process_time()
            choose()
            took.append(time.process_time() - start)
        return min(took)

    ours = seconds(lambda: masks.ranked(scores, 900_000, gone=none, stays=none))
    assert ours < 0.5 * seconds(lambda: sorting(scores, 900_000, none, none, []))
    mask = masks.global_mask(scores, "0.9", previous={"w": scores["w"] > 0.3})
    assert int((~mask["w"]).sum()) == count("0.9", 1_000_000)
    assert not mask["w"][scores["w"] <= 0.3].any()
