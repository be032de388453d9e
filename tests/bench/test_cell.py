from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cell import Cell

tokens = st.from_regex(r"[a-z0-9_]+(\.[a-z0-9_]+)?", fullmatch=True)
plain = st.fixed_dictionaries({"suite": tokens, "model": tokens, "dataset": tokens, "seed": st.integers(0, 10**6)})
pruned = st.fixed_dictionaries(
    {
        "score": tokens.filter(lambda name: name != "base"),
        "amount": st.integers(1, 9999).map(lambda n: Decimal(n) / 10000),
        "rounds": st.integers(1, 100),
    }
)


@given(plain, st.one_of(st.just({}), pruned))
def test_parse_inverts_id_and_from_dict_inverts_to_dict(where, how):
    cell = Cell(**where, **how)
    assert Cell.parse(cell.id) == cell
    assert Cell.from_dict(cell.to_dict()) == cell


@given(plain, pruned)
def test_an_ablation_is_part_of_the_id(where, how):
    cell = Cell(**where, **how, ablation="shuffle")
    assert "-shuffle-s" in cell.id
    assert Cell.parse(cell.id) == cell


def test_an_id_as_in_the_design():
    cell = Cell(
        suite="gradient_flow", model="vgg13", dataset="cifar10", score="abs_grasp", amount=Decimal("0.750"), rounds=25
    )
    assert cell.id == "gradient_flow-vgg13-cifar10-abs_grasp-filters75-r25-s0"
    assert (
        Cell(suite="gradient_flow", model="vgg13", dataset="cifar10", seed=2).id
        == "gradient_flow-vgg13-cifar10-base-s2"
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "VGG13"}, "model 'VGG13' may hold only a-z, 0-9, _ and single dots, for example cifar10"),
        ({"dataset": "a..b"}, "dataset 'a..b' may hold only a-z, 0-9, _ and single dots, for example cifar10"),
        ({"score": "../x"}, r"score '\.\./x' may hold only"),
        ({"amount": None}, "exactly when it prunes; 'loss' has None and 5"),
        ({"score": "base"}, "exactly when it prunes; 'base' has 0.75 and 5"),
        ({"amount": Decimal(1)}, "amount is 1; it must be a fraction pruned between 0 and 1, for example 0.75"),
        ({"rounds": 0}, "rounds is 0; it must be at least 1"),
        ({"seed": -1}, "seed is -1; it must not be negative"),
    ],
)
def test_an_impossible_cell_says_why(changes, sentence):
    good = {
        "suite": "s", "model": "m", "dataset": "d", "score": "loss", "amount": Decimal("0.75"), "rounds": 5,
    }  # fmt: skip
    Cell(**good)
    with pytest.raises(ValueError, match=sentence):
        Cell(**{**good, **changes})


@pytest.mark.parametrize(
    "text", ["", "..", "a-b-c", "s-m-d-base-s-1", "s-m-..-base-s0", "s-m-d-base-s0\n", "S-m-d-base-s0"]
)
def test_what_is_not_an_id_is_refused(text):
    with pytest.raises(ValueError, match="is not a cell id; expected something like gradient_flow-vgg13"):
        Cell.parse(text)


def test_an_unknown_field_is_named():
    with pytest.raises(ValueError, match="a cell has no field colour; it has ablation, amount"):
        Cell.from_dict({"suite": "s", "colour": "red"})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"amount": "x"}, "amount is 'x'; it must be a decimal fraction"),
        ({"amount": "NaN"}, "amount is NaN; it must be a fraction pruned between 0 and 1"),
    ],
)
def test_amounts_that_are_none_are_one_sentence(change, sentence):
    values = {"suite": "s", "model": "m", "dataset": "d", "score": "loss", "rounds": 1, "seed": 0}
    with pytest.raises(ValueError, match=sentence):
        Cell.from_dict({**values, **change})
    del values["model"]
    with pytest.raises(ValueError, match="a cell needs model"):
        Cell.from_dict(values)
