import hashlib
import sys
from importlib.metadata import EntryPoint

import pytest

import bench.versions
from bench import scores
from bench.cell import Cell
from bench.scores import Choice, parse_scores
from bench.versions import check_reference, score_version, source_file, versions
from pruning.versions import MODELS

BASE = Cell(suite="gradient_flow", model="vgg13", dataset="cifar10")


def pruned(score):
    return Cell.parse(f"gradient_flow-vgg13-cifar10-{score}-filters75-r1-s0")


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "my_package" / "inner.py").write_text(
        "from elsewhere import (borrowed)\nassigned = 1\ndef own(): ...\n"
    )
    return tmp_path


def test_a_name_restricts_and_a_reference_adds():
    assert parse_scores([]) == Choice(None, {})
    assert parse_scores(["loss,magnitude", "loss"]) == Choice(("loss", "magnitude"), {})
    assert parse_scores(["my.mod:Squared"]) == Choice(None, {"squared": "my.mod:Squared"})
    assert parse_scores(["loss", "m:f"]) == Choice(("loss",), {"f": "m:f"})


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("magnitud", r"no score is called 'magnitud'; did you mean magnitude\?"),
        ("my mod:", "'mymod:' is not a score; expected module:function, for example my_scores:squared"),
        ("m:loss", "'m:loss' would be a second score called 'loss'; rename the function"),
        ("m:base", "'m:base' would be a second score called 'base'; rename the function"),
        ("m:f,n:f", "'n:f' would be a second score called 'f'; rename the function"),
        ("m:größe", "becomes part of an id, so it may hold only a-z, 0-9 and _"),
    ],
)
def test_a_score_that_cannot_be_says_why(word, sentence):
    with pytest.raises(ValueError, match=sentence):
        parse_scores([word])


def test_installed_scores_are_known_by_name_and_not_loaded(monkeypatch, mine):
    point = EntryPoint(name="fancy", value="my_package.inner:own", group=scores.GROUP)
    monkeypatch.setattr(scores, "entry_points", lambda group: [point])
    assert "fancy" in scores.known()
    choice = parse_scores(["fancy"])
    assert choice == Choice(("fancy",), {"fancy": "my_package.inner:own"})
    assert str(score_version("fancy", choice.references)).startswith("my_package.inner:own@")
    assert "my_package" not in sys.modules


def test_versions_cover_what_the_cell_depends_on():
    assert set(versions(BASE, {})) == {"model", "dataset", "augmentation", "training"}
    assert set(versions(pruned("loss"), {})) == {*versions(BASE, {}), "score", "masks", "surgery"}
    assert score_version("uniform", {}) == score_version("random", {})


def test_versions_follow_the_table(monkeypatch):
    before = versions(BASE, {})
    monkeypatch.setitem(MODELS, "vgg13", 99)
    assert versions(BASE, {}) == {**before, "model": 99}


def test_the_version_of_ones_own_score_is_its_file(mine):
    path = mine / "my_package" / "inner.py"
    reference = {"own": "my_package.inner:own"}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    assert versions(pruned("own"), reference)["score"] == f"my_package.inner:own@{digest}"
    path.write_text("def own(): return 1\n")
    assert versions(pruned("own"), reference)["score"] == f"my_package.inner:own@{digest}", "what was imported runs"
    bench.versions._source_version.cache_clear()  # as in another process
    assert versions(pruned("own"), reference)["score"] != f"my_package.inner:own@{digest}"
    assert source_file("my_package.inner:own") == path
    assert "my_package" not in sys.modules


@pytest.mark.parametrize("name", ["own", "borrowed", "assigned"])
def test_a_reference_is_checked_without_importing(mine, name):
    check_reference(f"my_package.inner:{name}")
    assert "my_package" not in sys.modules


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("my_package.inner:owm", r"no function of inner.py is called 'owm'; did you mean own\?"),
        ("my_package.outer:own", "there is no module 'my_package.outer' on the Python path"),
        ("nowhere:own", "there is no module 'nowhere' on the Python path"),
        ("sys:own", "score 'sys:own' has no source file"),
        ("broken:own", "score 'broken:own': line 1 of broken.py is not Python"),
    ],
)
def test_a_reference_that_leads_nowhere_says_so(mine, reference, sentence):
    (mine / "broken.py").write_text("def (")
    with pytest.raises(ValueError, match=sentence):
        check_reference(reference)


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (Cell(suite="s", model="vgg133", dataset="cifar10"), r"no model is called 'vgg133'; did you mean vgg13\?"),
        (Cell(suite="s", model="vgg13", dataset="cifar1O0".lower()), r"no data set is called 'cifar1o0'; did you mean"),
        (pruned("lost"), r"no score is called 'lost'; did you mean loss\?"),
    ],
)
def test_an_unknown_name_has_no_version(cell, sentence):
    with pytest.raises(ValueError, match=sentence):
        versions(cell, {})


@pytest.mark.parametrize(
    ("name", "granularity", "sentence"),
    [
        ("snip", "filters", "score 'snip' is one of weights; run it with --suite missing_the_mark"),
        ("loss", "weights", "score 'loss' is one of filters; run it in suite gradient_flow"),
        ("snup", "weights", r"no score of weights is called 'snup'; did you mean snip\?"),
    ],
)
def test_a_score_of_the_other_granularity_says_where_it_runs(name, granularity, sentence):
    with pytest.raises(ValueError, match=sentence):
        score_version(name, {}, granularity)
