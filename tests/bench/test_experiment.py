"""Whole cells, really trained, on a few small digits."""

import json
import math
import textwrap
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
import torch

from bench import experiment
from bench.cache import StageCache
from bench.cell import END, Cell
from bench.profiles import PROFILES
from bench.progress import OutOfBudget, Progress, silent
from bench.suites.gradient_flow import MODELS
from bench.versions import versions
from pruning import data, models, scores
from results.record import Record

from . import tiny

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("one_thread")


def run(folder: Path, cell: Cell, listener=silent, profile=None, **changes) -> Record:
    return experiment.run(cell, profile or tiny.profile(), tiny.settings(folder, **changes), listener)


def numbers(record: Record) -> tuple:
    """Everything that is measured and does not depend on the clock."""
    return record.metrics, record.curve, record.layers


@pytest.mark.parametrize("model", MODELS)
def test_a_pruned_cell_is_pruned_exactly_and_trained_to_the_end(model, tmp_path):
    record = run(tmp_path, tiny.cell("abs_grasp", model, amount="0.55"))
    assert record.status == "done"
    assert record.metrics is not None
    total = record.metrics.filters_total
    assert record.metrics.filters_pruned == math.floor(Fraction(55, 100) * total + Fraction(1, 2))
    assert sum(layer.total - layer.kept for layer in record.layers) == record.metrics.filters_pruned
    assert record.curve.epoch == [1, 2, 3, 4]
    assert record.curve.round == [1, 2, None, None]
    assert record.curve.lr == [0.1, 0.1, 0.01, 0.001]
    assert record.metrics.params < record.metrics.params_dense
    assert record.metrics.macs < record.metrics.macs_dense
    assert record.data is not None
    assert record.data.score_images == 39, "one class has three of its four images among the first hundred"
    assert all(0 <= accuracy <= 100 for accuracy in record.curve.test_accuracy if accuracy is not None)


def test_best_accuracy_is_that_of_the_final_phase(tmp_path):
    record = run(tmp_path, tiny.cell("magnitude", rounds=2))
    assert record.metrics is not None
    final = record.curve.test_accuracy[2:]
    assert record.metrics.test_accuracy_best == max(final)
    assert record.metrics.best_epoch == 3 + final.index(max(final))
    assert record.metrics.test_accuracy_last == final[-1]


def test_the_same_cell_twice_gives_the_same_bits(tmp_path):
    first = run(tmp_path / "a", tiny.cell("loss"))
    assert numbers(first) == numbers(run(tmp_path / "b", tiny.cell("loss")))
    assert numbers(first) != numbers(run(tmp_path / "b", tiny.cell("loss", seed=1)))


class Stop(Exception):  # noqa: N818
    """Raised by a listener in the middle of a cell."""


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_stopped_run_goes_on_to_the_bit(after, tmp_path):
    def stop(progress: Progress) -> None:
        if progress.epoch == after + 1:
            raise Stop

    undisturbed = run(tmp_path / "a", tiny.cell("proposed", "resnet56", rounds=3))
    with pytest.raises(Stop):
        run(tmp_path / "b", tiny.cell("proposed", "resnet56", rounds=3), stop)
    resumed = run(tmp_path / "b", tiny.cell("proposed", "resnet56", rounds=3))
    assert resumed.costs.stages_cached >= after
    assert numbers(resumed) == numbers(undisturbed)


def test_a_run_that_is_out_of_budget_loses_nothing(tmp_path):
    """However long ago the last checkpoint was, it is stored as it stands."""

    def listen(progress: Progress) -> None:
        if progress.epoch == 3:
            raise OutOfBudget

    cell = tiny.cell("loss")
    undisturbed = run(tmp_path / "a", cell)
    with pytest.raises(OutOfBudget):
        run(tmp_path / "b", cell, listen, checkpoint_seconds=1e9)
    resumed = run(tmp_path / "b", cell)
    assert resumed.costs.stages_cached == len([1, "score", "prune", 2, "score", "prune", 3])
    assert numbers(resumed) == numbers(undisturbed)


def test_cells_of_a_seed_share_their_first_epoch(tmp_path):
    base = run(tmp_path, tiny.cell("base"))
    pruned = run(tmp_path, tiny.cell("loss"))
    assert (base.costs.stages_cached, pruned.costs.stages_cached) == (0, 1)
    assert pruned.curve.train_loss[0] == base.curve.train_loss[0]
    assert (pruned.curve.round[0], base.curve.round[0]) == (1, None)
    assert numbers(pruned) == numbers(run(tmp_path / "alone", tiny.cell("loss")))
    assert run(tmp_path, tiny.cell("loss", seed=1)).costs.stages_cached == 0


@pytest.mark.parametrize("score", ["abs_grasp", "random"])
def test_cells_of_a_score_share_what_it_says_after_the_first_epoch(tmp_path, score, monkeypatch):
    scored = []
    found = scores.filter_scores
    monkeypatch.setattr(scores, "filter_scores", lambda *args, **options: scored.append(1) or found(*args, **options))
    run(tmp_path, tiny.cell(score, rounds=1))
    assert run(tmp_path, tiny.cell("loss", rounds=1)).costs.stages_cached == 1
    assert len(scored) == 2
    more = run(tmp_path, tiny.cell(score, rounds=2, amount="0.4"))
    assert (more.costs.stages_cached, len(scored)) == (2, 3)
    alone = run(tmp_path / "alone", tiny.cell(score, rounds=2, amount="0.4"))
    assert numbers(more) == numbers(alone)
    assert more.data == alone.data


def test_a_finished_cell_leaves_only_the_shared_stages_behind(tmp_path):
    run(tmp_path, tiny.cell("base"))
    assert len(list((tmp_path / "stages").rglob("*.safetensors"))) == 1
    run(tmp_path, tiny.cell("magnitude"))
    assert len(list((tmp_path / "stages").rglob("*.safetensors"))) == 2


def test_a_rerun_computes_everything_anew(tmp_path):
    run(tmp_path, tiny.cell("base"))
    assert run(tmp_path, tiny.cell("base"), resume=False).costs.stages_cached == 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_that_leaves_the_numbers_ends_as_diverged(tmp_path):
    record = run(tmp_path, tiny.cell("loss"), profile=tiny.profile(lr=1e20, batch_size=16))
    assert record.status == "diverged"
    assert record.curve.train_loss[-1] is None
    assert record.error == f"the loss was no longer finite in epoch {record.curve.epoch[-1]}"
    json.loads(msgspec.json.encode(record))


def test_a_score_that_is_not_finite_is_named(tmp_path, monkeypatch):
    (tmp_path / "own_nan.py").write_text(
        "def nan(model, batches, *, layers):\n"
        "    return {name: layer.weight.flatten(1).sum(1) * float('nan') for name, layer in layers.items()}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    record = run(tmp_path, tiny.cell("nan"), score_references={"nan": "own_nan:nan"})
    assert record.status == "diverged"
    assert record.error == "score nan was not finite for units.0.conv and 9 other layers in round 1"


def test_a_state_that_is_none_is_dropped_and_computed_again(tmp_path):
    undisturbed = run(tmp_path, tiny.cell("loss"))
    paths = list((tmp_path / "stages").rglob("*.safetensors"))
    cache = StageCache(tmp_path / "stages")
    for path in paths:
        cache.put(path.stem, {"net.nothing": torch.zeros(1)}, {})
    again = run(tmp_path, tiny.cell("loss"))
    assert again.costs.stages_cached == 0
    assert numbers(again) == numbers(undisturbed)


def test_every_layer_loses_the_same_share_under_uniform(tmp_path):
    record = run(tmp_path, tiny.cell("uniform", amount="0.5", rounds=3))
    assert all(layer.kept == layer.total / 2 for layer in record.layers)


def test_distance_from_init_is_measured_from_where_the_run_started(tmp_path, monkeypatch):
    seen = []
    score = scores.filter_scores

    def spy(name, net, batches, **options):
        seen.append((options["initial"], {layer: net.get_submodule(layer).weight.shape for layer in net.filters}))
        return score(name, net, batches, **options)

    monkeypatch.setattr(scores, "filter_scores", spy)
    run(tmp_path, tiny.cell("distance_from_init", rounds=2))
    fresh = models.build("vgg13", 10, width="0.25", seed=data.generator(0, "init").initial_seed())
    (first, _), (second, shapes) = seen
    assert all(torch.equal(first[name], parameter) for name, parameter in fresh.named_parameters())
    assert all(second[f"{layer}.weight"].shape == shape for layer, shape in shapes.items()), "cut to what is left"
    assert any(shape != first[f"{layer}.weight"].shape for layer, shape in shapes.items())


@pytest.mark.parametrize("change", [{"ablation": "shuffle"}, {"granularity": "weights"}])
def test_a_cell_that_nothing_here_can_run_is_refused(change, tmp_path):
    with pytest.raises(ValueError, match="suite gradient_flow prunes filters, and there are no ablations of those"):
        run(tmp_path, replace(tiny.cell("magnitude"), **change))


@pytest.mark.parametrize("model", MODELS)
def test_the_released_protocol_runs_and_prunes_other_filters(model, tmp_path):
    quirks = dict.fromkeys(("schedule", "total", "floor", "counting", "revival"), "released")
    released = run(tmp_path, tiny.cell("grasp_t1", model, rounds=3), profile=tiny.profile(**quirks))
    own = run(tmp_path, tiny.cell("grasp_t1", model, rounds=3))
    assert released.status == "done"
    assert [layer.kept for layer in released.layers] != [layer.kept for layer in own.layers]


def test_more_rounds_than_epochs_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="4 rounds need an epoch each and one after them; this protocol trains for 4"):
        run(tmp_path, tiny.cell("loss", rounds=4))


def test_an_amount_the_floors_cannot_meet_names_the_largest_that_they_can(tmp_path):
    with pytest.raises(ValueError, match=r"the largest feasible amount is 0\.9\d+"):
        run(tmp_path, tiny.cell("magnitude", amount="0.99"))


def test_missing_data_says_what_to_do(tmp_path):
    cell = Cell(suite="gradient_flow", model="vgg13", dataset="cifar10")
    with pytest.raises(data.MissingData, match="python -m bench data --download cifar10"):
        run(tmp_path, cell)


def test_a_score_of_ones_own_is_loaded_when_the_cell_runs(tmp_path, monkeypatch):
    (tmp_path / "own_spread.py").write_text(
        textwrap.dedent(
            """
            def spread(model, batches, *, layers):
                return {name: layer.weight.flatten(1).std(1) for name, layer in layers.items()}
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    references = {"spread": "own_spread:spread"}
    record = run(tmp_path, tiny.cell("spread"), score_references=references)
    assert record.status == "done"
    assert str(record.versions["score"]).startswith("own_spread:spread@")


def test_versions_of_a_record_are_those_of_the_catalogue(tmp_path):
    assert run(tmp_path, tiny.cell("loss")).versions == versions(tiny.cell("loss"), {})


def test_progress_is_told_after_every_epoch(tmp_path):
    told: list[Progress] = []
    run(tmp_path, tiny.cell("magnitude"), told.append)
    assert [progress.epoch for progress in told] == [1, 2, 3, 4]
    assert told[-1].seconds_left == 0


def test_every_profile_has_a_plan_for_every_cell():
    for profile in PROFILES.values():
        for cell in profile.cells():
            stages = experiment.plan(cell, profile.protocol_of(cell), images=50_000)
            epochs = sum(isinstance(stage, experiment.Train) for stage in stages)
            assert epochs == profile.protocol_of(cell).epochs * (2 if cell.at == END else 1) + (cell.at == 50)
