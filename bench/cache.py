"""The stage cache: states on disk by key, the least recently used going first."""

import contextlib
import hashlib
import json
import os
import re
import time
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

LIMIT_BYTES = 20 * 10**9
_ABANDONED = 3600.0  # seconds
_OWN = re.compile(r"[0-9a-f]{32}\.(safetensors|[0-9a-f]{32}\.tmp)")


@dataclass(frozen=True)
class Stored:
    """Tensors by name, and JSON facts."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class StageCache:
    """States under ``root``. Losing one costs time, never a result, so a damaged file is dropped and computed again."""

    def __init__(self, root: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.root = root
        self.limit_bytes = limit_bytes

    def put(self, key: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Store a state under ``key``, whole or not at all, and drop the least recently used beyond the limit.

        A disk that is full or read-only is warned about, no more.
        """
        try:
            self._put(self._path(key), tensors, facts)
        except (OSError, SafetensorError) as error:
            warnings.warn(f"stage not stored, so an interrupted run starts further back: {error}", stacklevel=2)

    def _put(self, path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Its own name for every writer, so that two processes storing the same stage do not meet.
        unfinished = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        try:
            text = json.dumps(facts)
            save_file(plain, unfinished, metadata={"facts": text, "digest": _digest(plain, text)})
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        self._evict(keep=path)

    def get(self, key: str) -> Stored | None:
        """The state under ``key``, on the CPU, or None."""
        path = self._path(key)
        try:
            with safe_open(path, framework="pt") as file:
                names = file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
                text, digest = file.metadata()["facts"], file.metadata()["digest"]
                stored = Stored(tensors, json.loads(text))
            if _digest(tensors, text) != digest:
                raise ValueError("its bytes have changed")
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, KeyError, TypeError, ValueError):
            self.drop(key)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return stored

    def drop(self, key: str) -> None:
        """Forget ``key``."""
        with contextlib.suppress(OSError):
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.safetensors"

    def _evict(self, keep: Path) -> None:
        found = []
        for path in self.root.glob("*/*"):
            if not _OWN.fullmatch(path.name):  # somebody else's, if the folder is shared
                continue
            with contextlib.suppress(OSError):
                status = path.stat()
                if path.suffix == ".tmp":  # of a writer that was killed, unless it is recent
                    if status.st_mtime < time.time() - _ABANDONED:
                        path.unlink()
                    continue
                found.append((status.st_mtime, status.st_size, path))
        excess = sum(size for _, size, _ in found) - self.limit_bytes
        for _, size, path in sorted(found):
            if excess <= 0:
                return
            if path != keep:
                with contextlib.suppress(OSError):
                    path.unlink()
                excess -= size


def _digest(tensors: Mapping[str, Tensor], facts: str) -> str:
    digest = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
