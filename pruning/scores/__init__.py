"""How important a filter or a weight is.

>>> from pruning import models, scores
>>> net = models.build("vgg13")
>>> list(scores.filter_scores("magnitude", net, []))[:2]
['units.0.conv', 'units.1.conv']
>>> list(scores.weight_scores("synflow", net, [], image=(3, 32, 32)))[:2]
['units.0.conv.weight', 'units.1.conv.weight']

A score of your own is a function:

>>> @scores.register("spread", sampling="none")
... def spread(model, batches, *, layers):
...     return {name: layer.weight.flatten(1).std(1) for name, layer in layers.items()}
>>> @scores.register("square", granularity="weights", sampling="none")
... def square(model, batches, *, parameters):
...     return {name: weight**2 for name, weight in parameters.items()}
"""

from pruning.scores import filters as _filters  # registers the built-in scores
from pruning.scores import weights as _weights  # likewise
from pruning.scores.batches import Batch
from pruning.scores.compute import filter_scores, weight_scores
from pruning.scores.gradients import hessian_gradient, hessian_product, mean_gradient
from pruning.scores.guard import BNMode, untouched
from pruning.scores.prunable import filter_layers, weight_parameters
from pruning.scores.registry import (
    Granularity,
    Sampling,
    Score,
    ScoreFunction,
    from_function,
    get,
    names,
    of_function,
    register,
)

__all__ = [
    "BNMode",
    "Batch",
    "Granularity",
    "Sampling",
    "Score",
    "ScoreFunction",
    "filter_layers",
    "filter_scores",
    "from_function",
    "get",
    "hessian_gradient",
    "hessian_product",
    "mean_gradient",
    "names",
    "of_function",
    "register",
    "untouched",
    "weight_parameters",
    "weight_scores",
]

del _filters, _weights
