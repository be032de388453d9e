"""Other functions in the place of PyTorch's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.overrides import TorchFunctionMode


class Substitute(TorchFunctionMode):
    """Inside, each function that is a key of ``others`` is the one there, called with the same arguments."""

    def __init__(self, others: Mapping[Callable[..., Any], Callable[..., Any]]) -> None:
        super().__init__()
        self._others = others

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return self._others.get(func, func)(*args, **(kwargs or {}))
