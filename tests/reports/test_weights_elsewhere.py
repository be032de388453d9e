from dataclasses import replace

from bench import profiles
from bench.suites import missing_the_mark as suite
from reports.weights import claims, elsewhere, pages, tables
from reports.weights.evidence import gather

from .weights_records import RESNET, evidence, facts, figure, full, pruned, record

PAPER, MASKS = profiles.get("paper"), profiles.get("masks")
RESNET18 = replace(suite.RESNET18, dataset="tiny_imagenet_subset")
THERE = "Such masks are measured in profile [masks](../masks/page.md): "


def masked(network, method, level, *, profile="masks", seed=0):
    return record(pruned(network, method, level, seed), None, profile=profile, mask=facts())


def sentences(here, *there, cells=None):
    wanted = [pruned(net, method, level) for net in (RESNET, suite.RESNET50) for method, level in CELLS[net.model]]
    return list(elsewhere.masks(here, cells or wanted, there, "page"))


SHUFFLED = suite.ablated(suite.SYNFLOW, "shuffle")[0]
CELLS = {"resnet20": [(suite.SNIP, 6)], "resnet50": [(suite.SYNFLOW, 5), (SHUFFLED, 5)]}


def test_masks_that_another_profile_has_are_named_with_a_link():
    there = evidence(masked(RESNET, suite.SNIP, 6), masked(suite.RESNET50, suite.SYNFLOW, 5), profile="masks")
    assert sentences(evidence(), there) == [f"{THERE}ResNet-20 on CIFAR-10, ResNet-50 on ImageNet."]
    here = evidence(masked(RESNET, suite.SNIP, 6, profile="paper"), whole=True)
    assert sentences(here, there) == [f"{THERE}ResNet-50 on ImageNet."]
    shuffled = evidence(masked(suite.RESNET50, SHUFFLED, 5), profile="masks")
    assert sentences(evidence(), shuffled) == [f"{THERE}ResNet-50 on ImageNet."]  # warm-up plays no part in it
    assert sentences(evidence(), evidence(profile="masks")) == []


def test_masks_that_come_about_otherwise_are_others():
    there = evidence(masked(RESNET, suite.SNIP, 6), profile="masks")
    grid = MASKS.weights
    other = {net: replace(protocol, score_samples=50) for net, protocol in grid.protocols.items()}
    changed = replace(there, profile=replace(MASKS, weights=replace(grid, protocols=other)))
    assert sentences(evidence(), changed) == []
    late = pruned(RESNET, replace(suite.SNIP, at=1000), 6)
    assert sentences(evidence(), replace(there, records={late: there.seeds(pruned(RESNET, suite.SNIP, 6))})) == []


def test_other_profiles_are_those_that_may_be_held_against_the_paper(registry):
    assert elsewhere.others(PAPER, registry) == []
    registry.put(masked(RESNET, suite.SNIP, 6))
    (found,) = elsewhere.others(PAPER, registry)
    assert found.profile.name == "masks"
    assert elsewhere.others(MASKS, registry) == []
    assert elsewhere.others(profiles.get("mini"), registry) == []


def test_pages_lead_to_what_another_profile_has_measured(monkeypatch):
    monkeypatch.setattr(pages, "FIGURES", tuple(figure(name) for name in ("3", "5")))
    here, there = gather(PAPER, []), gather(MASKS, full("masks"))
    texts = pages.pages(here, lambda _record: None, [there])
    said = "ResNet-20 on CIFAR-10, VGG-16 on CIFAR-10, ResNet-50 on ImageNet."
    page = texts["missing_the_mark_tables"]
    sentence = f"Such masks are measured in profile [masks](../masks/missing_the_mark_tables.md): {said}"
    assert page.count(sentence) == 2
    assert page.index("## Section 5") < page.index(sentence) < page.index("## Appendix M")
    lines = [line for line in texts["missing_the_mark_figures"].splitlines() if line.startswith("- Figure")]
    assert lines[1].endswith(f"in profile [masks](../masks/missing_the_mark_figures.md): {said}")
    assert "profile [masks]" not in lines[0]
    claim = "mm_random_layerwise_uniform"
    (row,) = (line for line in texts["missing_the_mark_claims"].splitlines() if line.startswith(f"| `{claim}"))
    assert row.endswith(f"; random<br>[FAILS in profile masks](../masks/missing_the_mark_claims.md#{claim}) |")


def test_a_profile_alone_says_nothing_of_others():
    here = gather(PAPER, [])
    assert "Such masks" not in tables.page(here)
    assert "in profile masks" not in claims.page(here)
