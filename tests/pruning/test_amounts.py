"""Exact amounts and the schedules of PROTOCOLS A.4.3."""

import itertools
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruning import amounts
from pruning.amounts import Schedule

decimals = st.decimals(min_value=0, max_value="0.9999", places=4)


@pytest.mark.parametrize(
    ("amount", "total", "number"),
    [
        ("0.75", 2944, 2208),
        ("0.65", 2944, 1914),  # 1913.6
        (0.1, 5, 1),  # exactly one half rounds up
        ("0.35", 10, 4),  # exactly 3.5; in binary floating point 3.4999999999999996
        (0.35, 10, 4),
        (0.29, 50, 15),  # exactly 14.5; in binary floating point 14.499999999999998
        (0.7, 45, 32),  # exactly 31.5; in binary floating point 31.499999999999996
        (Fraction(1, 3), 3, 1),
        (Fraction(1, 6), 3, 1),
        (Decimal("0.4999"), 1, 0),
        (0, 7, 0),
        ("0.99999", 10, 10),
    ],
)
def test_counts_by_hand(amount: amounts.Amount, total: int, number: int) -> None:
    assert amounts.count(amount, total) == number


@given(decimals, st.integers(0, 10**7))
def test_a_float_counts_as_the_decimal_it_prints_as(amount: Decimal, total: int) -> None:
    with localcontext() as context:
        context.prec = 50
        wanted = int((amount * total).quantize(Decimal(1), ROUND_HALF_UP))
    assert amounts.count(float(amount), total) == wanted
    assert amounts.count(str(amount), total) == wanted
    assert amounts.count(amount, total) == wanted
    assert amounts.count(Fraction(amount), total) == wanted


@pytest.mark.parametrize("amount", [1, 1.0, "1.2", -0.1, Fraction(-1, 10**30), Decimal("75")])
def test_amounts_out_of_range(amount: amounts.Amount) -> None:
    sentence = rf"^amount is {amount}; it must be a fraction pruned, at least 0 and below 1, for example 0\.75$"
    with pytest.raises(ValueError, match=sentence):
        amounts.exact(amount)


# PROTOCOLS A.4.3: amount, rounds, r_1 ... as printed, and the absolute shares.
TABLE = [
    ("0.75", 5, [0.375, 0.273, 0.214, 0.176, 0.150], [0.375, 0.170, 0.097, 0.063, 0.044]),
    ("0.75", 25, [0.107, 0.097, 0.088, 0.081, 0.075], [0.107, 0.086, 0.071, 0.060, 0.051]),
    ("0.65", 5, [0.271, 0.213, 0.176, 0.149, 0.130], [0.271, 0.155, 0.100, 0.071, 0.052]),
    ("0.60", 5, [0.231, 0.188, 0.158, 0.136, 0.120], [0.231, 0.144, 0.099, 0.071, 0.055]),
    ("0.50", 5, [0.167, 0.143, 0.125, 0.111, 0.100], [0.167, 0.119, 0.089, 0.069, 0.056]),
]


@pytest.mark.parametrize(("amount", "rounds", "ratios", "shares"), TABLE)
def test_the_released_schedule_is_the_printed_one(
    amount: str, rounds: int, ratios: list[float], shares: list[float]
) -> None:
    found = amounts.ratios(amount, rounds, "released")
    assert len(found) == rounds
    assert [float(r) for r in found[:5]] == pytest.approx(ratios, abs=0.00051)
    # The printed shares are rounded down in places (.1008 as .100), so they hold to one unit of the last digit.
    gone = [Fraction(0), *amounts.cumulative(amount, rounds, "released")]
    assert [float(b - a) for a, b in itertools.pairwise(gone[:6])] == pytest.approx(shares, abs=0.001)
    p = Fraction(amount)
    assert found[0] == p / (p + rounds * (1 - p))


def test_the_last_of_25_rounds_removes_what_the_table_says() -> None:
    assert float(amounts.ratios("0.75", 25, "released")[-1]) == pytest.approx(0.030, abs=0.0005)


def test_the_even_schedule_by_hand() -> None:
    assert amounts.cumulative("0.75", 5) == [Fraction(3 * k, 20) for k in range(1, 6)]
    assert amounts.ratios("0.5", 2) == [Fraction(1, 4), Fraction(1, 3)]
    assert amounts.ratios("0.75", 1) == amounts.ratios("0.75", 1, "released") == [Fraction(3, 4)]


@given(decimals, st.integers(1, 40), st.sampled_from(["even", "released"]))
def test_every_schedule_ends_at_the_amount_exactly(amount: Decimal, rounds: int, schedule: Schedule) -> None:
    gone = amounts.cumulative(amount, rounds, schedule)
    assert len(gone) == rounds
    assert gone[-1] == Fraction(amount)
    assert gone == sorted(gone)


@given(decimals, st.integers(1, 40))
def test_the_released_schedule_is_the_even_one_backwards(amount: Decimal, rounds: int) -> None:
    def shares(schedule: Schedule) -> list[Fraction]:
        gone = [Fraction(0), *amounts.cumulative(amount, rounds, schedule)]
        return [b - a for a, b in itertools.pairwise(gone)]

    assert sorted(shares("even")) == shares("even")[:1] * rounds
    assert shares("released") == sorted(shares("released"), reverse=True)
    p, n = Fraction(amount), rounds
    kept = [1 - gone for gone in amounts.cumulative(amount, n, "released")]
    assert kept == [n * (1 - p) / (k * p + n * (1 - p)) for k in range(1, n + 1)]


@pytest.mark.parametrize(("amount", "left"), [("0.60", (40, 38, 32)), ("0.50", (50, 49, 41))])
def test_integer_percentages_of_resnet56(amount: str, left: tuple[int, int, int]) -> None:
    found = [amounts.integer_percentages(amount, rounds) for rounds in (1, 5, 25)]
    assert tuple(percentages[-1] for percentages in found) == left
    assert [len(percentages) for percentages in found] == [1, 5, 25]


def test_integer_percentages_by_hand() -> None:
    # .60 in 5 rounds: 100 (1 - .231) = 76.9; 76 (1 - .1875) = 61.75; 61 (1 - .158) = 51.4; 51 (1 - .136) = 44.05; 38.7
    assert amounts.integer_percentages("0.60", 5) == [76, 61, 51, 44, 38]
    assert amounts.integer_percentages("0.50", 2, "even") == [75, 50]


def test_nominal_share_kept_of_vgg13() -> None:
    """Flooring every round leaves slightly too many of the 2,944 filters."""
    for amount, rounds, nominal in (
        ("0.75", 5, 0.2507),
        ("0.75", 25, 0.2527),
        ("0.65", 5, 0.3505),
        ("0.65", 25, 0.3533),
    ):
        left = 2944
        for ratio in amounts.ratios(amount, rounds, "released"):
            left -= floor(ratio * left)
        assert left / 2944 == pytest.approx(nominal, abs=0.00005)


@pytest.mark.parametrize("rounds", [0, -1])
def test_rounds_there_cannot_be(rounds: int) -> None:
    with pytest.raises(ValueError, match=rf"^rounds is {rounds}; it must be at least 1$"):
        amounts.ratios("0.5", rounds)
