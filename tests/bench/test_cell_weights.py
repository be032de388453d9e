"""Cells that prune weights: their ids, levels and prune points, and what records of filters say as before."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cell import END, LEVELS, Cell, level_amount
from bench.suites.missing_the_mark import ABLATIONS

RUNS = Path(__file__).parents[2] / "results" / "runs"
PLACE = {"suite": "missing_the_mark", "model": "resnet20", "dataset": "cifar10"}
SNIP = Cell(**PLACE, score="snip", granularity="weights", amount=level_amount(14), rounds=1)

tokens = st.lists(st.text("az09_", min_size=1, max_size=5), min_size=1, max_size=2).map(".".join)
points = st.one_of(
    st.fixed_dictionaries({"at": st.integers(0, 10**6)}),
    st.fixed_dictionaries({"at": st.just(END), "rewind": st.none() | st.integers(0, 10**6)}),
)
cells = st.builds(
    lambda place, how, point: Cell(**place, **how, **point, granularity="weights"),
    st.fixed_dictionaries({"suite": tokens, "model": tokens, "dataset": tokens, "seed": st.integers(0, 10**6)}),
    st.fixed_dictionaries(
        {
            "score": tokens.filter(lambda name: name != "base"),
            "amount": st.sampled_from(LEVELS).map(level_amount)
            | st.integers(1, 10**6 - 1).map(lambda n: Decimal(n) / 10**6),
            "rounds": st.integers(1, 1000),
            "ablation": st.sampled_from(tuple(ABLATIONS)),
        }
    ),
    points,
)


@given(cells)
def test_parse_inverts_id_and_from_dict_inverts_to_dict(cell):
    assert Cell.parse(cell.id) == cell
    assert Cell.from_dict(json.loads(json.dumps(cell.to_dict()))) == cell


def test_different_cells_have_different_ids():
    wheres = [{"at": 0}, {"at": 1}, {"at": 100}, {"at": END}, {"at": END, "rewind": 0}, {"at": END, "rewind": 1}]
    amounts = (level_amount(1), level_amount(10), Decimal("0.1"), Decimal("0.01"))
    them = [
        replace(SNIP, amount=amount, rounds=rounds, ablation=ablation, seed=seed, **where)
        for amount, rounds, ablation, seed, where in product(amounts, (1, 10, 100), ABLATIONS, (0, 1), wheres)
    ]
    assert len({cell.id for cell in them}) == len(set(them)) == len(them)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"at": 1000, "ablation": "shuffle", "seed": 2}, "snip-k14-at1000-shuffle-s2"),
        ({"rounds": 100}, "snip-k14-r100-s0"),
        ({"granularity": "filters", "amount": level_amount(2)}, "snip-filters36-r1-s0"),
        ({"score": "magnitude", "at": END}, "magnitude-k14-atend-s0"),
        ({"score": "magnitude", "at": END, "rewind": 0}, "magnitude-k14-atend-from0-s0"),
        ({"amount": Decimal("0.970")}, "snip-weights97-s0"),
        ({"amount": Decimal("0.738"), "rounds": 100, "at": END, "rewind": 9}, "snip-weights73.8-r100-atend-from9-s0"),
    ],
)
def test_ids_as_in_the_design(changes, name):
    assert replace(SNIP, **changes).id == f"missing_the_mark-resnet20-cifar10-{name}"


def test_a_level_is_an_exact_share():
    assert [str(level_amount(k)) for k in (1, 2, 6, 18)] == ["0.2", "0.36", "0.737856", "0.981985601490518016"]
    for k in LEVELS:
        assert Fraction(level_amount(k)) == 1 - Fraction(4, 5) ** k
        assert replace(SNIP, amount=level_amount(k)).level == k
    assert replace(SNIP, amount=Decimal("0.738")).level is None
    assert replace(SNIP, amount=Decimal("0.2000")).level == 1
    assert Cell(**PLACE).level is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"granularity": "channels"}, "granularity is 'channels'; expected filters or weights"),
        ({"at": -1}, "at is -1; expected a number of iterations from 0 on, or 'end'"),
        ({"at": 1.5}, "at is 1.5; expected a number of iterations from 0 on, or 'end'"),
        ({"at": True}, "at is True; expected a number of iterations from 0 on, or 'end'"),
        ({"at": END, "rewind": 1.5}, "rewind is 1.5 at end; only what is pruned at the end can be rewound"),
        ({"score": "base", "amount": None, "rounds": None}, "a cell that prunes nothing prunes no weights; leave"),
        ({"at": "start"}, "at is 'start'; expected a number of iterations from 0 on, or 'end'"),
        ({"at": 5, "granularity": "filters"}, "only cells that prune weights have a prune point"),
        ({"rewind": 5}, "rewind is 5 at 0; only what is pruned at the end can be rewound"),
        ({"at": 7, "rewind": 5}, "rewind is 5 at 7; only what is pruned at the end can be rewound"),
        ({"at": END, "rewind": -1}, "rewind is -1 at end; only what is pruned at the end can be rewound"),
        ({"amount": level_amount(1) - level_amount(1)}, "amount is 0.0; it must be a fraction pruned between 0 and 1"),
        ({"rounds": 0}, "rounds is 0; it must be at least 1"),
    ],
)
def test_an_impossible_cell_says_why(changes, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}") as error:
        replace(SNIP, **changes)
    assert "\n" not in str(error.value)
    assert ". " not in str(error.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("s-m-d-snip-k4-shuffle-at5-s0", "is not a cell id; expected something like gradient_flow-vgg13"),
        ("s-m-d-snip-k4-at-1-s0", "is not a cell id"),
        ("s-m-d-snip-k4-at5-atend-from3-s0", "is not a cell id"),
        ("s-m-d-snip-k4-r0-s0", "rounds is 0; it must be at least 1"),
        ("s-m-d-snip-k0-s0", "level is 0; it must be from 1 to 28"),
        ("s-m-d-snip-k29-s0", "level is 29; it must be from 1 to 28"),
        ("s-m-d-snip-weights100-s0", "amount is 1; it must be a fraction pruned between 0 and 1"),
        ("s-m-d-base-k4-s0", "exactly when it prunes; 'base' has 0.5904 and 1"),
        ("s-m-d-snip-at5-s0", "exactly when it prunes; 'snip' has None and None"),
        ("s-m-d-snip-k4-at5-from3-s0", "rewind is 3 at 5; only what is pruned at the end can be rewound"),
    ],
)
def test_what_is_not_an_id_is_refused(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        Cell.parse(text)


def test_prune_points_are_written_down_where_there_is_one():
    names = {"suite", "model", "dataset", "score", "granularity", "amount", "rounds", "ablation", "seed"}
    assert set(SNIP.to_dict()) == names
    assert replace(SNIP, at=5).to_dict() == {**SNIP.to_dict(), "at": 5}
    assert replace(SNIP, at=END, rewind=0).to_dict() == {**SNIP.to_dict(), "at": "end", "rewind": 0}
    assert Cell.from_dict({**SNIP.to_dict(), "at": 0, "rewind": None}) == SNIP


def test_cells_of_filters_are_written_as_before_there_were_prune_points():
    cell = Cell(suite="gradient_flow", model="vgg13", dataset="cifar10", score="loss", amount=Decimal("0.75"), rounds=5)
    assert cell.to_dict() == {
        "suite": "gradient_flow", "model": "vgg13", "dataset": "cifar10", "score": "loss", "granularity": "filters",
        "amount": "0.75", "rounds": 5, "ablation": "none", "seed": 0,
    }  # fmt: skip


def test_committed_records_name_their_cells_as_today():
    files = sorted(RUNS.rglob("*.json"))
    if not files:
        pytest.skip("no record is committed yet")
    for path in files:
        cell = json.loads(path.read_text(encoding="utf-8"))["cell"]
        exact = cell["amount"] and Cell.from_dict(cell).to_dict()["amount"]  # 0.60 was written before 0.6
        assert Cell.from_dict(cell).to_dict() == {**cell, "amount": exact}
