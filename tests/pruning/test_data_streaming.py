"""A data set that stays on disk, on three made-up classes."""

import multiprocessing
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.transforms import functional

from pruning import data
from pruning.data import image_folder, streaming
from pruning.data.resized_crop import random_boxes

from .image_files import save

# A loader warns where there are fewer cores than workers, and Python of forks beside threads.
pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*use of fork\\(\\) may lead to deadlocks:DeprecationWarning"),
]


def together(batches: Iterator[streaming.Batch]) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*batches, strict=True)
    return torch.cat(images), torch.cat(labels)


def epoch(tiny: image_folder.Streamed, size: int = 4, **changed: int) -> tuple[torch.Tensor, torch.Tensor]:
    return together(streaming.training_batches(tiny, size, **{"seed": 0, "epoch": 0, **changed}))


def test_files_are_those_of_torchvision_s_image_folder(root: Path, tiny: image_folder.Streamed) -> None:
    for part, files in (("train", tiny.train), ("val", tiny.test)):
        expected = ImageFolder(root / "tiny" / part).samples
        found = [str(files.folder / path.decode()) for path in files.paths]
        assert list(zip(found, files.labels.tolist(), strict=True)) == expected
    assert (tiny.name, tiny.classes, len(tiny.train), len(tiny.test)) == ("tiny", 3, 9, 6)


def test_only_images_count(root: Path, tiny: image_folder.Streamed) -> None:
    (root / "tiny/train/n01/notes.txt").write_text("no image")
    (root / "tiny/train/README").write_text("no class")
    assert image_folder.image_folder("tiny", str(root)).fingerprint == tiny.fingerprint


def test_the_fingerprint_follows_from_the_files_and_not_from_where_they_are(
    root: Path, tiny: image_folder.Streamed
) -> None:
    (root / "elsewhere").mkdir()
    moved = (root / "tiny").rename(root / "elsewhere/tiny")
    assert image_folder.image_folder("tiny", root / "elsewhere").fingerprint == tiny.fingerprint
    image = moved / "train/n02/n02_0.JPEG"
    image.write_bytes(image.read_bytes() + b"\0")
    longer = image_folder.image_folder("tiny", root / "elsewhere").fingerprint
    image.rename(moved / "val/n02/n02_0.JPEG")
    assert len({tiny.fingerprint, longer, image_folder.image_folder("tiny", root / "elsewhere").fingerprint}) == 3


def test_the_fingerprint_knows_the_splits_apart(tmp_path: Path) -> None:
    for part, number in (("train", 0), ("train", 1), ("val", 2)):
        save(tmp_path / f"one/{part}/n01/{number}.JPEG", number)
    before = image_folder.image_folder("one", tmp_path)
    (tmp_path / "one/train/n01/1.JPEG").rename(tmp_path / "one/val/n01/1.JPEG")
    after = image_folder.image_folder("one", tmp_path)
    assert [*before.train.paths, *before.test.paths] == [*after.train.paths, *after.test.paths]
    assert before.fingerprint != after.fingerprint


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_the_number_of_workers(tiny: image_folder.Streamed, workers: int) -> None:
    here = list(streaming.training_batches(tiny, 4, seed=1, epoch=2))
    there = list(streaming.training_batches(tiny, 4, seed=1, epoch=2, workers=workers))
    assert [len(labels) for _, labels in here] == [4, 4, 1]
    assert all(
        torch.equal(a, b) for one, other in zip(here, there, strict=True) for a, b in zip(one, other, strict=True)
    )


def test_an_epoch_follows_from_seed_and_number_alone(tiny: image_folder.Streamed) -> None:
    images, labels = epoch(tiny, epoch=3)
    again, _ = epoch(tiny, epoch=3)
    assert torch.equal(images, again)
    assert labels.bincount().tolist() == [3, 3, 3]
    assert images.shape == (9, 224, 224, 3)
    assert images.dtype == torch.uint8
    for other in ({"epoch": 4}, {"epoch": 3, "seed": 1}):
        images_then, labels_then = epoch(tiny, **other)
        assert labels_then.tolist() != labels.tolist()
        seen = {image.numpy().tobytes() for image in images}
        assert not seen & {image.numpy().tobytes() for image in images_then}


def test_the_size_of_a_batch_changes_no_image(tiny: image_folder.Streamed) -> None:
    for found, expected in zip(epoch(tiny, size=2), epoch(tiny, size=9), strict=True):
        assert torch.equal(found, expected)


def test_the_global_random_stream_is_left_alone(tiny: image_folder.Streamed) -> None:
    before = torch.get_rng_state()
    epoch(tiny)
    epoch(tiny, workers=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_images_are_torchvision_s_crops_of_the_boxes_drawn(tiny: image_folder.Streamed) -> None:
    index, flipped = torch.tensor([4, 4, 7, 0, 1, 2]), 0
    images, labels = together(streaming.batches(tiny.train, index, 6, stream=(3, "name", 5)))
    assert labels.tolist() == tiny.train.labels[index].tolist()
    for found, position in zip(images, index.tolist(), strict=True):
        stream = data.generator(3, "name", 5, position)
        with Image.open(tiny.train.folder / tiny.train.paths[position].decode()) as image:
            box = random_boxes(1, image.height, image.width, stream)[0].tolist()
            expected = functional.resized_crop(image, *box, [224, 224])
        flip = int(torch.randint(2, (), generator=stream))
        flipped += flip
        assert np.array_equal(functional.hflip(expected) if flip else expected, found.numpy())
    assert 0 < flipped < 6


def test_test_images_are_torchvision_s_middles(root: Path, tiny: image_folder.Streamed) -> None:
    images, labels = together(streaming.evaluation_batches(tiny, 4, workers=1))
    middle = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), np.array])
    expected = ImageFolder(root / "tiny/val", transform=middle)
    assert labels.tolist() == expected.targets == [0, 0, 1, 1, 2, 2]
    assert all(np.array_equal(image, other) for image, (other, _) in zip(images, expected, strict=True))


def test_a_sample_is_augmented_anew_for_every_k(tiny: image_folder.Streamed, monkeypatch: pytest.MonkeyPatch) -> None:
    index = torch.tensor([4, 0, 8, 1])
    found = streaming.sampled(tiny, index, seed=0, k=1)
    assert found.images.shape == (4, 224, 224, 3)
    assert found.labels.tolist() == [1, 0, 2, 0]
    monkeypatch.setattr(streaming, "PART", 3)
    again, other = (streaming.sampled(tiny, index, seed=0, k=k, workers=1).images for k in (1, 2))
    assert torch.equal(found.images, again)
    assert not torch.equal(found.images, other)


def test_grey_and_four_channel_images_become_rgb(root: Path) -> None:
    grey, four = root / "tiny/val/n01/n01_3.JPEG", root / "tiny/val/n01/n01_4.JPEG"
    Image.new("L", (230, 300), 77).save(grey)
    Image.new("CMYK", (300, 230)).save(four)
    images, _ = together(streaming.evaluation_batches(image_folder.image_folder("tiny", root), 2))
    assert images[0].unique().tolist() == [77]
    assert images[1].unique().tolist() == [255]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_named_where_its_batch_is_reached(
    root: Path, tiny: image_folder.Streamed, workers: int
) -> None:
    path = root / "tiny/val/n02/n02_3.JPEG"
    path.write_bytes(path.read_bytes()[:500])
    batches = streaming.evaluation_batches(tiny, 2, workers=workers)
    assert next(batches)[1].tolist() == [0, 0]
    assert len(multiprocessing.active_children()) == workers
    with pytest.raises(data.DataError) as raised:
        next(batches)
    assert str(raised.value) == f"{path} is not a whole image; fetch it again"
    assert multiprocessing.active_children() == []


def test_a_file_that_vanished_is_named(root: Path, tiny: image_folder.Streamed) -> None:
    (root / "tiny/train/n03/n03_1.JPEG").unlink()
    with pytest.raises(data.DataError, match=r"n03_1.JPEG is not a whole image; fetch it again"):
        epoch(tiny)


def test_leaving_an_epoch_early_ends_its_workers(tiny: image_folder.Streamed) -> None:
    batches = streaming.training_batches(tiny, 1, seed=0, epoch=0, workers=2)
    first, _ = next(batches)
    assert len(multiprocessing.active_children()) == 2
    del batches
    assert torch.equal(first, next(streaming.training_batches(tiny, 1, seed=0, epoch=0))[0])
    assert multiprocessing.active_children() == []


def test_what_is_listed_can_be_sent_to_a_process(tiny: image_folder.Streamed) -> None:
    sent = pickle.loads(pickle.dumps(tiny))
    assert sent.train.paths.tolist() == tiny.train.paths.tolist()
    assert torch.equal(epoch(sent)[0], epoch(tiny)[0])


def message(root: Path) -> str:
    with pytest.raises(data.DataError) as raised:
        image_folder.image_folder("tiny", root)
    return str(raised.value).replace(str(root), "ROOT")


def test_a_missing_folder_is_missing_data(tmp_path: Path) -> None:
    with pytest.raises(data.MissingData) as raised:
        image_folder.imagenet(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path} holds no 'imagenet'; "
        "put imagenet/train and imagenet/val there, with a folder for each class in both"
    )


def test_a_missing_split_is_damage(root: Path) -> None:
    (root / "tiny/val").rename(root / "tiny/test")
    assert message(root) == "ROOT/tiny/val is missing; put the images of that split there, in a folder for each class"


def test_images_that_are_not_sorted_into_classes(root: Path) -> None:
    for image in (root / "tiny/val").glob("*/*"):
        image.rename(root / "tiny/val" / image.name)
    for folder in (root / "tiny/val").glob("n0?"):
        folder.rmdir()
    assert message(root) == "ROOT/tiny/val has no folders; sort its images into one for each class"


def test_an_empty_class(root: Path) -> None:
    (root / "tiny/train/n00").mkdir()
    assert message(root) == ("ROOT/tiny/train/n00 holds no image (.jpeg, .jpg, .png); fetch those of its class again")


def test_a_class_of_one_split_alone(root: Path) -> None:
    (root / "tiny/val/n02").rename(root / "tiny/val/n04")
    assert message(root) == "ROOT/tiny/val/n04 is a class of val alone; give both splits the same classes"
    (root / "tiny/val/n04").rename(root / "n04")
    assert message(root) == "ROOT/tiny/train/n02 is a class of train alone; give both splits the same classes"


def test_something_smaller_is_not_taken_for_imagenet(root: Path) -> None:
    (root / "tiny").rename(root / "imagenet")
    with pytest.raises(data.DataError) as raised:
        image_folder.imagenet(root)
    assert str(raised.value) == (
        f"{root}/imagenet has 3 classes with 9 training and 6 validation images instead of ImageNet's "
        "1,000 classes with 1,281,167 training and 50,000 validation; complete it or give another root"
    )


def test_imagenet_is_taken_when_it_is_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "tiny").rename(root / "imagenet")
    monkeypatch.setattr(image_folder, "IMAGENET", (3, 9, 6))
    assert image_folder.imagenet(root).name == "imagenet"


def test_a_batch_without_images_is_refused(tiny: image_folder.Streamed) -> None:
    with pytest.raises(ValueError, match="batches of 0 images were asked for; a batch needs at least one"):
        streaming.evaluation_batches(tiny, 0)
