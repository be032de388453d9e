"""Loading by name: layouts, canonical order, fingerprints and what is said about bad data."""

import gzip
import hashlib
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pruning import data
from pruning.data import files, sources
from pruning.data.scaling import box_scaled

CIFAR = replace(sources.SOURCES["cifar10"], train=20, test=6)
MNIST = replace(sources.SOURCES["mnist"], train=7, test=3)
TEST_BATCH = "cifar-10-batches-py/test_batch"
Arrays = tuple[np.ndarray, np.ndarray]


def made_up(count: int, shape: tuple[int, ...], seed: int) -> Arrays:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, *shape), dtype=np.uint8), random.integers(0, 10, count)


def write_arrays(folder: Path, train: Arrays, test: Arrays) -> None:
    folder.mkdir()
    for part, (images, labels) in {"train": train, "test": test}.items():
        np.save(folder / f"{part}_images.npy", images)
        np.save(folder / f"{part}_labels.npy", labels)


def write_pickles(root: Path, train: Arrays, test: Arrays) -> None:
    batches = [(images, labels) for images, labels in zip(*(np.split(part, 5) for part in train), strict=True)]
    (root / "cifar-10-batches-py").mkdir()
    for path, (images, labels) in zip((*sources.CIFAR10_BATCHES, TEST_BATCH), [*batches, test], strict=True):
        content = {"data": images.transpose(0, 3, 1, 2).reshape(-1, 3072), "labels": labels.tolist()}
        (root / path).write_bytes(pickle.dumps(content, protocol=4))


def write_idx(root: Path, train: Arrays, test: Arrays, suffix: str = "") -> None:
    (root / "MNIST/raw").mkdir(parents=True)
    write = gzip.compress if suffix else bytes
    for part, (images, labels) in {"train": train, "t10k": test}.items():
        header = bytes((0, 0, 8, 3)) + np.array(images.shape[:3], dtype=">u4").tobytes()
        (root / f"MNIST/raw/{part}-images-idx3-ubyte{suffix}").write_bytes(write(header + images.tobytes()))
        header = bytes((0, 0, 8, 1)) + np.array(labels.shape, dtype=">u4").tobytes()
        content = header + labels.astype(np.uint8).tobytes()
        (root / f"MNIST/raw/{part}-labels-idx1-ubyte{suffix}").write_bytes(write(content))


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    write_arrays(tmp_path / "cifar10", made_up(20, (32, 32, 3), 0), made_up(6, (32, 32, 3), 1))
    return tmp_path


def test_layout_and_order_of_the_source_do_not_matter(tmp_path: Path, cifar: Path) -> None:
    (tmp_path / "pickled").mkdir()
    order = np.random.default_rng(2).permutation(20)
    images, labels = made_up(20, (32, 32, 3), 0)
    write_pickles(tmp_path / "pickled", (images[order], labels[order]), made_up(6, (32, 32, 3), 1))
    ours, theirs = sources.read(CIFAR, cifar), sources.read(CIFAR, tmp_path / "pickled")
    assert ours.fingerprint == theirs.fingerprint
    assert torch.equal(ours.train.images, theirs.train.images)
    assert torch.equal(ours.train.labels, theirs.train.labels)


def test_canonical_order_is_that_of_sha1(cifar: Path) -> None:
    images = sources.read(CIFAR, cifar).train.images
    keys = [hashlib.sha1(image.numpy().tobytes()).digest() for image in images]
    assert keys == sorted(keys)
    assert images.is_contiguous()


def test_equal_images_are_ordered_by_label(tmp_path: Path) -> None:
    images = np.zeros((7, 28, 28, 1), dtype=np.uint8)
    write_arrays(tmp_path / "mnist", (images, np.array([3, 1, 2, 9, 0, 1, 5])), made_up(3, (28, 28, 1), 1))
    assert sources.read(MNIST, tmp_path).train.labels.tolist() == [0, 1, 1, 2, 3, 5, 9]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_equal_arrays(tmp_path: Path, suffix: str) -> None:
    train, test = made_up(7, (28, 28, 1), 0), made_up(3, (28, 28, 1), 1)
    write_arrays(tmp_path / "mnist", train, test)
    write_idx(tmp_path / "raw", train, test, suffix)
    assert sources.read(MNIST, tmp_path).fingerprint == sources.read(MNIST, tmp_path / "raw").fingerprint


def test_fingerprint_sees_every_part_and_no_name(cifar: Path) -> None:
    whole = sources.read(CIFAR, cifar)
    assert sources.read(replace(CIFAR, name="other"), cifar).fingerprint == whole.fingerprint
    labels = np.load(cifar / "cifar10/test_labels.npy")
    np.save(cifar / "cifar10/test_labels.npy", (labels + 1) % 10)
    seen = {whole.fingerprint, sources.read(CIFAR, cifar).fingerprint, whole.limited(train=19).fingerprint}
    assert len(seen) == 3


def test_limited_takes_the_first_and_refuses_more_than_there_are(cifar: Path) -> None:
    whole = sources.read(CIFAR, cifar)
    some = whole.limited(train=5, test=2)
    assert torch.equal(some.train.images, whole.train.images[:5])
    assert torch.equal(some.test.labels, whole.test.labels[:2])
    assert whole.limited() is whole
    with pytest.raises(ValueError, match="21 images were asked for, and between 1 and 20 can be had; lower the limit"):
        whole.limited(train=21)


def test_the_first_images_are_the_same_at_every_size(cifar: Path) -> None:
    native, small = sources.read(CIFAR, cifar), sources.read(CIFAR, cifar, image_size=16)
    assert np.array_equal(small.train.images.numpy(), box_scaled(native.train.images.numpy(), 16))


def save(name: str, array: np.ndarray) -> Callable[[Path], None]:
    return lambda root: np.save(root / "cifar10" / name, array)


def truncate(root: Path) -> None:
    path = root / "cifar10/train_images.npy"
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "{root}/cifar10/train_images.npy is not a whole .npy file"),
        (lambda root: (root / "cifar10/test_labels.npy").write_bytes(b""), "test_labels.npy is not a whole .npy file"),
        (lambda root: (root / "cifar10/test_labels.npy").unlink(), "test_labels.npy is missing beside the other files"),
        (
            save("test_labels.npy", np.zeros(5, np.int64)),
            "{root}/cifar10 has test labels int64 [5], expected int64 [6]",
        ),
        (save("test_labels.npy", np.zeros(6, np.int32)), "has test labels int32 [6], expected int64 [6]"),
        (save("test_labels.npy", np.arange(5, 11)), "has test labels from 5 to 10, expected 0 to 9"),
        (save("test_labels.npy", np.array([None] * 6)), "test_labels.npy is not a whole .npy file"),
        (
            save("train_images.npy", np.zeros((20, 32, 32, 3), np.float32)),
            "has training images float32 [20, 32, 32, 3], expected uint8 [20, 32, 32, 3]",
        ),
        (
            save("train_images.npy", np.zeros((20, 3, 32, 32), np.uint8)),
            "has training images uint8 [20, 3, 32, 32], expected uint8 [20, 32, 32, 3]",
        ),
    ],
)
def test_damaged_arrays_say_what_was_expected(cifar: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(cifar)
    with pytest.raises(data.DataError, match=re.escape(message.format(root=cifar))) as raised:
        sources.read(CIFAR, cifar)
    advice = f"; remove what is there and fetch it with `python -m bench data --download cifar10 --data-root {cifar}`"
    assert str(raised.value).endswith(advice)
    assert not isinstance(raised.value, data.MissingData)


@pytest.mark.parametrize("kind", [str, Path])
def test_missing_data_say_where_they_were_expected(tmp_path: Path, kind: Callable[[Path], str | Path]) -> None:
    with pytest.raises(data.MissingData) as raised:
        data.load("mnist", kind(tmp_path))
    assert str(raised.value) == (
        f"{tmp_path} holds no 'mnist', which was expected in mnist or MNIST/raw; "
        f"fetch it with `python -m bench data --download mnist --data-root {tmp_path}`"
    )


def test_a_whole_layout_is_read_although_another_is_in_pieces(tmp_path: Path) -> None:
    train, test = made_up(7, (28, 28, 1), 0), made_up(3, (28, 28, 1), 1)
    write_arrays(tmp_path / "mnist", train, test)
    write_idx(tmp_path, train, test)
    (tmp_path / "mnist/test_images.npy").unlink()
    assert len(sources.read(MNIST, tmp_path).train) == 7


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_truncated_idx(tmp_path: Path, suffix: str) -> None:
    write_idx(tmp_path, made_up(7, (28, 28, 1), 0), made_up(3, (28, 28, 1), 1), suffix)
    path = tmp_path / f"MNIST/raw/t10k-images-idx3-ubyte{suffix}"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(data.DataError, match=r"t10k-images-idx3-ubyte.* is not a whole idx file of bytes"):
        sources.read(MNIST, tmp_path)


def test_truncated_pickle(tmp_path: Path) -> None:
    write_pickles(tmp_path, made_up(20, (32, 32, 3), 0), made_up(6, (32, 32, 3), 1))
    path = tmp_path / TEST_BATCH
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(data.DataError, match="test_batch is not a whole CIFAR batch"):
        sources.read(CIFAR, tmp_path)


def test_a_pickle_cannot_run_code(tmp_path: Path) -> None:
    (tmp_path / "batch").write_bytes(pickle.dumps({"data": Path}, protocol=2))
    with pytest.raises(data.DataError, match=r"not a whole CIFAR batch \(it asks for pathlib"):
        files.read_pickle(tmp_path / "batch", "labels")


def test_a_pickle_of_python_2_is_read_without_a_warning(tmp_path: Path) -> None:
    # {"labels": [4], "data": 3072 sevens in a uint8 [1, 3072]}, the dtype with align=0 as Python 2 wrote it.
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\nI3072\nt"
    dtype = b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
    pixels = b"I00\nS'" + rb"\x07" * 3072 + b"'\ntb"
    content = b"(dS'labels'\n(lI4\nasS'data'\n" + array + dtype + pixels + b"s."
    (tmp_path / "batch").write_bytes(content)
    images, labels = files.read_pickle(tmp_path / "batch", "labels")
    assert (images == 7).all()
    assert labels.tolist() == [4]
