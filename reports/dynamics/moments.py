"""Figures 2, 3, 13-15, 21 and 31-38: what was measured of networks that are not pruned, while they train."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import numpy as np
import numpy.typing as npt

from bench.cell import DYNAMICS
from bench.profiles import TINY_PIXELS
from bench.suites import gradient_flow as suite
from reports.dynamics.panels import Drawing, Panel, line
from reports.dynamics.reading import Of, moments, pearson, spearman
from reports.evidence import Evidence, Setting
from reports.verdicts import Verdict
from results import published
from results.record import Moment, Record

Arrays = Callable[[Record], Mapping[str, npt.NDArray[np.float32]]]
"""The vectors of a record by their names, empty where they are not there."""

CIFAR100, TINY = "cifar100", "tiny_imagenet"
_PRINTED = {TINY: "Tiny-ImageNet"}
_READINGS = {
    "filters: sigma_dsigma, taylor": "correlation with |θ·g|",
    "filters: sigma_dsigma, loss": "correlation with Σ|θ g|",
    "filters: sigma_dsigma, sigma_g": "correlation with |σ g_σ|",
}
"""What |sigma dsigma| is correlated with in Figures 2 and 35: loss preservation in its three readings."""

PRODUCTS = "theta_g, theta_hg"
"""What is paired in a scatter."""

IN_TRAINING = ", at the temperature of training"
"""Behind the name of a correlation, where that is not of the loss at temperature 1."""

_DISTANCE = 3
"""Its place in the palette, in every figure."""

_WEIGHTS = {"weights: theta_dtheta, loss": "correlation with |θ g|"}

_SCATTERS = (
    (3, "resnet56", CIFAR100, "filters"),  # Figure 15, shown early
    *((number, model, CIFAR100, "filters") for number, model in enumerate(suite.MODELS, 13)),
    *((number, model, CIFAR100, "weights") for number, model in enumerate(suite.MODELS, 32)),
    *((number, model, TINY, "filters") for number, model in enumerate(suite.MODELS, 36)),
)
"""Number, model, data set and what is drawn of the paper's scatters."""


@dataclass(frozen=True)
class Scatter:
    """A figure of theta . Hg over theta . g, of filters or of weights."""

    number: int
    model: str
    paper: str  # the data set of the paper's figure
    data: str  # the one that is measured
    kind: str


def scatters(evidence: Evidence) -> Iterator[Scatter]:
    """Those that the profile has cells for."""
    for number, model, paper, kind in _SCATTERS:
        if data := _measured(evidence, paper):
            yield Scatter(number, model, paper, data, kind)


def drawings(evidence: Evidence, arrays: Arrays) -> Iterator[Drawing]:
    """Every figure of this kind that the profile has cells for."""
    for drawing, paper in _drawings(evidence, arrays):
        data = _measured(evidence, paper)
        instead = "" if data == paper else f"On {printed_name(data)} instead of {printed_name(paper)}."
        yield replace(drawing, remarks=(instead, *drawing.remarks, _sample(evidence, data)))


def _drawings(evidence: Evidence, arrays: Arrays) -> Iterator[tuple[Drawing, str]]:
    """With the data set of the paper's figure."""
    if data := _measured(evidence, CIFAR100):
        yield _correlations(evidence, data, 2, "filters", _READINGS), CIFAR100
        yield _correlations(evidence, data, 31, "weights", _WEIGHTS), CIFAR100
        yield _gradients(evidence, data), CIFAR100
    if data := _measured(evidence, TINY):
        yield _correlations(evidence, data, 35, "filters", _READINGS), TINY
    for each in scatters(evidence):
        yield _scatter(evidence, arrays, each), each.paper


def _sample(evidence: Evidence, data: str) -> str:
    """On what, and how, a moment is measured."""
    protocol = evidence.profile.protocol
    runs = (record for model in suite.MODELS for record in done(evidence, model, data).values())
    known = {record.data.score_images for record in runs if record.data is not None}
    numbers = sorted(number for number in known if number is not None)
    images = " or ".join(f"{number:,}" for number in numbers) or f"at most {protocol.score_samples:,}"
    size = f" at {TINY_PIXELS} × {TINY_PIXELS}" if data == TINY else ""
    return (
        f"Measured on {images} training images{size}, as many of each class, batch norm with running statistics; θ·g "
        f"and θ·Hg at temperature 1, loss preservation and gradient norms at {protocol.temperature:g}."
    )


def left_out(evidence: Evidence) -> Iterator[str]:
    """A sentence for the figures that a profile with others has no cells for."""
    if _measured(evidence, CIFAR100) and not _measured(evidence, TINY):
        name, data = evidence.profile.name, printed_name(TINY)
        yield f"Figures 35-38 are left out: profile {name} measures nothing on {data}."


def _measured(evidence: Evidence, data: str) -> str:
    """The data set of a figure that is of ``data`` in the paper, empty if none is measured.

    In a demonstration the one that there is stands in.
    """
    own = evidence.profile.dynamics.datasets if evidence.profile.dynamics is not None else ()
    if data in own:
        return data
    return "" if evidence.profile.shows_published or not own else own[0]


def printed_name(data: str) -> str:
    """As the paper calls it."""
    return _PRINTED.get(data) or suite.PRINTED_NAMES.get(data, data)


def done(evidence: Evidence, model: str, data: str) -> dict[int, Record]:
    """The measured runs of a network, by seed."""
    records = evidence.seeds(Setting(model, data, DYNAMICS))
    return {seed: record for seed, record in sorted(records.items()) if record.status == "done" and record.dynamics}


def _correlations(evidence: Evidence, data: str, number: int, kind: str, pairs: Mapping[str, str]) -> Drawing:
    panels = []
    for model in suite.MODELS:
        records = done(evidence, model, data).values()
        lines = [
            line(label, _by_epoch(records, pearson(name)), colour) for colour, (name, label) in enumerate(pairs.items())
        ]
        distance = _by_epoch(records, lambda moment: moment.distances.get(kind))
        lines.append(line("mask distance (right)", distance, _DISTANCE, dashed=True, right=True))
        panels.append(
            Panel(
                title=suite.PRINTED_NAMES[model],
                lines=tuple(each for each in lines if each.points),
                absent=_absent(evidence, model, data),
            )
        )
    change = "|σ Δσ|, the scale of batch norm times its change over the epoch," if kind == "filters" else "|θ Δθ|"
    share = "20 % of the scales" if kind == "filters" else "20 % of the weights"
    return Drawing(
        number=number,
        title=f"Change and loss preservation on {printed_name(data)}",
        x="epoch",
        y="correlation",
        right="mask distance",
        panels=tuple(panels),
        remarks=(
            f"Pearson's correlation of {change} with loss preservation over all {kind}, and distance between the masks "
            f"of an epoch and the one before that prune {share}; means over seeds, a band is one standard deviation.",
        ),
    )


def _gradients(evidence: Evidence, data: str) -> Drawing:
    panels = []
    for title, model, within in _GROUPS:
        records = list(done(evidence, model, data).values())
        names = [layer.name for layer in records[0].layers] if records else []
        lines = [
            line(
                name.removeprefix("stages."),
                _by_epoch(records, lambda moment, name=name: moment.gradient_norms.get(name)),  # type: ignore[misc]
                colour,
                dashed=name.endswith("conv2"),
            )
            for colour, name in enumerate(names)
            if name.startswith(within) and not name.endswith("shortcut")
        ]
        panels.append(Panel(title=title, lines=tuple(lines), scale=model, absent=_absent(evidence, model, data)))
    return Drawing(
        number=21,
        title=f"Gradient norm by layer on {printed_name(data)}",
        x="epoch",
        y="norm of the layer's gradient",
        panels=tuple(panels),
        remarks=(
            "l2 norm of the gradient of each layer's weight, mean over seeds, dark for the first layers and light for "
            "the last; of ResNet-56, whose panels have one scale, second convolutions are dashed, shortcuts left out. "
            "Before training, batch norm has the statistics of training images.",
        ),
        gradual=True,
        dashes="second convolutions",
        logarithmic=True,
    )


_GROUPS = (
    ("VGG-13", "vgg13", "units."),
    ("MobileNet-V1", "mobilenet_v1", "blocks."),  # without the stem, as in the paper
    *((f"ResNet-56, block {block + 1}", "resnet56", f"stages.{block}.") for block in range(3)),
)
"""Panels of Figure 21: title, model, and how the names of its layers begin."""

_SCATTER_WORDS = {
    "filters": ("θ·g", "θ·Hg", "filters"),
    "weights": ("θ g", "θ Hg", "weights of the prunable layers"),
}
"""Of a scatter: its two axes (an inner product over a filter's weights, or one weight), and what its correlations are
over."""


def _scatter(evidence: Evidence, arrays: Arrays, scatter: Scatter) -> Drawing:
    model, data, kind = scatter.model, scatter.data, scatter.kind
    records = done(evidence, model, data)
    there = ((seed, found) for seed, record in records.items() if (found := arrays(record)))
    seed, vectors = next(there, (min(records, default=None), {}))
    measured = [] if seed is None else records[seed].dynamics
    panels = []
    for place, moment in enumerate(measured):
        if moment.epoch in shown_epochs(evidence):
            of_seeds = [record.dynamics[place] for record in records.values()]
            panel = _points(place, moment, vectors, of_seeds, kind)
            printed = paper(evidence, scatter.number, moment).replace(", ", "\n")
            note = f"{panel.note}\n{printed}".strip()
            panels.append(replace(panel, note=note))
    if not panels:
        absent = _absent(evidence, model, data)
        panels = [Panel(title=f"epoch {epoch}", absent=absent) for epoch in shown_epochs(evidence)]
    x, y, whole = _SCATTER_WORDS[kind]
    dots = max(len(panel.dots) for panel in panels)
    shown = f"{'all ' if kind == 'filters' else ''}{dots:,} {kind}{' drawn at random' if kind == 'weights' else ''}"
    return Drawing(
        number=scatter.number,
        title=f"{suite.PRINTED_NAMES[model]} on {printed_name(data)}: {kind}",
        x=x,
        y=y,
        panels=tuple(panels),
        remarks=(
            f"{y} over {x}, {shown} of seed {seed}." if dots else "",
            f"Correlations, r Pearson's and ρ Spearman's, are over all {whole}, those outside, which can make r, among "
            f"them: mean, standard deviation and number over seeds ({', '.join(map(str, records)) or 'none'}). "
            "Before training once with batch norm's statistics as they "
            "are, 0 and 1, and once recalibrated, with those of images.",
            *(f"Not drawn: {text}." for text in _absent(evidence, model, data)),
        ),
    )


def panel_epochs(evidence: Evidence) -> dict[str, int]:
    """The paper's panels: before training, after a quarter of it and at its end."""
    return suite.panels(evidence.profile.protocol.epochs)


def shown_epochs(evidence: Evidence) -> tuple[int, ...]:
    """Those of the panels after which the profile measures."""
    assert evidence.profile.dynamics is not None
    return tuple(epoch for epoch in evidence.profile.dynamics.probes if epoch in panel_epochs(evidence).values())


def paper(evidence: Evidence, number: int, moment: Moment) -> str:
    """``paper 0.85``, where the paper's panel of that moment prints a number that may be shown here."""
    if not evidence.profile.shows_published or (moment.epoch == 0 and not moment.recalibrated):
        return ""
    printed = printed_correlations()
    panels = (panel for panel, epoch in panel_epochs(evidence).items() if epoch == moment.epoch)
    text = next((printed[number, panel] for panel in panels if (number, panel) in printed), None)
    verdict = "" if evidence.profile.comparable else f", {Verdict.NOT_COMPARABLE}"
    return f"paper {text}{verdict}" if text else ""


def _points(
    place: int, moment: Moment, vectors: Mapping[str, npt.NDArray[np.float32]], seeds: Iterable[Moment], kind: str
) -> Panel:
    x, y = (vectors.get(f"{place}.{kind}.{name}") for name in ("theta_g", "theta_hg"))
    alike = list(seeds)
    named = (("r", pearson), ("ρ", spearman))
    both = [(sign, over_seeds(of(f"{kind}: {PRODUCTS}"), alike)) for sign, of in named]
    said = "\n".join(f"{sign} = {found}" for sign, found in both if found)
    dots = tuple(zip(map(float, x), map(float, y), strict=True)) if x is not None and y is not None else ()
    return Panel(title=when(moment), dots=dots, note=said, absent=() if dots else ("no side file",))


def when(moment: Moment) -> str:
    """``epoch 2``, or which of the two moments before training."""
    start = "before training, " + ("recalibrated" if moment.recalibrated else "as it is")
    return f"epoch {moment.epoch}" if moment.epoch else start


def over_seeds(of: Of, seeds: Iterable[Moment]) -> str:
    """``0.94 ± 0.01 (3)``: mean, standard deviation, and of how many; empty where nothing has been measured."""
    found = [value for each in seeds if (value := of(each)) is not None]
    spread = f" ± {stdev(found):.2f}" if len(found) > 1 else ""
    return f"{fmean(found):.2f}{spread} ({len(found)})".replace("-0.00", "0.00") if found else ""


def printed_correlations() -> dict[tuple[int, str], str]:
    """What the paper prints in its panels, by figure and panel (Figure 3 shows what Figure 15 does)."""
    found = {}
    for claim in published.claims(suite.SUITE):
        panel = re.match(r"gf_corr_fig(\d+)([abc])_", claim.claim_id)
        if panel and claim.value is not None:
            inferred = " (panel inferred)" if "inferred" in f"{claim.where} {claim.note}" else ""
            found[int(panel[1]), panel[2]] = f"{claim.value:g}{inferred}"
    return found | {(3, panel): text for (number, panel), text in found.items() if number == 15}


def _by_epoch(records: Iterable[Record], of: Of) -> dict[float, list[float]]:
    values: dict[float, list[float]] = {}
    for moment in (each for record in records for each in moments(record)):
        value = of(moment)
        if value is not None:
            values.setdefault(moment.epoch, []).append(value)
    return values


def _absent(evidence: Evidence, model: str, data: str) -> tuple[str, ...]:
    return tuple(evidence.absent(Setting(model, data, DYNAMICS), suite.PRINTED_NAMES[model]))
