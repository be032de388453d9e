import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.environment import settle

SWITCHES = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)


@pytest.fixture(autouse=True)
def put_back():
    before = [switch.fp32_precision for switch in SWITCHES]
    chosen = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    yield
    for switch, value in zip(SWITCHES, before, strict=True):
        switch.fp32_precision = value
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = chosen


@pytest.mark.parametrize("precision", ["tf32", "fp32", "bf16"])
def test_single_precision_is_single_unless_the_protocol_says_otherwise(precision):
    settle(precision, "cuda")
    assert [switch.fp32_precision == "tf32" for switch in SWITCHES] == [precision == "tf32"] * 2
    assert torch.backends.cudnn.allow_tf32 is torch.backends.cuda.matmul.allow_tf32 is (precision == "tf32")
    assert torch.backends.cudnn.deterministic


def test_a_precision_that_a_cpu_does_not_have():
    with pytest.raises(ValueError, match="precision tf32 exists on NVIDIA GPUs only"):
        settle("tf32", "cpu")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell what a process holds")
def test_freed_memory_is_kept_where_it_is_used_again_and_given_back_where_it_is_much():
    """Resident megabytes after eight tensors of 8 MiB are freed, and after one of 256 MiB is."""
    program = """
import torch
from bench import environment

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 // 2**20

environment.settle()
before = resident()
small = [torch.ones(2**21) for _ in range(8)]
del small
kept = resident() - before
large = torch.ones(2**26)
held = resident() - before - kept
del large
print(kept, held, resident() - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    kept, held, after = map(int, done.stdout.split())
    assert 60 <= kept <= 100
    assert held >= 240
    assert after <= kept + 20
