"""The stage cache keeps whole states, drops old ones, and survives damage."""

import os

import torch

from bench.cache import StageCache

ABC, ABD, OLD, USED, NEW, LATEST = (f"{number:032x}" for number in range(6))

ONE = {"net.weight": torch.arange(6.0).view(2, 3), "net.steps": torch.tensor(3)}


def test_what_is_put_comes_back(tmp_path):
    cache = StageCache(tmp_path)
    cache.put(ABC, ONE, {"curve": {"epoch": [1]}})
    stored = cache.get(ABC)
    assert stored is not None
    assert stored.facts == {"curve": {"epoch": [1]}}
    assert stored.tensors.keys() == ONE.keys()
    assert all(torch.equal(stored.tensors[name], ONE[name]) for name in ONE)
    assert cache.get(ABD) is None


def test_a_damaged_file_is_as_good_as_none(tmp_path):
    cache = StageCache(tmp_path)
    cache.put(ABC, ONE, {})
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-7])
    assert cache.get(ABC) is None
    assert not path.exists()


def test_the_least_recently_used_goes_first(tmp_path):
    cache = StageCache(tmp_path)
    for age, key in enumerate((OLD, USED, NEW)):
        cache.put(key, ONE, {})
        (path,) = tmp_path.rglob(f"{key}.safetensors")
        os.utime(path, (age, age))
    size = path.stat().st_size
    assert cache.get(OLD) is not None  # so that USED is now the oldest
    StageCache(tmp_path, limit_bytes=3 * size).put(LATEST, ONE, {})
    assert {path.stem for path in tmp_path.rglob("*.safetensors")} == {OLD, NEW, LATEST}


def test_a_state_larger_than_the_limit_is_still_kept_while_it_is_in_use(tmp_path):
    cache = StageCache(tmp_path, limit_bytes=1)
    cache.put(ABC, ONE, {})
    assert cache.get(ABC) is not None
    cache.drop(ABC)
    cache.drop(ABC)
    assert not list(tmp_path.rglob("*.*"))


def test_files_of_somebody_else_are_never_touched(tmp_path):
    theirs = [
        tmp_path / "cifar10" / "train_images.npy",
        tmp_path / "00" / "mine.safetensors",
        tmp_path / "00" / "x.tmp",
    ]
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"0" * 1000)
        os.utime(path, (0, 0))
    StageCache(tmp_path, limit_bytes=1).put(ABC, ONE, {})
    assert all(path.exists() for path in theirs)


def test_a_file_whose_bytes_have_changed_is_as_good_as_none(tmp_path):
    cache = StageCache(tmp_path)
    cache.put(ABC, ONE, {})
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-3] + b"xyz")  # still a whole container
    assert cache.get(ABC) is None
    assert not path.exists()
