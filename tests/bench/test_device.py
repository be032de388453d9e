import os
import sys
from types import SimpleNamespace

import pytest

from bench.device import NoDevice, allow_streams, answers, fits_beside, likely_kind, resolve


def fake_torch(count):
    return SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: count > 0, device_count=lambda: count))


@pytest.mark.parametrize(
    ("gpus", "worker", "device"), [(0, 0, "cpu"), (1, 0, "cuda"), (1, 3, "cuda"), (2, 0, "cuda:0"), (2, 3, "cuda:1")]
)
def test_gpus_are_dealt_out_in_turn(monkeypatch, gpus, worker, device):
    monkeypatch.setitem(sys.modules, "torch", fake_torch(gpus))
    assert resolve("auto", worker) == device
    assert resolve("cpu", worker) == "cpu"


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", fake_torch(0))
    with pytest.raises(NoDevice, match="--device cuda: torch finds no NVIDIA GPU here"):
        resolve("cuda")


@pytest.mark.parametrize(("reserved", "fits"), [(10, True), (39, True), (41, False)])
def test_twice_the_cells_fit_where_twice_their_memory_does(monkeypatch, reserved, fits):
    cuda = SimpleNamespace(
        current_device=lambda: 0,
        get_device_properties=lambda device: SimpleNamespace(total_memory=100),
        memory_reserved=lambda: reserved,
        empty_cache=lambda: None,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert fits_beside(4) is fits


def test_the_kind_of_device_is_guessed_without_torch(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert (likely_kind("auto"), likely_kind("cuda")) == ("cpu", "cuda")
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/nvidia-smi")
    assert likely_kind("auto") == "cuda"


def test_a_gpu_that_no_longer_answers(monkeypatch):
    def broken(device):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(synchronize=broken)))
    assert (answers("cuda"), answers("cpu")) == (False, True)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(synchronize=lambda device: None)))
    assert answers("cuda:1")


def test_every_cell_at_once_may_have_a_hardware_queue(monkeypatch):
    monkeypatch.setenv("CUDA_DEVICE_MAX_CONNECTIONS", "4")
    allow_streams()
    assert os.environ["CUDA_DEVICE_MAX_CONNECTIONS"] == "4"
    monkeypatch.delenv("CUDA_DEVICE_MAX_CONNECTIONS")
    allow_streams()
    assert os.environ["CUDA_DEVICE_MAX_CONNECTIONS"] == "32"
