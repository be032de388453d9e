import math
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from bench import profiles
from bench.suites import missing_the_mark as suite
from reports.verdicts import Verdict
from reports.weights import tables
from reports.weights.claims.facts import Facts
from reports.weights.evidence import Evidence
from reports.weights.tables.entries import accuracy, change, neurons, ratio
from reports.weights.tables.layout import here, number
from reports.weights.tables.of_masks import neuron_table, ratio_table
from reports.weights.tables.page import tables as build
from reports.weights.tables.replications import replications, unpruned
from results import published
from results.record import DataFacts, Layer, MaskFacts

from .weights_records import record, unlinked

PAPER, MASKS = profiles.get("paper"), profiles.get("masks")
VGG19 = suite.Network(model="vgg19", dataset="cifar10")
TEMPLATE = record(suite.base(suite.LENET, 0))


def run(value, **fields):
    metrics = msgspec.structs.replace(TEMPLATE.metrics, test_accuracy_last=value)
    return msgspec.structs.replace(TEMPLATE, metrics=metrics, **fields)


def runs(*values, **fields):
    return {seed: run(value, **fields) for seed, value in enumerate(values)}


def pruned(network, method, percent):
    return method.cell(network, Decimal(percent) / 100, 0)


def evidence(records, profile=PAPER):
    return Evidence(profile, records)


def table(found, name):
    return next(each for each in build(Facts(found)) if each.name == name)


def of(table, where):
    (entry,) = (entry for entry in table.entries if entry.where == where)
    return entry


def test_every_printed_number_of_the_tables_has_its_place():
    found = {each.name: each for each in build(Facts(evidence({})))}
    assert list(found) == ["Table 2", "Table 3", "Table 5", "Table 7", "Section 5", "Appendix M"]
    for name, column in (("Table 2", 6), ("Table 3", 6), ("Table 5", 6)):
        numbers = published.numbers(suite.SUITE, name)
        own = [
            n for n in numbers if n.reported_by == "ours" and n.amount is not None and n.metric == "test_accuracy_pct"
        ]
        cells = [row[column].partition(" ")[0].removesuffix("‡") for row in found[name].rows]
        assert cells == ["diverged" if math.isnan(n.value) else n.value_text for n in own]
    printed = [n for n in published.numbers(suite.SUITE, "Table 7") if n.reported_by == "ours"]
    assert [row[3] for row in found["Table 7"].rows] == [n.value_text for n in printed]
    for name, source, count in (("Section 5", "Section 5 text", 20), ("Appendix M", "Appendix M table", 32)):
        shown = "\n".join(cell for row in found[name].rows for cell in row)
        numbers = published.numbers(suite.SUITE, source)
        assert len(numbers) == count == shown.count("paper ")
        assert all(n.value_text in shown for n in numbers)


def test_the_layout_is_the_papers():
    two = next(replications(Facts(evidence({}))))
    assert two.rows[0][:3] == ["VGG-16", "91.7", "93.6"]
    assert two.rows[0][4:7] == ["97%", "92.0 (+0.3)", "92.1 (-1.5)"]
    assert [row[0] for row in two.rows] == ["VGG-16", "VGG2-16", "WRN-14-8", "WRN-14-10", "WRN-20-8"]
    three = table(evidence({}), "Table 3")
    assert [row[0] for row in three.rows] == ["VGG-19", "", "", "WRN-32-2", "", "", "ResNet-50", "", ""]
    assert three.rows[6][3] == three.rows[6][7] == "0 of 3 seeds"
    assert [row[4] for row in three.rows[-3:]] == ["60%", "80%", "90%"]


def test_printed_numbers_of_which_something_is_to_be_known_are_marked():
    five = table(evidence({}), "Table 5")
    assert [row[5] for row in five.rows[-3:]] == ["74.0 (-1.7)", "72.0 (-6.0‡)", "68.1 (-7.6)"]
    page = tables.page(evidence({}))
    (remark,) = (line for line in page.splitlines() if line.startswith("- INCONSISTENT"))
    assert remark.startswith("- INCONSISTENT: 72.0-75.7=-3.7; ")
    assert remark.endswith(": Table 5 ResNet-50 80% reported change")
    assert page.index("## Table 5") < page.index("## ‡ Remarks on printed numbers") < page.index(remark)
    assert "‡" not in tables.page(evidence({}, MASKS))


def test_a_verdict_by_hand():
    base, cell = suite.base(VGG19, 0), pruned(VGG19, suite.GRASP, 90)
    found = evidence({base: runs(93.4, 93.5, 93.6), cell: runs(92.6, 92.8, 93.0)})
    entry = of(table(found, "Table 5"), "VGG-19, 90%")
    assert entry.ours == (92.6, 92.8, 93.0)
    assert entry.judgement.spread.sd == pytest.approx(math.sqrt((0.01 * 2 + 0.04 * 2) / 4))
    assert entry.judgement.spread.df == 4
    assert entry.judgement.difference == pytest.approx(0.0)
    half = 2.1318468 * entry.judgement.spread.sd * math.sqrt(1 / 3 + 1 / 5) + 0.05
    assert entry.judgement.inner == (pytest.approx(-half), pytest.approx(half))
    assert entry.judgement.verdict == Verdict.EQUIVALENT
    assert unlinked(here(entry)) == "92.80 ± 0.20 (3)<br>**EQUIVALENT** +0.00"


def test_changes_are_against_the_unpruned_network_of_the_same_seed():
    base, cell = suite.base(VGG19, 0), pruned(VGG19, suite.GRASP, 95)
    found = evidence({base: runs(93.0, 93.5, 94.0), cell: runs(92.0, 92.5, 93.0)})
    entry = of(table(found, "Table 5"), "VGG-19, 95%, change")
    assert entry.ours == (-1.0, -1.0, -1.0)
    assert entry.judgement.verdict == Verdict.EQUIVALENT
    assert unlinked(here(entry)) == "-1.00 ± 0.00 (3) (unpruned)<br>**EQUIVALENT** +0.00"
    alone = of(table(evidence({cell: runs(92.0, 92.5)}), "Table 5"), "VGG-19, 95%, change")
    assert alone.ours == ()
    assert alone.judgement.verdict == Verdict.MISSING


def test_a_number_that_is_far_differs():
    base, cell = suite.base(VGG19, 0), pruned(VGG19, suite.SNIP, 90)
    found = evidence({base: runs(93.4, 93.5, 93.6), cell: runs(90.0, 90.1, 90.2)})
    entry = of(table(found, "Table 3"), "VGG-19, 90%")
    assert (entry.judgement.verdict, entry.judgement.beyond) == (Verdict.DIFFERS, True)
    page = tables.page(found)
    assert "**DIFFERS** -3.40" in page
    assert "by -3.400, beyond the margin of 0.5" in page
    assert "| Table 3 | 1 | 0 | 2 | 0 | 0 |" in page  # the unpruned one, and at 90 % the accuracy and its change


def test_a_network_in_two_tables_has_one_spread():
    base = suite.base(VGG19, 0)
    found = evidence({
        base: runs(93.4, 93.5, 93.6),
        pruned(VGG19, suite.SNIP, 90): runs(93.0, 93.5, 94.0),
        pruned(VGG19, suite.GRASP, 90): runs(92.7, 92.8, 92.9),
    })  # fmt: skip
    spreads = {of(table(found, name), "VGG-19, unpruned").judgement.spread for name in ("Table 3", "Table 5")}
    assert len(spreads) == 1
    assert spreads.pop().df == 6


def test_a_diverged_run_forbids_a_verdict_and_is_named():
    cell = pruned(VGG19, suite.SNIP, 95)
    found = evidence({cell: runs(93.4, 93.5) | {2: run(10.0, status="diverged")}})
    entry = of(table(found, "Table 3"), "VGG-19, 95%")
    assert entry.judgement.verdict == Verdict.NOT_COMPARABLE
    assert entry.judgement.reason == "1 of 3 runs of snip-weights95 diverged, and the others are a selection"
    assert unlinked(here(entry)) == "93.45 ± 0.07 (2)<br>**NOT COMPARABLE**<br>2 of 3 seeds"


def test_what_diverged_in_print_has_no_verdict():
    entry = of(table(evidence({pruned(VGG19, suite.SNIP, 98): runs(92, 92.1, 92.2)}), "Table 3"), "VGG-19, 98%")
    assert entry.judgement is None
    assert unlinked(here(entry)) == "92.10 ± 0.10 (3)"


def test_more_seeds_than_the_profile_has_lack_nothing():
    entry = of(table(evidence({pruned(VGG19, suite.SNIP, 98): runs(92, 92.1, 92.2, 92.3)}), "Table 3"), "VGG-19, 98%")
    assert unlinked(here(entry)) == "92.15 ± 0.13 (4)"


def test_without_a_number_of_runs_the_printed_number_is_taken_as_it_is():
    found = evidence({suite.base(suite.VGG16, 0): runs(93.2, 93.5, 93.8)})
    seven, two = unpruned(Facts(found)), table(found, "Table 2")
    alone, among = of(seven, "VGG-16, CIFAR-10"), of(two, "VGG-16, unpruned")
    assert (alone.number.replicates, alone.as_printed) == (None, True)
    assert (among.number.replicates, among.as_printed) == (5, False)
    low, high = alone.judgement.interval
    assert (high - low) / 2 == pytest.approx(4.3026527 * 0.3 / math.sqrt(3) + 0.05, rel=1e-6)
    page = tables.page(found)
    assert "†" in page
    assert "does not say over how many runs" in page


def test_table_7_tells_trainings_of_one_network_apart():
    fast, slow = (suite.base(suite.MODIFIED, 0, training) for training in ("none", "lr0.01"))
    found = unpruned(Facts(evidence({fast: runs(63.9, 64.0, 64.1), slow: runs(58.5, 58.7, 58.9)})))
    rows = [row for row in found.rows if row[0] == "ResNet-18 (Modified)"]
    here = [unlinked(row[4]).partition("<br>")[0] for row in rows]
    assert here == ["0 of 3 seeds", "0 of 3 seeds", "58.70 ± 0.20 (3)", "64.00 ± 0.10 (3)"]
    assert [row[2] for row in rows] == ["~95", "", "~64", ""]
    place = "ResNet-18 (Modified), TinyImageNet"
    judged, missing = of(found, f"{place}, lr=0.01"), of(found, "ResNet-18 (Modified), CIFAR-10, lr=0.01")
    assert judged.judgement.difference == pytest.approx(-0.1)
    assert judged.judgement.spread == of(found, place).judgement.spread
    assert judged.judgement.spread.df == 4
    assert missing.judgement.verdict == Verdict.MISSING
    assert missing.lacks == "3 runs missing: Modified ResNet-18; base; lr0.01"


def test_another_training_is_no_change_of_the_unpruned_network():
    fast, slow = (suite.base(suite.MODIFIED, 0, training) for training in ("none", "lr0.01"))
    found = Facts(evidence({fast: runs(63.0, 64.0, 65.0), slow: runs(58.0, 58.0, 58.0)}))
    cell = suite.SNIP.cell(suite.MODIFIED, Decimal("0.5"), 0)
    number = published.numbers(suite.SUITE, "Table 3")[0]
    assert change(found, cell, "here", number).judgement.spread is None


def masked(pruned_neurons, effective, layers=()):
    facts = MaskFacts(neurons_pruned=pruned_neurons, neurons_total=1000, neuron_curve=[], effective_weights=effective)
    return msgspec.structs.replace(TEMPLATE, mask=facts, layers=[Layer(name="a", kept=1, total=2)])


def mask_runs(neurons, effective):
    return {seed: masked(*each) for seed, each in enumerate(zip(neurons, effective, strict=True))}


def at(network, method, level):
    return method.cell(network, suite.level_amount(level), 0)


def test_percentages_of_neurons():
    synflow, snip = (at(suite.RESNET20, method, 6) for method in (suite.SYNFLOW, suite.SNIP))
    found = evidence({synflow: mask_runs((310, 315, 320), (9,) * 3), snip: mask_runs((200, 205, 210), (9,) * 3)}, MASKS)
    section = neuron_table(Facts(found))
    assert list(section.head)[1:3] == ["SynFlow", "SNIP"]
    near, far = (of(section, f"ResNet-20, 73.8 %, {label}") for label in ("SynFlow", "SNIP"))
    assert near.judgement.verdict == Verdict.EQUIVALENT
    assert near.judgement.difference == pytest.approx(0.5)
    assert far.judgement.verdict == Verdict.DIFFERS
    assert far.judgement.difference == pytest.approx(15.5)
    assert unlinked(here(near, "31")) == "31.5 ± 0.5 (3)<br>paper 31<br>**EQUIVALENT** +0.5"
    assert section.rows[3][2] == "paper 7<br>0 of 3 seeds"  # SNIP on ResNet-50


def test_a_percentage_below_one():
    cell = at(replace(suite.RESNET18, dataset="tiny_imagenet_subset"), suite.MAGNITUDE, 15)
    found = evidence({cell: mask_runs((0, 0, 0), (9,) * 3)}, MASKS)
    entry = of(neuron_table(Facts(found)), "ResNet-18, 96.5 %, Magnitude at initialisation")
    assert entry.bound
    assert entry.judgement.verdict == Verdict.EQUIVALENT
    assert "paper < 1" in tables.page(found)
    assert "printed as an upper bound" in tables.page(found)


def test_what_was_scored_on_other_images_is_not_comparable_and_shown():
    subset = replace(suite.RESNET18, dataset="tiny_imagenet_subset")
    snip, synflow = (at(subset, method, 15) for method in (suite.SNIP, suite.SYNFLOW))
    scored = DataFacts(name=subset.dataset, fingerprint="0", train_images=10_000, test_images=2_000, score_images=2_000)
    runs = mask_runs((195, 197, 199), (9,) * 3)
    on_images = {seed: msgspec.structs.replace(each, data=scored) for seed, each in runs.items()}
    found = evidence({snip: on_images, synflow: mask_runs((674, 676, 678), (9,) * 3)}, MASKS)
    section = neuron_table(Facts(found))
    assert section.rows[2][0] == "ResNet-18 on a subset of TinyImageNet, 96.5 %"
    assert unlinked(section.rows[2][2]) == "19.7 ± 0.2 (3)<br>paper 32<br>**NOT COMPARABLE** -12.3"
    assert unlinked(section.rows[2][1]) == "67.6 ± 0.2 (3)<br>paper 69<br>**EQUIVALENT** -1.4"
    assert of(section, "ResNet-18, 96.5 %, SNIP").judgement.reason == "scored on other images than the paper's"
    page = tables.page(found)
    assert "(50 of the 500 training images of each class)" in page
    assert "| **NOT COMPARABLE** | scored on other images than the paper's |" in page


def test_ratios_are_those_of_one_seed():
    plain, moved = (at(suite.RESNET20, each, 18) for each in (suite.SNIP, *suite.ablated(suite.SNIP, "shuffle")))
    found = evidence(
        {
            plain: mask_runs((0,) * 3, (10_000, 20_000, 40_000)),
            moved: mask_runs((0,) * 3, (10_353, 20_706, 41_412)),
        },
        MASKS,
    )
    entry = of(ratio_table(Facts(found)), "ResNet-20, 98.2 %, SNIP")
    assert entry.ours == pytest.approx((1.0353,) * 3)
    assert entry.judgement.verdict == Verdict.EQUIVALENT
    assert entry.judgement.margin == 0.002
    assert (
        unlinked(here(entry, "1.0353"))
        == "1.0353 ± 0.0000 (3) (shuffled in layers)<br>paper 1.0353<br>**EQUIVALENT** +0.0000"
    )
    lower = evidence({**found.records, moved: mask_runs((0,) * 3, (10_000, 20_010, 40_000))}, MASKS)
    assert of(ratio_table(Facts(lower)), "ResNet-20, 98.2 %, SNIP").judgement.verdict == Verdict.DIFFERS
    half = evidence({plain: found.records[plain]}, MASKS)
    missing = of(ratio_table(Facts(half)), "ResNet-20, 98.2 %, SNIP")
    assert (missing.ours, missing.judgement.verdict) == ((), Verdict.MISSING)
    assert missing.lacks == "3 runs missing: ResNet-20; snip; k18; shuffle"


def test_every_number_leads_to_its_records():
    base, cell = suite.base(VGG19, 0), pruned(VGG19, suite.GRASP, 95)
    found = evidence({base: runs(93.0, 93.5), cell: runs(92.0, 92.5)})
    where = "missing_the_mark_vgg19-cifar10.md#missing_the_mark-vgg19-cifar10-"
    assert here(of(table(found, "Table 5"), "VGG-19, unpruned")).startswith(f"[93.25 ± 0.35 (2)]({where}base)<br>")
    assert here(of(table(found, "Table 5"), "VGG-19, 95%, change")).startswith(
        f"[-1.00 ± 0.00 (2)]({where}grasp-weights95) ([unpruned]({where}base))<br>"
    )
    assert f"| [93.25 ± 0.35 (2)]({where}base) | 93.5 " in tables.page(found)


def test_one_seed_is_too_few():
    found = evidence({at(suite.RESNET20, suite.SYNFLOW, 6): {0: masked(310, 9)}}, MASKS)
    entry = of(neuron_table(Facts(found)), "ResNet-20, 73.8 %, SynFlow")
    assert entry.judgement.verdict == Verdict.TOO_FEW
    assert unlinked(here(entry, "31")) == "31.0 (1)<br>paper 31<br>**TOO FEW**<br>1 of 3 seeds"


def test_pages():
    assert tables.page(evidence({}, profiles.get("released"))) is None
    assert tables.page(evidence({}, profiles.get("demo"))) is None
    masks = tables.page(evidence({}, MASKS))
    assert "Profile masks has nothing to show of Table 2, Table 3, Table 5, Table 7." in masks
    assert "On other data than the paper's: ResNet-18 on a subset of TinyImageNet (50 of the 500" in masks
    assert "## Section 5" in masks
    paper = tables.page(evidence({}))
    assert paper.startswith("# Pruning at initialisation: tables\n")
    assert "| Table 2 | 0 | 0 | 0 | 0 | 0 | 15 |" in paper
    assert "3 runs missing: VGG2-16; snip; 95 %" in paper


def test_a_profile_that_is_not_comparable():
    mini = profiles.get("mini")
    page = tables.page(evidence({at(suite.RESNET20, suite.SYNFLOW, 6): {0: masked(310, 9)}}, mini))
    assert "NOT COMPARABLE: no number on this page" in page
    assert "31.0 (1)<br>paper 31<br>**NOT COMPARABLE**" in unlinked(page)
    assert "Verdicts in full" not in page
    assert "| Section 5 | 0 | 0 | 0 | 4 | 0 | 0 |" in page  # shuffled masks are not run there


def test_runs_of_source_that_is_not_committed_are_left_out():
    uncommitted = msgspec.structs.replace(TEMPLATE.environment, dirty=True)
    page = tables.page(evidence({suite.base(suite.VGG16, 0): runs(93.5, 93.6, environment=uncommitted)}))
    assert "2 runs are left out" in page
    assert "93.55" not in page


@pytest.mark.parametrize(
    ("value", "digits", "signed", "text"),
    [(1.004, 2, True, "+1.00"), (-0.001, 2, True, "+0.00"), (-0.001, 2, False, "0.00"), (-1.5, 1, False, "-1.5")],
)
def test_zero_has_no_minus(value, digits, signed, text):
    assert number(value, digits, with_sign=signed) == text


def test_entries_name_the_cells_they_are_made_of():
    facts = Facts(evidence({}))
    network = facts.network(suite.VGG16)
    cell = pruned(network, suite.SNIP, 97)
    assert accuracy(facts, cell, "here", None).judgement is None
    assert change(facts, cell, "here", None).lacks == "6 runs missing: VGG-16; snip; 97 %, and VGG-16; base"
    number = published.numbers(suite.SUITE, "Section 5 text")[0]
    assert neurons(facts, network, suite.SYNFLOW, "here", number).judgement.verdict == Verdict.MISSING
    assert ratio(facts, network, suite.RANDOM, 12, "here", number) is None  # no cell shuffles a random mask
