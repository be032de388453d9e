import pytest

from pruning import data
from pruning.data.shapes import SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_a_data_set_without_images_has_classes_and_shape(name):
    found = data.without_images(name)
    classes, shape = SHAPES[name]
    assert (found.name, found.classes, len(found.train), len(found.test)) == (name, classes, 0, 0)
    assert found.train.images.shape == (0, *shape)


def test_the_shape_is_that_of_the_data_set_itself():
    assert (
        data.without_images("digits", 16).train.images.shape[1:] == data.load("digits", None, 16).train.images.shape[1:]
    )
    assert data.without_images("digits").classes == data.load("digits", None).classes


def test_every_data_set_that_can_be_loaded_has_a_shape():
    assert set(data.NAMES) <= set(SHAPES)


def test_an_unknown_name():
    with pytest.raises(ValueError, match="no data set is called 'imagnet'; did you mean imagenet"):
        data.without_images("imagnet")
