"""A record: everything one run of one cell left behind, as one JSON document."""

import math
from typing import Any, Literal

import msgspec

SCHEMA = 1

Status = Literal["done", "diverged", "error", "out_of_memory", "interrupted", "timeout"]
FINAL: frozenset[Status] = frozenset({"done", "diverged"})
"""Statuses that count as an answer; a cell with any other status is run again."""


class Curve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry per trained epoch since initialisation; accuracies in percent, losses at training temperature."""

    epoch: list[int] = []
    round: list[int | None] = []  # 1-based pruning round that the epoch belongs to; null in base and final training
    lr: list[float] = []
    train_loss: list[float | None] = []
    train_accuracy: list[float | None] = []  # online: training mode, augmented images, running mean over the epoch
    test_loss: list[float | None] = []
    test_accuracy: list[float | None] = []


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of one prunable layer, or weights of one tensor, that are left at the end."""

    name: str
    kept: int
    total: int


class Metrics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers that tables are made of; accuracies in percent, counts in units."""

    test_accuracy_best: float | None  # best test epoch of the final phase (optimistic: selected on the test set)
    best_epoch: int | None
    test_accuracy_last: float | None
    test_loss_last: float | None
    train_accuracy_last: float | None
    train_loss_last: float | None
    filters_pruned: int | None = None  # where filters are pruned
    filters_total: int | None = None
    weights_pruned: int | None = None  # where weights are pruned: of convolutions and linear layers
    weights_total: int | None = None
    params: int  # that are left, like the multiply-adds below
    params_dense: int
    macs: int  # multiply-adds per image of convolutions and linear layers that are left
    macs_dense: int


class MaskFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a mask over weights does. A neuron is an output channel, or a hidden unit where nothing is convolved."""

    neurons_pruned: int  # all of whose incoming weights are pruned
    neurons_total: int
    neuron_curve: list[float]  # share of the neurons whose sparsity is at least 0, 1, ..., 100 percent
    effective_weights: int  # weights left that lie on a path from an input to a logit


class Law(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What theory predicts beside what was measured at one step size (``pruning.dynamics.laws.Law``)."""

    name: str
    smooth: bool  # softplus for ReLU, mean for maximum
    step: float  # learning rate in units of ||g|| / ||Hg||, or batch norm's eps
    numbers: dict[str, float | None]


class Moment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was measured of a network at the end of an epoch, 0 before the first; vectors are in a side file.

    Correlations are Pearson's, Spearman's and the number of pairs, by the names of what is paired. ``effects`` are loss
    and gradient norm, as the network is (none) and as each score would leave it; before training there are none.
    """

    epoch: int
    recalibrated: bool = False  # whether batch norm's statistics were estimated anew for it
    correlations: dict[str, tuple[float | None, float | None, int]]
    distances: dict[str, float]  # between masks: of this epoch and the one before, and by norm and by distance
    gradient_norms: dict[str, float | None]  # by layer
    effects: dict[str, tuple[float | None, float | None]]
    laws: list[Law] = []  # of the first moment with statistics of its own, and of the last


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What this run took: seconds per kind of stage (of a run that went on from a checkpoint, those before it too)."""

    seconds: dict[str, float] = {}
    seconds_total: float = 0.0
    peak_memory_bytes: int | None = None  # of a run that had its process to itself
    stages_cached: int = 0
    stages_run: int = 0


class Environment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the run took place; never part of a key."""

    device: str
    device_name: str
    threads: int
    python: str
    torch: str
    cuda: str | None
    platform: str
    commit: str | None
    dirty: bool | None  # True if tracked source files differed from the commit
    stacked: int = 1  # networks that were trained as one, at most
    at_once: float = 1.0  # cells under way in this process, on average; they share the seconds, which are wall-clock


class DataFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which images were used."""

    name: str
    fingerprint: str  # of the whole set in canonical order
    train_images: int
    test_images: int
    score_images: int | None = None  # images in one scoring sample, after the class quota


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of one cell. ``cell`` and ``protocol`` are plain values here; the catalogue gives them meaning."""

    schema: int = SCHEMA
    key: str
    cell: dict[str, str | int | None]
    profile: str
    protocol: dict[str, Any]
    versions: dict[str, int | str]
    status: Status
    error: str | None = None
    metrics: Metrics | None = None
    curve: Curve = Curve()
    layers: list[Layer] = []
    mask: MaskFacts | None = None
    dynamics: list[Moment] = []
    costs: Costs = Costs()
    environment: Environment
    data: DataFacts | None = None
    side_files: list[str] = []  # names of files with arrays, beside the record
    started: str  # ISO 8601, UTC, seconds
    finished: str

    @property
    def final(self) -> bool:
        """Whether the status is an answer, so that the cell need not run again."""
        return self.status in FINAL


def finite(value: float) -> float | None:
    """``value``, or None (JSON null) where it is NaN or infinite."""
    return value if math.isfinite(value) else None
