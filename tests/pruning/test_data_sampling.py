"""Named random streams and samples of images."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pruning import data


def draw(*name: str | int) -> list[int]:
    return data.permutation(50, data.generator(*name)).tolist()  # type: ignore[arg-type]


def test_a_stream_follows_from_seed_and_name_alone() -> None:
    assert draw(0, "order", 3) == draw(0, "order", 3)
    streams = [draw(0, "order", 3), draw(1, "order", 3), draw(0, "order", 4), draw(0, "order", "3"), draw(0, "order3")]
    assert len({tuple(stream) for stream in streams}) == len(streams)


def test_the_seed_is_the_sha256_of_seed_and_name() -> None:
    # sha256('[0, "order"]') begins with 8 bytes whose upper 63 bits are this number.
    assert data.generator(0, "order").initial_seed() == 7_990_785_514_659_823_761


def test_permutation_holds_every_number_once() -> None:
    order = data.permutation(1000, data.generator(0))
    assert order.sort().values.tolist() == list(range(1000))
    assert order.tolist() != list(range(1000))


def test_shuffled_is_the_beginning_of_the_permutation() -> None:
    assert data.shuffled(9, 4, data.generator(5)).tolist() == data.permutation(9, data.generator(5))[:4].tolist()
    assert sorted(data.shuffled(3, 10, data.generator(5)).tolist()) == [0, 1, 2]
    with pytest.raises(ValueError, match="a sample of 0 images was asked for; it needs at least one"):
        data.shuffled(3, 0, data.generator(5))


def test_class_balanced_takes_what_a_small_class_has() -> None:
    labels = torch.tensor([2, 0, 0, 1, 0, 2, 2, 0])
    index = data.class_balanced(labels, classes=3, count=8, generator=data.generator(0))
    assert labels[index].tolist() == [0, 0, 1, 2, 2]
    assert len(set(index.tolist())) == 5


def test_class_balanced_is_random_within_a_class() -> None:
    labels = torch.zeros(20, dtype=torch.int64)
    samples = {tuple(data.class_balanced(labels, 1, 5, data.generator(seed)).tolist()) for seed in range(5)}
    assert len(samples) == 5
    taken = torch.cat([data.class_balanced(labels, 1, 5, data.generator(seed)) for seed in range(100)])
    assert set(taken.tolist()) == set(range(20))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(5, 80), st.integers(0, 9))
def test_class_balanced_counts(labels: list[int], count: int, seed: int) -> None:
    index = data.class_balanced(torch.tensor(labels), 5, count, data.generator(seed))
    found = [labels[position] for position in index]
    assert found == [label for label in range(5) for _ in range(min(count // 5, labels.count(label)))]
    assert len(set(index.tolist())) == len(index)


def test_class_balanced_needs_one_image_per_class() -> None:
    with pytest.raises(ValueError, match="9 images do not cover 10 classes; ask for at least 10"):
        data.class_balanced(torch.arange(10), 10, 9, data.generator(0))
