"""Another batch norm in the place of PyTorch's."""

from collections.abc import Callable, Sequence
from typing import Any

import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Substitute(TorchFunctionMode):
    """Inside, :func:`torch.nn.functional.batch_norm` is ``batch_norm``, which is called with the same arguments."""

    def __init__(self, batch_norm: Callable[..., Tensor]) -> None:
        super().__init__()
        self._batch_norm = batch_norm

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return (self._batch_norm if func is F.batch_norm else func)(*args, **(kwargs or {}))
