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
    alone = [kind(score, rounds) for score in ("grasp_t1", "grasp_t200", "random", "uniform") for rounds in (5, 25)]
    assert len({kind("magnitude", 5), *alone}) == 9


def runs(make_record, score, rounds, *values, dataset="cifar10", percent=75, **options):
    name = "base" if score == "base" else f"{score}-filters{percent}-r{rounds}"
    ids = (f"gradient_flow-vgg13-{dataset}-{name}-s{seed}" for seed in range(len(values)))
    return [make_record(name, best=value, **options) for name, value in zip(ids, values, strict=True)]


def test_the_pool_is_of_one_class_over_all_tables_and_leaves_out_scores_of_users(make_record, evidence_of):
    evidence = evidence_of(
        *runs(make_record, "loss", 5, 91.0, 92.0, 93.0),  # sum of squares 2
        *runs(make_record, "proposed", 1, 92.0, 92.0, 92.0),
        *runs(make_record, "abs_grasp", 1, 92.0, 93.0, 94.0),  # of Table 2
        *runs(make_record, "mine", 1, 10.0, 50.0, 90.0),
        *runs(make_record, "grasp_t1", 25, 10.0, 50.0, 90.0),
    )
    spread = quantity_of(1, evidence).judge(LOSS).spread
    assert (spread.sd, spread.df, spread.df_per_seed) == (pytest.approx((4 / 6) ** 0.5), 6, 3)
    own = quantity_of(2, evidence).judge(Setting("vgg13", "cifar10", "grasp_t1", 25)).spread
    assert (own.sd, own.df) == (40, 2)


def test_a_base_gets_one_verdict_in_every_table(make_record, evidence_of):
    evidence = evidence_of(
        *runs(make_record, "base", None, 69.5, 69.6, 69.7, dataset="cifar100"),
        *runs(make_record, "loss", 1, 68.5, 69.6, 69.7, dataset="cifar100", percent=65),
    )
    first, second, third = (quantity_of(n, evidence).judge(Setting("vgg13", "cifar100")) for n in (1, 2, 3))
    assert first == second
    assert first.spread == third.spread
    assert first.spread.df == 4


def test_changes_share_their_base_and_so_some_degrees_of_freedom(make_record, evidence_of):
    evidence = evidence_of(
        *runs(make_record, "base", None, 69.5, 69.6, 69.7, dataset="cifar100"),
        *runs(make_record, "loss", 1, 68.5, 68.6, 68.8, dataset="cifar100", percent=65),
        *runs(make_record, "proposed", 1, 68.5, 68.6, 68.8, dataset="cifar100", percent=65),
    )
    spread = quantity_of(3, evidence).judge(Setting("vgg13", "cifar100", "loss", 1)).spread
    assert spread.df == pytest.approx(4 * 4 / 5)  # two cells of three seeds have 4 degrees; 4/(k + 3) of them count


def test_rounding_of_the_printed_number_widens_the_intervals(make_record, evidence_of):
    evidence = evidence_of(*runs(make_record, "base", None, 93.0, 93.1, 93.2))
    found = quantity_of(1, evidence).judge(Setting("vgg13", "cifar10"))
    reach = 4.3027 * 0.1 * (2 / 3) ** 0.5  # printed as 93.1, so up to 0.05 away
    assert found.interval == (pytest.approx(-reach - 0.05, abs=1e-4), pytest.approx(reach + 0.05, abs=1e-4))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"pruned": 10}, "other filters removed than the protocol says: -65; 75 expected"),
        ({"dirty": True}, "3 of 3 runs were made by source that is not committed"),
        ({"status": "diverged"}, "3 of 3 seeds diverged"),
    ],
)
def test_runs_that_cannot_stand_for_the_paper_get_no_verdict(options, reason, make_record, evidence_of):
    found = quantity_of(1, evidence_of(*runs(make_record, "loss", 5, 91.0, 91.1, 91.2, **options))).judge(LOSS)
    assert (found.verdict, found.reason) == (Verdict.NOT_COMPARABLE, reason)


def test_a_base_that_diverged_is_a_selection_too(make_record, evidence_of):
    bases = runs(make_record, "base", None, 69.5, 69.6, dataset="cifar100")
    lost = make_record("gradient_flow-vgg13-cifar100-base-s2", status="diverged")
    pruned = runs(make_record, "loss", 1, 68.5, 68.6, 68.8, dataset="cifar100", percent=65)
    found = quantity_of(3, evidence_of(*bases, lost, *pruned)).judge(Setting("vgg13", "cifar100", "loss", 1))
    assert found.verdict == Verdict.NOT_COMPARABLE
    assert found.reason == "1 of 3 seeds of the base diverged, and the others are a selection"


def test_cells_that_failed_are_unfinished_but_not_missing(make_record, evidence_of):
    evidence = evidence_of(make_record(CELL, status="timeout"))
    assert CELL not in [cell.id for cell in evidence.missing()]
    assert CELL in [cell.id for cell in evidence.unfinished()]


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
