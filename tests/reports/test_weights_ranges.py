from dataclasses import replace

import pytest

from bench.suites import missing_the_mark as suite
from reports.weights.ranges import TOLERANCE, Reach, open_cells, percents, ranges, reach

from .weights_records import LENET, base, evidence, pruned, record

NET = replace(LENET, levels=(2, 4, 7))


def found(random=(), after=(), dense=(98.0,)):
    """Evidence with one accuracy a level of random pruning and of magnitude pruning after training; None is missing."""
    records = [record(base(LENET, seed), value) for seed, value in enumerate(dense)]
    for method, values in ((suite.RANDOM, random), (suite.AFTER, after)):
        for level, value in zip(NET.levels, values, strict=False):
            if value is not None:
                records.append(record(pruned(LENET, method, level), value))
    return evidence(*records)


def test_ranges_end_where_accuracy_falls_below_that_of_the_unpruned_network():
    ends = ranges(found(random=(98.1, 97.0, 96.0), after=(98.5, 97.9, 97.0)), NET)
    assert (ends.trivial, ends.matching) == (Reach(2), Reach(4))


@pytest.mark.parametrize(
    ("below", "level"), [(TOLERANCE - 0.01, 2), (TOLERANCE, 2), (TOLERANCE + 0.01, 0), (0.0, 2), (-1.0, 2)]
)
def test_the_tolerance_is_part_of_full_accuracy(below, level):
    assert reach(found(random=(98.0 - below, 10.0, 10.0)), NET, suite.RANDOM) == Reach(level)


def test_means_over_seeds_are_compared():
    records = [record(base(LENET, seed), 98.0 + seed) for seed in range(3)]  # 99 on average
    records += [record(pruned(LENET, suite.RANDOM, 2, seed), 98.7 + 0.2 * seed) for seed in range(2)]  # 98.8
    records += [record(pruned(LENET, suite.RANDOM, level), 50.0) for level in (4, 7)]
    assert reach(evidence(*records), NET, suite.RANDOM) == Reach(2)
    worse = [record(pruned(LENET, suite.RANDOM, 2, 2), 98.5)]  # 98.7 on average
    assert reach(evidence(*records, *worse), NET, suite.RANDOM) == Reach(0)


def test_full_accuracy_at_no_level_is_level_0():
    assert reach(found(random=(90.0, 80.0, 70.0)), NET, suite.RANDOM) == Reach(0)


def test_lower_levels_that_fail_are_named_and_those_above_are_not():
    assert reach(found(random=(97.0, 98.0, 70.0)), NET, suite.RANDOM) == Reach(4, except_at=(2,))


def test_what_is_missing_leaves_the_end_open_only_where_it_could_move_it():
    assert reach(found(random=(98.0, 98.0, None)), NET, suite.RANDOM) is None
    assert reach(found(random=(None, 98.0, 70.0)), NET, suite.RANDOM) == Reach(4)
    assert reach(found(random=(90.0, None, 70.0)), NET, suite.RANDOM) is None
    assert reach(found(random=(98.0, 98.0, 98.0), dense=()), NET, suite.RANDOM) is None
    assert ranges(found(), NET).matching is None


def test_the_cells_that_leave_the_end_open_are_named():
    def cells(**accuracies):
        return list(open_cells(found(**accuracies), NET, suite.RANDOM))

    assert cells(random=(98.0, 98.0, None)) == [pruned(LENET, suite.RANDOM, 7)]
    assert cells(random=(None, 90.0, None)) == [pruned(LENET, suite.RANDOM, 2), pruned(LENET, suite.RANDOM, 7)]
    assert cells(random=(None, 98.0, 70.0)) == []
    assert cells(random=(98.0, 98.0, None), dense=()) == [base(LENET), pruned(LENET, suite.RANDOM, 7)]


def test_a_run_that_diverged_is_not_one_of_full_accuracy():
    records = [record(base(LENET), 98.0)]
    records += [record(pruned(LENET, suite.RANDOM, level), 98.0) for level in NET.levels]
    records += [record(pruned(LENET, suite.RANDOM, 7, 1), None, status="diverged")]
    assert reach(evidence(*records), NET, suite.RANDOM) == Reach(4)


def test_percents_of_levels():
    assert percents((1, 6, 18)) == "20.0, 73.8, 98.2"
