import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bench.profiles import PROFILES, get
from bench.suites import missing_the_mark as suite
from reports.pages import render
from reports.weights import overview, pages, records, words
from results.registry import Registry

from .weights_records import LENET, RESNET, base, evidence, facts, figure, full, pruned, record, unlinked

OWN = ("missing_the_mark", "missing_the_mark_figures")


def nowhere(_record):
    return None


class _Targets(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.ids = [], set()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.links += [values[name] for name in ("href", "src") if name in values]
        self.ids |= {values["id"]} if "id" in values else set()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The folder of a profile's report of its whole second suite, but for most of its figures, rendered once."""
    root, done = tmp_path_factory.mktemp("suite"), {}

    def build(name):
        if name not in done:
            registry = Registry(root / "runs")
            for each in full(name):
                registry.put(each)
            done[name] = render(name, registry, root / "rendered").parent
        return done[name]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "FIGURES", tuple(figure(name) for name in ("3", "4", "5", "K.1", "K.3", "L.1", "L.2")))
        yield build


@pytest.mark.parametrize("name", ["demo", "masks"])
def test_pages_are_beside_those_of_the_first_suite_where_it_is_there(rendered, name):
    folder = rendered(name)
    first = {"index", "table1", "table2", "table3", "claims", "theory", "figures", "layers", "dynamics"}
    first = first if name == "demo" else {"index"}
    found = {path.stem for path in folder.glob("*.md")}
    assert first | set(OWN) <= found
    assert all(page in first or page.startswith("missing_the_mark") for page in found)
    drawn = {path.stem for path in (folder / pages.FOLDER).glob("*.svg")}
    assert drawn == ({"figure_k1", "figure_k3"} if name == "demo" else {"figure05"})


@pytest.mark.parametrize("name", ["demo", "masks"])
def test_links_lead_somewhere(rendered, name):
    folder = rendered(name)
    texts = {page.name: page.read_text() for page in (folder / "index.md", *folder.glob("missing_the_mark*.md"))}
    for name, text in texts.items():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            path, _, anchor = target.partition("#")
            assert (folder / path).exists()
            assert not anchor or f'<a id="{anchor}"></a>' in texts[path or name]
    found = _Targets()
    found.feed((folder / "index.html").read_text())
    inner = {link[1:] for link in found.links if link.startswith("#")}
    assert set(OWN) <= inner <= found.ids
    assert [link for link in found.links if not link.startswith("#") and not (folder / link).is_file()] == []


def test_rendering_the_same_records_again_changes_no_file(rendered):
    folder = rendered("demo")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    render("demo", Registry(folder.parents[1] / "runs"), folder.parent)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_profile_without_records_of_this_suite_says_nothing_of_it(registry, tmp_path):
    folder = render("mini", registry, tmp_path / "out").parent
    assert [path for path in folder.rglob("*") if "missing_the_mark" in path.name] == []
    assert "missing_the_mark" not in (folder / "index.html").read_text()


def test_a_profile_of_nothing_else_shows_what_is_missing(registry, tmp_path):
    folder = render("masks", registry, tmp_path / "out").parent
    index = (folder / "index.md").read_text()
    assert index.startswith("# Report of profile masks\n\nMasks of the second paper at initialisation")
    assert "- [Pruning at initialisation](missing_the_mark.md)" in index
    text = (folder / "missing_the_mark.md").read_text()
    assert "| all |  | 240 | 0 | 0 | 0 | 240 |" in text
    assert "one cell after the other: `python -m bench run --profile masks --suite missing_the_mark --missing`" in text
    assert (
        "- Figure 5: ResNet-20 on CIFAR-10: missing: all 15 runs. "
        in (folder / "missing_the_mark_figures.md").read_text()
    )
    assert not (folder / pages.FOLDER).exists()


def test_files_that_cannot_be_read_are_named_on_the_first_page(registry, tmp_path):
    (registry.root / "masks").mkdir(parents=True)
    (registry.root / "masks" / "broken.json").write_text("{")
    folder = render("masks", registry, tmp_path / "out").parent
    assert "- `masks/broken.json`: " in (folder / "index.md").read_text()


def test_the_overview_counts_what_became_of_the_cells():
    made = [record(base(LENET, seed), 98.0 + 0.1 * seed, profile="paper") for seed in range(3)]
    made += [
        record(pruned(LENET, suite.SNIP, 18, 0), None, status="diverged"),
        record(pruned(LENET, suite.SNIP, 18, 1), status="timeout"),
    ]
    page = overview.page(evidence(*made), nowhere, {"Figures": "f.md"})
    assert "- [Figures](f.md)" in page
    text = unlinked(page)
    row = "| LeNet-300-100 on MNIST | 40 epochs of 128 images a step, learning rate 0.1, no momentum, no weight decay, "
    assert f"{row}all training images | 471 | 3 | 1 | 1 | 466 |" in text
    assert "| LeNet-300-100 on MNIST | 98.10 ± 0.10 (3) | 99.90 ± 0.00 (3) | s0 s1 s2 |" in text
    assert "| LeNet-300-100 on MNIST | open: runs are missing | open: runs are missing |" in text
    command = "python -m bench run --profile paper --suite missing_the_mark --model lenet300_100 --missing"
    assert re.search(rf"\| LeNet-300-100 on MNIST \| 467 \| [\d.]+ (h|min|days) \| `{command}` \|", text)
    assert "| a processor (cpu) | 2 | 2.11.0 | none | 3.11.7 | abcdef0123 | no | 5 |" in text


def test_the_overview_has_a_row_for_each_training():
    cell = suite.base(suite.MODIFIED_CIFAR, 0, "lr0.01")
    text = overview.page(evidence(record(cell, 93.7)), nowhere, {})
    page = "missing_the_mark_resnet18_modified-cifar10.md"
    here, usual = (f"[Modified ResNet-18 on CIFAR-10{behind}]({page})" for behind in (", lr=0.01", ""))
    row = f"| {here} | 160 epochs of 128 images a step, learning rate 0.01, times 0.2 "
    assert re.search(rf"{re.escape(row)}after epochs 80 and 120, .* \| 3 \| 1 \| 0 \| 0 \| 2 \|", text)
    assert re.search(rf"\| {re.escape(usual)} \| 160 epochs of 256 .* \| 153 \| 0 \| 0 \| 0 \| 153 \|", text)
    assert f"| {here} | 93.70 (1) | 99.90 (1) | s0 |" in text
    assert re.search(r"\| Modified ResNet-18 on CIFAR-10 \| 155 \| .*--model resnet18_modified --dataset cifar10", text)


def test_the_overview_links_the_records_of_the_unpruned_networks():
    found = evidence(record(base(LENET)), record(base(LENET, 1), None, status="diverged"))
    text = overview.page(found, lambda each: f"{each.cell['seed']}.json", {})
    name = "[LeNet-300-100 on MNIST](missing_the_mark_lenet300_100-mnist.md)"
    assert f"| {name} | 90.00 (1) | 99.90 (1) | [s0](0.json) [s1](1.json) diverged |" in text


def test_records_have_a_row_for_each_cell_with_best_and_last_accuracy():
    broken = record(pruned(LENET, suite.SNIP, 18, 1), None, status="diverged")
    made = [record(pruned(LENET, suite.SNIP, 18, seed), 95.0, mask=facts()) for seed in (0, 2)]
    found = evidence(record(base(LENET), 98.0), *made, broken)
    (network,) = records.networks(found)
    lines = records.page(found, network, lambda each: f"{each.key}.json").splitlines()
    head, _, dense, snip = (line for line in lines if line.startswith("|"))
    assert (
        head == "| cell | pruned | last epoch | best epoch | neurons without input (%) | effective weights | records |"
    )
    name = "missing_the_mark-lenet300_100-mnist-"
    assert dense.startswith(f'| <a id="{name}base"></a>base |  | 98.00 (1) | 99.90 (1) |  |  |')
    assert unlinked(snip).startswith(
        f'| <a id="{name}snip-k18"></a>snip-k18 | 98.2 % | 95.00 ± 0.00 (2) | 99.90 ± 0.00 (2) | 25.00 ± 0.00 (2) |'
    )
    assert f'<a id="{name}snip-k18-s1"></a>[s1]({broken.key}.json) diverged <a id="{name}snip-k18-s2"></a>' in snip


def test_records_of_masks_alone_have_no_accuracies():
    found = evidence(record(pruned(RESNET, suite.SNIP, 6), None, profile="masks", mask=facts()), profile="masks")
    (network,) = records.networks(found)
    text = records.page(found, network, nowhere)
    assert "epoch" not in text
    assert "| 25.00 (1) | 100.00 (1) |" in text


def test_the_overview_says_where_the_ranges_end():
    records = [record(base(LENET), 98.0)]
    for level in LENET.levels:
        records.append(record(pruned(LENET, suite.RANDOM, level), 98.0 if level == 4 else 90.0))
        records.append(record(pruned(LENET, suite.AFTER, level), 98.0))
    text = overview.page(evidence(*records), nowhere, {})
    assert "| LeNet-300-100 on MNIST | 59.0 %, though not at 36.0 % | 98.2 %, the highest |" in unlinked(text)
    assert "at most 0.2 points below" in text
    assert "*Up to* is the highest of the levels that are run. Figures of one sparsity are drawn" in text
    low = [record(base(LENET), 99.0), *records[1:]]
    assert "| none: not even 36.0 % | none: not even 36.0 % |" in overview.page(evidence(*low), nowhere, {})


def test_records_of_another_protocol_are_counted_and_left_out():
    other = record(base(LENET), protocol={**PROFILES["paper"].protocol.to_dict()})
    text = overview.page(evidence(other, record(base(LENET, 1))), nowhere, {})
    assert "1 records are left out: of another protocol" in text
    assert "| LeNet-300-100 on MNIST | 90.00 (1) | 99.90 (1) | s1 |" in unlinked(text)


def test_figures_are_in_the_order_of_the_paper(monkeypatch):
    monkeypatch.setattr(pages, "FIGURES", suite.FIGURES)
    names = [drawn.figure.name for drawn in pages.drawings(evidence(profile="demo"))]
    assert names == [f"K.{number}" for number in range(1, 9)]
    both = evidence(record(base(LENET)), record(base(RESNET)))
    assert [drawn.figure.name for drawn in pages.drawings(both)][:4] == ["3", "4", "5", "6"]


def test_the_page_of_figures_names_those_that_are_not_drawn(rendered):
    text = (rendered("demo") / "missing_the_mark_figures.md").read_text()
    assert (
        "## Figure K.1: Accuracy of early pruning methods\n\n![Figure K.1](figures/missing_the_mark/figure_k1.svg)"
        in text
    )
    assert "- Figures L.1, L.2: profile demo does not have Modified ResNet-18 on TinyImageNet." in text
    masks = (rendered("masks") / "missing_the_mark_figures.md").read_text()
    assert "- Figures 3, 4: profile masks runs none of it." in masks
    assert "- Figures K.1, K.3: profile masks does not have LeNet-300-100 on MNIST." in masks


def test_the_key_speaks_of_what_is_drawn(monkeypatch):
    monkeypatch.setattr(pages, "FIGURES", tuple(figure(name) for name in ("3", "15", "16")))
    cell, mask = pruned(RESNET, suite.SNIP, 6), facts()
    shuffled = pruned(RESNET, suite.ablated(suite.SNIP, "shuffle")[0], 6)
    layers = record(cell, None, profile="masks", mask=mask, layers=[("stem.weight", 1, 2)])
    paths = record(shuffled, None, profile="masks", mask=mask)

    def key(*records, profile):
        return pages._figures(evidence(*records, profile=profile)).partition("\n## ")[0]

    assert "Lines are means" not in key(profile="masks")
    assert "hollow" in key(layers, profile="masks")
    assert "broken" not in key(layers, profile="masks")
    assert "broken" in key(layers, paths, profile="masks")
    assert "accuracies" not in key(layers, paths, profile="masks")
    assert "grey line" not in key(layers, paths, profile="masks")
    pruned_alone = key(record(cell), profile="paper")
    assert "Axes of accuracies are cut" in pruned_alone
    assert "grey line" not in pruned_alone
    assert "the level grey line is the unpruned network" in key(record(cell), record(base(RESNET)), profile="paper")


def test_pages_say_what_their_numbers_are_not(rendered):
    for page in OWN:
        assert "is a demonstration" in (rendered("demo") / f"{page}.md").read_text()
        assert "NOT COMPARABLE" not in (rendered("masks") / f"{page}.md").read_text()


def test_departures_are_those_from_the_protocol_of_the_same_network():
    (said,) = words.standing(get("mini"))
    assert said == (
        "NOT COMPARABLE: no number on this page can be held against a published one (another protocol: "
        "LeNet-300-100 train_limit 5000 instead of all, test_limit 1000 instead of all, epochs 8 instead of 40; "
        "ResNet-20 train_limit 5000 instead of all, test_limit 1000 instead of all, epochs 8 instead of 160, "
        "lr_drops 4/6 instead of 80/120)."
    )
    assert list(words.standing(get("paper"))) == []
    (half,) = words.standing(get("paper-bf16"))
    assert "VGG-16 precision bf16 instead of fp32" in half


def test_protocols_in_words():
    every = {network.model: protocol for network, protocol in words.networks(get("paper")).items()}
    assert words.described(every["resnet18"]) == (
        "200 epochs of 256 images a step, learning rate 0.2, a tenth after epochs 100 and 150, momentum 0.9, "
        "weight decay 0.0001, all training images"
    )
    fifth = replace(every["resnet18"], lr_factor=0.2)
    assert "learning rate 0.2, times 0.2 after epochs 100 and 150, momentum" in words.described(fifth)
    assert words.described(words.networks(get("mini"))[next(iter(words.networks(get("mini"))))]).endswith(
        "5,000 training images, 1,000 test images"
    )
    assert {words.described(protocol) for protocol in words.networks(get("masks")).values()} == {"no training"}


def test_every_network_of_the_suite_has_a_printed_name():
    for profile in PROFILES.values():
        for network in words.networks(profile):
            assert network.model in words.MODELS
            assert network.dataset in words.DATASETS
