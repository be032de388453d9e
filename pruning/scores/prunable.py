"""What is scored: the layers whose filters, and the parameters whose weights, may be pruned."""

from typing import cast

from torch import Tensor, nn

from pruning.models.architecture import Prunable


def filter_layers(model: nn.Module) -> dict[str, nn.Conv2d]:
    """The layers whose filters are scored: those a network declares prunable, else every ungrouped convolution.

    Raises ValueError where there is none.
    """
    modules = dict(model.named_modules())
    if isinstance(model, Prunable):
        layers = {name: modules[name] for name in model.filters}
    else:
        layers = {name: module for name, module in modules.items() if _is_plain(module)}
    for name, module in layers.items():
        if not _is_plain(module):
            raise ValueError(
                f"{name} is declared prunable, but has no filters to score: it is no ungrouped convolution"
            )
    if not layers:
        raise ValueError(f"{type(model).__name__} has no convolution whose filters could be scored")
    return cast("dict[str, nn.Conv2d]", layers)


def _is_plain(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == 1


def weight_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weight of every convolution and linear layer by its name, in the order in which they are registered.

    That is first layer, shortcuts and output layer included, biases and batch norm left out (PROTOCOLS B.4). A weight
    that layers share is there once. Raises ValueError where there is none, or one is computed from other parameters.
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    parameters: dict[str, nn.Parameter] = {}
    for layer, module in model.named_modules():
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            if module.weight not in names:
                raise ValueError(
                    f"the weight of {layer} is computed from other parameters, so there is nothing to prune in it; "
                    "remove its parametrization first"
                )
            parameters[names[module.weight]] = cast("nn.Parameter", module.weight)
    if not parameters:
        raise ValueError(f"{type(model).__name__} has no convolution or linear layer whose weights could be scored")
    return parameters
