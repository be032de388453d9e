"""The stage cache keeps whole states, drops old ones, and survives damage."""

import os

import torch

from bench.cache import StageCache

ONE = {"net.weight": torch.arange(6.0).view(2, 3), "net.steps": torch.tensor(3)}


def test_what_is_put_comes_back(tmp_path):
    cache = StageCache(tmp_path)
    cache.put("abc", ONE, {"curve": {"epoch": [1]}})
    stored = cache.get("abc")
    assert stored is not None
    assert stored.facts == {"curve": {"epoch": [1]}}
    assert stored.tensors.keys() == ONE.keys()
    assert all(torch.equal(stored.tensors[name], ONE[name]) for name in ONE)
    assert cache.get("abd") is None


def test_a_damaged_file_is_as_good_as_none(tmp_path):
    cache = StageCache(tmp_path)
    cache.put("abc", ONE, {})
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-7])
    assert cache.get("abc") is None
    assert not path.exists()


def test_the_least_recently_used_goes_first(tmp_path):
    cache = StageCache(tmp_path)
    for age, key in enumerate(("old", "used", "new")):
        cache.put(key, ONE, {})
        (path,) = tmp_path.rglob(f"{key}.safetensors")
        os.utime(path, (age, age))
    size = path.stat().st_size
    assert cache.get("old") is not None  # so that "used" is now the oldest
    StageCache(tmp_path, limit_bytes=3 * size).put("latest", ONE, {})
    assert {path.stem for path in tmp_path.rglob("*.safetensors")} == {"old", "new", "latest"}


def test_a_state_larger_than_the_limit_is_still_kept_while_it_is_in_use(tmp_path):
    cache = StageCache(tmp_path, limit_bytes=1)
    cache.put("abc", ONE, {})
    assert cache.get("abc") is not None
    cache.drop("abc")
    cache.drop("abc")
    assert not list(tmp_path.rglob("*.*"))
