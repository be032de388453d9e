"""VGG-13 of the gradient-flow paper: convolution, ReLU, batch norm, in this unusual order (PROTOCOLS A.1.1)."""

from itertools import pairwise

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning.models.architecture import Architecture, Axes, Kept

_WIDTHS = (64, 64, 128, 128, 256, 256, 512, 512, 512, 512)


class Unit(nn.Module):
    """3x3 convolution without bias, ReLU, batch norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        x = F.relu(self.conv(x), inplace=True)
        return self.bn(x)  # type: ignore[no-any-return]


class VGG13(nn.Module):
    """Ten units, a 2x2 max pool after every second, one linear layer. All ten convolutions are prunable."""

    protected: tuple[str, ...] = ()

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        totals = [architecture.channels(width) for width in _WIDTHS]
        self.filters = {f"units.{i}.conv": total for i, total in enumerate(totals)}
        self.norms = {layer: layer.replace("conv", "bn") for layer in self.filters}
        self._kept: list[Kept] = [architecture.left(layer, total) for layer, total in self.filters.items()]
        sizes = [architecture.in_channels, *map(len, self._kept)]
        self.units = nn.ModuleList(Unit(inputs, outputs) for inputs, outputs in pairwise(sizes))
        self.classifier = nn.Linear(sizes[-1], architecture.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] of any size -> logits [N, classes]."""
        for i, unit in enumerate(self.units):
            x = unit(x)
            if i % 2 == 1:
                # Rounding up changes nothing at 32 or 64 pixels and lets 28 pixels through five halvings.
                x = F.max_pool2d(x, 2, ceil_mode=True)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.classifier(x)  # type: ignore[no-any-return]

    def axes(self) -> Axes:
        """See :class:`pruning.models.architecture.Prunable`."""
        axes: Axes = {}
        before: Kept | None = None
        for i, kept in enumerate(self._kept):
            axes[f"units.{i}.conv.weight"] = (kept, before)
            axes |= norm_axes(f"units.{i}.bn", kept)
            before = kept
        axes["classifier.weight"] = (None, before)
        return axes

    def rebuilt(self, architecture: Architecture) -> "VGG13":
        """See :class:`pruning.models.architecture.Prunable`."""
        return VGG13(architecture)


def norm_axes(name: str, kept: Kept) -> Axes:
    """The tensors of the batch norm called ``name``, all indexed by the channels ``kept``."""
    return {f"{name}.{tensor}": (kept,) for tensor in ("weight", "bias", "running_mean", "running_var")}
