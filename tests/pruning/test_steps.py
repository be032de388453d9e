"""Steps on static buffers against the plain loop: the same numbers, to the bit, alone and among others."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from pruning import capture, masks, models, scores, steps, surgery, training
from pruning.data import Dataset, Split
from pruning.data.dataset import dataset
from pruning.steps import Steps, finished, together
from pruning.training import Recipe

from .networks import MODELS

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, needs_gpu])]
RECIPE = Recipe(batch_size=16)


@pytest.fixture(autouse=True)
def repeatable(one_thread: None) -> Iterator[None]:
    deterministic = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    yield
    torch.backends.cudnn.deterministic = deterministic


def images(count: int, seed: int, side: int = 16) -> Split:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (count, side, side, 3), generator=generator, dtype=torch.uint8)
    return Split(pixels, torch.randint(10, (count,), generator=generator))


def digits(device: str = "cpu", train: int = 100, side: int = 16) -> Dataset:
    """Neither number is a multiple of its batch size."""
    return dataset("noise", 10, images(train, 0, side), images(30, 1, side)).to(device)


def network(name: str, device: str = "cpu", seed: int = 0) -> nn.Module:
    return training.place(models.build(name, width="0.25", seed=seed), device)


def numbers(net: nn.Module) -> list[Tensor]:
    return [tensor.clone() for tensor in net.state_dict().values()]


def equal(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(numbers(a), numbers(b), strict=True))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", MODELS)
def test_steps_are_the_plain_loop_to_the_bit(name: str, device: str, precision: training.Precision) -> None:
    found, recipe = digits(device), Recipe(batch_size=16, precision=precision)
    plain, ours = network(name, device), network(name, device)
    optimizer, fast = training.sgd(plain, recipe), Steps(ours, found, recipe)
    lane = capture.lane(device)
    for epoch, lr in ((1, 0.1), (2, 0.01)):
        train = training.train_epoch(plain, optimizer, found.train, recipe, lr=lr, seed=3, epoch=epoch)
        assert finished(fast.train(lr=lr, seed=3, epoch=epoch), lane) == train
        assert finished(fast.test(), lane) == training.evaluate(plain, found.test, recipe)
        assert equal(plain, ours)
    assert all(torch.equal(fast.momentum[name], v) for name, v in training.velocity(plain, optimizer).items())


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_goes_on_from_its_momentum_to_the_bit(device: str) -> None:
    found, straight, stopped = digits(device), network("vgg13", device), network("vgg13", device)
    whole, first, lane = Steps(straight, found, RECIPE), Steps(stopped, found, RECIPE), capture.lane(device)
    for epoch in (1, 2):
        finished(whole.train(lr=0.1, seed=0, epoch=epoch), lane)
    finished(first.train(lr=0.1, seed=0, epoch=1), lane)
    second = Steps(stopped, found, RECIPE, momentum={name: v.clone() for name, v in first.momentum.items()})
    finished(second.train(lr=0.1, seed=0, epoch=2), lane)
    assert equal(straight, stopped)


@pytest.mark.parametrize("device", DEVICES)
def test_networks_that_take_turns_are_those_that_train_alone(device: str) -> None:
    """Three models, a surgery in the middle: losses and masks as without the others, on a GPU after 104 steps."""
    found = digits(device, train=13 * 16 * (4 if device == "cuda" else 1), side=8)

    def life(name: str) -> steps.Turns[tuple[list[float], list[Tensor]]]:
        net, losses = network(name, device), []
        for epoch in (1, 2):
            fast = Steps(net, found, RECIPE)
            losses.append((yield from fast.train(lr=0.1, seed=5, epoch=epoch)).loss)
            losses.append((yield from fast.test()).loss)
            if epoch == 1:
                mask = masks.global_mask(scores.filter_scores("magnitude", net, []), amount=0.5, floor=0.05)
                net = training.place(surgery.shrink(net, mask), device)
        return losses, [keep.cpu() for keep in mask.values()]

    alone = [finished(life(name), capture.lane(device)) for name in MODELS]
    beside_each_other = together([(life(name), capture.lane(device)) for name in MODELS])
    for (losses, mask), beside in zip(alone, beside_each_other, strict=True):
        assert beside[0] == pytest.approx(losses, rel=1e-6 if device == "cuda" else 0)
        assert all(torch.equal(x, y) for x, y in zip(mask, beside[1], strict=True))


class Rehearsed(capture.Graphs[object]):
    """What a capture does around the capture itself: warm up, and put back; then every replay is a call."""

    def __init__(self, state: list[Tensor], generators: list[torch.Generator]) -> None:
        self._state, self._generators, self._captured = state, generators, {}

    def _capture(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        self._warm_up(work)
        return cast("torch.cuda.CUDAGraph", SimpleNamespace(replay=work))


@pytest.mark.parametrize("name", ["vgg13"])
def test_warming_up_leaves_no_trace_and_never_reads_past_the_end(name: str) -> None:
    """The last, partial batch is captured when the epoch is at it: there is nothing behind it to warm up on."""
    found, plain, ours = digits(), network(name), network(name)
    called, rehearsed = Steps(plain, found, RECIPE), Steps(ours, found, RECIPE)
    rehearsed._graphs = cast(Any, Rehearsed(rehearsed._state(), rehearsed._feed.generators))
    for epoch in (1, 2):
        assert finished(rehearsed.train(lr=0.1, seed=0, epoch=epoch)) == finished(
            called.train(lr=0.1, seed=0, epoch=epoch)
        )
        assert finished(rehearsed.test()) == finished(called.test())
    assert equal(plain, ours)


def test_another_network_can_train_between_the_turns_of_a_test() -> None:
    """A test that left gradients off while others have their turn would stop their learning."""
    found = dataset("noise", 10, images(10, 0), images(steps.BURST * training.TEST_BATCH + 1, 1))
    tested = Steps(nn.Sequential(nn.Flatten(), nn.Linear(768, 10)), found, RECIPE)
    turns = tested.test()
    assert next(turns) is True
    assert torch.is_grad_enabled()


def test_the_networks_mode_is_put_back_by_a_test() -> None:
    net = network("vgg13").train()
    finished(Steps(net, digits(), RECIPE).test())
    assert net.training


def test_a_turn_is_a_burst_of_steps() -> None:
    found, net = digits(train=16 * (2 * steps.BURST + 3)), nn.Sequential(nn.Flatten(), nn.Linear(768, 10))
    assert list(Steps(net, found, RECIPE).train(lr=0.1, seed=0, epoch=1)) == [True, True]


def gpu_epochs(net: nn.Module, found: Dataset, *, replay: bool) -> list[training.Result]:
    fast = Steps(net, found, RECIPE, replay=replay)
    lane = capture.lane("cuda")
    results = []
    for epoch in (1, 2):
        results.append(finished(fast.train(lr=0.1, seed=1, epoch=epoch), lane))
        results.append(finished(fast.test(), lane))
    return results


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("name", MODELS)
def test_replayed_steps_are_called_steps_to_the_bit(name: str) -> None:
    called, replayed = network(name, "cuda"), network(name, "cuda")
    assert gpu_epochs(called, digits("cuda"), replay=False) == gpu_epochs(replayed, digits("cuda"), replay=True)
    assert equal(called, replayed)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_an_epoch_of_replays_never_waits_for_the_gpu() -> None:
    fast, lane = Steps(network("resnet56", "cuda"), digits("cuda"), RECIPE), capture.lane("cuda")
    finished(fast.train(lr=0.1, seed=0, epoch=1), lane)
    torch.cuda.synchronize()
    try:
        torch.cuda.set_sync_debug_mode("error")
        finished(fast.train(lr=0.1, seed=0, epoch=2), lane)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@needs_gpu
def test_the_memory_of_captured_steps_comes_back() -> None:
    found, held, lane = digits("cuda"), [], None
    for _ in range(4):
        fast = Steps(network("resnet56", "cuda"), found, RECIPE)
        lane = lane or capture.lane("cuda")  # one: cuBLAS keeps a workspace for each stream
        finished(fast.train(lr=0.1, seed=0, epoch=1), lane)
        del fast
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        held.append(torch.cuda.memory_reserved())
    assert held[-1] <= held[0] + 4 * 2**20
