"""The order of the queue, what it would settle, and how it fits into a time."""

import pytest

from bench.cell import Cell
from bench.profiles import get
from bench.queue import packed, queue
from bench.suites.gradient_flow_claims import CLAIMS, claims
from results import published

PAPER = tuple(get("paper").cells())


def cell(score, seed=0):
    where = {"suite": "gradient_flow", "model": "vgg13", "dataset": "cifar10"}
    return Cell.from_dict({**where, "score": score, "amount": "0.75", "rounds": 1, "seed": seed})


A, B, C, D = (cell(score) for score in ("magnitude", "loss", "proposed", "abs_grasp"))


def order(cells, seconds=None, decides=None, begun=()):
    decides = decides or {}
    entries = queue(cells, seconds or dict.fromkeys(cells, 1.0), lambda cell: decides.get(cell, ()), begun)
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


def test_an_entry_says_what_still_waits_for_it():
    entries = queue([A, B], {A: 1.0, B: 2.0}, lambda cell: ("x",))
    assert [dict(entry.waiting) for entry in entries] == [{"x": 2}, {"x": 1}]


def test_what_fits_is_taken_where_it_still_fits():
    entries = queue([A, B, C, D], {A: 5.0, B: 7.0, C: 2.0, D: 1.0}, lambda cell: (), begun=[A, B, C, D])
    fit, rest = packed(entries, 8.0)
    assert [entry.cell for entry in fit] == [A, C, D]
    assert [entry.cell for entry in rest] == [B]


def test_every_claim_is_one_of_the_papers_and_has_cells():
    known = {claim.claim_id for claim in published.claims("gradient_flow")}
    for needs in CLAIMS:
        assert needs.claim in known or needs.claim.startswith("table"), needs.claim
        assert any(needs.include(cell) for cell in PAPER), needs.claim


def test_every_cell_of_the_paper_belongs_to_a_table():
    tables = [[claim for claim in claims(cell) if claim.startswith("table")] for cell in PAPER]
    assert all(tables)
    assert sum(map(len, tables)) == 3 * (2 * 6 * 10 + 3 * 25), "two tables of nine and a base, one of 24 and a base"


@pytest.mark.parametrize(
    ("model", "score", "rounds", "claim"),
    [
        ("resnet56", "grasp_t1", 25, "gf_grasp_t1_chance_resnet56_cifar100"),
        ("resnet56", "uniform", 25, "gf_resnet56_uniform_25_chance"),
        ("vgg13", "proposed", 25, "gf_proposed_gt_magnitude_25"),
    ],
)
def test_a_cell_knows_the_claims_it_decides(model, score, rounds, claim):
    (found,) = (
        cell
        for cell in PAPER
        if (cell.model, cell.dataset, cell.score, cell.rounds, cell.seed) == (model, "cifar100", score, rounds, 0)
    )
    assert claim in claims(found)
    assert claim not in claims(cell("abs_grasp"))
