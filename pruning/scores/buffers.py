"""The numbers that a network keeps beside its parameters, remembered and put back."""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Buffers:
    """Each buffer by the module that holds it and its name, as a network may assign a new tensor to one."""

    found: tuple[tuple[nn.Module, str, Tensor, Tensor], ...]

    @classmethod
    def of(cls, model: nn.Module) -> "Buffers":
        """All of ``model``, copied."""
        return cls(
            tuple(
                (module, name, buffer, buffer.clone())
                for module in model.modules()
                for name, buffer in module.named_buffers(recurse=False)
            )
        )

    def put_back(self) -> None:
        """The same tensors with the same numbers, unseen by autograd."""
        for module, name, buffer, before in self.found:
            buffer.data.copy_(before)
            setattr(module, name, buffer)
