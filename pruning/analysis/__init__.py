"""What a mask leaves of a network: weights by layer, neurons without input, weights on no path to the logits.

A mask names weights of convolutions and linear layers and is True where a weight stays; a layer that it does not name
is whole. Nothing here changes the network.

>>> import torch
>>> from torch import nn
>>> net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
>>> mask = {"0.weight": torch.tensor([[True, False], [False, False]]), "2.weight": torch.tensor([[True, True]])}
>>> collapsed(net, mask)
(1, 2)
>>> effective(net, mask, (2,))["2.weight"]
tensor([[ True, False]])
"""

from pruning.analysis.layers import layer_counts
from pruning.analysis.neurons import collapsed, neuron_curve, neuron_sparsity
from pruning.analysis.paths import effective, effective_by_gradient

__all__ = ["collapsed", "effective", "effective_by_gradient", "layer_counts", "neuron_curve", "neuron_sparsity"]
