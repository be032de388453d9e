import math
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from results.published import FOLDER, Claim, Setup, claims, figures, numbers, read, setup

HEADER = "source,where,model,dataset,key,value,unit,note\n"


def test_every_row_is_there() -> None:
    assert len(numbers()) == 829
    assert [len(numbers("gradient_flow", f"Table {table}")) for table in (1, 2, 3)] == [60, 60, 75]
    assert len(claims()) == 245
    assert Counter(claim.tier for claim in claims()) == {"core": 112, "extra": 133}
    assert len(figures()) == 69
    assert len(figures("gradient_flow")) == 38
    assert len(setup()) == 113
    assert len({claim.claim_id for claim in claims()}) == 245


def test_a_number_as_the_paper_prints_it() -> None:
    cell = ("VGG-13", "CIFAR-10", "magnitude", 1)
    (number,) = (
        row for row in numbers("gradient_flow", "Table 1") if (row.model, row.dataset, row.scorer, row.rounds) == cell
    )
    assert (number.value, number.value_text) == (92.05, "92.05")
    assert (number.amount, number.amount_kind, number.granularity) == (Decimal("0.75"), "filters", "filter")
    assert (number.std, number.std_bound, number.replicates) == (None, 0.3, 3)
    assert (number.metric, number.ablation, number.reported_by) == ("test_accuracy_pct", "none", "paper")
    assert number.printed_label == "Mag."


def test_base_rows_have_neither_amount_nor_rounds() -> None:
    base = [row for row in numbers("gradient_flow", "Table 1") if row.scorer == "base"]
    assert len(base) == 6
    assert {(row.amount, row.rounds) for row in base} == {(None, None)}


def test_the_printed_form_is_kept_beside_the_value() -> None:
    assert all(float(row.value_text) == row.value for row in numbers() if not math.isnan(row.value))
    assert [row.model for row in numbers() if math.isnan(row.value)] == ["VGG-19"]
    assert any(row.value_text.startswith("+") for row in numbers())
    assert any(row.value_text.endswith("0") and "." in row.value_text for row in numbers())
    assert {claim.value is None for claim in claims() if claim.value_text == ""} == {True}


def test_rows_are_read_once() -> None:
    assert numbers() is numbers()


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ValueError, match="no published source is called 'gradient_flo'; did you mean 'gradient_flow'"):
        claims("gradient_flo")
    with pytest.raises(ValueError, match="no published table is called 'Table 9'; did you mean 'Table 3'"):
        numbers("gradient_flow", "Table 9")
    with pytest.raises(
        ValueError, match="no published source is called 'x'; there are gradient_flow, missing_the_mark"
    ):
        figures("x")
    with pytest.raises(ValueError, match="no published source is called"):
        setup("")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "setup.csv line 0: the columns dataset, key, model, note, source, unit, value, where are missing"),
        (
            HEADER.replace("note", "nota"),
            "setup.csv line 1: the columns nota, note are missing or unknown; Setup names",
        ),
        (HEADER.replace("\n", ",note\n"), "setup.csv line 1: a column is there twice; remove one"),
        (f'{HEADER}s,"two\nlines",m,d,k,v,u,n\ns,w,m\n', "setup.csv line 4: it has 3 cells; expected 8"),
        (f'{HEADER}s,"w\n', "setup.csv line 2: unexpected end of data"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "setup.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        read(path, Setup)


@pytest.mark.parametrize(("old", "new"), [(",0.994,", ",0.99x,"), (",core\n", ",main\n")])
def test_a_wrong_value_is_named_with_its_line(tmp_path: Path, old: str, new: str) -> None:
    lines = (FOLDER / "claims.csv").read_text(encoding="utf-8").splitlines(keepends=True)[:2]
    assert old in lines[1]
    path = tmp_path / "claims.csv"
    path.write_text(lines[0] + lines[1].replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=r"^claims\.csv line 2: .* at `\$\.(value|tier)`"):
        read(path, Claim)
