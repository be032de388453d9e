"""The order of the queue, what it would settle, and how it fits into a time."""

import time

import pytest

from bench.cell import DYNAMICS, Cell
from bench.profiles import get
from bench.queue import Question, in_turn, longest_first, packed, queue
from bench.suites import missing_the_mark as weights
from bench.suites import missing_the_mark_questions
from bench.suites.gradient_flow_claims import CLAIMS, questions
from results import published

PAPER = tuple(get("paper").cells())


def cell(score, seed=0):
    where = {"suite": "gradient_flow", "model": "vgg13", "dataset": "cifar10"}
    pruned = {} if score == "base" else {"amount": "0.75", "rounds": 1}
    return Cell.from_dict({**where, "score": score, **pruned, "seed": seed})


A, B, C, D = (cell(score) for score in ("magnitude", "loss", "proposed", "abs_grasp"))


def asking(decides):
    return lambda cell: tuple(Question(name, None) for name in decides.get(cell, ()))


def order(cells, seconds=None, decides=None, begun=(), unanswered=()):
    costs = seconds or dict.fromkeys(cells, 1.0)
    entries = queue(cells, costs, asking(decides or {}), begun=begun, unanswered=unanswered)
    return [entry.cell for entry in entries]


def test_first_seeds_come_before_second_seeds():
    second = cell("loss", seed=1)
    assert order([second, A], {second: 1.0, A: 100.0}) == [A, second]


def test_what_has_been_begun_comes_first():
    second = cell("loss", seed=1)
    assert order([A, B, second], begun=[second]) == [second, A, B]


def test_cells_that_decide_a_claim_come_before_others_whatever_they_cost():
    assert order([A, B], {A: 1.0, B: 50.0}, {B: ("x",)}) == [B, A]


def test_a_claim_near_its_decision_comes_first():
    decides = {A: ("wide",), B: ("wide",), C: ("wide",), D: ("near",)}
    assert order([A, B, C, D], decides=decides)[0] == D


def test_a_claim_is_completed_before_another_is_begun():
    """Once A is to run, "one" misses a single cell, and B counts for all of it."""
    decides = {A: ("one",), B: ("two",), C: ("one",), D: ("two",)}
    assert order([A, B, C, D], decides=decides) == [A, C, B, D]


def test_of_equal_worth_the_cheaper_comes_first():
    assert order([A, B], {A: 9.0, B: 3.0}, {A: ("x",), B: ("y",)}) == [B, A]
    assert order([A, B], {A: 9.0, B: 3.0}) == [B, A]


def test_a_question_also_waits_for_cells_that_are_not_asked_for():
    decides = {A: ("x",), B: ("x",), C: ("y",)}
    assert order([A, C], decides=decides)[0] == A
    assert order([A, C], decides=decides, unanswered=[B])[0] == C


def test_a_table_is_no_claim():
    """Both complete something, and B costs less; but only A completes a claim."""
    asks = {A: (Question("claim", 0),), B: (Question("table", 0, kind="table"),)}
    entries = queue([A, B], {A: 9.0, B: 1.0}, lambda cell: asks[cell])
    assert [entry.cell for entry in entries] == [A, B]


def test_an_entry_says_what_still_waits_for_it():
    entries = queue([A, B], {A: 1.0, B: 2.0}, asking({A: ("x",), B: ("x",)}))
    assert [list(entry.waiting.values()) for entry in entries] == [[2], [1]]


def entries_of(costs, begun=()):
    return queue(list(costs), costs, asking({}), begun=begun)


def test_what_fits_is_taken_where_it_still_fits():
    fit, rest = packed(entries_of({A: 1.0, B: 2.0, C: 5.0, D: 7.0}), 6.0)
    assert [entry.cell for entry in fit] == [A, B]
    assert [entry.cell for entry in rest] == [C, D]


def test_what_has_been_begun_leads_though_it_costs_more_than_there_is():
    ordered = in_turn(entries_of({A: 1.0, B: 100.0}, begun=[B]), 8.0)
    assert [entry.cell for entry in ordered] == [B, A]


def test_what_does_not_fit_stays_among_the_cells_of_its_seed():
    second = cell("loss", seed=1)
    ordered = in_turn(entries_of({A: 100.0, B: 2.0, second: 1.0}), 5.0)
    assert [entry.cell for entry in ordered] == [B, A, second]


def test_every_claim_is_one_of_the_papers_and_has_cells():
    known = {claim.claim_id for claim in published.claims("gradient_flow")}
    for needs in CLAIMS:
        assert needs.claim in known or needs.claim.startswith("table"), needs.claim
        assert any(needs.include(cell) for cell in PAPER), needs.claim


def names(cell, **options):
    return [question.name for question in questions(cell, **options)]


def test_every_cell_of_the_paper_belongs_to_a_table():
    tables = [
        [question for question in questions(cell) if not question.claim] for cell in PAPER if cell.score != DYNAMICS
    ]
    assert all(tables)
    assert sum(map(len, tables)) == 3 * (2 * 6 * 10 + 3 * 25), "two tables of nine and a base, one of 24 and a base"


def found(model, score, rounds, dataset="cifar100", seed=0):
    wanted = (model, dataset, score, rounds, seed)
    (one,) = (cell for cell in PAPER if (cell.model, cell.dataset, cell.score, cell.rounds, cell.seed) == wanted)
    return one


@pytest.mark.parametrize(
    ("model", "score", "rounds", "claim"),
    [
        ("resnet56", "grasp_t1", 25, "gf_grasp_t1_chance_resnet56_cifar100"),
        ("resnet56", "uniform", 25, "gf_resnet56_uniform_25_chance"),
        ("vgg13", "proposed", 25, "gf_proposed_gt_magnitude_25"),
    ],
)
def test_a_cell_knows_the_claims_it_decides(model, score, rounds, claim):
    assert claim in names(found(model, score, rounds))
    assert claim not in names(found(model, "abs_grasp", rounds))


def test_a_base_cell_decides_tables_alone():
    assert names(found("vgg13", "base", None)) == [f"table{n}_vgg13_cifar100" for n in (1, 2, 3)]


def test_a_claim_about_deviations_takes_all_seeds_and_the_others_one():
    seeds = {question.name: question.seed for question in questions(found("vgg13", "loss", 5, seed=2))}
    assert (seeds["gf_table1_std_bound"], seeds["gf_magnitude_gt_loss"]) == (None, 2)


def test_a_claim_that_needs_what_a_protocol_lacks_is_not_waited_for():
    magnitude = found("vgg13", "magnitude", 5)
    assert "gf_random_worse_than_magnitude" in names(magnitude)
    kept = names(magnitude, without=("random", "uniform"))
    assert not [name for name in kept if "random" in name or name.startswith("table3")]
    assert "gf_magnitude_gt_loss" in kept


# The second suite.


def asked(cell):
    return {question.name: question for question in missing_the_mark_questions.questions(cell)}


def test_a_cell_of_weights_knows_the_figures_it_is_drawn_in():
    snip = weights.SNIP.cell(weights.LENET, weights.level_amount(11), 2)
    assert sorted(asked(snip)) == [f"figure_k.{k}_lenet300_100_mnist" for k in (1, 2, 3, 6, 8)]
    assert {(question.seed, question.claim) for question in asked(snip).values()} == {(2, True)}
    few = weights.SNIP.cell(
        weights.LENET, weights.level_amount(7), 0
    )  # no level of ablations, nor the one that matches
    assert sorted(asked(few)) == [f"figure_k.{k}_lenet300_100_mnist" for k in (1, 6)]


def test_tables_of_the_second_suite_are_no_claims():
    base = asked(weights.base(weights.VGG16, 0))
    assert {name for name, question in base.items() if not question.claim} == {
        "table_2_vgg16_cifar10",
        "table_7_vgg16_cifar10",
    }
    assert "figure_7_vgg16_cifar10" in base


def test_another_training_is_for_its_table_alone():
    assert list(asked(weights.base(weights.MODIFIED, 0, "lr0.01"))) == ["table_7_resnet18_modified_tiny_imagenet"]


def test_every_cell_of_the_second_suite_is_in_a_figure_or_a_table():
    assert all(asked(each) for each in get("paper").cells(suites=(weights.SUITE,)))


def test_a_suite_asks_nothing_about_the_cells_of_the_other():
    assert missing_the_mark_questions.questions(A) == ()
    assert questions(weights.base(weights.VGG16, 0)) == ()


def test_thousands_of_cells_are_in_order_in_seconds():
    cells = [each for each in get("paper").cells(suites=(weights.SUITE,)) if each.seed == 0]
    assert len(cells) > 3000
    start = time.perf_counter()
    entries = queue(cells, dict.fromkeys(cells, 1.0), missing_the_mark_questions.questions)
    assert time.perf_counter() - start < 20  # two; comparing every cell with every other takes a minute
    assert len({entry.cell for entry in entries}) == len(cells)


def test_for_several_processes_long_cells_come_first():
    base, later, late = cell("base"), cell("base", seed=1), cell("loss", seed=1)
    seconds = {A: 2.0, B: 5.0, C: 2.0, base: 1.0, later: 9.0, late: 10.0}
    assert longest_first([late, A, B, C, later, base], seconds) == [base, B, A, C, later, late]
