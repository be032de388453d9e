"""What a device can do at most, as measured: the fastest matrix product and the fastest copy."""

from collections.abc import Callable
from functools import cache

import torch

from bench.speed.race import seconds
from bench.speed.roofline import Device
from bench.speed.sizes import Size
from pruning.training import Precision

_TYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
_REPEATS = 5
_IN_A_ROW = {"cpu": 1, "cuda": 20}  # a single kernel on a GPU would be timed together with its launch


def element_bytes(precision: Precision) -> int:
    """Bytes of an activation."""
    return _TYPES[precision].itemsize


@cache
def peak(device: str, precision: Precision, side: int, copy_bytes: int) -> Device:
    """Best of several: a square product of ``side``, and a copy of ``copy_bytes``, which reads and writes them."""
    left, right = (torch.rand(side, side, device=device).to(_TYPES[precision]) for _ in range(2))
    product = torch.empty_like(left)
    source = torch.zeros(copy_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return Device(
        flops=2 * side**3 / _fastest(lambda: torch.mm(left, right, out=product), device),
        bandwidth=2 * copy_bytes / _fastest(lambda: target.copy_(source), device),
    )


def peak_of(device: str, precision: Precision, size: Size) -> Device:
    """:func:`peak` at the scale of ``size``."""
    return peak(device, precision, size.matmul[device.partition(":")[0]], size.copy_bytes)


def _fastest(work: Callable[[], object], device: str) -> float:
    number = _IN_A_ROW[device.partition(":")[0]]

    def several() -> None:
        for _ in range(number):
            work()

    return min(seconds(several, device) for _ in range(1 + _REPEATS)) / number
