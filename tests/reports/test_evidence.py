import msgspec
import pytest

from bench import profiles
from bench.cell import Cell
from bench.protocol import Protocol
from reports.evidence import Setting, gather
from reports.quantity import Quantity, index, kind_of, why_not_comparable
from reports.tables import quantity_of
from reports.verdicts import Verdict
from results import published

from .conftest import current

LOSS = Setting("vgg13", "cifar10", "loss", 5)
CELL = "gradient_flow-vgg13-cifar10-loss-filters75-r5-s0"


def test_of_several_records_the_final_and_then_the_newest_counts(make_record, evidence_of):
    old = make_record(CELL, best=90.0, finished="2026-01-02T00:00:00Z")
    new = make_record(CELL, best=91.0, finished="2026-01-03T01:00:00+02:00")
    broken = make_record(CELL, status="error", finished="2026-01-04T00:00:00Z")
    for records in ((old, new, broken), (broken, new, old)):
        evidence = evidence_of(*records)
        assert evidence.values(LOSS, "best") == {0: 91.0}
        assert evidence.replaced == 2


def test_records_of_another_protocol_are_left_out_and_counted(make_record, evidence_of):
    evidence = evidence_of(make_record(CELL, protocol=Protocol(epochs=7)))
    assert evidence.seeds(LOSS) == {}
    assert evidence.other_protocol == 1


@pytest.mark.parametrize(
    "cell",
    [
        "gradient_flow-vgg13-cifar10-loss-filters65-r5-s0",  # the amount of CIFAR-100
        "gradient_flow-vgg13-cifar10-loss-filters75-r7-s0",
        "gradient_flow-vgg13-digits-loss-filters75-r5-s0",
        "gradient_flow-vgg13-cifar10-loss-filters75-r5-shuffle-s0",
        "other-vgg13-cifar10-loss-filters75-r5-s0",
        "gradient_flow-lenet-cifar10-loss-filters75-r5-s0",
    ],
)
def test_cells_that_the_tables_do_not_have_are_left_out_and_counted(cell, make_record, evidence_of):
    evidence = evidence_of(make_record(cell))
    assert (dict(evidence.records), evidence.elsewhere) == ({}, 1)


def test_records_that_make_no_sense_are_left_out(make_record, evidence_of):
    record = make_record(CELL)
    strange = msgspec.structs.replace(record, cell={**record.cell, "amount": "much"})
    unknown = msgspec.structs.replace(record, protocol={"colour": "red"})
    assert (evidence_of(strange).elsewhere, evidence_of(unknown).other_protocol) == (1, 1)


def test_changes_are_paired_by_seed(make_record, evidence_of):
    bases = [make_record(f"gradient_flow-vgg13-cifar10-base-s{seed}", best=93.0 + seed) for seed in (0, 1)]
    runs = [make_record(f"{CELL[:-1]}{seed}", best=92.0 + 2 * seed) for seed in (0, 1, 2)]
    assert evidence_of(*bases, *runs).changes(LOSS, "best") == {0: -1.0, 1: 0.0}  # seed 2 has no base


def test_seeds_and_scores_beyond_the_profile_count(make_record, evidence_of):
    mine = "gradient_flow-vgg13-cifar10-mine-filters75-r5-s7"
    evidence = evidence_of(make_record(mine))
    assert evidence.extra_scores == ("mine",)
    absent = [cell.id for cell in evidence.missing() if cell.score == "mine"]
    assert "gradient_flow-vgg13-cifar10-mine-filters75-r5-s0" in absent
    assert mine not in absent


def test_records_of_code_that_has_changed_its_meaning_are_left_out_and_counted(make_record, evidence_of):
    old = make_record(CELL, versions={**current(Cell.parse(CELL)), "training": 0})
    evidence = evidence_of(old)
    assert evidence.seeds(LOSS) == {}
    assert evidence.other_versions == 1
    assert CELL in [cell.id for cell in evidence.missing()]


def test_mixed_versions_of_a_users_score_are_counted(make_record, evidence_of):
    mine = "gradient_flow-vgg13-cifar10-mine-filters75-r5-s0"
    one, two = make_record(mine), f"{mine[:-1]}1"
    edited = make_record(two, versions={**current(Cell.parse(mine)), "score": "theirs:score@76543210"})
    assert evidence_of(one, edited).mixed_versions == 1
    assert evidence_of(one, make_record(two)).mixed_versions == 0


def test_every_published_number_of_the_three_tables_has_a_place():
    for table in ("Table 1", "Table 2", "Table 3"):
        numbers = published.numbers("gradient_flow", table)
        assert len(index(numbers)) == len(numbers)
    assert index(published.numbers("gradient_flow", "Table 1"))["test_accuracy_pct", LOSS].value_text == "91.43"


def test_classes_of_methods():
    def kind(score, rounds):
        return kind_of(Setting("vgg13", "cifar10", score, rounds))

    assert kind("grasp_t1", 1) == kind("magnitude", 25) == kind("abs_grasp", 25) == kind("base", None)
    assert len({kind("grasp_t1", 5), kind("grasp_t200", 5), kind("magnitude", 5), kind("random", 5)}) == 4
    assert kind("grasp_t1", 5) == kind("grasp_t1", 25)
    assert kind_of(Setting("vgg13", "cifar100"), paired=True) == "base"


def test_the_pool_is_of_one_class_and_leaves_out_scores_of_users(make_record, evidence_of):
    def runs(score, rounds, *values):
        name = f"gradient_flow-vgg13-cifar10-{score}-filters75-r{rounds}"
        return [make_record(f"{name}-s{seed}", best=value) for seed, value in enumerate(values)]

    evidence = evidence_of(
        *runs("loss", 5, 91.0, 92.0, 93.0),  # sum of squares 2
        *runs("proposed", 1, 92.0, 92.0, 92.0),
        *runs("mine", 1, 10.0, 50.0, 90.0),
        *runs("abs_grasp", 1, 10.0, 50.0, 90.0),  # of Table 2
    )
    judgement = quantity_of(1, evidence).judge(LOSS)
    assert judgement is not None
    assert judgement.spread is not None
    assert (judgement.spread.sd, judgement.spread.df, judgement.spread.cells) == (pytest.approx(0.5**0.5), 4, 2)


def test_a_diverged_seed_makes_the_mean_of_the_others_a_selection(make_record, evidence_of):
    runs = [make_record(f"{CELL[:-1]}{seed}", best=91.0 + seed) for seed in (0, 1)]
    judgement = quantity_of(1, evidence_of(*runs, make_record(f"{CELL[:-1]}2", status="diverged"))).judge(LOSS)
    assert judgement is not None
    assert (judgement.verdict, judgement.reason) == (
        Verdict.NOT_COMPARABLE,
        "1 of 3 seeds diverged, and the others are a selection",
    )


def test_profiles_with_another_protocol_say_what_differs(make_record, evidence_of):
    reason = why_not_comparable(profiles.get("nightly"))
    assert reason.startswith("another protocol: epochs 20 instead of 160, lr_drops 10/15 instead of 80/120, ")
    assert reason.endswith(", precision bf16 instead of fp32")
    assert why_not_comparable(profiles.get("paper")) == why_not_comparable(profiles.get("released")) == ""
    evidence = evidence_of(make_record(CELL, profile="nightly"), profile="nightly")
    assert quantity_of(1, evidence).judge(LOSS).verdict == Verdict.NOT_COMPARABLE


def test_a_demonstration_never_meets_a_published_number():
    number = next(iter(published.numbers("gradient_flow", "Table 1")))
    setting = Setting("vgg13", "digits", "loss", 1)
    evidence = gather(profiles.get("demo"), ())
    quantity = Quantity("Table 1", ("loss",), evidence, {("test_accuracy_pct", setting): number})
    assert (quantity.published(setting), quantity.judge(setting)) == (None, None)
