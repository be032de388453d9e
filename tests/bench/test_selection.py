import pytest

from bench import options
from bench.profiles import get
from bench.scores import parse_scores
from bench.selection import Selection

DEMO = get("demo")


def ids(**filters):
    return [cell.id for cell in Selection(profile=DEMO, **filters).cells()]


def test_what_prunes_nothing_is_never_a_score_to_prune_by():
    """Dynamics are measured on one data set of a profile, and need no base; on another data set there are none."""
    scores = parse_scores(["dynamics"])
    chosen = Selection(profile=get("mini"), scores=scores).cells()
    assert {(cell.score, cell.dataset) for cell in chosen} == {("dynamics", "cifar100")}
    with pytest.raises(ValueError, match=r"^these filters leave no cell of profile mini$"):
        Selection(profile=get("mini"), datasets=("cifar10",), scores=scores).cells()
    both = Selection(profile=get("mini"), scores=parse_scores(["dynamics", "loss"])).cells()
    assert {cell.score for cell in both} == {"base", "dynamics", "loss"}


def test_nothing_said_is_the_whole_profile():
    assert ids() == [cell.id for cell in DEMO.cells()]
    assert len(ids()) == 54 + 29
    assert len(ids(suites=("gradient_flow",))) == 54
    assert all(name.startswith("missing_the_mark-") for name in ids(suites=("missing_the_mark",)))


def test_base_cells_stay_beside_the_scores_and_rounds_asked_for():
    assert ids(models=("vgg13",), scores=parse_scores(["loss"]), rounds=(3,)) == [
        "gradient_flow-vgg13-digits-base-s0",
        "gradient_flow-vgg13-digits-loss-filters75-r3-s0",
    ]
    assert ids(scores=parse_scores(["base"]), models=("vgg13",)) == ["gradient_flow-vgg13-digits-base-s0"]


def test_another_training_of_a_base_is_read_against_nothing():
    where = {"profile": get("paper"), "suites": ("missing_the_mark",), "models": ("resnet18_modified",), "seeds": (0,)}
    ablations = {
        names: {cell.ablation for cell in Selection(**where, scores=parse_scores(names)).cells() if not cell.amount}
        for names in ((), ("base",), ("random",))
    }
    assert ablations == {(): {"none", "lr0.01"}, ("base",): {"none", "lr0.01"}, ("random",): {"none"}}
    pruned = Selection(**where, rounds=(100,)).cells()
    assert {cell.ablation for cell in pruned if not cell.amount} == {"none"}


def test_a_known_score_outside_the_grid_and_ones_own_are_added():
    assert sum("-fisher-" in name for name in ids(scores=parse_scores(["fisher"]))) == 6
    assert len(ids(scores=parse_scores(["m:mine"]))) == 54 + 29 + 6, "filters, where both suites run"
    weights = ids(suites=("missing_the_mark",), scores=parse_scores(["m:mine"]))
    assert [name for name in weights if "-mine-" in name] == [
        "missing_the_mark-lenet300_100-digits-mine-k4-s0",
        "missing_the_mark-lenet300_100-digits-mine-k7-s0",
    ]


def test_ids_and_patterns():
    name = "gradient_flow-vgg13-digits-loss-filters75-r3-s0"
    assert ids(patterns=(name,)) == [name]
    assert len(ids(patterns=("*-loss-*", "*vgg13*-base-*"))) == 7


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        ({"models": ("mobilenet",)}, r"no model of profile demo is called 'mobilenet'; did you mean mobilenet_v1\?"),
        ({"datasets": ("cifar10",)}, "no data set of profile demo is called 'cifar10'; there are digits"),
        ({"rounds": (25,)}, "profile demo has no cell of 25 rounds; it has 1, 3, 100"),
        (
            {"suites": ("missing_mark",)},
            r"no suite of profile demo is called 'missing_mark'; did you mean missing_the_mark\?",
        ),
        ({"patterns": ("..",)}, "'..' is not a cell id; expected something like"),
        ({"patterns": ("*nothing*",)}, r"no cell of profile demo matches '\*nothing\*'"),
        ({"patterns": ("gradient_flow-vgg13-digits-bas-s0",)}, "did you mean gradient_flow-vgg13-digits-base-s0?"),
        ({"patterns": ("a-b-c-base-s0",)}, "profile demo has no cell 'a-b-c-base-s0'; python -m bench list --ids"),
        ({"models": ("vgg13",), "patterns": ("*resnet56*",)}, "these filters leave no cell of profile demo"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(filters, sentence):
    with pytest.raises(ValueError, match=sentence):
        ids(**filters)


def parse(**said):
    return options.parse(lambda name: said.get(name.replace("-", "_")))


def test_seeds_are_lists_and_ranges():
    assert parse(seeds="0,2-4,2").selection.seeds == (0, 2, 3, 4)
    assert parse().selection.seeds is None


def test_places_follow_each_other(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNING_BENCH_DATA", str(tmp_path / "data"))
    assert parse().data_root == tmp_path / "data"
    assert parse().cache_root == tmp_path / "stages"
    (tmp_path / "elsewhere" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert parse(data_root="elsewhere/data").cache_root == tmp_path / "elsewhere" / "stages"
    assert parse().registry.parts[-2:] == ("results", "runs")


@pytest.mark.parametrize(("profile", "required"), [("demo", True), ("nightly", True), ("paper", False)])
def test_runs_that_should_do_something_are_required_to(profile, required):
    assert parse(profile=profile).require_run is required
    assert parse(profile=profile, require_run=True).require_run


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"seeds": ","}, "--seeds ',' names no seed; expected for example 0,1,2 or 0-9"),
        ({"seeds": "2-0"}, "--seeds '2-0' names no seed"),
        ({"rounds": ["x"]}, "--rounds holds 'x'; expected whole numbers from 0 on"),
        ({"cell_timeout": "soon"}, "--cell-timeout is 'soon'; expected a number of seconds above 0"),
        ({"cell_timeout": "nan"}, "--cell-timeout is 'nan'"),
    ],
)
def test_a_bad_value_says_what_was_expected(said, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse(**said)


def test_a_score_that_another_data_set_has_is_added_where_it_was_asked_for():
    """Random pruning is in Table 3, on CIFAR-100 alone."""
    chosen = Selection(profile=get("paper"), datasets=("cifar10",), scores=parse_scores(["random"]), seeds=(0,)).cells()
    assert sum(cell.score == "random" for cell in chosen) == 9
