"""What autograd saves for the way back, in files where it is too much for memory."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

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

    def put(self, tensor: Tensor) -> Any:
        if isinstance(tensor, nn.Parameter) or tensor.device.type != "cpu" or tensor.nbytes < LEAST:
            return tensor
        storage = tensor.untyped_storage()
        if storage.data_ptr() in self.holders or storage.nbytes() <= self.left:
            return _Held(tensor.detach(), self)
        self.files += 1
        return _Filed(tensor, self.folder / f"{self.files}.pt")


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
    """A tensor in a file, of the same layout in memory whenever it is read."""

    def __init__(self, tensor: Tensor, path: Path) -> None:
        self.path = path
        whole = tensor.nbytes == tensor.untyped_storage().nbytes()
        torch.save(tensor.detach() if whole else tensor.detach().clone(), path)

    def get(self) -> Tensor:
        return torch.load(self.path)  # type: ignore[no-any-return]

    def __del__(self) -> None:
        self.path.unlink(missing_ok=True)


def _get(kept: Any) -> Tensor:
    return kept if isinstance(kept, Tensor) else kept.get()
