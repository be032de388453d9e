"""How important a filter is.

>>> from pruning import models, scores
>>> net = models.build("vgg13")
>>> list(scores.filter_scores("magnitude", net, []))[:2]
['units.0.conv', 'units.1.conv']

A score of your own is a function:

>>> @scores.register("spread", sampling="none")
... def spread(model, batches, *, layers):
...     return {name: layer.weight.flatten(1).std(1) for name, layer in layers.items()}
"""

from pruning.scores import filters as _filters  # registers the built-in scores
from pruning.scores.compute import filter_layers, filter_scores
from pruning.scores.gradients import Batch, hessian_gradient, mean_gradient
from pruning.scores.guard import BNMode, untouched
from pruning.scores.registry import Sampling, Score, ScoreFunction, from_function, get, names, of_function, register

__all__ = [
    "BNMode",
    "Batch",
    "Sampling",
    "Score",
    "ScoreFunction",
    "filter_layers",
    "filter_scores",
    "from_function",
    "get",
    "hessian_gradient",
    "mean_gradient",
    "names",
    "of_function",
    "register",
    "untouched",
]

del _filters
