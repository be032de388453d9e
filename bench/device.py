"""On what a cell runs, decided when the first one does."""

import os
import shutil

_FILLED = 0.8
"""Share of a GPU's memory that cells may take together."""


class NoDevice(Exception):  # noqa: N818
    """The device that was asked for is not there."""


def resolve(name: str, worker: int = 0) -> str:
    """The torch device for ``name`` (auto, cpu, cuda) in the ``worker``-th process; GPUs are dealt out in turn.

    Raises NoDevice where cuda was asked for and torch has none.
    """
    if name == "cpu":
        return "cpu"
    import torch  # listing cells must not import it

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:
        return "cuda" if count == 1 else f"cuda:{worker % count}"
    if name == "auto":
        return "cpu"
    raise NoDevice("--device cuda: torch finds no NVIDIA GPU here")


def likely_kind(name: str) -> str:
    """The kind of device that ``name`` will probably come to, without importing torch to ask it."""
    if name != "auto":
        return name
    return "cuda" if shutil.which("nvidia-smi") else "cpu"


def fits_beside(number: int) -> bool:
    """Whether twice the cells under way, ``number`` of them then, fit into the memory of this process's GPU."""
    import torch

    torch.cuda.empty_cache()  # what dead graphs held does not count
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return number > 0 and 2 * torch.cuda.memory_reserved() < _FILLED * total


def answers(device: str) -> bool:
    """Whether ``device`` still works: after an illegal access a GPU refuses everything until its process ends."""
    if not device.startswith("cuda"):
        return True
    import torch

    try:
        torch.cuda.synchronize(device)
    except RuntimeError:
        return False
    return True


def allow_streams() -> None:
    """Let cells at once have a hardware queue each: of eight, the usual number, several would share one.

    Has an effect before a GPU is used, and none where ``CUDA_DEVICE_MAX_CONNECTIONS`` is set already.
    """
    os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "32")
