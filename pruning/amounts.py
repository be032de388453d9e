"""Amounts in exact arithmetic: how many go in total, and after each round."""

from decimal import Context, Decimal, localcontext
from fractions import Fraction
from math import floor
from typing import Literal, get_args

Amount = str | float | Decimal | Fraction
"""A fraction pruned. A float counts as the decimal it prints as, so 0.1 is one tenth exactly."""

Schedule = Literal["even", "released"]

_DECIMALS = 50
"""Of a density that is a root. Where it is a short decimal, rounding finds it, and exactly half a weight counts up."""


def exact(amount: Amount) -> Fraction:
    """``amount`` without rounding. Raises ValueError outside [0, 1)."""
    try:
        fraction = Fraction(str(amount)) if isinstance(amount, float) else Fraction(amount)
    except (ValueError, TypeError, ArithmeticError):
        fraction = Fraction(-1)
    if not 0 <= fraction < 1:
        raise ValueError(f"amount is {amount}; it must be a fraction pruned, at least 0 and below 1, for example 0.75")
    return fraction


def count(amount: Amount, total: int) -> int:
    """How many of ``total`` are pruned: floor(amount * total + 1/2)."""
    return floor(exact(amount) * total + Fraction(1, 2))


def ratios(amount: Amount, rounds: int, schedule: Schedule = "even") -> list[Fraction]:
    """Fraction of the *current* size that each of ``rounds`` rounds removes; together they leave 1 - ``amount``.

    ``even``: the same share of the original in every round (Lubana & Dick, section 4.1), (p/n) / (1 - (k-1) p/n).
    ``released``: p / (k p + n (1 - p)), the same shares in reverse order, as the released code has it: the first
    rounds remove the most (PROTOCOLS A.4.3).
    """
    if rounds < 1:
        raise ValueError(f"rounds is {rounds}; it must be at least 1")
    if schedule not in get_args(Schedule):
        raise ValueError(f"schedule is {schedule!r}; expected {' or '.join(get_args(Schedule))}")
    p = exact(amount)
    if schedule == "even":
        return [p / (rounds - (k - 1) * p) for k in range(1, rounds + 1)]
    return [p / (k * p + rounds * (1 - p)) for k in range(1, rounds + 1)]


def cumulative(amount: Amount, rounds: int, schedule: Schedule = "even") -> list[Fraction]:
    """Fraction of the original that is gone after each round."""
    kept, gone = Fraction(1), []
    for ratio in ratios(amount, rounds, schedule):
        kept *= 1 - ratio
        gone.append(1 - kept)
    return gone


def densities(amount: Amount, iterations: int) -> list[Fraction]:
    """Fraction left after each of ``iterations`` that remove the same share of what is left: (1 - amount)^(n / N).

    Frankle et al. 2021, appendix D.1, which prints s^(n / N) but means the fraction left (PROTOCOLS B.4). Rounded to 50
    decimals, and the last not at all. Raises ValueError where ``iterations`` is not positive.
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; it must be at least 1")
    last = 1 - exact(amount)
    with localcontext(Context(prec=_DECIMALS + 10)):
        log = (Decimal(last.numerator) / last.denominator).ln() / iterations
        left = [Fraction(round((log * n).exp(), _DECIMALS)) for n in range(1, iterations)]
    return [*(max(density, last) for density in left), last]


def integer_percentages(amount: Amount, rounds: int, schedule: Schedule = "released") -> list[int]:
    """Percent left after each round when the percentage is cut to an integer every round, as ResNet-56's is (A.4.3)."""
    percent, left = 100, []
    for ratio in ratios(amount, rounds, schedule):
        percent = floor(percent * (1 - ratio))
        left.append(percent)
    return left
