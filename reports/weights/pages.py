"""The pages of the second suite in a profile's report."""

from collections.abc import Iterator
from pathlib import Path

from bench.profiles import Profile
from bench.suites.missing_the_mark import FIGURES, SUITE, Figure
from reports.tables import Linker
from reports.weights import figures, overview, words
from reports.weights.captions import caption
from reports.weights.charts import drawing
from reports.weights.evidence import Evidence
from reports.weights.series import Drawing

TITLES = {
    SUITE: "Pruning at initialisation",
    f"{SUITE}_claims": "Pruning at initialisation: claims",
    f"{SUITE}_tables": "Pruning at initialisation: tables",
    f"{SUITE}_figures": "Pruning at initialisation: figures",
}
FOLDER = f"figures/{SUITE}"
"""Of the figures, beside the pages."""


def shown(evidence: Evidence) -> bool:
    """Whether there is anything to show: records, or a profile that runs nothing but this suite."""
    return bool(evidence.records) or evidence.profile.suites == (SUITE,)


def write_figures(evidence: Evidence, folder: Path) -> None:
    """Draw what there is into ``FOLDER`` in the folder of pages."""
    for drawn in drawings(evidence):
        figures.write(drawn, folder / FOLDER, evidence.profile)


def drawings(evidence: Evidence) -> list[Drawing]:
    """What there is of each figure whose networks the profile has."""
    found = (drawing(figure, evidence) for figure in FIGURES)
    return [drawn for drawn in found if drawn is not None]


def pages(evidence: Evidence, link: Linker) -> dict[str, str]:
    """The Markdown of every page by its name, the overview first; ``link`` leads from a page to a record."""
    from reports.weights import claims, tables

    found = {
        f"{SUITE}_claims": claims.page(evidence),
        f"{SUITE}_tables": tables.page(evidence),
        f"{SUITE}_figures": _figures(evidence),
    }
    there = {name: text for name, text in found.items() if text is not None}
    links = {TITLES[name]: f"{name}.md" for name in there}
    return {SUITE: overview.page(evidence, link, links), **there}


def _figures(evidence: Evidence) -> str:
    """The page of figures; one without data is a line at its end."""
    profile, found = evidence.profile, drawings(evidence)
    parts = ["# Pruning at initialisation: figures", *words.standing(profile), _KEY]
    parts += [_figure(drawn, profile) for drawn in found if not drawn.empty]
    absent = [f"- Figure {drawn.figure.name}: {caption(drawn, profile)}" for drawn in found if drawn.empty]
    absent += _without_networks(profile)
    return "\n\n".join([*parts, "## Not drawn", "\n".join(absent)]) + "\n"


_KEY = (
    "Lines are means over seeds, bands one sample standard deviation, where there are two seeds; the grey line is the "
    "unpruned network. A marker is hollow where a point has fewer seeds than the profile, and a line is broken where "
    "it has none. Axes of accuracies are cut so that half of every curve, those of inverted scores aside, and the best "
    "method at every place stay on them; a wedge at the foot of a chart stands for a mean that lies below. All of them "
    "are in the data beside each figure."
)


def _figure(drawn: Drawing, profile: Profile) -> str:
    name, stem = f"Figure {drawn.figure.name}", f"{FOLDER}/{drawn.stem}"
    beside = f"[PNG]({stem}.png), [data]({stem}.csv)"
    return f"## {name}: {drawn.figure.title}\n\n![{name}]({stem}.svg)\n\n{caption(drawn, profile)} {beside}"


def _without_networks(profile: Profile) -> Iterator[str]:
    """Figures of networks that the profile does not have, together."""
    own = {network.model for network in words.networks(profile)}
    others: dict[str, list[Figure]] = {}
    for figure in FIGURES:
        if not own & {network.model for network in figure.networks}:
            named = ", ".join(words.title(network) for network in figure.networks)
            others.setdefault(named, []).append(figure)
    for named, found in others.items():
        yield f"- Figures {', '.join(figure.name for figure in found)}: profile {profile.name} has none of {named}."
    yield "- Figures 1 and 2 show no experiments of the paper's own, and Figure 7 is not among the cells of this suite."
