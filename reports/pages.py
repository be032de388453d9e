"""A profile's report: Markdown pages with figures beside them, and one page of HTML that holds them all."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

from bench import profiles
from bench.profiles import Profile
from bench.suites import gradient_flow
from reports import figures, markdown, overview
from reports.curves import FIGURES, FigureData, figure_data, figures_of, without_rounds
from reports.dynamics import pages as dynamics
from reports.evidence import Evidence, gather
from reports.flow import pages as flow
from reports.places import linker
from reports.prices import prices
from reports.provenance import problems
from reports.tables import Context, purpose_notes, tables
from reports.weights import elsewhere
from reports.weights import evidence as weights
from reports.weights import pages as second
from results.registry import Registry

TITLES = {
    "table1": "Table 1",
    "table2": "Table 2",
    "table3": "Table 3",
    "figures": "Figures 1, 4-12 and 22-30: accuracy while training",
}


def render(profile_name: str, registry: Registry, out_dir: Path) -> Path:
    """Write the report of a profile to ``<out_dir>/<profile>/`` and return its ``index.html``.

    Rendering the same records again changes no file. Raises ValueError for an unknown profile, OSError as writing does.
    """
    profile = profiles.get(profile_name)
    folder = Path(out_dir) / profile.name
    folder.mkdir(parents=True, exist_ok=True)
    records = registry.records(profile.name)
    evidence, others = gather(profile, records), weights.gather(profile, records)
    for data in _figure_data(evidence):
        figures.write(data, folder / "figures", profile)
    dynamics.write_figures(evidence, registry, folder)
    if second.shown(others):
        second.write_figures(others, folder)
    texts = pages(evidence, registry, folder, others)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    index = folder / "index.html"
    index.write_text(_html(profile.name, texts), encoding="utf-8")
    return index


def pages(
    evidence: Evidence, registry: Registry, folder: Path, others: weights.Evidence | None = None
) -> dict[str, str]:
    """The Markdown of every page by its name, the overview first, with links as they are in ``folder``.

    ``others`` is what there is of the second suite; without it the registry is asked.
    """
    profile = evidence.profile
    if others is None:
        others = weights.gather(profile, registry.records(profile.name))
    beside = elsewhere.others(profile, registry) if second.shown(others) else ()
    more = second.pages(others, linker(registry, folder), beside) if second.shown(others) else {}
    links = {second.TITLES[name]: f"{name}.md" for name in more if name in second.TITLES}
    if gradient_flow.SUITE not in profile.suites:
        return {"index": _front(profile, registry, links), **more}
    return {**_first_suite(evidence, registry, folder, links), **more}


def _first_suite(evidence: Evidence, registry: Registry, folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """The pages of the gradient-flow suite; its overview also leads to the pages that ``more`` names."""
    costs = prices(evidence)
    views = tables(evidence, Context(linker(registry, folder), costs))
    command = overview.missing_command(evidence.profile.name)
    links = {title: f"{name}.md" for name, title in (TITLES | flow.TITLES | dynamics.TITLES).items()}
    return {
        "index": overview.page(evidence, views, costs, registry, {**links, **more}),
        **{f"table{view.number}": markdown.page(view, command) for view in views},
        **flow.pages(evidence, dynamics.arrays_of(registry)),
        "figures": _figures(evidence),
        **dynamics.pages(evidence, registry),
    }


def _front(profile: Profile, registry: Registry, links: Mapping[str, str]) -> str:
    """The first page of a profile that has no cell of the gradient-flow suite."""
    listed = "\n".join(f"- [{title}]({target})" for title, target in links.items())
    purpose = f"{profile.purpose[0].upper()}{profile.purpose[1:]}."
    parts = [f"# Report of profile {profile.name}", purpose, listed, problems(registry)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _figure_data(evidence: Evidence) -> list[FigureData]:
    """What there is for the figures of the rounds that this profile runs."""
    return [figure_data(spec, evidence) for spec in figures_of(evidence.profile)]


def _figures(evidence: Evidence) -> str:
    """The page of figures, which also names those that this profile has no rounds for."""
    profile = evidence.profile
    parts = ["# Figures", *purpose_notes(profile)]
    parts += [_figure(data, evidence) for data in _figure_data(evidence)]
    parts += without_rounds({spec.number: spec.rounds for spec in FIGURES}, profile)
    return "\n\n".join(parts) + "\n"


def _figure(data: FigureData, evidence: Evidence) -> str:
    stem, caption = f"figures/{data.spec.name}", figures.caption(data, evidence)
    heading = f"## Figure {data.spec.number}"
    if data.empty:
        return f"{heading}\n\nThere is no finished run to draw. {caption}"
    beside = f"[PNG]({stem}.png), [data]({stem}.csv)"
    return f"{heading}\n\n![Figure {data.spec.number}]({stem}.svg)\n\n{caption} {beside}"


def _html(profile: str, texts: Mapping[str, str]) -> str:
    """All pages in one, with links between them turned into links within it."""
    from markdown_it import MarkdownIt

    converter = MarkdownIt("commonmark", {"html": True}).enable("table")
    rendered = ((name, _readable(converter.render(_inner(text, texts)))) for name, text in texts.items())
    sections = (f'<section id="{name}">\n{text}</section>\n' for name, text in rendered)
    return _PAGE.substitute(profile=profile, body="".join(sections))


def _inner(text: str, names: Iterable[str]) -> str:
    """A link to a page leads to its section, one to a place on a page to the place."""
    pages = "|".join(map(re.escape, names))
    return re.sub(rf"\(({pages})\.md(?:#([^)]+))?\)", lambda found: f"(#{found[2] or found[1]})", text)


def _readable(text: str) -> str:
    """A table wider than the page scrolls by itself, and sentences in it are broken into lines."""
    text = text.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    return re.sub(r"<td>(.*)</td>", lambda cell: cell[0].replace("<td>", _cell(cell[1]), 1), text)


_LETTERS = 40
"""Of a line in a table that is not broken."""


def _cell(inner: str) -> str:
    lines = re.sub(r"<(?!br)[^>]*>", "", inner).split("<br>")
    return '<td class="text">' if max(map(len, lines)) > _LETTERS else "<td>"


_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Report of profile $profile</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #222; }
section { border-bottom: 1px solid #ccc; padding-bottom: 1.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid #ccc; padding: .3rem .5rem; text-align: left; vertical-align: top; white-space: nowrap; }
td.text { white-space: normal; min-width: 22rem; }
th { background: #f3f3f3; }
tr > :first-child { position: sticky; left: 0; background: #f3f3f3; }
img { max-width: 100%; }
</style>
$body</html>
""")
