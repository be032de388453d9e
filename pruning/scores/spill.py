"""What autograd saves for the way back, in files where it is too much for memory."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef

LEAST = 2**20
"""Bytes of a tensor that is worth a file."""

Place = tuple[Any, ...]
"""Which numbers a tensor is made of: its storage, and type, offset, shape and strides in it."""


@contextmanager
def saved_within(budget: int) -> Iterator[None]:
    """Inside, the tensors that autograd saves take ``budget`` bytes of memory; those that come then wait in files.

    The files are in ``tempfile.gettempdir()`` (set TMPDIR to a disk where that lies in memory), and gone afterwards, so
    gradients are to be taken inside, too. Parameters, small tensors, those on a GPU and those that are no plain numbers
    are left where they are, and not counted. That a tensor is changed in place after it was saved, which autograd
    refuses otherwise, is not noticed.
    """
    with TemporaryDirectory(prefix="pruning-saved-") as folder:
        room = _Room(budget, Path(folder))
        with saved_tensors_hooks(room.put, _get):
            yield


class _Room:
    """Counts what is held, each storage once: what a layer gives and the next one takes is one tensor."""

    def __init__(self, budget: int, folder: Path) -> None:
        self.left, self.folder, self.files = budget, folder, 0
        self.holders: Counter[int] = Counter()
        self.filed: WeakValueDictionary[Place, _Filed] = WeakValueDictionary()

    def put(self, tensor: Tensor) -> Any:
        if not _movable(tensor):
            return tensor.detach()  # itself, it would hold on to the graph that holds on to it
        storage = tensor.untyped_storage()
        if storage.data_ptr() in self.holders or storage.nbytes() <= self.left:
            return _Held(tensor.detach(), self)
        filed = self.filed.get(_place(tensor))
        if filed is not None and filed.version == tensor._version:
            return filed
        self.files += 1
        return _Filed(tensor.detach(), self.folder / f"{self.files}.pt", self)


def _movable(tensor: Tensor) -> bool:
    if type(tensor) is not Tensor or tensor.layout != torch.strided or tensor.device.type != "cpu":
        return False  # parameters among them
    if tensor.is_conj() or tensor.is_neg() or isinstance(tensor._base, nn.Parameter):
        return False
    return min(tensor.nbytes, tensor.untyped_storage().nbytes()) >= LEAST


def _place(tensor: Tensor) -> Place:
    return (
        tensor.untyped_storage()._cdata,
        tensor.dtype,
        tensor.storage_offset(),
        tensor.shape,
        tensor.stride(),
    )


class _Held:
    """A tensor in memory."""

    def __init__(self, tensor: Tensor, room: _Room) -> None:
        self.tensor, self.room = tensor, room
        self.address, self.size = tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()
        if not room.holders[self.address]:
            room.left -= self.size
        room.holders[self.address] += 1

    def get(self) -> Tensor:
        return self.tensor

    def __del__(self) -> None:
        self.room.holders[self.address] -= 1
        if not self.room.holders[self.address]:
            del self.room.holders[self.address]
            self.room.left += self.size


class _Filed:
    """A tensor in a file, which is read only where nobody has the tensor any more; what is read has no gaps."""

    def __init__(self, tensor: Tensor, path: Path, room: _Room) -> None:
        self.path, self.room = path, room
        whole = tensor.nbytes == tensor.untyped_storage().nbytes()
        torch.save(tensor if whole else tensor.clone(), path)
        self._see(tensor)

    def _see(self, tensor: Tensor) -> None:
        self.place, self.version = _place(tensor), tensor._version
        self.there = StorageWeakRef(tensor.untyped_storage())  # as long as it is held, no other storage has the number
        self.room.filed[self.place] = self

    def get(self) -> Tensor:
        storage = cast("torch.UntypedStorage | None", torch.UntypedStorage._new_with_weak_ptr(self.there.cdata))
        if storage is not None:
            _, dtype, *place = self.place
            return torch.empty(0, dtype=dtype, device=storage.device).set_(storage, *place)
        tensor: Tensor = torch.load(self.path)
        self._forget()
        self._see(tensor)
        return tensor

    def _forget(self) -> None:
        """The place where it was, which another tensor may take from now on."""
        if self.room.filed.get(self.place) is self:
            del self.room.filed[self.place]

    def __del__(self) -> None:
        self.path.unlink(missing_ok=True)


def _get(kept: Any) -> Tensor:
    return kept if isinstance(kept, Tensor) else kept.get()
