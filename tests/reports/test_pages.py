import re
from html.parser import HTMLParser
from urllib.parse import urlparse

import pytest

from bench import profiles
from reports import overview
from reports.evidence import gather
from reports.pages import _readable, render
from reports.places import default_out, linker
from reports.prices import prices
from results import published
from results.registry import Problem, Registry, default_root


class _Targets(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.ids = [], set()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.links += [values[name] for name in ("href", "src") if name in values]
        self.ids |= {values["id"]} if "id" in values else set()


@pytest.fixture(scope="module")
def _demo_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.fixture
def demo(_demo_folder, full):
    """The report of a whole demo, rendered once, but for one cell that is missing, one diverged and one failed."""
    folder = _demo_folder / "rendered" / "demo"
    if not folder.exists():
        registry = Registry(_demo_folder / "runs")
        for record in full("demo")[:-1]:
            registry.put(record)
        (_demo_folder / "runs" / "demo" / "broken.json").write_text("{")
        assert render("demo", registry, _demo_folder / "rendered") == folder / "index.html"
    return folder


def test_a_report_has_all_its_pages_and_figures(demo):
    pages = {path.name for path in demo.iterdir()}
    assert pages == {
        "index.md", "index.html", "table1.md", "table2.md", "table3.md",
        "claims.md", "theory.md", "figures.md", "layers.md", "dynamics.md", "figures",
    }  # fmt: skip
    curves = [int(row.figure) for row in published.figures("gradient_flow") if "accuracy curves" in row.title]
    stems = [f"figure{number:02d}" for number in curves]  # the others have no vectors in this registry
    assert {path.name for path in (demo / "figures").iterdir()} == {
        f"{s}.{k}" for s in stems for k in ("svg", "png", "csv")
    }
    assert "pruned in 3 rounds. 3 rounds stand in for 25." in (demo / "figures.md").read_text()
    for page in demo.glob("*.md"):
        assert "is left out" not in page.read_text()


def test_every_page_of_a_demonstration_says_so_and_prints_no_published_number(demo):
    printed = {number.value_text.lstrip("+-") for number in published.numbers("gradient_flow")}
    printed = {text for text in printed if "." in text}
    assert len(printed) > 100
    for page in demo.glob("*.md"):
        text = page.read_text()
        assert "is a demonstration" in text
        assert not re.search(r"paper[:,]? [\d-]|printed: ", text)
        if page.name != "table3.md":  # differences of our own numbers are as small as those that the paper prints
            shown = text.partition("## How outcomes come about")[0]  # whose thresholds are ours
            assert not printed & set(re.findall(r"\d+\.\d+", shown)), page.name
    assert "EQUIVALENT" not in (demo / "table3.md").read_text()


def test_links_lead_somewhere(demo):
    for page in demo.glob("*.md"):
        targets = re.findall(r"\]\(([^)]+)\)", page.read_text())
        assert targets or page.name in ("claims.md", "layers.md", "dynamics.md")  # of which there are no figures
        assert [target for target in targets if not (demo / target).is_file()] == []
    found = _Targets()
    found.feed((demo / "index.html").read_text())
    inner = {link[1:] for link in found.links if link.startswith("#")}
    assert inner == {"table1", "table2", "table3", "claims", "theory", "figures", "layers", "dynamics"}
    assert inner < found.ids
    assert all(urlparse(link).scheme == "" for link in found.links)  # nothing is fetched from elsewhere
    assert [link for link in found.links if not link.startswith("#") and not (demo / link).is_file()] == []


def test_html_holds_the_tables(demo):
    text = (demo / "index.html").read_text()
    assert text.count("<table>") >= 6
    assert "|GraSP| (T=1)" in text
    assert "| --- |" not in text


def test_the_overview_counts(demo):
    text = (demo / "index.md").read_text()
    assert "| done | 53 |" in text
    assert "| missing | 1 |" in text
    assert "`python -m bench run --profile demo --missing`" in text
    assert "- `gradient_flow-resnet56-digits-dynamics-s0`" in text
    assert "| a processor (cpu) | 2 | 2.11.0 | none | 3.11.7 | abcdef0123 | no | 53 |" in text
    assert "- `demo/broken.json`: " in text


def test_what_a_file_says_is_text_and_not_markup(registry):
    registry.problems.append(Problem(registry.root / "x.json", "<b>bold</b>"))
    nothing = gather(profiles.get("nightly"), ())
    page = overview.page(nothing, (), prices(nothing), registry, {})
    assert "- `x.json`: &lt;b&gt;bold&lt;/b&gt;" in page


def test_the_overview_counts_verdicts_and_what_was_left_out(make_record, registry, tmp_path):
    from bench.protocol import Protocol

    for seed in (0, 1):
        registry.put(make_record(f"gradient_flow-vgg13-cifar10-base-s{seed}", best=93.0 + 0.02 * seed, last=93.0))
    registry.put(make_record("gradient_flow-vgg13-cifar10-base-s2", protocol=Protocol(epochs=3)))
    registry.put(make_record("gradient_flow-vgg13-cifar10-base-s3", status="out_of_memory"))
    render("paper", registry, tmp_path / "out")
    text = (tmp_path / "out" / "paper" / "index.md").read_text()
    assert "| Table 1 | 1 | 0 | 0 | 0 | 0 | 59 |" in text
    assert "Records left out: 1 run by another protocol than the profile's present one." in text
    assert "| out_of_memory | 1 |" in text


def test_an_empty_registry_gives_pages_of_missing_cells(registry, tmp_path):
    render("nightly", registry, tmp_path / "out")
    text = (tmp_path / "out" / "nightly" / "table1.md").read_text()
    cells = len(
        [cell for cell in profiles.get("nightly").cells() if cell.score in ("base", "magnitude", "loss", "proposed")]
    )
    assert text.count("<br>missing") == cells


def test_unknown_profiles_are_named(registry, tmp_path):
    with pytest.raises(ValueError, match="did you mean paper"):
        render("papper", registry, tmp_path)


def test_there_are_no_links_out_of_the_folder_that_holds_the_registry(make_record, tmp_path):
    registry = Registry(tmp_path / "here" / "runs")
    record = make_record("gradient_flow-vgg13-cifar10-base-s0")
    registry.put(record)
    link = linker(registry, tmp_path / "here" / "rendered" / "paper")(record)
    assert link == f"../../runs/paper/gradient_flow/vgg13-cifar10/{record.key}.json"
    assert linker(registry, tmp_path / "there")(record) is None


def test_pages_go_beside_the_registry(tmp_path):
    assert default_out(tmp_path / "runs") == tmp_path / "rendered"
    assert default_out(default_root()).parts[-2:] == ("reports", "rendered")


def test_sentences_in_tables_are_broken_into_lines_and_numbers_are_not():
    cells = ["98.13 ± 0.10 (3)", "<a href='" + "x" * 99 + "'>short</a>", "two<br>" + "lines " * 5, "a sentence " * 5]
    rows = "\n".join(f"<td>{cell}</td>" for cell in cells)
    found = _readable(f"<table>\n{rows}\n</table>").splitlines()
    assert found[0] == '<div class="wide"><table>'
    assert [line.startswith('<td class="text">') for line in found[1:-1]] == [False, False, False, True]
    assert found[4] == f'<td class="text">{cells[3]}</td>'
