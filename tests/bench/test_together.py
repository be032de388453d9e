"""Cells in turns: the order of turns, failures, interruptions, and that neighbours change nothing."""

import weakref
from contextlib import contextmanager, nullcontext
from functools import partial

import pytest

from bench import experiment
from bench.cell import Cell
from bench.executor import executing
from bench.progress import silent
from bench.together import Together
from bench.width import Width
from results.registry import Registry

from . import tiny

A, B, C = (Cell(suite="gradient_flow", model="vgg13", dataset="digits", seed=seed) for seed in range(3))


class Stage:
    """Work that writes down its turns, and raises what it is told to."""

    def __init__(self, turns=2, fails=()):
        self.turns, self.fails, self.log, self.crowds = turns, dict(fails), [], {}

    def begin(self, cell, crowd):
        try:
            for _ in range(self.turns if isinstance(self.turns, int) else self.turns[cell]):
                self.log.append(cell.seed)
                yield True
                if cell in self.fails:
                    raise self.fails[cell]
        except GeneratorExit:
            self.log.append(f"{cell.seed} closed")
            raise
        self.crowds[cell] = crowd()
        return f"result {cell.seed}"

    def together(self, number, coming=(), lane=nullcontext):
        return Together(self.begin, lane, Width.fixed(number), coming=coming)


def test_one_at_a_time_does_not_look_ahead():
    stage = Stage()
    together = stage.together(1, coming=[A, B])
    assert (together.result(A), stage.log) == ("result 0", [0, 0])
    assert together.result(B) == "result 1"
    assert stage.crowds == {A: 1, B: 1}


def test_several_take_turns_and_results_wait_until_asked_for():
    stage = Stage()
    together = stage.together(2, coming=[A, B, C])
    assert together.result(A) == "result 0"
    assert stage.log[:4] == [0, 1, 0, 1]
    assert [together.result(cell) for cell in (B, C)] == ["result 1", "result 2"]
    assert stage.log.count(2) == 2
    assert stage.crowds[A] == stage.crowds[B] == 2


def test_a_failure_belongs_to_its_cell():
    stage = Stage(fails={A: ValueError("no")})
    together = stage.together(2, coming=[A, B])
    with pytest.raises(ValueError, match=r"^no$"):
        together.result(A)
    assert together.result(B) == "result 1"


def test_an_interruption_ends_all():
    stage = Stage(turns=5, fails={A: KeyboardInterrupt()})
    together = stage.together(2, coming=[A, B])
    with pytest.raises(KeyboardInterrupt):
        together.result(A)
    assert stage.log[-1] == "1 closed"
    assert not together.knows(B)


def test_what_nobody_asks_for_any_more_is_closed():
    stage = Stage(turns={A: 2, B: 5})
    together = stage.together(2, coming=[A, B])
    together.result(A)
    stage.log.clear()
    together.close()
    assert stage.log == ["1 closed"]
    assert not together.knows(B)


def test_a_cell_that_has_been_asked_for_is_not_begun_again_as_one_that_is_coming():
    stage = Stage(fails={A: ValueError("no")})
    together = stage.together(2, coming=[A, B, C])
    with pytest.raises(ValueError, match=r"^no$"):
        together.result(A)
    together.result(B)
    together.result(C)
    assert stage.log.count(0) == 1


def test_a_record_says_how_many_were_under_way_on_average():
    """A runs five turns of a second for each cell there: two of them with B, three alone."""
    stage, now = Stage(turns={A: 5, B: 2}), [0.0]

    def begin(cell, crowd):
        for _ in range(stage.turns[cell]):
            now[0] += 1
            yield True
        return crowd()

    together = Together(begin, nullcontext, Width.fixed(2), coming=[A, B], clock=lambda: now[0])
    mean = together.result(A)
    assert mean == pytest.approx((2 * 2 + 2 * 2 + 2 * 1 + 1 + 1) / (2 + 2 + 1 + 1 + 1))


def test_lanes_are_used_again():
    made = []

    def lane():
        made.append(nullcontext())
        return made[-1]

    together = Stage().together(2, coming=[A, B, C], lane=lane)
    for cell in (A, B, C):
        together.result(cell)
    assert len(made) == 2


def test_a_failure_does_not_keep_what_was_at_hand():
    """The traceback of an error holds every frame, and those hold networks."""

    class Network:
        pass

    held = []

    def begin(cell, crowd):
        network = Network()
        held.append(weakref.ref(network))
        yield True
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"^no$") as caught:
        Together(begin, nullcontext, Width.fixed(1)).result(A)
    assert caught.value is not None
    assert held[0]() is None


def test_every_turn_is_taken_in_the_lane_of_its_cell():
    lanes = []

    @contextmanager
    def entered(number):
        lanes.append(("in", number))
        yield
        lanes.append(("out", number))

    class Lane:
        def __init__(self):
            self.number = Lane.count = getattr(Lane, "count", 0) + 1

        def __enter__(self):
            self.inside = entered(self.number)
            return self.inside.__enter__()

        def __exit__(self, *why):
            return self.inside.__exit__(None, None, None)

    Stage(turns=1).together(2, coming=[A, B], lane=Lane).result(A)
    assert lanes[:4] == [("in", 1), ("out", 1), ("in", 2), ("out", 2)]


@pytest.mark.usefixtures("one_thread")
def test_neighbours_change_no_bit_of_a_cell(tmp_path):
    """Three models, three scores, interleaved in one process and one by one: every measured number is the same."""
    cells = [tiny.cell("abs_grasp"), tiny.cell("loss", "mobilenet_v1"), tiny.cell("random", "resnet56", rounds=3)]
    settings = tiny.settings(tmp_path)
    registry = Registry(tmp_path / "together")

    def begin(cell, crowd):
        return executing(cell, tiny.profile(), settings, registry, listener=silent, crowd=crowd)

    together = Together(begin, partial(experiment.lane, "cpu"), Width.fixed(3), coming=cells)
    for cell in cells:
        beside = together.result(cell).record
        alone = experiment.run(cell, tiny.profile(), tiny.settings(tmp_path / "alone"), silent)
        assert (beside.metrics, beside.curve, beside.layers) == (alone.metrics, alone.curve, alone.layers)
        assert 1 < beside.environment.at_once <= 3
        assert alone.environment.at_once == 1
