"""The pages of layers and of dynamics, with their figures."""

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reports.dynamics import correlations, layers, moments
from reports.dynamics.draw import draw
from reports.dynamics.panels import Drawing, to_csv
from reports.evidence import Evidence
from reports.figures import files
from reports.tables import purpose_notes
from results.record import Record
from results.registry import Registry, is_named

TITLES = {
    "layers": "Figures 16-20: what is pruned, layer by layer",
    "dynamics": "Figures 2, 3, 13-15, 21 and 31-38: dynamics of training",
}


def pages(evidence: Evidence, registry: Registry) -> dict[str, str]:
    """The Markdown of the pages by name."""
    of_moments = moments.drawings(evidence, arrays_of(registry))
    return {
        "layers": _page("layers", layers.drawings(evidence), layers.left_out(evidence), evidence),
        "dynamics": _page(
            "dynamics", of_moments, moments.left_out(evidence), evidence, before=correlations.table(evidence)
        ),
    }


def drawings(evidence: Evidence, registry: Registry) -> Iterator[Drawing]:
    """Every figure of both pages; none of a profile without this suite."""
    if evidence.profile.datasets:
        yield from layers.drawings(evidence)
        yield from moments.drawings(evidence, arrays_of(registry))


def write_figures(evidence: Evidence, registry: Registry, folder: Path) -> None:
    """Write every figure's files; raises OSError."""
    for drawing in drawings(evidence, registry):
        table = None if drawing.empty else to_csv(drawing)
        files(folder / "figures", drawing.name, table, lambda drawing=drawing: draw(drawing, evidence.profile))  # type: ignore[misc]


def _page(name: str, drawings: Iterable[Drawing], left_out: Iterable[str], evidence: Evidence, before: str = "") -> str:
    shown = [_figure(drawing, evidence) for drawing in sorted(drawings, key=lambda each: each.number)]
    parts = [f"# {TITLES[name]}", *purpose_notes(evidence.profile), *([before] if before else []), *shown, *left_out]
    if not shown:
        parts.append(f"Profile {evidence.profile.name} has no cells for them.")
    return "\n\n".join(parts) + "\n"


def _figure(drawing: Drawing, evidence: Evidence) -> str:
    stem = f"figures/{drawing.name}"
    parts = [f"{drawing.title}.", *drawing.remarks, _protocol(evidence), *_seeds(drawing)]
    caption = " ".join(part for part in parts if part)
    heading = f"## Figure {drawing.number}"
    if drawing.empty:
        lacking = "; ".join(dict.fromkeys(text for panel in drawing.panels for text in panel.absent))
        return f"{heading}\n\nThere is nothing to draw ({lacking}). {caption}"
    beside = f"[PNG]({stem}.png), [data]({stem}.csv)"
    return f"{heading}\n\n![Figure {drawing.number}]({stem}.svg)\n\n{caption} {beside}"


def _protocol(evidence: Evidence) -> str:
    protocol = evidence.profile.protocol
    images = "all" if protocol.train_limit is None else f"{protocol.train_limit:,}"
    return f"Profile {evidence.profile.name}: {protocol.epochs} epochs, {images} training images."


def _seeds(drawing: Drawing) -> Iterator[str]:
    """How many seeds each panel's lines have, and what is not drawn."""
    for panel in drawing.panels:
        if not panel.dots and (panel.lines or panel.absent):
            numbers = sorted({point.n for each in panel.lines for point in each.points}) or [0]
            seeds = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
            absent = f"; not drawn: {', '.join(panel.absent)}" if panel.absent else ""
            yield f"{panel.title}, seeds: {seeds}{absent}."


def arrays_of(registry: Registry) -> moments.Arrays:
    """Reads the vectors of a record; a side file that is lost or damaged has none."""

    def load(record: Record) -> Mapping[str, npt.NDArray[np.float32]]:
        found: dict[str, npt.NDArray[np.float32]] = {}
        for name in record.side_files:
            content = registry.side_file(record, name)
            if content is not None and is_named(name, content):
                with np.load(io.BytesIO(content)) as file:
                    found |= dict(file)
        return found

    return load
