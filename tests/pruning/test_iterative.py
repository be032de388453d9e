"""Masks chosen over iterations: by hand, then exact counts, monotone masks and what the network looks like inside."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pruning import amounts, masks
from pruning.amounts import count, densities
from pruning.iterative import weight_mask
from pruning.masks import Mask

decimals = st.decimals(min_value=0, max_value="0.9999", places=4)


def perceptron(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 5), nn.ReLU(), nn.Linear(5, 3))


def weights(net: nn.Module) -> dict[str, Tensor]:
    return {name: parameter for name, parameter in net.named_parameters() if parameter.dim() == 2}


def magnitude(net: nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().abs() for name, weight in weights(net).items()}


def flow(net: nn.Module) -> dict[str, Tensor]:
    """|w dR/dw|, where R is the product of all absolute weights applied to ones: changes with every weight pruned."""
    matrices = [weight.detach().abs().double() for weight in weights(net).values()]
    found, below = {}, torch.ones(7, dtype=torch.float64)
    for place, (name, matrix) in enumerate(zip(weights(net), matrices, strict=True)):
        above = torch.ones(3, dtype=torch.float64)
        for later in reversed(matrices[place + 1 :]):
            above = later.T @ above
        found[name] = matrix * above[:, None] * below[None]
        below = matrix @ below
    return found


def gone(mask: Mask) -> int:
    return sum(int((~keep).sum()) for keep in mask.values())


def same(a: Mask, b: Mask) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def watched(score: Callable[[nn.Module], dict[str, Tensor]]) -> tuple[Callable[[nn.Module], dict[str, Tensor]], list]:
    """``score``, and a list that gets the weights of every network it is called with."""
    seen: list[dict[str, Tensor]] = []

    def watching(net: nn.Module) -> dict[str, Tensor]:
        seen.append({name: weight.detach().clone() for name, weight in weights(net).items()})
        return score(net)

    return watching, seen


def test_densities_by_hand() -> None:
    assert densities("0.75", 1) == [Fraction(1, 4)]
    assert densities("0.75", 2) == [Fraction(1, 2), Fraction(1, 4)]
    assert densities(0.488, 3) == [Fraction(4, 5), Fraction(16, 25), Fraction(64, 125)]  # 1 - 0.8^3
    assert densities(0, 3) == [1, 1, 1]
    assert [float(density) for density in densities("0.9", 4)] == pytest.approx([0.1**0.25, 0.1**0.5, 0.1**0.75, 0.1])
    # 98 % of 25 is 24.5, which counts up; a root of 0.000008 that is not rounded lies above 0.02, so that 24 would go.
    assert densities("0.999992", 3)[0] == Fraction(1, 50)
    assert count(1 - densities("0.999992", 3)[0], 25) == 25


@pytest.mark.parametrize("iterations", [0, -3])
def test_iterations_there_cannot_be(iterations: int) -> None:
    with pytest.raises(ValueError, match=rf"^iterations is {iterations}; it must be at least 1$"):
        densities("0.5", iterations)
    with pytest.raises(ValueError, match=rf"^iterations is {iterations}; it must be at least 1$"):
        weight_mask(perceptron(), magnitude, "0.5", iterations=iterations)
    with pytest.raises(ValueError, match=r"^amount is 1; it must be a fraction pruned"):
        densities(1, 5)


@given(decimals, st.integers(1, 120))
def test_densities_fall_in_equal_shares_to_the_exact_end(amount: Decimal, iterations: int) -> None:
    found = densities(amount, iterations)
    last = 1 - Fraction(amount)
    assert len(found) == iterations
    assert found[-1] == last
    assert [1, *found] == sorted([1, *found], reverse=True)
    for n, density in enumerate(found, start=1):
        assert abs(density**iterations - last**n) < Fraction(1, 10**45)


@given(st.integers(0, 80))
def test_densities_of_the_smallest_amounts_never_go_below_the_end(places: int) -> None:
    found = densities(Fraction(6, 10 ** (places + 1)), 100)
    assert found == sorted(found, reverse=True)


def test_what_is_scored_next_are_the_weights_left_by_hand() -> None:
    """Of four weights two stay, one going at a time: the scores turn when the first is pruned."""
    net = nn.Linear(4, 1, bias=False)
    net.weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    seen = []

    def turning(network: nn.Module) -> dict[str, Tensor]:
        (weight,) = network.parameters()
        seen.append(weight.flatten().tolist())
        return {"weight": weight.detach() if weight[0, 0] else -weight.detach()}

    # Densities 1/2^(1/2) and 1/2: floor(4 * .29 + 1/2) = 1 goes, then one more.
    mask = weight_mask(net, turning, "0.5", iterations=2)
    assert seen == [[1, 2, 3, 4], [0, 2, 3, 4]]
    assert mask["weight"].tolist() == [[False, True, True, False]]
    assert weight_mask(net, turning, "0.5")["weight"].tolist() == [[False, False, True, True]]
    assert net.weight.tolist() == [[1, 2, 3, 4]]


@given(decimals, st.integers(0, 2**31), st.sampled_from([magnitude, flow]))
@settings(deadline=None)
def test_one_iteration_is_a_global_mask(amount: Decimal, seed: int, score: Callable) -> None:  # type: ignore[type-arg]
    net = perceptron(seed)
    assert same(weight_mask(net, score, amount), masks.global_mask(score(net), amount))


@given(decimals, st.integers(1, 12), st.integers(0, 2**31))
@settings(deadline=None)
def test_counts_are_exact_after_every_iteration_and_nothing_comes_back(
    amount: Decimal, iterations: int, seed: int
) -> None:
    net = perceptron(seed)
    score, seen = watched(flow)
    mask = weight_mask(net, score, float(amount), iterations=iterations)
    total = sum(weight.numel() for weight in weights(net).values())
    assert gone(mask) == count(amount, total)
    assert len(seen) == iterations
    assert same(seen[0], weights(net))
    left = [{name: weight != 0 for name, weight in part.items()} for part in seen] + [mask]
    assert [gone(part) for part in left] == [0, *(count(1 - each, total) for each in densities(amount, iterations))]
    for before, after in pairwise(left):
        assert not any((after[name] & ~before[name]).any() for name in mask)
    for part in seen:  # what is left has its weight
        assert all(torch.equal(part[name][part[name] != 0], weights(net)[name][part[name] != 0]) for name in mask)


def test_a_score_that_looks_at_what_is_left_chooses_otherwise_in_many_iterations() -> None:
    net = perceptron()
    assert not same(weight_mask(net, flow, "0.9", iterations=20), weight_mask(net, flow, "0.9"))
    assert same(weight_mask(net, magnitude, "0.9", iterations=20), weight_mask(net, magnitude, "0.9"))


def test_pruned_weights_do_not_come_back_with_the_highest_scores_or_none() -> None:
    """Zeros are scored highest, or not at all, as a signed or random score may have it."""
    wanted = weight_mask(perceptron(), magnitude, "0.8")
    for score in (torch.inf, torch.nan, 1e9):

        def zeros_first(net: nn.Module, score: float = score) -> dict[str, Tensor]:
            return {name: torch.where(s == 0, score, s) for name, s in magnitude(net).items()}

        assert same(weight_mask(perceptron(), zeros_first, "0.8", iterations=7), wanted)


def test_the_same_random_scores_give_the_same_mask() -> None:
    def drawn(seed: int) -> Mask:
        generator = torch.Generator().manual_seed(seed)
        net = perceptron()
        return weight_mask(
            net, lambda n: {name: torch.rand(w.shape, generator=generator) for name, w in weights(n).items()}, "0.7",
            iterations=5,
        )  # fmt: skip

    assert same(drawn(3), drawn(3))
    assert not same(drawn(3), drawn(4))


def test_the_network_is_left_as_it_is_also_by_a_score_that_fails() -> None:
    net, calls = perceptron().train(), []
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    def failing(network: nn.Module) -> dict[str, Tensor]:
        calls.append(network)
        if len(calls) > 3:
            raise RuntimeError("no more")
        return magnitude(network)

    weight_mask(net, magnitude, "0.9", iterations=4)
    with pytest.raises(RuntimeError, match="no more"):
        weight_mask(net, failing, "0.9", iterations=9)
    assert net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())


def test_scores_that_are_not_finite() -> None:
    def broken(net: nn.Module) -> dict[str, Tensor]:
        found = magnitude(net)
        found["2.weight"][2, 3] = torch.nan
        return found

    with pytest.raises(ValueError, match=r"^the scores of 2\.weight are not all finite, so they cannot be ranked$"):
        weight_mask(perceptron(), broken, "0.5", iterations=3)


def test_the_schedule_of_a_real_size_ends_at_the_count_of_its_amount() -> None:
    """LeNet-300-100 at 1 - 0.8^18, in 100 iterations."""
    amount = 1 - Fraction(4, 5) ** 18
    numbers = [count(1 - density, 266_200) for density in densities(amount, 100)]
    assert numbers[-1] == amounts.count(amount, 266_200) == 261_405
    assert numbers == sorted(numbers)
    assert numbers[0] == round(266_200 * (1 - 0.8**0.18))
