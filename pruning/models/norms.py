"""What a batch norm computes with besides its numbers."""

from collections.abc import Mapping

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

NormOptions = dict[str, tuple[float, float | None]]


def norm_options(net: nn.Module) -> NormOptions:
    """eps and momentum of every batch norm, by name."""
    return {
        name: (module.eps, module.momentum) for name, module in net.named_modules() if isinstance(module, _BatchNorm)
    }


def set_norm_options(net: nn.Module, options: Mapping[str, tuple[float, float | None]]) -> None:
    """Give the batch norms of ``net`` the eps and momentum that :func:`norm_options` read."""
    for name, (eps, momentum) in options.items():
        module = net.get_submodule(name)
        assert isinstance(module, _BatchNorm)
        module.eps, module.momentum = eps, momentum
