"""Networks by name, their sizes, and how they are stored.

>>> from pruning import models
>>> net = models.build("vgg13", num_classes=10)
>>> models.parameters(net)
9413066
"""

from pruning.models.architecture import Architecture, Prunable, kept_channels
from pruning.models.build import build, from_architecture, names
from pruning.models.counting import macs, parameters
from pruning.models.initialisation import initialisations, initialise
from pruning.models.store import load, save

__all__ = [
    "Architecture",
    "Prunable",
    "build",
    "from_architecture",
    "initialisations",
    "initialise",
    "kept_channels",
    "load",
    "macs",
    "names",
    "parameters",
    "save",
]
