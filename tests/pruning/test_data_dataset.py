"""Digits, scaling and names: what needs no files."""

import numpy as np
import pytest
import torch

from pruning import data, versions
from pruning.data.scaling import box_scaled


def test_digits_are_the_same_everywhere() -> None:
    digits = data.load("digits")
    assert digits.fingerprint == "f89a59dae3f4d780"
    assert digits.train.images.shape == (1500, 32, 32, 3)
    assert digits.test.images.shape == (297, 32, 32, 3)
    assert data.load("digits", image_size=8).train.images.amax() == 255


def test_box_scaling_by_hand_rounds_halves_up() -> None:
    image = np.array([[0, 1, 10, 10], [0, 1, 10, 13], [255, 255, 7, 8], [255, 255, 7, 7]], dtype=np.uint8)[
        None, :, :, None
    ]
    assert box_scaled(image, 2)[0, :, :, 0].tolist() == [[1, 11], [255, 7]]
    assert box_scaled(image, None) is image
    with pytest.raises(ValueError, match="images of 4 pixels cannot be scaled to 3; image_size must divide 4"):
        box_scaled(image, 3)


def test_names_agree_with_the_versions_and_are_checked() -> None:
    assert [*data.NAMES, "imagenet"] == list(versions.DATASETS)
    with pytest.raises(ValueError, match="no data set is called 'cifar_10'; did you mean cifar10"):
        data.load("cifar_10")
    with pytest.raises(
        ValueError, match=r"no data set is called 'zzz'; there are digits, cifar10, .*, tiny_imagenet_subset"
    ):
        data.load("zzz")
    with pytest.raises(ValueError, match="'mnist' is read from disk; give the folder that holds it as root"):
        data.load("mnist")


def test_digits_are_scikit_learn_s_in_another_order() -> None:
    from sklearn.datasets import load_digits

    digits = data.load("digits", image_size=8)
    images = torch.cat((digits.train.images, digits.test.images))[:, :, :, 0].long()
    labels = torch.cat((digits.train.labels, digits.test.labels))
    expected = np.round(load_digits().images * 255 / 16).astype(np.int64)
    rows = [(image.tolist(), label) for image, label in zip(images, labels.tolist(), strict=True)]
    assert sorted(rows) == sorted(zip(expected.tolist(), load_digits().target.tolist(), strict=True))


def test_to_moves_both_splits() -> None:
    moved = data.load("digits").to("meta")
    assert {moved.train.images.device.type, moved.test.labels.device.type} == {"meta"}
