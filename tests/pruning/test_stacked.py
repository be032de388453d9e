"""Networks on a stack against the same networks one by one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pruning import capture, models
from pruning.data import Dataset, Split
from pruning.data.dataset import dataset
from pruning.stacked import Member, Stack, why_not
from pruning.steps import Steps, together
from pruning.training import Recipe, Result

from .test_steps import DEVICES, Rehearsed

PLAIN = Recipe(batch_size=16, augmentation="none", momentum=0.0, weight_decay=0.0, temperature=1.0)
HEAVY = replace(PLAIN, momentum=0.9, weight_decay=5e-4, temperature=2.0)


def noise(device: str = "cpu") -> Dataset:
    """Neither number is a multiple of its batch size."""
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        pixels = torch.randint(256, (count, 8, 8, 1), generator=generator, dtype=torch.uint8)
        return Split(pixels, torch.randint(10, (count,), generator=generator))

    return dataset("noise", 10, split(1700), split(530)).to(device)


def lenet(seed: int, device: str = "cpu") -> nn.Module:
    return models.build("lenet300_100", in_channels=1, image_size=8, width="0.25", seed=seed).to(device)


def random_mask(net: nn.Module, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = {name: p for name, p in net.named_parameters() if p.dim() > 1}
    return {name: (torch.rand(p.shape, generator=generator) < 0.3).to(p.device) for name, p in weights.items()}


def run(parts: list[Any], epochs: int, lr: float = 0.1, device: str = "cpu", **changed: Any) -> list[list[Result]]:
    """Every part trained and tested for some epochs, all of them in turns; its results in order."""
    lanes = [capture.lane(device) for _ in parts]

    def course(number: int, part: Any) -> Any:
        found = []
        for epoch in range(epochs):
            found.append((yield from part.train(lr=lr, seed=number, epoch=epoch, **changed)))
            found.append((yield from part.test()))
        return found

    return together([(course(k, part), lane) for k, (part, lane) in enumerate(zip(parts, lanes, strict=True))])


def alike(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], tolerance: float = 1e-6) -> bool:
    return all(torch.linalg.norm(ours[name] - p) <= tolerance * torch.linalg.norm(p) for name, p in theirs.items())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("recipe", [PLAIN, HEAVY], ids=["plain", "heavy"])
@pytest.mark.parametrize("masked", [False, True])
def test_networks_on_a_stack_are_those_one_by_one(device: str, recipe: Recipe, masked: bool) -> None:
    """Over 107 steps, within the rounding of fp32, and to 1e-6 in their losses."""
    found, seeds = noise(device), (0, 1, 2)
    one, other = ([lenet(seed, device) for seed in seeds] for _ in range(2))
    masks = [random_mask(net, seed) if masked and seed else None for net, seed in zip(one, seeds, strict=True)]
    stack = Stack(one[0], found, recipe, 4)
    members = [stack.member(net, mask=mask) for net, mask in zip(one, masks, strict=True)]
    single = [Steps(net, found, recipe, mask=mask) for net, mask in zip(other, masks, strict=True)]
    for ours, theirs in zip(run(members, 1, device=device), run(single, 1, device=device), strict=True):
        for result, expected in zip(ours, theirs, strict=True):
            assert result.loss == pytest.approx(expected.loss, rel=1e-6)
            assert result.accuracy == expected.accuracy
    for k, (net, twin, mask) in enumerate(zip(one, other, masks, strict=True)):
        assert alike(dict(net.named_parameters()), dict(twin.named_parameters()), 1e-5)
        assert alike(members[k].momentum, single[k].momentum, 1e-4)
        assert (recipe.momentum > 0) == bool(members[k].momentum)
        for name, keep in (mask or {}).items():
            assert not net.get_parameter(name)[~keep].any()
            assert net.get_parameter(name)[keep].all()
    assert not alike(dict(one[0].named_parameters()), dict(one[1].named_parameters()), 0.5)


def test_more_members_than_places_and_all_of_them_train() -> None:
    found = noise()
    nets = [lenet(seed) for seed in range(5)]
    stack, twins = Stack(nets[0], found, PLAIN, 2), [lenet(seed) for seed in range(5)]
    ours = run([stack.member(net) for net in nets], 2)
    theirs = run([Steps(net, found, PLAIN) for net in twins], 2)
    assert [[each.accuracy for each in one] for one in ours] == [[each.accuracy for each in one] for one in theirs]


def test_each_network_at_its_rate_and_with_its_number_of_steps() -> None:
    found, nets, twins = noise(), [lenet(0), lenet(1)], [lenet(0), lenet(1)]
    stack = Stack(nets[0], found, PLAIN, 2)

    def course(parts: list[Any]) -> list[Result]:
        wanted = ({"lr": 0.1, "steps": 3}, {"lr": 0.02, "steps": 3}, {"lr": 0.1, "steps": 5}, {"lr": 0.3})
        pairs = list(zip([*parts, *parts], wanted, strict=True))
        first = together([(part.train(seed=7, epoch=0, **how), capture.lane("cpu")) for part, how in pairs[:2]])
        return first + together([(part.train(seed=7, epoch=1, **how), capture.lane("cpu")) for part, how in pairs[2:]])

    ours, theirs = course([stack.member(net) for net in nets]), course([Steps(net, found, PLAIN) for net in twins])
    assert [each.loss for each in ours] == pytest.approx([each.loss for each in theirs], rel=1e-6)
    assert all(alike(dict(a.named_parameters()), dict(b.named_parameters())) for a, b in zip(nets, twins, strict=True))


def test_a_pass_begins_once_nobody_else_comes_to_wait() -> None:
    stack = Stack(lenet(0), noise(), PLAIN, 4)
    turns = [stack.member(lenet(k)).train(lr=0.1, seed=k, epoch=0, steps=1) for k in range(3)]
    assert [next(turns[0]), next(turns[1]), next(turns[0]), next(turns[2]), next(turns[1])] == [False] * 5
    with pytest.raises(StopIteration):
        next(turns[1])  # since its last turn nobody has come; a pass of one step ends within one turn
    for others in (turns[0], turns[2]):
        with pytest.raises(StopIteration):
            next(others)


def test_a_member_that_is_given_up_is_not_waited_for() -> None:
    stack = Stack(lenet(0), noise(), PLAIN, 4)
    waiting, given_up = (stack.member(lenet(k)).train(lr=0.1, seed=0, epoch=0, steps=1) for k in (0, 1))
    assert [next(waiting), next(given_up), next(waiting)] == [False] * 3
    given_up.close()
    assert stack._together() == stack._waiting
    assert len(stack._waiting) == 1
    with pytest.raises(StopIteration):
        next(waiting)


def test_a_member_that_is_given_up_while_it_works_for_all_leaves_the_others_as_they_were() -> None:
    found, net, twin = noise(), lenet(0), lenet(0)
    stack = Stack(net, found, PLAIN, 4)
    working, waiting = (stack.member(one).train(lr=0.1, seed=0, epoch=0) for one in (lenet(1), net))
    assert [next(working), next(waiting), next(working), next(working), next(waiting)] == [False] * 3 + [True, False]
    working.close()
    together([(waiting, capture.lane("cpu"))])
    together([(Steps(twin, found, PLAIN).train(lr=0.1, seed=0, epoch=0), capture.lane("cpu"))])
    assert alike(dict(net.named_parameters()), dict(twin.named_parameters()))


def test_all_who_wait_hear_of_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(lenet(0), noise(), PLAIN, 4)
    members = [stack.member(lenet(seed)) for seed in (0, 1)]
    waiting, working = (member.train(lr=0.1, seed=0, epoch=0) for member in members)
    monkeypatch.setattr(stack, "_train", lambda size: 1 / 0)
    assert [next(working), next(waiting), next(working)] == [False] * 3
    for turns in (working, waiting):
        with pytest.raises(ZeroDivisionError):
            next(turns)


def test_an_error_of_some_is_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits to be tested takes its turn between the error and those who have not heard of it yet."""
    stack = Stack(lenet(0), noise(), PLAIN, 4)
    members = [stack.member(lenet(seed)) for seed in range(4)]
    testing, *training = [members[0].test(), *(member.train(lr=0.1, seed=0, epoch=0) for member in members[1:])]
    assert [next(turns) for turns in (testing, *training, testing, training[0])] == [False] * 6
    with monkeypatch.context() as patch:
        patch.setattr(stack, "_train", lambda size: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            next(training[0])
    together([(testing, capture.lane("cpu"))])
    for turns in training[1:]:
        with pytest.raises(ZeroDivisionError):
            next(turns)


def test_a_member_that_is_given_up_while_another_works_for_it() -> None:
    stack = Stack(lenet(0), noise(), PLAIN, 4)
    working, waiting = (stack.member(lenet(seed)).train(lr=0.1, seed=0, epoch=0) for seed in (0, 1))
    assert [next(working), next(waiting), next(working), next(working)] == [False] * 3 + [True]
    waiting.close()
    assert together([(working, capture.lane("cpu"))])
    assert stack._waiting == []


def test_warming_up_leaves_no_trace() -> None:
    """As a capture does it, at every kind of step."""
    found, nets, twins = noise(), [lenet(0), lenet(1)], [lenet(0), lenet(1)]
    called, rehearsed = Stack(nets[0], found, HEAVY, 2), Stack(twins[0], found, HEAVY, 2)
    rehearsed._graphs = Rehearsed(rehearsed._state(), [])  # type: ignore[assignment]
    results = [run([stack.member(net) for net in of], 1) for stack, of in ((called, nets), (rehearsed, twins))]
    assert results[0] == results[1]
    for net, twin in zip(nets, twins, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))


def test_what_cannot_be_stacked_says_why() -> None:
    found, net = noise(), lenet(0)
    assert why_not(net, found, PLAIN) == ""
    with pytest.raises(
        ValueError, match=r"^these networks cannot be stacked, as their images are augmented \(crop_flip\);"
    ):
        Stack(net, found, replace(PLAIN, augmentation="crop_flip"), 2)
    sentence = "as they have buffers, as batch norm's statistics are; train them one by one$"
    with pytest.raises(ValueError, match=sentence):
        Stack(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10)), found, PLAIN, 2)
    stack = Stack(net, found, PLAIN, 2)
    with pytest.raises(
        ValueError, match=r"^a network with parameters \{'fc1.weight': \[60, 64\].* does not go on a stack of"
    ):
        stack.member(models.build("lenet300_100", in_channels=1, image_size=8, width="0.2"))
    with pytest.raises(ValueError, match=r"parameter.*'fc1.weights'"):
        stack.member(net, mask={"fc1.weights": torch.ones(75, 64, dtype=torch.bool)})
    member = stack.member(net)
    assert isinstance(member, Member)
    with pytest.raises(
        ValueError, match=r"^stacked networks train at one rate an epoch; train those with a warm-up one"
    ):
        next(member.train(lr=0.1, seed=0, epoch=0, lr_from=0.0))
