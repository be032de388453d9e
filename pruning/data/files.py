"""Reading single files: `.npy` arrays, CIFAR's pickles, MNIST's idx files. Order and labels are those of the file."""

from __future__ import annotations

import gzip
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pruning.data.dataset import Arrays
from pruning.data.errors import DataError

IDX_UINT8 = 8


def read_array(path: Path) -> Any:
    """The array in one `.npy` file; pickled objects are refused."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is not a whole .npy file") from error
    if not isinstance(found, np.ndarray):
        raise DataError(f"{path} is an archive, not a .npy file")
    return found


def read_arrays(folder: Path, part: str) -> Arrays:
    """`part` is train or test: images uint8 [N, H, W, C] and labels int64 [N]."""
    return read_array(folder / f"{part}_images.npy"), read_array(folder / f"{part}_labels.npy")


def _dtype(name: str, align: int = 0, copy: int = 0) -> np.dtype[Any]:
    # Pickles of Python 2 hold 0 and 1 here, of which numpy warns.
    return np.dtype(name, align=bool(align), copy=bool(copy))


# numpy's own function under a private name, which differs between versions of numpy.
_RECONSTRUCT: Any = np.empty(0, np.uint8).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles numbers, strings, containers and numpy arrays; a pickle that names anything else could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _ALLOWED[module, name]


def read_pickle(path: Path, label_key: str) -> Arrays:
    """One CIFAR batch: `data` uint8 [n, 3072], planes first, and a list of labels under `label_key`."""
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
        images = content["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return images, np.array(content[label_key], dtype=np.int64)
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{path} is not a whole CIFAR batch ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def read_pickles(paths: list[Path], label_key: str) -> Arrays:
    """The batches one after the other."""
    images, labels = zip(*(read_pickle(path, label_key) for path in paths), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def read_idx(path: Path) -> Any:
    """The uint8 array in an idx file, plain or gzipped."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rank = content[3]
        shape = np.frombuffer(content, ">u4", count=rank, offset=4).astype(np.int64)
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
        if content[:3] != bytes((0, 0, IDX_UINT8)):
            raise ValueError("wrong magic number")
        return values.reshape(tuple(shape))
    except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
        raise DataError(f"{path} is not a whole idx file of bytes ({_first_line(error)})") from error


def read_mnist(images: Path, labels: Path) -> Arrays:
    """One split of MNIST, with the single channel as last dimension."""
    return read_idx(images)[..., None], read_idx(labels).astype(np.int64)
