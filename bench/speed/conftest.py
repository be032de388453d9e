"""What all speed benchmarks share: size, device, images, and the race that times the competitors."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench import environment
from bench.device import allow_streams, resolve
from bench.speed import plugin
from bench.speed.images import Images, images
from bench.speed.race import Race
from bench.speed.sizes import SIZES, Size
from pruning.training import Precision


@pytest.fixture(scope="session")
def size(pytestconfig: pytest.Config) -> Size:
    """As the options say."""
    chosen = SIZES[pytestconfig.getoption("speed_size")]
    rounds = pytestconfig.getoption("speed_rounds")
    return chosen if rounds is None else replace(chosen, rounds=rounds, quick_rounds=rounds)


@pytest.fixture(scope="session")
def device(pytestconfig: pytest.Config) -> str:
    """The one that cells would run on, in a process that is set up as theirs."""
    environment.settle()
    allow_streams()
    return resolve(plugin.request(pytestconfig).device)


@pytest.fixture(scope="session")
def registry_root(pytestconfig: pytest.Config) -> Path:
    """The records there are."""
    return plugin.request(pytestconfig).registry


@pytest.fixture(scope="session")
def pixels(pytestconfig: pytest.Config, size: Size, device: str) -> Images:
    """Enough for a round of training and for a score."""
    number = max(size.images[device.partition(":")[0]], size.score_images, size.product_images)
    found = images(plugin.request(pytestconfig).data_root, number)
    return Images(found.split.to(device), found.name)


@pytest.fixture
def race(benchmark: BenchmarkFixture, device: str, size: Size, pytestconfig: pytest.Config) -> Race:
    """For this test."""
    return Race(benchmark, device, size, pytestconfig.stash[plugin.ROWS])


@pytest.fixture
def precision(request: pytest.FixtureRequest, device: str) -> Precision:
    """The one that a test is parametrized by; skips where the device would only imitate it."""
    chosen: Precision = request.param
    if chosen == "bf16" and device == "cpu" and not torch.cpu._is_avx512_bf16_supported():
        pytest.skip("bf16 needs a processor with AVX512-BF16, or a GPU")
    return chosen
