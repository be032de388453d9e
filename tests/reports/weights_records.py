"""Records of the second suite made by hand: accuracies, masks and layers that nobody measured."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec

from bench import profiles
from bench.cell import Cell
from bench.protocol import key
from bench.suites import missing_the_mark as suite
from bench.suites.missing_the_mark import Figure, Network
from bench.versions import versions
from reports.weights.evidence import Evidence, gather
from results.record import DataFacts, Environment, Layer, MaskFacts, Metrics, Record, Status

ENVIRONMENT = Environment(
    device="cpu",
    device_name="a processor",
    threads=2,
    python="3.11.7",
    torch="2.11.0",
    cuda=None,
    platform="linux",
    commit="abcdef0123456789",
    dirty=False,
)
NAMES = ("fc1.weight", "fc2.weight", "output.weight")
LENET, RESNET = suite.LENET, suite.RESNET20


def record(
    cell: Cell,
    accuracy: float | None = 90.0,
    *,
    profile: str = "paper",
    status: Status = "done",
    mask: MaskFacts | None = None,
    layers: Iterable[tuple[str, int, int]] = (),
    images: int = 50_000,
    **changes: object,
) -> Record:
    """The record of ``cell`` in a profile, with an accuracy after the last epoch; ``changes`` are of its fields."""
    protocol, made_by = profiles.get(profile).protocol_of(cell), versions(cell, {})
    metrics = Metrics(
        test_accuracy_best=99.9,  # only shown beside the last, which is this paper's accuracy
        best_epoch=1,
        test_accuracy_last=accuracy,
        test_loss_last=0.5,
        train_accuracy_last=99.0,
        train_loss_last=0.1,
        params=10,
        params_dense=100,
        macs=20,
        macs_dense=200,
    )
    made = Record(
        key=key(cell, protocol, made_by),
        cell=cell.to_dict(),
        profile=profile,
        protocol=protocol.to_dict(),
        versions=made_by,
        status=status,
        error=None if status in ("done", "diverged") else "Boom: it broke",
        metrics=metrics if status in ("done", "diverged") else None,
        mask=mask,
        layers=[Layer(name=name, kept=kept, total=total) for name, kept, total in layers],
        environment=ENVIRONMENT,
        data=DataFacts(name=cell.dataset, fingerprint="0", train_images=images, test_images=10_000),
        started="2026-01-01T00:00:00Z",
        finished="2026-01-02T00:00:00Z",
    )
    return msgspec.structs.replace(made, **changes)


def own(cell: Cell, name: str, accuracy: float | None = 90.0, **changes: object) -> Record:
    """The record of ``cell`` pruned by a score of the user's own."""
    made = record(cell, accuracy, **changes)  # type: ignore[arg-type]
    mine = {"cell": replace(cell, score=name).to_dict(), "versions": {**made.versions, "score": f"own:{name}@12345678"}}
    return msgspec.structs.replace(made, **mine)


def facts(effective: int = 100, curve: Iterable[float] = (1.0, 0.5, 0.25)) -> MaskFacts:
    """What a mask does; its curve of neurons at 0, 50 and 100 percent."""
    return MaskFacts(neurons_pruned=1, neurons_total=4, neuron_curve=list(curve), effective_weights=effective)


def evidence(*records: Record, profile: str = "paper", whole: bool = False) -> Evidence:
    """The evidence for a profile; unless it is to be ``whole``, one with no networks but those of ``records``."""
    found = profiles.get(profile)
    models = {str(each.cell["model"]) for each in records}
    if found.weights is not None and models and not whole:
        protocols = {net: protocol for net, protocol in found.weights.protocols.items() if net.model in models}
        found = replace(found, weights=replace(found.weights, protocols=protocols))
    return gather(found, records)


def figure(name: str) -> Figure:
    """A figure of the paper by its number."""
    (found,) = (each for each in suite.FIGURES if each.name == name)
    return found


def pruned(network: Network, method: suite.Method, level: int, seed: int = 0) -> Cell:
    """A cell at a level."""
    return method.cell(network, suite.level_amount(level), seed)


def base(network: Network, seed: int = 0) -> Cell:
    """The unpruned network."""
    return suite.base(network, seed)


def full(profile: str, keep: Callable[[Cell], bool] = lambda _: True) -> list[Record]:
    """Every cell of this suite in a profile that ``keep`` keeps, with numbers that fall as more is pruned."""
    return [_plausible(cell, profile) for cell in profiles.get(profile).cells(suites=(suite.SUITE,)) if keep(cell)]


def unlinked(text: str) -> str:
    """Markdown with the words of links alone."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)


_LOSS = {"random": 3.0, "magnitude": 2.0, "snip": 1.4, "grasp": 1.7, "synflow": 1.5}


def _plausible(cell: Cell, profile: str) -> Record:
    dense = 98.3 if cell.model.startswith("lenet") else 92.0
    jitter = 0.15 * ((7 * cell.seed + 3 * len(cell.score) + len(cell.ablation)) % 5 - 2)
    if cell.amount is None:
        return record(cell, dense + jitter, profile=profile)
    trained = profiles.get(profile).protocol_of(cell).epochs > 0
    share = float(cell.amount)
    depth = share**4 * (4 if cell.model.startswith("lenet") else 16)
    late = 0.4 if cell.at == "end" else 1.0
    worse = {"invert": 6.0, "unit_variance": 1.3, "shuffle": 1.05}.get(cell.ablation, 1.0)
    accuracy = max(10.0, dense - _LOSS.get(cell.score, 1.3) * late * worse * depth + jitter)
    collapse = 0.3 if cell.score == "synflow" and cell.ablation == "none" else 0.02
    curve = [max(collapse, 1 - max(0.0, (s / 100 - share + 0.3) / 0.6)) if s else 1.0 for s in range(101)]
    layers = [
        (name, int(1000 * (1 - share ** (1 + place / 4)) + jitter), 1000) for place, name in enumerate(_names(cell))
    ]
    effective = 10_000 + 40 * (cell.ablation == "shuffle") * len(cell.score) + cell.seed
    return record(cell, accuracy if trained else None, profile=profile, mask=facts(effective, curve), layers=layers)


def _names(cell: Cell) -> tuple[str, ...]:
    if cell.model.startswith("lenet"):
        return NAMES
    blocks = [f"blocks.{block}.{part}.weight" for block in range(9) for part in ("conv1", "conv2")]
    return ("stem.weight", *blocks, "blocks.3.shortcut.0.weight", "blocks.6.shortcut.0.weight", "output.weight")


__all__ = [
    "LENET",
    "RESNET",
    "base",
    "evidence",
    "facts",
    "figure",
    "full",
    "own",
    "pruned",
    "record",
    "replace",
    "unlinked",
]
