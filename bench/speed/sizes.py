"""How much is measured: all of it, or so little that a test can run every benchmark."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Size:
    """Amounts of one run; those that differ by device are keyed by its kind, cpu or cuda."""

    name: str
    images: Mapping[str, int]  # in one round of training
    stacked_images: int  # the same where networks are stacked, on a GPU
    batch: int  # images in a step
    width: str  # multiplier of every channel count
    score_images: int
    product_images: int  # of Hessian products, the paper's 2,560 where it is measured
    rounds: int  # of training, scores and reports
    quick_rounds: int  # of what takes milliseconds
    records: Mapping[str, int]  # in the registries few and many
    matmul: Mapping[str, int]  # side of the matrices that show the peak
    copy_bytes: int  # far more than any cache holds


FULL = Size(
    name="full",
    images={"cpu": 768, "cuda": 16_384},
    stacked_images=1 << 18,
    batch=128,
    width="1",
    score_images=640,
    product_images=2560,
    rounds=5,
    quick_rounds=25,
    records={"few": 400, "many": 4000},
    matmul={"cpu": 2048, "cuda": 8192},
    copy_bytes=1 << 28,
)
TINY = Size(
    name="tiny",
    images={"cpu": 24, "cuda": 32},
    stacked_images=128,
    batch=16,
    width="0.25",
    score_images=20,
    product_images=16,
    rounds=2,
    quick_rounds=2,
    records={"few": 2, "many": 3},
    matmul={"cpu": 32, "cuda": 32},
    copy_bytes=1 << 12,
)
SIZES = {size.name: size for size in (FULL, TINY)}
