"""Ablations on masks and scores: what each changes, and what it leaves as it is."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning import masks
from pruning.ablations import inverted, shuffled
from pruning.masks import Mask

MASK = {"a": torch.arange(24).view(2, 3, 4) % 3 == 0, "b": torch.arange(24) < 8}


def shuffle(mask: Mask, seed: int = 0) -> Mask:
    return shuffled(mask, torch.Generator().manual_seed(seed))


def same(a: Mask, b: Mask) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def test_a_shuffle_moves_what_stays() -> None:
    before = {name: keep.clone() for name, keep in MASK.items()}
    found = shuffle(MASK)
    assert not any(torch.equal(found[name], MASK[name]) for name in MASK)
    assert same(MASK, before)


def test_tensors_are_shuffled_independently() -> None:
    found = shuffle({"a": MASK["b"], "b": MASK["b"]})
    assert not torch.equal(found["a"], found["b"])


def test_the_generator_determines_a_shuffle() -> None:
    torch.rand(3)  # the global stream plays no part
    assert same(shuffle(MASK, 1), shuffle(MASK, 1))
    assert not same(shuffle(MASK, 1), shuffle(MASK, 2))
    generator = torch.Generator().manual_seed(1)
    assert not same(shuffled(MASK, generator), shuffled(MASK, generator))


shapes = st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=5)


@given(shapes, st.floats(0, 1), st.integers(0, 2**31))
@settings(deadline=None)
def test_every_tensor_keeps_its_density_and_its_shape(sizes: list[list[int]], density: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = {f"l{i}": torch.rand(shape, generator=generator) < density for i, shape in enumerate(sizes)}
    found = shuffled(mask, generator)
    for name, keep in mask.items():
        assert found[name].dtype == torch.bool
        assert found[name].shape == keep.shape
        assert found[name].sum() == keep.sum()


def test_every_place_is_equally_likely() -> None:
    """A quarter of 16 stays: over 4,000 shuffles each place 1,000 times, give or take 27."""
    mask, generator = {"w": torch.arange(16).view(4, 4) < 4}, torch.Generator().manual_seed(0)
    counts = torch.stack([shuffled(mask, generator)["w"] for _ in range(4000)]).sum(0)
    assert int(counts.sum()) == 16_000
    assert (counts - 1000).abs().max() < 5 * 27.4


def test_memory_layout_does_not_matter_to_a_shuffle() -> None:
    plain = {"w": torch.arange(48).view(2, 4, 3, 2) % 5 == 0}
    last = {"w": plain["w"].contiguous(memory_format=torch.channels_last)}
    assert same(shuffle(plain), shuffle(last))


def test_inverted_scores_remove_the_most_important_by_hand() -> None:
    scores = {"a": torch.tensor([3.0, -1.0]), "b": torch.tensor([0.5, 0.0])}
    kept = {name: keep.tolist() for name, keep in masks.global_mask(inverted(scores), "0.5").items()}
    assert kept == {"a": [False, True], "b": [False, True]}
    assert not same(masks.global_mask(inverted(scores), "0.5"), masks.global_mask(scores, "0.5"))
    assert scores["a"].tolist() == [3, -1]


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=40, unique=True), st.integers(0, 40))
@settings(deadline=None)
def test_what_goes_first_inverted_would_have_gone_last(values: list[int], number: int) -> None:
    scores, number = {"w": torch.tensor(values, dtype=torch.float64)}, number % len(values)
    none = {"w": torch.zeros(len(values), dtype=torch.bool)}
    turned = masks.ranked(inverted(scores), number, gone=none, stays=none)["w"]
    assert torch.equal(turned, ~masks.ranked(scores, len(values) - number, gone=none, stays=none)["w"])
