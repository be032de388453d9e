"""A profile's report: Markdown pages with figures beside them, and one page of HTML that holds them all."""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from bench import profiles
from reports import figures, markdown, overview
from reports.curves import FIGURES, FigureData, figure_data
from reports.evidence import Evidence, gather
from reports.places import linker
from reports.prices import prices
from reports.tables import Context, purpose_notes, rounds_text, tables
from results.registry import Registry

TITLES = {"table1": "Table 1", "table2": "Table 2", "table3": "Table 3", "figures": "Figures 1 and 4-12"}


def render(profile_name: str, registry: Registry, out_dir: Path) -> Path:
    """Write the report of a profile to ``<out_dir>/<profile>/`` and return its ``index.html``.

    Rendering the same records again changes no file. Raises ValueError for an unknown profile, OSError as writing does.
    """
    profile = profiles.get(profile_name)
    folder = Path(out_dir) / profile.name
    folder.mkdir(parents=True, exist_ok=True)
    evidence = gather(profile, registry.records(profile.name))
    for data in _figure_data(evidence):
        figures.write(data, folder / "figures", profile)
    texts = pages(evidence, registry, folder)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    index = folder / "index.html"
    index.write_text(_html(profile.name, texts), encoding="utf-8")
    return index


def pages(evidence: Evidence, registry: Registry, folder: Path) -> dict[str, str]:
    """The Markdown of every page by its name, the overview first, with links as they are in ``folder``."""
    profile, costs = evidence.profile, prices(evidence)
    views = tables(evidence, Context(linker(registry, folder), costs))
    command = overview.missing_command(profile.name)
    links = {title: f"{name}.md" for name, title in TITLES.items()}
    return {
        "index": overview.page(evidence, views, costs, registry, links),
        **{f"table{view.number}": markdown.page(view, command) for view in views},
        "figures": _figures(evidence),
    }


def _figure_data(evidence: Evidence) -> list[FigureData]:
    """What there is for the figures of the rounds that this profile runs."""
    return [figure_data(spec, evidence) for spec in FIGURES if spec.rounds in evidence.profile.rounds]


def _figures(evidence: Evidence) -> str:
    """The page of figures, which also names those that this profile has no rounds for."""
    profile = evidence.profile
    others = [spec for spec in FIGURES if spec.rounds not in profile.rounds]
    parts = ["# Figures", *purpose_notes(profile)]
    parts += [_figure(data, evidence) for data in _figure_data(evidence)]
    parts += [
        f"Figure {spec.number} is left out: profile {profile.name} does not prune in {rounds_text(spec.rounds)}."
        for spec in others
    ]
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
    rendered = ((name, _scrolling(converter.render(_inner(text)))) for name, text in texts.items())
    sections = (f'<section id="{name}">\n{text}</section>\n' for name, text in rendered)
    return _PAGE.substitute(profile=profile, body="".join(sections))


def _inner(text: str) -> str:
    return re.sub(rf"\(({'|'.join(TITLES)})\.md\)", r"(#\1)", text)


def _scrolling(text: str) -> str:
    """A table wider than the page scrolls by itself."""
    return text.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")


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
th { background: #f3f3f3; }
tr > :first-child { position: sticky; left: 0; background: #f3f3f3; }
img { max-width: 100%; }
</style>
$body</html>
""")
