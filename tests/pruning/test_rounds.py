"""One round of pruning: the paper's rule, and each quirk of the released code by itself (PROTOCOLS A.4.3-A.4.6)."""

import itertools
from dataclasses import replace
from fractions import Fraction
from typing import cast

import pytest
import torch
from torch import Tensor

from pruning import amounts, models, rounds
from pruning.masks import Mask
from pruning.models import Prunable
from pruning.rounds import Rule, round_mask

MODELS = ("vgg13", "mobilenet_v1", "resnet56")
RELEASED = Rule(schedule="released", total="released", floor="released", counting="released", revival="released")


def shape_of(name: str) -> Prunable:
    """The full-width network without numbers."""
    with torch.device("meta"):
        return cast(Prunable, models.build(name))


def seeded(net: Prunable, seed: int = 0, low: float = 0.0) -> dict[str, Tensor]:
    """Uniform scores in [low, 1)."""
    generator = torch.Generator().manual_seed(seed)
    return {
        layer: low + (1 - low) * torch.rand(n, generator=generator, dtype=torch.float64)
        for layer, n in net.filters.items()
    }


def whole(net: Prunable) -> Mask:
    return {layer: torch.ones(n, dtype=torch.bool) for layer, n in net.filters.items()}


def run(net: Prunable, rule: Rule, amount: str, n: int, low: float = 0.0, poor: int | None = None) -> list[Mask]:
    """The masks of all rounds, scores drawn anew each time; the layer at ``poor`` scores lower than all others."""
    mask, found = whole(net), []
    for k in range(1, n + 1):
        scores = {layer: score - 3 * (i == poor) for i, (layer, score) in enumerate(seeded(net, k, low).items())}
        mask = round_mask(net, scores, mask, amount=amount, rounds=n, k=k, rule=rule)
        found.append(mask)
    return found


def kept(mask: Mask) -> int:
    return sum(int(part.sum()) for part in mask.values())


def back(before: Mask, after: Mask) -> set[str]:
    """Layers in which something returned."""
    return {layer for layer in before if (after[layer] & ~before[layer]).any()}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("allocation", ["global", "uniform"])
def test_the_papers_rule_counts_exactly_and_is_monotone(name: str, allocation: str) -> None:
    net = shape_of(name)
    found = run(net, Rule(allocation=allocation), "0.6", 5)  # type: ignore[arg-type]
    total = sum(net.filters.values())
    assert [total - kept(mask) for mask in found] == [amounts.count(Fraction(12 * k, 100), total) for k in range(1, 6)]
    assert not any(back(a, b) for a, b in itertools.pairwise(found))
    for layer, n in net.filters.items():
        assert int(found[-1][layer].sum()) >= max(1, -(-n // 20))
    assert name != "resnet56" or found[-1]["stem.conv"].all()


@pytest.mark.parametrize("amount", ["0.5", "0.6"])
@pytest.mark.parametrize("n", [1, 5, 25])
def test_resnet56_is_cut_to_integer_percentages(amount: str, n: int) -> None:
    net = shape_of("resnet56")
    found = run(net, Rule(schedule="released", total="released"), amount, n)
    left = {("0.6", 1): 40, ("0.6", 5): 38, ("0.6", 25): 32, ("0.5", 1): 50, ("0.5", 5): 49, ("0.5", 25): 41}
    # int((1 - percent / 100 * base / current) * current) are pruned: what is left is rounded up.
    assert kept(found[-1]) == -(-left[amount, n] * 2128 // 100)


@pytest.mark.parametrize("k", [-1, 0, 4])
def test_a_round_that_does_not_exist_is_one_sentence(k: int) -> None:
    net = shape_of("vgg13")
    scores = {layer: torch.zeros(n) for layer, n in net.filters.items()}
    alive = {layer: torch.ones(n, dtype=torch.bool) for layer, n in net.filters.items()}
    with pytest.raises(ValueError, match=f"round {k} of 3 does not exist; rounds count from 1"):
        rounds.round_mask(net, scores, alive, amount="0.5", rounds=3, k=k, rule=Rule())


@pytest.mark.parametrize(
    ("amount", "n", "nominal"), [("0.75", 5, 0.2507), ("0.75", 25, 0.2527), ("0.65", 5, 0.3505), ("0.65", 25, 0.3533)]
)
def test_vgg13_keeps_slightly_too_many(amount: str, n: int, nominal: float) -> None:
    net = shape_of("vgg13")
    found = run(net, Rule(schedule="released", total="released"), amount, n)
    assert kept(found[-1]) / 2944 == pytest.approx(nominal, abs=0.00005)
    exact = run(net, Rule(schedule="released"), amount, n)
    assert 2944 - kept(exact[-1]) == amounts.count(amount, 2944)


@pytest.mark.parametrize(("size", "number"), [(64, 4), (128, 7), (256, 13), (512, 26), (1024, 52), (32, 2)])
def test_the_tail_that_is_protected(size: int, number: int) -> None:
    tail = rounds.tail_by_index(size)
    assert tail.tolist() == [False] * (size - number) + [True] * number


@pytest.mark.parametrize("name", ["vgg13", "mobilenet_v1"])
def test_the_tail_stays_through_all_rounds_however_poor(name: str) -> None:
    net = shape_of(name)
    mask, tails = whole(net), {layer: rounds.tail_by_index(n) for layer, n in net.filters.items()}
    for k in range(1, 6):
        scores = {layer: score.masked_fill(tails[layer], -9.0) for layer, score in seeded(net, k).items()}
        mask = round_mask(net, scores, mask, amount="0.75", rounds=5, k=k, rule=Rule(floor="released"))
        assert all(mask[layer][tail].all() for layer, tail in tails.items())
        highest = round_mask(net, scores, whole(net), amount="0.75", rounds=5, k=k, rule=Rule())
        assert not any(highest[layer][tail].any() for layer, tail in tails.items())


def test_mobilenet_counts_10944() -> None:
    """With the scores of the last pointwise the highest, an amount of entries is half as many filters, rounded up."""
    net = shape_of("mobilenet_v1")
    scores = {layer: torch.arange(n) + 10_000.0 * i for i, (layer, n) in enumerate(net.filters.items())}
    for entries, filters in ((2736, 1368), (2735, 1368), (2734, 1367), (1, 1)):
        share = Fraction(entries, 2 * 5984 - 1024)
        mask = round_mask(net, scores, whole(net), amount=share, rounds=1, k=1, rule=Rule(counting="released"))
        assert 5984 - kept(mask) == filters


def test_the_last_pointwise_of_mobilenet_uses_one_entry_each() -> None:
    net, last = shape_of("mobilenet_v1"), "blocks.12.pointwise"
    scores = {layer: torch.arange(float(n)) + 10_000 * (layer != last) for layer, n in net.filters.items()}
    mask = round_mask(
        net, scores, whole(net), amount=Fraction(100, 10944), rounds=1, k=1, rule=Rule(counting="released")
    )
    assert (~mask[last]).nonzero().flatten().tolist() == list(range(100))
    assert kept(mask) == 5984 - 100


def test_counting_means_nothing_where_there_are_no_depthwise_layers() -> None:
    for name in ("vgg13", "resnet56"):
        net = shape_of(name)
        plain = run(net, Rule(), "0.5", 2)[-1]
        counted = run(net, Rule(counting="released"), "0.5", 2)[-1]
        assert all(torch.equal(plain[layer], counted[layer]) for layer in plain)


def test_an_emptied_layer_of_resnet56_gets_its_best_filter_back() -> None:
    net = shape_of("resnet56")
    layer = "stages.1.3.conv1"
    scores = seeded(net)
    scores[layer] = torch.arange(32).double() / 1000 - 5
    mask = round_mask(net, scores, whole(net), amount="0.5", rounds=1, k=1, rule=Rule(floor="released"))
    assert mask[layer].nonzero().tolist() == [[31]]
    assert 2128 - kept(mask) == 1064 - 1
    assert mask["stem.conv"].all()
    highest = round_mask(net, scores, whole(net), amount="0.5", rounds=1, k=1, rule=Rule())
    assert highest[layer].nonzero().tolist() == [[30], [31]]  # ceil(.05 * 32) = 2, and the total is met
    assert 2128 - kept(highest) == 1064


@pytest.mark.parametrize("gone_score", [0.0, torch.nan, torch.inf])
@pytest.mark.parametrize("revival", ["forbidden", "released"])
def test_the_filter_put_back_is_one_of_those_left(revival: str, gone_score: float) -> None:
    """Scores of filters that are gone are not looked at, above all where live ones are negative."""
    net, layer = shape_of("resnet56"), "stages.1.3.conv1"
    previous = whole(net)
    previous[layer][:30] = False
    scores = seeded(net)
    scores[layer] = torch.full((32,), gone_score, dtype=torch.float64)
    scores[layer][30:] = torch.tensor([-5.0, -6.0])
    rule = Rule(floor="released", revival=revival)  # type: ignore[arg-type]
    mask = round_mask(net, scores, previous, amount="0.5", rounds=1, k=1, rule=rule)
    assert mask[layer].nonzero().tolist() == [[30]]


@pytest.mark.parametrize(("revival", "left"), [("forbidden", 16), ("released", 15)])
def test_a_revived_filter_may_be_the_one_put_back(revival: str, left: int) -> None:
    """With score 0 it outranks live ones that are negative; of equals the later is the higher, as everywhere."""
    net, layer = shape_of("resnet56"), "stages.1.3.conv2"
    previous, scores = whole(net), seeded(net)
    previous[layer][:16] = False
    scores[layer] = -torch.arange(1, 33).double()
    rule = Rule(floor="released", revival=revival)  # type: ignore[arg-type]
    mask = round_mask(net, scores, previous, amount="0.5", rounds=1, k=1, rule=rule)
    assert mask[layer].nonzero().tolist() == [[left]]


def test_only_the_released_revival_brings_back_a_dead_channel() -> None:
    """Half of all scores are negative, so that 0, the score of what is gone, is not the lowest."""
    net = shape_of("resnet56")
    for rule, wanted in ((Rule(floor="released"), False), (Rule(floor="released", revival="released"), True)):
        found = run(net, rule, "0.6", 5, low=-1.0)
        returned = set().union(*(back(a, b) for a, b in itertools.pairwise(found)))
        assert bool(returned) is wanted
        assert not any(layer.endswith("conv1") for layer in returned)
        assert not wanted or any(layer.endswith("conv2") for layer in returned)
        assert not wanted or any(layer.endswith("shortcut") for layer in returned)


def test_positive_scores_bring_nothing_back() -> None:
    found = run(shape_of("resnet56"), Rule(floor="released", revival="released"), "0.6", 5)
    assert not any(back(a, b) for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("vgg13", {"allocation": "uniform"}),
        ("vgg13", {"schedule": "released"}),
        ("vgg13", {"total": "released"}),
        ("vgg13", {"floor": "released"}),
        ("mobilenet_v1", {"counting": "released"}),
        ("mobilenet_v1", {"floor": "released"}),
        ("mobilenet_v1", {"total": "released"}),
        ("resnet56", {"total": "released"}),
        ("resnet56", {"floor": "released"}),
        ("resnet56", {"revival": "released"}),
    ],
)
def test_each_quirk_alone_changes_the_mask(name: str, change: dict[str, str]) -> None:
    net = shape_of(name)
    plain, quirky = (run(net, rule, "0.65", 3, low=-1.0, poor=5) for rule in (Rule(), replace(Rule(), **change)))
    assert any(not torch.equal(a[layer], b[layer]) for a, b in zip(plain, quirky, strict=True) for layer in a)


@pytest.mark.parametrize("quirk", ["total", "floor", "counting", "revival"])
def test_uniform_and_released_do_not_go_together(quirk: str) -> None:
    sentence = "^uniform pruning is not in the released code; use it with the paper's own rules$"
    with pytest.raises(ValueError, match=sentence):
        Rule(allocation="uniform", **{quirk: "released"})  # type: ignore[arg-type]


@pytest.mark.parametrize(("amount", "n"), [("0.6", 5), ("0.6", 25), ("0.5", 5)])
def test_the_released_engine_prunes_resnet56_as_simulated(amount: str, n: int) -> None:
    """PROTOCOLS A.4.3: .610-.618 and .667-.671 at p = .60, .502-.509 at .50, for signed scores, undershoot included."""
    found = run(shape_of("resnet56"), RELEASED, amount, n, low=-1.0)
    pruned = 1 - kept(found[-1]) / 2128
    low, high = {("0.6", 5): (0.610, 0.621), ("0.6", 25): (0.667, 0.681), ("0.5", 5): (0.502, 0.511)}[amount, n]
    assert low <= pruned <= high


def test_an_amount_that_cannot_be_met() -> None:
    net = shape_of("resnet56")
    with pytest.raises(ValueError, match="the largest feasible amount is"):
        round_mask(net, seeded(net), whole(net), amount="0.95", rounds=1, k=1, rule=Rule())
    with pytest.raises(ValueError, match="entries cannot be pruned: only"):
        round_mask(
            net, seeded(net), whole(net), amount="0.95", rounds=1, k=1, rule=Rule(schedule="released", total="released")
        )
