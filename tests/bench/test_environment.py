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
