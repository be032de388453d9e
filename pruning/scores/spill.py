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


@contextmanager
def saved_within(budget: int) -> Iterator[None]:
    """Inside, the tensors that autograd saves take ``budget`` bytes of memory; those that come then wait in files.

    Gradients are to be taken inside, too, as the files are gone afterwards. Parameters, small tensors and those on a
    GPU are left where they are, and not counted.
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
        self.filed: WeakValueDictionary[int, _Filed] = WeakValueDictionary()  # by the storage that was written or read

    def put(self, tensor: Tensor) -> Any:
        if isinstance(tensor, nn.Parameter) or tensor.device.type != "cpu" or tensor.nbytes < LEAST:
            return tensor
        storage = tensor.untyped_storage()
        if storage.data_ptr() in self.holders or storage.nbytes() <= self.left:
            return _Held(tensor.detach(), self)
        filed = self.filed.get(storage._cdata)
        if filed is not None and filed.is_of(tensor):
            return filed
        self.files += 1
        return _Filed(tensor, self.folder / f"{self.files}.pt", self)


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
    """A tensor in a file, of the same layout in memory whenever it is read; read only where nobody has it any more."""

    def __init__(self, tensor: Tensor, path: Path, room: _Room) -> None:
        self.path, self.room = path, room
        whole = tensor.nbytes == tensor.untyped_storage().nbytes()
        torch.save(tensor.detach() if whole else tensor.detach().clone(), path)
        self._see(tensor)

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self.shape = tensor.dtype, tensor.storage_offset(), tensor.shape, tensor.stride()
        self.there = StorageWeakRef(storage)  # as long as this is held, no other storage has the same number
        self.room.filed[storage._cdata] = self

    def is_of(self, tensor: Tensor) -> bool:
        """Whether ``tensor`` is the one in the file: in the storage that was last seen, and all that is left of it."""
        same = tensor.dtype, tensor.storage_offset(), tensor.shape, tensor.stride()
        return same == self.shape and tensor.untyped_storage()._cdata == self.there.cdata

    def get(self) -> Tensor:
        storage = cast("torch.UntypedStorage | None", torch.UntypedStorage._new_with_weak_ptr(self.there.cdata))
        if storage is not None:
            dtype, *place = self.shape
            return torch.empty(0, dtype=dtype).set_(storage, *place)
        tensor: Tensor = torch.load(self.path)
        self._see(tensor)
        return tensor

    def __del__(self) -> None:
        self.path.unlink(missing_ok=True)


def _get(kept: Any) -> Tensor:
    return kept if isinstance(kept, Tensor) else kept.get()
