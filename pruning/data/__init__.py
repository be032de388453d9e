"""Image data sets in canonical order, as uint8 tensors that stay on the device, and the batches made of them.

Nothing here depends on where the files came from: images are sorted by the SHA-1 of their pixels, so the first n of a
split, and the fingerprint of its content, are the same for torchvision's layout and for plain arrays.
"""

from pruning.data.augment import Augmentation, batch, crop_flip, crop_flip_at, flip_crop, flip_crop_at, normalised
from pruning.data.constants import IMAGENET, MNIST, Constants
from pruning.data.dataset import Dataset, Split
from pruning.data.download import download
from pruning.data.errors import DataError, MissingData
from pruning.data.image_folder import Streamed, imagenet
from pruning.data.resized_crop import resized_crop_flip, resized_crop_flip_at
from pruning.data.sampling import class_balanced, generator, permutation, shuffled
from pruning.data.shapes import without_images
from pruning.data.sources import NAMES, load

__all__ = [
    "IMAGENET",
    "MNIST",
    "NAMES",
    "Augmentation",
    "Constants",
    "DataError",
    "Dataset",
    "MissingData",
    "Split",
    "Streamed",
    "batch",
    "class_balanced",
    "crop_flip",
    "crop_flip_at",
    "download",
    "flip_crop",
    "flip_crop_at",
    "generator",
    "imagenet",
    "load",
    "normalised",
    "permutation",
    "resized_crop_flip",
    "resized_crop_flip_at",
    "shuffled",
    "without_images",
]
