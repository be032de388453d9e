"""The pages of the second suite in a profile's report."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.profiles import Profile
from bench.suites.missing_the_mark import FIGURES, SUITE, Figure
from reports.tables import Linker
from reports.weights import claims, elsewhere, figures, overview, places, records, tables, words
from reports.weights.captions import caption, lacking
from reports.weights.charts import drawing
from reports.weights.evidence import Evidence
from reports.weights.series import ACCURACY, Drawing

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
    found = (drawing(figure, evidence) for figure in sorted(FIGURES, key=_order))
    return [drawn for drawn in found if drawn is not None]


def _order(figure: Figure) -> tuple[str, int]:
    """Those of the paper before those of its appendices."""
    appendix, _, number = figure.name.rpartition(".")
    return appendix, int(number)


def pages(evidence: Evidence, link: Linker, beside: Sequence[Evidence] = ()) -> dict[str, str]:
    """The Markdown of every page by its name, the overview first; ``link`` leads from a page to a record.

    ``beside`` are the records of other profiles whose reports stand beside this one.
    """
    found = {
        f"{SUITE}_claims": claims.page(evidence, beside),
        f"{SUITE}_tables": tables.page(evidence, beside),
        f"{SUITE}_figures": _figures(evidence, beside),
    }
    there = {name: text for name, text in found.items() if text is not None}
    networks = {places.page(network): network for network in records.networks(evidence)}
    links = {TITLES[name]: f"{name}.md" for name in there}
    links |= {records.title(network): f"{name}.md" for name, network in networks.items()}
    pages_of = {name: records.page(evidence, network, link) for name, network in networks.items()}
    return {SUITE: overview.page(evidence, link, links), **there, **pages_of}


def _figures(evidence: Evidence, beside: Sequence[Evidence] = ()) -> str:
    """The page of figures; one without data is a line at its end."""
    profile, found = evidence.profile, drawings(evidence)
    there = [drawn for drawn in found if not drawn.empty]
    also = {drawn.figure: " ".join(_masks(drawn, evidence, beside)) for drawn in found}
    lines = [f"- {line}" for line in _not_drawn([drawn for drawn in found if drawn.empty], profile, also)]
    parts = (
        "# Pruning at initialisation: figures",
        *words.standing(profile),
        _key(there),
        *(_figure(drawn, profile, also[drawn.figure]) for drawn in there),
        "## Not drawn",
        "\n".join(lines),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _key(drawn: Sequence[Drawing]) -> str:
    """How the figures that are drawn are to be read; empty where there are none."""
    axes = {each.figure.axis for each in drawn}
    dense = any(chart.dense is not None and not chart.empty for each in drawn for chart in each.charts)
    sentences = (
        "Lines are means over seeds, bands one sample standard deviation, where there are two seeds.",
        "A marker is hollow where a point has fewer seeds than the profile.",
        "A line is broken where a point has none." if axes & {*ACCURACY, "paths"} else "",
        "In charts of accuracies the level grey line is the unpruned network." if dense else "",
        _CUT if axes & {*ACCURACY} else "",
        "All means are in the data beside each figure.",
    )
    return " ".join(sentence for sentence in sentences if sentence) if drawn else ""


_CUT = (
    "Axes of accuracies are cut so that half of every curve, those of inverted scores and of networks that begin at "
    "variance 1 aside, and the best method at every place stay on them; a wedge at the foot of a chart stands for a "
    "mean that lies below."
)


def _masks(drawn: Drawing, evidence: Evidence, beside: Sequence[Evidence]) -> Iterator[str]:
    """Where else there are masks that a figure of masks lacks."""
    figure = drawn.figure
    if figure.axis not in ACCURACY:
        cells = (cell for network in drawn.networks for cell in figure.cells(network, 0))
        yield from elsewhere.masks(evidence, cells, beside, f"{SUITE}_figures")


def _figure(drawn: Drawing, profile: Profile, also: str) -> str:
    name, stem = f"Figure {drawn.figure.name}", f"{FOLDER}/{drawn.stem}"
    beside = f"[PNG]({stem}.png), [data]({stem}.csv)"
    said = " ".join(filter(None, (caption(drawn, profile), also, beside)))
    return f"## {name}: {drawn.figure.title}\n\n![{name}]({stem}.svg)\n\n{said}"


def _not_drawn(empty: Sequence[Drawing], profile: Profile, also: Mapping[Figure, str]) -> Iterator[str]:
    """Why figures are not there, and what ``also`` is to be said.

    Those of which the profile runs nothing, and those of networks it lacks, together.
    """
    never = [drawn for drawn in empty if all(run.state == "not run" for chart in drawn.charts for run in chart.runs)]
    for drawn in (drawn for drawn in empty if drawn not in never):
        yield " ".join(filter(None, (f"Figure {drawn.figure.name}: {lacking(drawn, profile)}", also[drawn.figure])))
    if never:
        yield f"{_named(drawn.figure for drawn in never)}: profile {profile.name} runs none of it."
    own = {network.model for network in words.networks(profile)}
    others: dict[str, list[Figure]] = {}
    for figure in sorted(FIGURES, key=_order):
        if not own & {network.model for network in figure.networks}:
            networks = ", ".join(words.title(network) for network in figure.networks)
            others.setdefault(networks, []).append(figure)
    for networks, found in others.items():
        yield f"{_named(found)}: profile {profile.name} does not have {networks}."
    yield "Figures 1 and 2 show no experiments of the paper's own."


def _named(found: Iterable[Figure]) -> str:
    names = [figure.name for figure in found]
    return f"Figure{'s' if len(names) > 1 else ''} {', '.join(names)}"
