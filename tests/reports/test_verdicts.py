from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW, ttost_ind

from reports.verdicts import (
    MOST_SEEDS,
    Spread,
    Verdict,
    compare,
    exact,
    outcome,
    pooled,
    seeds_needed,
    sharing_a_base,
    standard_error,
    welch,
)

OURS = (92.0, 92.2, 92.1)  # mean 92.1


def judge(published, sd, df=20.0, ours=OURS, replicates=3, **options):
    spread = None if sd is None else Spread(sd, df, df_per_seed=10)
    return compare(ours, published, replicates=replicates, spread=spread, **{"margin": 0.5, **options})


def test_pooled_by_hand():
    # Sums of squares 2 + 0 + 2 over 2 + 2 + 1 degrees of freedom; a single value adds neither.
    assert pooled([[1, 2, 3], [4, 4, 4], [5, 7], [9]]) == Spread(pytest.approx(0.8**0.5), 5, 3)
    assert pooled([[1.0], []]) is None


def test_equivalent_by_hand():
    found = judge(92.0, sd=0.1)  # se 0.0816; one-sided reach 1.7247 * 0.0816 = 0.141, and 0.1 + 0.141 < 0.5
    assert found.verdict == Verdict.EQUIVALENT
    assert found.difference == pytest.approx(0.1)
    assert found.interval == (pytest.approx(-0.0703, abs=1e-4), pytest.approx(0.2703, abs=1e-4))  # 2.0860 * 0.0816


def test_equivalent_comes_before_differs():
    found = judge(91.9, sd=0.05)  # the interval 0.115 to 0.285 leaves out 0, but lies well within the margin
    assert found.interval is not None
    assert found.interval[0] > 0
    assert found.verdict == Verdict.EQUIVALENT


def test_differs_says_by_how_much_and_whether_beyond_the_margin():
    near, far = judge(91.3, sd=0.3), judge(90.1, sd=0.3)  # reach 0.511 about 0.8 and 2.0
    assert (near.verdict, near.beyond) == (Verdict.DIFFERS, False)
    assert near.reason == "by +0.80, not shown to be beyond the margin of 0.5"
    assert (far.verdict, far.beyond) == (Verdict.DIFFERS, True)
    assert far.reason == "by +2.00, beyond the margin of 0.5"


def test_consistent_that_no_number_of_seeds_decides():
    found = judge(91.8, sd=0.3)  # with infinitely many of ours: se 0.173, reach 0.339 > 0.3, and 0.3 + 0.285 > 0.5
    assert (found.verdict, found.seeds) == (Verdict.CONSISTENT, None)
    assert found.reason == "cannot be decided from what was printed"


def test_consistent_says_how_many_seeds_decide():
    found = judge(91.9, sd=0.3)
    assert found.verdict == Verdict.CONSISTENT
    assert found.reason == f"{found.seeds} seeds of ours would decide, if the difference stayed"
    decided = [
        outcome(found.difference, standard_error(0.3, n, 3), 20 + 10 * (n - 3), 0.5) != Verdict.CONSISTENT
        for n in range(4, found.seeds + 1)
    ]
    assert decided == [False] * (found.seeds - 4) + [True]


def test_more_seeds_than_anybody_runs_are_not_counted_out():
    # Infinitely many would just do: 1.6449 * 0.5265 / sqrt(3) = 0.49999.
    assert seeds_needed(1e-9, 3, 3, Spread(0.5265, 20, 10), 0.5) == MOST_SEEDS
    assert seeds_needed(1e-9, 3, 3, Spread(0.5266, 20, 10), 0.5) is None


def test_too_few_and_missing():
    assert judge(92.0, 0.1, ours=()).verdict == Verdict.MISSING
    one = judge(92.0, 0.1, ours=(92.0,))
    assert (one.verdict, one.reason) == (Verdict.TOO_FEW, "n = 1; at least 2 seeds are needed")
    assert judge(92.0, None).verdict == Verdict.TOO_FEW
    unknown = judge(92.0, 0.1, replicates=None)
    assert (unknown.verdict, unknown.reason) == (
        Verdict.TOO_FEW,
        "the paper does not say over how many runs its mean is",
    )


@pytest.mark.parametrize(
    ("published", "verdict"), [(92.0, Verdict.EQUIVALENT), (91.75, Verdict.EQUIVALENT), (91.5, Verdict.DIFFERS)]
)
def test_without_any_spread_the_difference_itself_decides(published, verdict):
    found = judge(published, sd=0.0, ours=(92.0, 92.0), bound=0.0)  # 91.5 is exactly the margin away, which is too far
    assert found.verdict == found.bound_verdict == verdict


def test_a_printed_number_was_rounded():
    # Reach 1.7247 * 0.0816 = 0.141: the difference of 0.35 is equivalent to a number that is exact, not to 91.8 or so.
    assert judge(91.75, sd=0.1).verdict == judge(91.75, sd=0.1, rounding=0.005).verdict == Verdict.EQUIVALENT
    assert judge(91.75, sd=0.1, rounding=0.05).verdict == Verdict.DIFFERS
    # Reach 2.0860 * 0.2449 = 0.511 leaves out 0 at 0.54, but not if the mean was half a tenth nearer.
    assert judge(91.56, sd=0.3, rounding=0.005).verdict == Verdict.DIFFERS
    assert judge(91.56, sd=0.3, rounding=0.05).verdict == Verdict.CONSISTENT


def test_changes_against_a_shared_base_by_hand():
    assert sharing_a_base(Spread(0.4, 2, 1)) == Spread(0.4, 2, 1)  # one cell shares with nobody
    assert sharing_a_base(Spread(0.4, 12, 6)) == Spread(0.4, pytest.approx(12 * 4 / 9), pytest.approx(6 * 4 / 9))


def test_the_printed_bound_can_change_the_outcome():
    found = judge(92.0, sd=0.1, bound=2.1)
    assert (found.verdict, found.bound_verdict) == (Verdict.EQUIVALENT, Verdict.CONSISTENT)
    assert judge(92.0, sd=0.1).bound_verdict is None
    assert judge(92.0, sd=0.1, bound=0.3, replicates=1).bound_verdict is None


def test_exact_quantities():
    assert exact(75, 75).verdict == Verdict.EQUIVALENT
    found = exact(74, 75)
    assert (found.verdict, found.difference, found.reason) == (Verdict.DIFFERS, -1, "-1; 75 expected")


differences = st.floats(-3, 3)
errors = st.floats(0, 2)
dfs = st.integers(1, 60)
margins = st.floats(0.01, 3)


@given(differences, errors, dfs, margins)
def test_the_sign_of_the_difference_does_not_matter(difference, error, df, margin):
    assert outcome(difference, error, df, margin) == outcome(-difference, error, df, margin)


@given(differences, errors, dfs, margins, st.floats(0, 3))
def test_a_wider_margin_keeps_what_is_equivalent(difference, error, df, margin, more):
    if outcome(difference, error, df, margin) == Verdict.EQUIVALENT:
        assert outcome(difference, error, df, margin + more) == Verdict.EQUIVALENT


@given(differences, st.floats(0.01, 2), st.integers(2, 10), st.integers(0, 50), margins)
def test_more_seeds_never_undo_a_decision(difference, sd, n, more, margin):
    def at(seeds):
        return outcome(difference, standard_error(sd, seeds, 3), 10 * (seeds - 1), margin)

    assert at(n) == Verdict.CONSISTENT or at(n + more) != Verdict.CONSISTENT


@given(st.lists(st.lists(st.floats(0, 100), min_size=1, max_size=5), min_size=1, max_size=5))
def test_pooled_lies_between_the_spreads_that_it_pools(samples):
    found, each = pooled(samples), [stdev(sample) for sample in samples if len(sample) > 1]
    assert (found is None) == (not each)
    if found is not None:
        assert min(each) - 1e-9 <= found.sd <= max(each) + 1e-9


@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_statsmodels(seed):
    """Two samples that are all the evidence there is: the textbook tests, with pooled and with unequal variances."""
    rng = np.random.default_rng(seed)
    ours = 92 + rng.uniform(-1, 1) + rng.normal(0, 0.3, rng.integers(2, 6))
    theirs = 92 + rng.normal(0, 0.3, rng.integers(2, 6))
    spread, margin = pooled([ours.tolist(), theirs.tolist()]), 0.9
    found = compare(ours.tolist(), fmean(theirs), replicates=len(theirs), spread=spread, margin=margin)
    means = CompareMeans(DescrStatsW(ours), DescrStatsW(theirs))
    assert found.interval == pytest.approx(means.tconfint_diff(0.05, usevar="pooled"))
    assert found.verdict == _textbook(ours, theirs, means, margin, "pooled")
    own, other = (Spread(stdev(sample), len(sample) - 1) for sample in (ours.tolist(), theirs.tolist()))
    error, df = welch(own, len(ours), other, len(theirs))
    assert outcome(found.difference, error, df, margin) == _textbook(ours, theirs, means, margin, "unequal")


def _textbook(ours, theirs, means, margin, usevar):
    if ttost_ind(ours, theirs, -margin, margin, usevar=usevar)[0] < 0.05:
        return Verdict.EQUIVALENT
    low, high = means.tconfint_diff(0.05, usevar=usevar)
    return Verdict.CONSISTENT if low <= 0 <= high else Verdict.DIFFERS


def test_the_textbook_cases_reach_every_verdict():
    verdicts = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        ours = (92 + rng.uniform(-1, 1) + rng.normal(0, 0.3, rng.integers(2, 6))).tolist()
        theirs = (92 + rng.normal(0, 0.3, rng.integers(2, 6))).tolist()
        spread = pooled([ours, theirs])
        verdicts.add(compare(ours, fmean(theirs), replicates=len(theirs), spread=spread, margin=0.9).verdict)
    assert verdicts == {Verdict.EQUIVALENT, Verdict.CONSISTENT, Verdict.DIFFERS}
