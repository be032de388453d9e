"""Scores in bounded memory: cut where that is exact, computed anew where it is not, each batch read when it is due."""

import copy
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.utils import parametrizations
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pruning import models, scores
from pruning.scores import BNMode, lean, memory, norm, spill
from pruning.scores import batches as batches_module
from pruning.substitute import Substitute

from .networks import batches, images, trained_looking

DATA = ("snip", "grasp", "abs_grasp", "grasp_class_split")
Sample = list[tuple[Tensor, Tensor]]
ANEW = 1  # a budget of one byte, which nothing fits into


class Peak(TorchDispatchMode):
    """Bytes of the tensors of some size alive at once, at the most."""

    def __init__(self) -> None:
        super().__init__()
        self.most = self.held = 0
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and (size := tensor.untyped_storage().nbytes()) > 4096:
                storage = tensor.untyped_storage()
                self.alive[storage._cdata] = (StorageWeakRef(storage), size)
                self.held += size
        if self.held > self.most:  # else none of those that are gone can matter
            self.alive = {key: pair for key, pair in self.alive.items() if not pair[0].expired()}
            self.held = sum(size for _, size in self.alive.values())
            self.most = max(self.most, self.held)
        return result


def peak(work: Callable[[], Any]) -> int:
    with Peak() as found:
        work()
    return found.most


def stream(whole: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    for first in range(0, len(whole), size):
        part = whole[first : first + size]
        yield part, torch.arange(len(part)) % 10


def close(a: dict[str, Tensor], b: dict[str, Tensor], rtol: float = 1e-9) -> bool:
    assert list(a) == list(b)
    return all(torch.allclose(a[k], b[k], rtol=rtol, atol=1e-3 * rtol * b[k].abs().max().item()) for k in b)


# Computed anew.


@pytest.mark.parametrize("model", ["vgg16", "resnet20", "mobilenet_v1"])
@pytest.mark.parametrize("name", ["snip", "grasp", "grasp_class_split"])
def test_activations_computed_anew_give_the_same_scores(name: str, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, sample = trained_looking(model), batches(5, 4, side=16)
    kept = scores.weight_scores(name, net, sample)
    monkeypatch.setattr(memory, "BUDGET", ANEW)
    monkeypatch.setattr(spill, "LEAST", 2**12)
    before = copy.deepcopy(net.state_dict())
    assert close(scores.weight_scores(name, net, sample), kept, rtol=1e-8)  # batch norm sums in another order
    assert all(torch.equal(before[key], tensor) for key, tensor in net.state_dict().items())
    assert not any("forward" in module.__dict__ for module in net.modules())


class Moving(nn.Module):
    """Layers in a module, whose result depends on random numbers, a buffer that moves on, and a power iteration."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv = parametrizations.spectral_norm(nn.Conv2d(3, 4, 1))
        self.drop = nn.Dropout(0.5)
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 4, H, W]."""
        out = torch.tanh(self.drop(self.conv(x)))
        self.mean = 0.5 * self.mean + 0.5 * out.detach().mean((0, 2, 3))
        return out * (1 + self.mean.view(1, -1, 1, 1))


class Head(nn.Module):
    """Something before and after it, so that it is no outermost module; used twice."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.first, self.inner, self.last = nn.Conv2d(3, 3, 1), inner, nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 10]."""
        x = self.first(x)
        return self.last((self.inner(x) + self.inner(2 * x)).mean((2, 3)))  # type: ignore[no-any-return]


def test_what_changes_from_pass_to_pass_is_computed_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Head(Moving()).double().train()
    x, y = batches(6)[0]
    parameters = dict(net.named_parameters())

    def found(budget: int) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        monkeypatch.setattr(memory, "BUDGET", budget)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            other = copy.deepcopy(net)
            gradient = scores.mean_gradient(other, [(x, y)], 1.0)
            return gradient, other.inner.mean, torch.rand(1)

    assert net.inner in memory.survey(net, x).modules
    kept, anew = found(2**32), found(ANEW)
    assert set(kept[0]) == set(parameters)
    assert close(anew[0], kept[0])
    assert torch.equal(anew[1], kept[1])
    assert torch.equal(anew[2], kept[2])


class Wrapped(nn.Module):
    """A layer and what is done with it."""

    def __init__(self, use: Callable[..., Any], layer: nn.Module | None = None) -> None:
        super().__init__()
        self.layer, self.use = layer or nn.Conv2d(3, 4, 1), use

    def forward(self, *given: Any, **options: Any) -> Any:
        """Whatever ``use`` does."""
        return self.use(self.layer, *given, **options)


class Around(nn.Module):
    """A network with one module in it that holds another."""

    def __init__(self, inner: nn.Module, call: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.first, self.inner, self.last, self.call = nn.Conv2d(3, 3, 1), inner, nn.LazyLinear(10), call

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 10]."""
        return self.last(self.call(self.inner, self.first(x)).mean((2, 3)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("inner", "call", "anew"),
    [
        (lambda layer, x: torch.tanh(layer(x)), lambda m, x: m(x), True),
        (lambda layer, x, y: layer(x) * y, lambda m, x: m(x, torch.exp(x.mean((1, 2, 3), keepdim=True))), True),
        (lambda layer, x: layer(F.leaky_relu_(x, 0.3)), lambda m, x: m(x), False),  # writes to what it is given
        (lambda layer, x: x.flatten(1).view_as(x), lambda m, x: m(x), False),  # nothing new
        (lambda layer, x: (layer(x), x), lambda m, x: torch.cat(m(x), 1), False),  # two tensors
        (lambda layer, x, times: layer(x) * times, lambda m, x: m(x, times=2), False),
        (lambda layer, x, times: layer(x) * times, lambda m, x: m(x, 2), False),
        (lambda layer, x: torch.zeros_like(x), lambda m, x: m(x) + x, False),  # nothing to differentiate by
    ],
)
def test_modules_that_cannot_be_computed_anew_are_left_alone(
    inner: Any, call: Any, anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, sample = Around(Wrapped(inner), call).double(), batches(4)
    net(sample[0][0])
    assert (memory.survey(net, sample[0][0]).modules == (net.inner,)) is anew
    kept = scores.weight_scores("grasp", net, sample)
    monkeypatch.setattr(memory, "BUDGET", ANEW)
    assert close(scores.weight_scores("grasp", net, sample), kept)


# Saved tensors in files, and batch norm by channels.


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], list[Path]]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(spill, "LEAST", 8 * 5)
    return lambda: [path for path in tmp_path.rglob("*.pt") if path.is_file()]


def test_what_exceeds_the_room_waits_in_files(files: Callable[[], list[Path]], tmp_path: Path) -> None:
    x = torch.rand(5, dtype=torch.float64, requires_grad=True)
    with spill.saved_within(2 * x.nbytes):
        first = torch.exp(x)  # keeps its result, the first of two that there is room for
        second = torch.exp(first)
        assert files() == []
        third = torch.exp(second)
        assert len(files()) == 1
        square = first.square()  # keeps the first result, which is there anyway
        assert len(files()) == 1
        (slope,) = torch.autograd.grad(third.sum(), [x])
        assert files() == []
        del square
        again = torch.exp(torch.exp(x))
        assert files() == []  # as there is room for two once more
        assert (again > 1).all()
    assert torch.allclose(slope, third.detach() * second.detach() * first.detach())
    assert list(tmp_path.iterdir()) == []


def test_derivatives_of_second_order_come_through_files(files: Callable[[], list[Path]]) -> None:
    x = torch.rand(2, 3, 4, 5, dtype=torch.float64).contiguous(memory_format=torch.channels_last).requires_grad_()
    with spill.saved_within(0):
        (slope,) = torch.autograd.grad((torch.exp(x) * x.flip(1)).sum(), [x], create_graph=True)
        assert files()
        (curve,) = torch.autograd.grad(slope.square().sum(), [x])
    (slope,) = torch.autograd.grad((torch.exp(x) * x.flip(1)).sum(), [x], create_graph=True)
    (wanted,) = torch.autograd.grad(slope.square().sum(), [x])
    assert torch.equal(curve, wanted)


def test_a_file_holds_a_tensor_in_its_layout_and_nothing_else(files: Callable[[], list[Path]], tmp_path: Path) -> None:
    whole = torch.rand(64, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    part = whole[3:5]
    room = spill._Room(0, tmp_path)
    filed = room.put(part)
    (path,) = files()
    assert path.stat().st_size < whole.nbytes / 4
    assert torch.equal(filed.get(), part)
    assert filed.get().stride() == part.stride()


def test_a_tensor_is_written_once_and_read_only_when_nobody_has_it(
    files: Callable[[], list[Path]], tmp_path: Path
) -> None:
    room, x = spill._Room(0, tmp_path), torch.rand(6, 6)
    address = x.data_ptr()
    filed = room.put(x)
    assert room.put(x.detach()) is filed
    assert room.put(x.T) is not filed
    assert filed.get().data_ptr() == address
    wanted = x.clone()
    del x
    read = filed.get()
    assert torch.equal(read, wanted)
    assert filed.get().data_ptr() == read.data_ptr()
    assert room.put(read) is filed
    assert len(files()) == 1


def test_a_new_tensor_in_the_place_of_an_old_one_has_a_file_of_its_own(
    files: Callable[[], list[Path]], tmp_path: Path
) -> None:
    room, old = spill._Room(0, tmp_path), torch.zeros(6, 6)
    filed = room.put(old)
    del old
    read = filed.get()  # elsewhere than what was written, whose place is free now
    new = torch.ones(6, 6)
    room.filed[new.untyped_storage()._cdata] = filed  # as it would be if it were in that place
    assert room.put(new) is not filed
    assert torch.equal(room.put(new).get(), torch.ones(6, 6))
    assert torch.equal(filed.get(), read)


@pytest.mark.parametrize(
    "tensor",
    [
        nn.Parameter(torch.rand(10, 10)),
        nn.Parameter(torch.rand(10, 10)).t(),  # which a linear layer saves
        torch.rand(9),
        torch.rand(1).expand(100, 100),  # of four bytes
        torch.rand(100, dtype=torch.complex64).conj(),
        torch.rand(10, 10).to_sparse(),
    ],
)
def test_what_is_not_worth_a_file_or_no_plain_numbers_is_left_alone(
    tensor: Tensor, files: Callable[[], list[Path]], tmp_path: Path
) -> None:
    found = spill._Room(0, tmp_path).put(tensor)
    assert isinstance(found, Tensor)
    assert torch.equal(found.to_dense(), tensor.to_dense())
    assert files() == []


def test_parts_of_one_tensor_have_a_file_each(files: Callable[[], list[Path]], tmp_path: Path) -> None:
    room, whole = spill._Room(0, tmp_path), torch.rand(4, 8, 5, 5)
    slices = whole.split(2, dim=1)
    filed = [room.put(part) for part in slices]
    assert [room.put(part) for part in slices] == filed
    assert len(files()) == 4
    kept = whole.clone()
    del whole, slices
    assert torch.equal(torch.cat([each.get() for each in filed], dim=1), kept)


def test_a_tensor_that_was_written_and_then_filled_anew_is_written_again(files: Callable[[], list[Path]]) -> None:
    weight, buffer = torch.ones(100, requires_grad=True), torch.zeros(100)
    with spill.saved_within(0):
        unused = weight * buffer
        buffer.fill_(3)
        product = weight * buffer
        del buffer
        (slope,) = torch.autograd.grad(product.sum(), [weight])
        del unused
    assert torch.equal(slope, torch.full((100,), 3.0))


def tensors() -> int:
    gc.collect()
    return sum(type(each) is Tensor for each in gc.get_objects())


def test_a_survey_leaves_no_tensors_behind() -> None:
    net, sample = trained_looking("resnet20"), images(4, 8)
    memory.survey(net, sample)
    before = tensors()
    memory.survey(net, sample)
    assert tensors() == before


def test_a_pass_that_fails_leaves_no_tensors_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    net, sample = trained_looking("resnet20"), batches(4)
    net.last = nn.Identity()
    net.last.register_forward_hook(lambda *_: 1 / 0)

    def fails() -> None:
        with pytest.raises(ZeroDivisionError), lean.little_memory(()):
            net.last(net(sample[0][0]))

    fails()
    before = tensors()
    fails()
    assert tensors() == before


def test_a_network_without_modules_to_compute_anew_uses_files_too(
    files: Callable[[], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    net, sample, seen = models.build("lenet300_100").double(), batches(6, side=28), []
    kept = scores.weight_scores("grasp", net, sample)
    monkeypatch.setattr(memory, "BUDGET", ANEW)
    net.register_forward_hook(lambda *_: seen.append(len(files())))
    assert close(scores.weight_scores("grasp", net, sample), kept)
    assert max(seen) > 0


def test_of_modules_in_each_other_the_innermost_are_computed_anew() -> None:
    net, sample = trained_looking("resnet20"), images(2, 8)
    assert {type(module).__name__ for module in memory.survey(net, sample).modules} == {"Stem", "Block"}
    inner = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    both, alone = nn.Sequential(inner, nn.Sequential(nn.Conv2d(4, 4, 1))), nn.Sequential(inner, nn.Conv2d(4, 4, 1))
    assert memory.survey(nn.Sequential(both), sample.float()).modules == (inner, both[1])
    assert memory.survey(nn.Sequential(alone), sample.float()).modules == (alone, inner)


# How much memory.


def test_what_one_image_holds_by_hand() -> None:
    """ReLU keeps its result, 5 numbers, which the second layer keeps too; the first layer keeps the image."""
    net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    assert memory.survey(net, torch.rand(100, 3)).held == 5 * 4
    assert memory.survey(net.double(), torch.rand(1, 3).double()).held == 5 * 8
    assert memory.survey(nn.Linear(3, 5), torch.rand(7, 3)).held == 1


@pytest.mark.parametrize("name", ["snip", "grasp"])
@pytest.mark.parametrize(("bn_mode", "size"), [("eval", 16), ("train", 4)])
def test_memory_does_not_grow_with_the_number_of_images(
    name: str, bn_mode: BNMode, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, many = trained_looking("vgg13"), images(48, 16)

    def used(number: int, size: int) -> int:
        return peak(lambda: scores.weight_scores(name, net, stream(many[:number], size), bn_mode=bn_mode))

    whole = used(48, 48)
    monkeypatch.setattr(memory, "BUDGET", 12 * memory.survey(net, many).held)
    monkeypatch.setattr(batches_module, "IN_MEMORY", 0)
    few = used(16, size)
    assert used(48, size) < min(1.05 * few, 0.75 * whole)  # the rest is parameters, several times


@pytest.mark.parametrize("name", ["snip", "grasp"])
def test_computing_anew_takes_less(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, sample = trained_looking("resnet20"), list(stream(images(32, 16), 32))
    kept = peak(lambda: scores.weight_scores(name, net, sample))
    monkeypatch.setattr(memory, "BUDGET", ANEW)
    assert peak(lambda: scores.weight_scores(name, net, sample)) < 0.6 * kept


def test_second_derivative_of_batch_norm_takes_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norm, "PIECE", 2**13)
    x, slope, along = (torch.rand(64, 8, 8, 8).requires_grad_() for _ in range(3))
    module = nn.BatchNorm2d(8)

    def second(first: Tensor) -> int:
        return peak(lambda: torch.autograd.grad(first, [x, slope], along))

    slopes = torch.autograd.grad(module(x), [x], slope, create_graph=True)
    with Substitute({F.batch_norm: norm.batch_norm}):
        ours = torch.autograd.grad(module(x), [x], slope, create_graph=True)
    assert second(ours[0]) < 5.5 * x.nbytes  # three that are there, looked at piece by piece, and two that are found
    assert second(slopes[0]) > 7.5 * x.nbytes


@pytest.mark.parametrize("name", ["snip", "grasp", "abs_grasp"])
@pytest.mark.parametrize("bn_mode", ["train", "eval"])
def test_a_batch_is_cut_only_where_that_is_exact(name: str, bn_mode: BNMode, monkeypatch: pytest.MonkeyPatch) -> None:
    net, sample, seen = trained_looking("resnet20"), batches(7, 5), []
    net.register_forward_hook(lambda module, given, result: seen.append(len(given[0])))
    whole = scores.weight_scores(name, net, sample, bn_mode=bn_mode)
    monkeypatch.setattr(memory, "BUDGET", 9 * memory.survey(net, sample[0][0]).held)
    seen.clear()
    assert close(scores.weight_scores(name, net, sample, bn_mode=bn_mode), whole)
    first = [2, 7, 5]  # the survey is of two images
    second = [2, 3, 3, 1, 3, 2] if bn_mode == "eval" else first  # a third of the budget, with a graph of second order
    assert seen == (first if name == "snip" else first + second)


# A sample of which not all is in memory.


@pytest.mark.parametrize("held", [0, 2000, 2**30])
@pytest.mark.parametrize("name", DATA)
def test_batches_are_asked_for_once(name: str, held: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(batches_module, "IN_MEMORY", held)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asked = []

    class Loader:
        """Other images whenever it is asked, as one that augments."""

        def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
            for i in range(3):
                asked.append(i)
                yield images(4, seed=len(asked)), torch.arange(4)

    found = scores.weight_scores(name, trained_looking("resnet20"), Loader())
    assert asked == [0, 1, 2]
    wanted = [(images(4, seed=i), torch.arange(4)) for i in (1, 2, 3)]
    assert close(found, scores.weight_scores(name, trained_looking("resnet20"), wanted), rtol=1e-12)
    assert not list(tmp_path.iterdir())


def test_later_batches_wait_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(batches_module, "IN_MEMORY", 2 * 4 * 3 * 8 * 8 * 8)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sample = batches(4, 4, 4)
    whole = torch.cat([x for x, _ in sample])
    with batches_module.replayable((whole[i : i + 4], torch.arange(4)) for i in (0, 4, 8)) as again:
        assert not list(tmp_path.rglob("*.pt"))
        for _ in range(3):
            assert all(torch.equal(x, wanted) for (x, _), (wanted, _) in zip(again, sample, strict=True))
            (path,) = tmp_path.rglob("*.pt")
            assert path.stat().st_size < 2 * sample[0][0].nbytes  # not all that the slice is cut from
    assert not list(tmp_path.iterdir())


def test_a_list_is_itself() -> None:
    sample = batches(2, 3)
    with batches_module.replayable(sample) as again:
        assert again is sample


def test_scores_of_first_order_remember_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream is read batch by batch: when the next one is asked for, the one before the last is gone."""
    alive: list[StorageWeakRef] = []

    def watched() -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in batches(3, 3, 3, 3):
            assert sum(not reference.expired() for reference in alive) <= 2
            x = x.clone()
            alive.append(StorageWeakRef(x.untyped_storage()))
            yield x, y

    scores.weight_scores("snip", models.build("resnet20", width="0.125").double(), watched())
    assert len(alive) == 4
