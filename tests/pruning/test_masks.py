"""Masks by hand, then what must hold for all: exact counts, monotone, floors, ties by position."""

import time
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from pruning import masks
from pruning.amounts import count
from pruning.masks import Mask

from .networks import Own, images

FLOOR = "0.05"
RESNET = {f"layer{i}": 16 if i < 19 else 32 if i < 38 else 64 for i in range(57)}  # 19 of each, 2,128 in all


def bools(mask: Mask) -> dict[str, list[int]]:
    assert all(part.dtype == torch.bool for part in mask.values())
    return {name: part.int().tolist() for name, part in mask.items()}


def number(mask: Mask) -> int:
    return sum(int((~part).sum()) for part in mask.values())


def seeded(sizes: dict[str, int], seed: int, levels: int = 1000) -> dict[str, Tensor]:
    """Scores of both signs; few ``levels`` make ties."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randint(-levels, levels, (n,), generator=generator).double() for name, n in sizes.items()}


A_B = {"a": torch.tensor([3.0, 1.0, 2.0]), "b": torch.tensor([[0.5, 9.0], [2.0, -1.0]])}


@pytest.mark.parametrize(
    ("amount", "a", "b"),
    [
        (0, [1, 1, 1], [[1, 1], [1, 1]]),
        ("0.07", [1, 1, 1], [[1, 1], [1, 1]]),  # 0.49 of one
        ("0.3", [1, 1, 1], [[0, 1], [1, 0]]),  # 2.1 -> 2: the lowest are -1 and 0.5
        ("0.5", [1, 0, 0], [[0, 1], [1, 0]]),  # 3.5 -> 4: of the two scores of 2, the one of a comes first
        (0.65, [1, 0, 0], [[0, 1], [0, 0]]),  # 4.55 -> 5
        (0.8, [0, 0, 0], [[0, 1], [0, 0]]),  # 5.6 -> 6; without a floor a layer may go
        ("0.99", [0, 0, 0], [[0, 0], [0, 0]]),
    ],
)
def test_global_mask_by_hand(amount: str | float, a: list[int], b: list[list[int]]) -> None:
    assert bools(masks.global_mask(A_B, amount)) == {"a": a, "b": b}


def test_ties_go_by_position() -> None:
    scores = {"b": torch.zeros(2), "a": torch.tensor([0.0, -0.0, 0.0])}
    assert bools(masks.global_mask(scores, "0.6")) == {"b": [0, 0], "a": [0, 1, 1]}


def test_scores_are_compared_in_double_precision() -> None:
    scores = {"a": torch.tensor([1.0 + 2**-30], dtype=torch.float64), "b": torch.tensor([1.0])}
    assert bools(masks.global_mask(scores, "0.5")) == {"a": [1], "b": [0]}


def test_a_floor_keeps_the_highest_of_a_layer_by_hand() -> None:
    scores = {"low": torch.tensor([-5.0, -3.0, -4.0]), "high": torch.arange(20.0)}
    # 11.5 -> 12 of 23 go. ceil(.05 * 3) = 1 of low stays, ceil(.05 * 20) = 1 of high.
    assert bools(masks.global_mask(scores, "0.5", floor=FLOOR)) == {"low": [0, 1, 0], "high": [0] * 10 + [1] * 10}
    # Without a floor low goes as a whole and only 9 of high.
    assert bools(masks.global_mask(scores, "0.5")) == {"low": [0, 0, 0], "high": [0] * 9 + [1] * 11}


def test_of_equals_a_floor_keeps_the_last() -> None:
    assert bools(masks.global_mask({"a": torch.ones(4)}, "0.75", floor="0.25")) == {"a": [0, 0, 0, 1]}


def test_what_is_gone_stays_gone_and_counts() -> None:
    previous = {"a": torch.tensor([True, False, True]), "b": torch.tensor([True, True])}
    scores = {"a": torch.tensor([5.0, torch.nan, 1.0]), "b": torch.tensor([2.0, 3.0])}  # gone: not looked at
    assert bools(masks.global_mask(scores, "0.4", previous=previous)) == {"a": [1, 0, 0], "b": [1, 1]}
    assert bools(masks.global_mask(scores, "0.2", previous=previous)) == {"a": [1, 0, 1], "b": [1, 1]}
    with pytest.raises(ValueError, match=r"^1 of 5 are pruned already, more than the 0 that amount 0 asks for$"):
        masks.global_mask(scores, 0, previous=previous)


def test_protected_layers_count_and_stay() -> None:
    scores = {"stem": torch.zeros(4), "a": torch.arange(1.0, 7.0)}
    # Half of all 10 is 5, and all 5 come from the 6 of a.
    assert bools(masks.global_mask(scores, "0.5", protected=["stem"])) == {"stem": [1] * 4, "a": [0] * 5 + [1]}
    assert bools(masks.uniform_mask(scores, "0.5", protected=["stem"])) == {"stem": [1] * 4, "a": [0] * 5 + [1]}
    sentence = (
        r"^amount 0\.7 would prune 7 of 10, but what must stay in each layer leaves at most 6; the largest feasible "
        r"amount is 0\.6$"
    )
    with pytest.raises(ValueError, match=sentence):
        masks.global_mask(scores, 0.7, protected=["stem"])


@pytest.mark.parametrize("choose", [masks.global_mask, masks.uniform_mask])
def test_wrong_input(choose) -> None:  # type: ignore[no-untyped-def]
    for bad in (torch.nan, torch.inf, -torch.inf):
        with pytest.raises(ValueError, match=r"^the scores of b are not all finite, so they cannot be ranked$"):
            choose({"a": torch.ones(2), "b": torch.tensor([1.0, bad])}, 0.5)
    with pytest.raises(ValueError, match=r"^amount is 1\.2; it must be a fraction pruned, at least 0 and below 1"):
        choose(A_B, 1.2)
    with pytest.raises(
        ValueError, match=r"^floor is 5; it must be a fraction kept of every tensor, for example 0\.05$"
    ):
        choose(A_B, 0.5, floor=5)
    sentence = "^the previous mask must have the names and shapes of the scores, in the same order$"
    whole = {name: torch.ones_like(score, dtype=torch.bool) for name, score in A_B.items()}
    for previous in (dict(reversed(whole.items())), {"a": whole["a"]}, {**whole, "b": torch.ones(4, dtype=torch.bool)}):
        with pytest.raises(ValueError, match=sentence):
            choose(A_B, 0.5, previous=previous)


sizes = st.lists(st.integers(1, 40), min_size=1, max_size=6).map(lambda n: {f"l{i}": x for i, x in enumerate(n)})
decimals = st.decimals(min_value=0, max_value="0.9999", places=4)
seeds = st.integers(0, 2**31)


@given(sizes, decimals, seeds, st.sampled_from([1, 3, 1000]))
@settings(deadline=None)
def test_counts_are_exact_for_decimal_and_float(n: dict[str, int], amount: Decimal, seed: int, levels: int) -> None:
    scores = seeded(n, seed, levels)
    wanted = floor(Fraction(amount) * sum(n.values()) + Fraction(1, 2))
    for mask in (masks.global_mask(scores, float(amount)), masks.uniform_mask(scores, float(amount))):
        assert number(mask) == wanted
    pruned = [s for name in n for s in scores[name][~masks.global_mask(scores, amount)[name]].tolist()]
    assert sorted(pruned) == sorted(s for name in n for s in scores[name].tolist())[:wanted]


@given(sizes, st.lists(decimals, min_size=2, max_size=5).map(sorted), seeds, st.booleans())
@settings(deadline=None)
def test_nothing_comes_back_over_rounds(n: dict[str, int], amounts: list[Decimal], seed: int, uniform: bool) -> None:
    previous = None
    for i, amount in enumerate(amounts):
        choose = masks.uniform_mask if uniform else masks.global_mask
        mask = choose(seeded(n, seed + i, 5), amount, previous=previous)
        assert number(mask) == count(amount, sum(n.values()))
        assert previous is None or not any((mask[name] & ~previous[name]).any() for name in n)
        previous = mask


@given(sizes, decimals, seeds, st.booleans())
@settings(deadline=None)
def test_floors_keep_the_highest_or_the_amount_is_refused(
    n: dict[str, int], amount: Decimal, seed: int, uniform: bool
) -> None:
    scores, choose = seeded(n, seed), masks.uniform_mask if uniform else masks.global_mask
    stay = {name: max(1, ceil(size / 20)) for name, size in n.items()}
    total = sum(n.values())
    room = total - sum(stay.values())
    if count(amount, total) <= room:
        mask = choose(scores, amount, floor=FLOOR)
        assert number(mask) == count(amount, total)
    else:
        with pytest.raises(ValueError, match=rf"leaves at most {room}; the largest feasible amount is ") as error:
            choose(scores, amount, floor=FLOOR)
        named = str(error.value).rsplit(" ", 1)[1]
        mask = choose(scores, named, floor=FLOOR)
        assert number(mask) == room
        assert Fraction(room, total) - Fraction(1, 1000 * total) < Fraction(named) <= Fraction(room, total)
        if total * Fraction(named) + Fraction(3, 2) < total:
            with pytest.raises(ValueError, match="the largest feasible amount is"):
                choose(scores, Fraction(named) + Fraction(3, 2 * total), floor=FLOOR)
    for name, least in stay.items():
        kept, gone = scores[name][mask[name]], scores[name][~mask[name]]
        assert len(kept) >= least
        assert not len(gone) or kept.min() >= gone.max()


def test_the_feasible_amount_that_is_named_works_in_a_later_round() -> None:
    """Of 20,003 all but 6,668 are gone and nothing more may go: 13,335 / 20,003 is .66664..., which prunes 13,335."""
    scores = {"a": torch.zeros(13_335), "b": torch.zeros(6_668)}
    previous = {"a": torch.zeros(13_335, dtype=torch.bool), "b": torch.ones(6_668, dtype=torch.bool)}
    with pytest.raises(ValueError, match="the largest feasible amount is") as error:
        masks.global_mask(scores, "0.7", previous=previous, protected=["b"])
    named = str(error.value).rsplit(" ", 1)[1]
    assert number(masks.global_mask(scores, named, previous=previous, protected=["b"])) == 13_335


@pytest.mark.parametrize(
    ("amount", "wanted"),
    [
        # 0.3 of 10, 6, 5 is 3, 1.8, 1.5, and floor(6.3 + .5) = 6 in all: 6/21 each = 2.86, 1.71, 1.43 -> 3, 2, 1.
        ("0.3", [3, 2, 1]),
        # floor(10.5 + .5) = 11: shares 5.24, 3.14, 2.62 -> 5, 3, 3.
        ("0.5", [5, 3, 3]),
        ("0.02", [0, 0, 0]),
        ("0.03", [1, 0, 0]),
    ],
)
def test_uniform_by_largest_remainder_by_hand(amount: str, wanted: list[int]) -> None:
    scores = seeded({"a": 10, "b": 6, "c": 5}, 0)
    mask = masks.uniform_mask(scores, amount)
    assert [int((~part).sum()) for part in mask.values()] == wanted
    for name, part in mask.items():
        assert sorted(scores[name][~part].tolist()) == sorted(scores[name].tolist())[: int((~part).sum())]


def test_uniform_ignores_how_scores_compare_between_layers() -> None:
    scores = {"a": torch.arange(4.0), "b": 100 + torch.arange(4.0)}
    assert bools(masks.uniform_mask(scores, "0.5")) == {"a": [0, 0, 1, 1], "b": [0, 0, 1, 1]}
    assert bools(masks.global_mask(scores, "0.5")) == {"a": [0] * 4, "b": [1] * 4}


def test_uniform_gives_what_a_floor_forbids_to_the_others() -> None:
    # 8 of 12 go: shares 0.67 of one filter and 7.33 of 11; the one stays.
    mask = masks.uniform_mask({"one": torch.zeros(1), "many": torch.arange(11.0)}, "0.7", floor=FLOOR)
    assert bools(mask) == {"one": [1], "many": [0] * 8 + [1] * 3}


@pytest.mark.parametrize("protected", [(), ("layer0",)])
@pytest.mark.parametrize("amount", ["0.5", "0.65"])
def test_uniform_over_25_rounds_of_resnet56(amount: str, protected: tuple[str, ...]) -> None:
    previous = None
    free = 2128 - sum(RESNET[name] for name in protected)
    for k in range(1, 26):
        share = Fraction(amount) * k / 25
        mask = masks.uniform_mask(
            seeded(RESNET, k), share, floor=FLOOR, previous=previous, protected=protected
        )  # fmt: skip
        assert number(mask) == floor(share * 2128 + Fraction(1, 2))
        for name, size in RESNET.items():
            gone = int((~mask[name]).sum())
            wanted = 0 if name in protected else Fraction(number(mask) * size, free)
            assert abs(gone - wanted) < 1, (k, name)
            assert previous is None or not (mask[name] & ~previous[name]).any()
        previous = mask


def test_ranked_with_a_duplicated_layer_by_hand() -> None:
    scores = {"a": torch.tensor([2.0, 1.0]), "b": torch.tensor([1.5, 3.0])}
    none = {name: torch.zeros(2, dtype=torch.bool) for name in scores}

    def gone(number: int) -> dict[str, list[int]]:
        return bools(masks.ranked(scores, number, gone=none, stays=none, duplicated=["a"]))

    # The ranking is a1 a1' b0 a0 a0' b1.
    assert gone(1) == gone(2) == {"a": [1, 0], "b": [1, 1]}
    assert gone(3) == {"a": [1, 0], "b": [0, 1]}
    assert gone(4) == gone(5) == {"a": [0, 0], "b": [0, 1]}
    with pytest.raises(ValueError, match=r"^7 entries cannot be pruned: only 6 may go$"):
        gone(7)


def test_floor_count() -> None:
    assert [masks.floor_count(0.05, n) for n in (1, 16, 20, 21, 64, 100, 512)] == [1, 1, 1, 2, 4, 5, 26]
    assert masks.floor_count(None, 100) == 0
    assert masks.floor_count(0, 100) == 1
    assert masks.floor_count(1, 100) == 100


def test_zeroing_filters_of_ones_own_network() -> None:
    net, x = Own().eval(), images(2).float()
    before = {name: p.clone() for name, p in net.named_parameters()}
    masks.zero_(net, {"first": torch.tensor([True, False, True, True, True])})
    for name in ("first.weight", "first.bias"):
        assert not net.get_parameter(name)[1].any()
        assert torch.equal(net.get_parameter(name)[[0, 2, 3, 4]], before[name][[0, 2, 3, 4]])
    assert all(torch.equal(p, before[name]) for name, p in net.named_parameters() if not name.startswith("first"))
    assert not net.first(x)[:, 1].any()
    assert F.relu(net.first(x))[:, 0].any()
    assert net.first.weight.requires_grad
    assert net.first.weight.grad is None


def test_zeroing_weights_of_ones_own_network() -> None:
    net = Own()
    before = net.second.weight.detach().clone()
    mask = masks.global_mask({"second.weight": before.abs()}, "0.5")
    masks.zero_(net, mask)
    keep = mask["second.weight"]
    assert int((~keep).sum()) == 10
    assert torch.equal(net.second.weight[keep], before[keep])
    assert not net.second.weight[~keep].any()
    assert before[~keep].abs().max() <= before[keep].abs().min()


def test_zeroing_what_is_not_there() -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(KeyError, match="the network has no parameter or module called '1'"):
        masks.zero_(net, {"1": torch.ones(2, dtype=torch.bool)})


class Tower(nn.Module):
    """One of each kind of layer that a filter mask may and may not name."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.linear = nn.Conv2d(2, 4, 1), nn.Linear(3, 4)
        self.up, self.norm = nn.ConvTranspose2d(4, 4, 1), nn.BatchNorm2d(4)
        self.normed = weight_norm(nn.Conv2d(2, 4, 1))


FOUR = torch.tensor([True, False, True, True])


@pytest.mark.parametrize(
    ("name", "mask", "error", "sentence"),
    [
        (
            "conv",
            FOUR.int(),
            ValueError,
            r"of conv must be a bool tensor of shape \[4\], not torch.int32 \[4\]",
        ),
        ("conv", FOUR[:3], ValueError, r"of shape \[4\], not torch.bool \[3\]"),
        ("linear.weight", FOUR, ValueError, r"of shape \[4, 3\], not torch.bool \[4\]"),
        ("up", FOUR, TypeError, "up is a ConvTranspose2d, whose output channels cannot be zeroed here"),
        ("norm", FOUR, TypeError, "norm is a BatchNorm2d"),
        ("normed", FOUR, TypeError, "normed is a ParametrizedConv2d"),
    ],
)
def test_masks_that_cannot_be_applied_change_nothing(
    name: str, mask: Tensor, error: type[Exception], sentence: str
) -> None:
    net = Tower()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    with pytest.raises(error, match=sentence):
        masks.zero_(net, {name: mask})
    assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())


@pytest.mark.parametrize("choose", [masks.global_mask, masks.uniform_mask])
@pytest.mark.parametrize(
    ("scores", "options", "sentence"),
    [
        ({}, {}, "there are no scores, so there is nothing to prune"),
        ({"stages.1": FOUR * 1.0}, {"protected": "stages.10"}, "protected is the text 'stages.10'"),
        ({"stages.1": FOUR * 1.0}, {"protected": ["stage.1"]}, "no scored tensor is called 'stage.1'; did you mean"),
        ({"a": FOUR * 1.0}, {"previous": {"a": FOUR * 1.0}}, "the previous mask must be of bool tensors"),
    ],
)
def test_wrong_names_and_masks_are_one_sentence(choose, scores, options, sentence) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=sentence):
        choose(scores, 0.5, **options)


def by_hand(target: int, sizes: dict[str, int], lowest: dict[str, int], highest: dict[str, int]) -> dict[str, int]:
    """Largest remainder as its definition says: unit by unit to whom most is owed."""
    dealt, whole = dict(lowest), sum(sizes.values())
    for _ in range(target - sum(lowest.values())):
        open_ = [name for name in sizes if dealt[name] < highest[name]]
        dealt[max(open_, key=lambda name: Fraction(target * sizes[name], whole) - dealt[name])] += 1
    return dealt


@given(st.data())
def test_dealing_out_at_once_is_dealing_out_one_by_one(data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    sizes = {str(i): n for i, n in enumerate(numbers)}
    highest = {name: data.draw(st.integers(0, size)) for name, size in sizes.items()}
    lowest = {name: data.draw(st.integers(0, most)) for name, most in highest.items()}
    target = data.draw(st.integers(sum(lowest.values()), sum(highest.values())))
    found = masks._largest_remainder(target, sizes, lowest, highest)
    assert found == by_hand(target, sizes, lowest, highest)


def test_dealing_out_millions_takes_no_time() -> None:
    sizes = {str(i): 200_000 + i for i in range(50)}
    start = time.perf_counter()
    dealt = masks._largest_remainder(7_000_000, sizes, dict.fromkeys(sizes, 0), sizes)
    assert time.perf_counter() - start < 1
    assert sum(dealt.values()) == 7_000_000
