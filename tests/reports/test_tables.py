from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import markdown
from reports.evidence import Setting
from reports.filters import expected_pruned
from reports.prices import prices
from reports.tables import Context, home
from reports.tables import table as build
from reports.verdicts import Verdict
from results import published


def no_link(_record):
    return None


def key_link(record):
    return f"{record.key[:-9]}.json"


def table(number, evidence, link):
    return build(number, evidence, Context(link, prices(evidence)))


def find(view, setting):
    return next(cell for cell in view.cells() if cell.setting == setting)


@pytest.mark.parametrize(
    ("amount", "total", "pruned"),
    [("0.75", 100, 75), ("0.65", 10, 7), ("0.5", 3, 2), ("0.60", 2032, 1219), ("0.65", 5984, 3890), ("0.9", 5, 5)],
)
def test_expected_pruned_by_hand(amount, total, pruned):
    assert expected_pruned(Decimal(amount), total) == pruned


@given(st.integers(1, 999), st.integers(1, 100_000))
def test_expected_pruned_is_the_nearest_whole_number(thousandths, total):
    count = expected_pruned(Decimal(thousandths) / 1000, total)
    assert -500 <= 1000 * count - thousandths * total <= 500


def test_tables_1_and_2_have_the_layout_of_the_paper(evidence_of):
    for number, scores in ((1, ("Mag.", "Loss", "Proposed")), (2, ("GraSP (T=200)", "GraSP (T=1)", "|GraSP| (T=1)"))):
        view = table(number, evidence_of(), no_link)
        assert [group.heading for group in view.groups] == ["CIFAR-10", "CIFAR-100"]
        assert [(c.rounds, c.label) for c in view.groups[0].columns] == list(product((1, 5, 25), scores))
        assert [row.label for row in view.groups[1].rows] == ["VGG-13", "MobileNet-V1", "ResNet-56"]
        assert [row.pruned for row in view.groups[1].rows] == ["65%", "65%", "50%"]
        assert len(list(view.cells())) == len(published.numbers("gradient_flow", f"Table {number}"))
        assert all(cell.published for cell in view.cells())


def test_table_3_has_the_layout_of_the_paper(evidence_of):
    view = table(3, evidence_of(), no_link)
    assert [group.heading for group in view.groups] == [
        "VGG-13 on CIFAR-100, 65% pruned",
        "MobileNet-V1 on CIFAR-100, 65% pruned",
        "ResNet-56 on CIFAR-100, 50% pruned",
    ]
    assert [column.label for column in view.groups[0].columns][:3] == ["Random", "Uniform", "Mag."]
    assert [row.label for row in view.groups[0].rows] == ["1 round", "5 rounds", "25 rounds"]
    assert [row.base is not None for row in view.groups[0].rows] == [True, False, False]
    assert len(list(view.cells())) == len(published.numbers("gradient_flow", "Table 3")) == 75


def test_every_printed_value_stands_in_its_own_cell(evidence_of):
    """Read back from the views, so that a swapped column or row is seen."""
    names = {"vgg13": "VGG-13", "mobilenet_v1": "MobileNet-V1", "resnet56": "ResNet-56"}
    sets = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
    for view in (table(number, evidence_of(), no_link) for number in (1, 2, 3)):
        shown = {
            (names[c.setting.model], sets[c.setting.dataset], c.setting.score, c.setting.rounds): c.published
            for c in view.cells()
        }
        numbers = published.numbers("gradient_flow", f"Table {view.number}")
        assert shown == {(n.model, n.dataset, n.scorer, n.rounds): n.value_text for n in numbers}


def runs(make_record, score, *values, rounds=1, dataset="cifar10", percent=75, **options):
    name = "base" if score == "base" else f"{score}-filters{percent}-r{rounds}"
    return [
        make_record(f"gradient_flow-vgg13-{dataset}-{name}-s{seed}", best=value, last=value - 1, **options)
        for seed, value in enumerate(values)
    ]


def test_a_row_in_full(make_record, evidence_of):
    evidence = evidence_of(
        *runs(make_record, "base", 93.0, 93.1, 93.2),
        *runs(make_record, "magnitude", 92.0, 92.1, 92.2, pruned=75),
        *runs(make_record, "loss", 90.0, 90.1, pruned=75),
    )
    lines = markdown.page(table(1, evidence, key_link), "run it").splitlines()
    row = next(line for line in lines if line.startswith("| VGG-13")).split(" | ")
    stem = "gradient_flow-vgg13-cifar10"

    def linked(name, *seeds):
        return " ".join(f'<a id="{stem}-{name}-s{n}"></a>[s{n}]({stem}-{name}-s{n}.json)' for n in seeds)

    assert row[0] == (
        f"| VGG-13<br>93.10 ± 0.10 (3)<br>last 92.10 ± 0.10 (3)<br>paper 93.1†<br>**EQUIVALENT** +0.00<br>"
        f"{linked('base', 0, 1, 2)}"
    )
    assert row[1] == "75%"
    assert row[3].startswith(
        "90.05 ± 0.07 (2)<br>last 89.05 ± 0.07 (2)<br>paper 92.01<br>**DIFFERS** -1.96<br>"
        f"{linked('loss-filters75-r1', 0, 1)}<br>missing s2 ("
    )
    assert row[4].startswith("paper 92.13<br>missing (")
    assert "To run what is missing: `run it`" in lines
    # sd: (0.02 + 0.02 + 0.005) / 5 is 0.0949 squared, times sqrt(1/2 + 1/3) is 0.0866; reach of the 90 % interval
    # 2.0150 * 0.0866 + 0.005 = 0.1795, of the 95 % interval 2.5706 * 0.0866 + 0.005 = 0.2276
    full = next(line for line in lines if line.startswith("| vgg13 | cifar10 | Loss | 1 | 90.05"))
    assert full == (
        "| vgg13 | cifar10 | Loss | 1 | 90.05 ± 0.07 (2) | 92.01 | -1.96 | -2.140 to -1.780 | -2.188 to -1.732 "
        "| 0.095 (5) | **DIFFERS** | by -1.96, beyond the margin of 0.5 | DIFFERS |"
    )


def test_remarks_on_printed_numbers_are_shown(evidence_of):
    page = markdown.page(table(3, evidence_of(), no_link), "run it")
    assert "paper -0.51†<br>missing" in page
    (line,) = (line for line in page.splitlines() if line.startswith("- INCONSISTENT: 69.62-0.51=69.11"))
    assert line.endswith(": vgg13 cifar100 Loss 25")


def test_every_cell_has_one_address(make_record, evidence_of):
    evidence = evidence_of(*runs(make_record, "base", 93.0), *runs(make_record, "abs_grasp", 92.0))
    pages = [markdown.page(table(number, evidence, key_link), "") for number in (1, 2, 3)]
    for setting, number in ((Setting("vgg13", "cifar10"), 1), (Setting("vgg13", "cifar10", "abs_grasp", 1), 2)):
        anchor = f'<a id="{setting.cell(0).id}"></a>'
        assert [page.count(anchor) for page in pages] == [home(setting) == n for n in (1, 2, 3)]
        assert home(setting) == number


def test_diverged_failed_and_missing_are_three_different_things(make_record, evidence_of):
    cell = "gradient_flow-vgg13-cifar10-loss-filters75-r5-s"
    evidence = evidence_of(make_record(f"{cell}0", status="diverged"), make_record(f"{cell}1", status="timeout"))
    view = find(table(1, evidence, no_link), Setting("vgg13", "cifar10", "loss", 5))
    assert [(run.seed, run.state, run.status) for run in view.runs] == [
        (0, "diverged", "diverged"),
        (1, "failed", "timeout"),
        (2, "missing", ""),
    ]
    assert markdown.cell(view, "best").endswith("<br>missing s2 (5.7 h)")


def test_table_3_is_judged_on_pairs(make_record, evidence_of):
    """The base varies by points between seeds, the change does not: unpaired it could not be told from anything."""
    evidence = evidence_of(
        *runs(make_record, "base", 60.0, 70.0, 80.0, dataset="cifar100"),
        *runs(make_record, "random", 54.2, 64.3, 74.4, dataset="cifar100", percent=65),
    )
    view = find(table(3, evidence, no_link), Setting("vgg13", "cifar100", "random", 1))
    assert view.headline.values == pytest.approx((-5.8, -5.7, -5.6))
    assert (view.published, view.judgement.verdict) == ("-5.71", Verdict.EQUIVALENT)
    assert view.judgement.spread.sd == pytest.approx(0.1)
    assert markdown.number(view.headline, with_sign=True) == "-5.70 ± 0.10 (3)"


def test_table_3_without_a_base_says_so(make_record, evidence_of):
    evidence = evidence_of(*runs(make_record, "random", 54.2, dataset="cifar100", percent=65))
    view = find(table(3, evidence, no_link), Setting("vgg13", "cifar100", "random", 1))
    assert "no base run of the same seed" in markdown.cell(view, "best")


def test_kept_filters_are_exact(make_record, evidence_of):
    evidence = evidence_of(
        *runs(make_record, "loss", 90.0, 91.0, pruned=76), *runs(make_record, "magnitude", 90.0, pruned=75)
    )
    view = table(1, evidence, no_link)
    wrong = find(view, Setting("vgg13", "cifar10", "loss", 1)).removed
    right = find(view, Setting("vgg13", "cifar10", "magnitude", 1)).removed
    assert (wrong.judgement.verdict, wrong.judgement.reason) == (Verdict.DIFFERS, "+1; 75 expected")
    assert right.judgement.verdict == Verdict.EQUIVALENT
    page = markdown.page(view, "")
    assert "| vgg13 | cifar10 | Mag. | 1 | 100 | 75 | 75 | 25 | exact |" in page
    assert "| vgg13 | cifar10 | Loss | 1 | 100 | 76 | 75 | 24 | **DIFFERS** +1; 75 expected |" in page


def test_kept_filters_of_the_released_arithmetic_are_not_judged(make_record, evidence_of):
    records = runs(make_record, "loss", 90.0, pruned=71, profile="released")
    view = find(table(1, evidence_of(*records, profile="released"), no_link), Setting("vgg13", "cifar10", "loss", 1))
    assert (view.removed.expected, view.removed.judgement.verdict) == (None, Verdict.NOT_COMPARABLE)


def test_scores_of_users_are_extra_columns(make_record, evidence_of):
    view = table(1, evidence_of(*runs(make_record, "mine", 92.5)), no_link)
    labels = [(column.score, column.in_paper) for column in view.groups[0].columns[:4]]
    assert labels == [("magnitude", True), ("loss", True), ("proposed", True), ("mine", False)]
    cell = find(view, Setting("vgg13", "cifar10", "mine", 1))
    assert (cell.published, cell.judgement, cell.headline.values) == (None, None, (92.5,))
    assert "1 round<br>mine<br>*not in the paper*" in markdown.page(view, "")


def test_profiles_that_are_not_comparable_say_so_beside_every_number(make_record, evidence_of):
    view = table(1, evidence_of(*runs(make_record, "loss", 60.0, profile="mini"), profile="mini"), no_link)
    page = markdown.page(view, "")
    assert view.headline == "last"
    assert {cell.judgement.verdict for cell in view.cells()} == {Verdict.NOT_COMPARABLE}
    assert page.count("paper ") == page.count("**NOT COMPARABLE**") == len(list(view.cells()))
    assert "train_limit 5000 instead of all" in page
    assert "59.00 (1)<br>best 60.00 (1)<br>paper 92.01<br>**NOT COMPARABLE**" in page


def test_profiles_without_table_3_say_why(evidence_of):
    released = markdown.page(table(3, evidence_of(profile="released"), no_link), "")
    assert "NOT COMPARABLE: random and uniform pruning are not in the code that profile released follows." in released


def test_a_bar_does_not_end_a_cell():
    assert markdown.grid(["|a|"], [["b"]]) == "| \\|a\\| |\n| --- |\n| b |"
