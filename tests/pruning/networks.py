"""Small networks for tests: the three of the paper made narrow, and modules of one's own that declare nothing."""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pruning import models

MODELS = ("vgg13", "mobilenet_v1", "resnet56")


def trained_looking(name: str, width: str = "0.125", seed: int = 1) -> nn.Module:
    """A narrow network in float64 whose batch norms are not at their trivial start, and pass signals of order one on.

    The running statistics are those of a batch: left at 0 and 1, the signal would die out on its way.
    """
    net = models.build(name, 10, width=width, seed=seed).double()
    generator = torch.Generator().manual_seed(seed + 1)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.weight.data.uniform_(0.5, 1.5, generator=generator)
        norm.bias.data.uniform_(-0.2, 0.2, generator=generator)
        norm.momentum = 1.0
    with torch.no_grad():
        net(images(16, seed=seed))
    for norm in norms:
        norm.momentum = 0.1
    return net


def images(count: int, side: int = 8, channels: int = 3, seed: int = 3) -> Tensor:
    """Images [count, channels, side, side] in [-1, 1], float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, side, side, dtype=torch.float64, generator=generator) * 2 - 1


def batches(*sizes: int, side: int = 8) -> list[tuple[Tensor, Tensor]]:
    """One batch of each size, labels 0, 1, 2, ..."""
    return [(images(n, side, seed=i), torch.arange(n) % 10) for i, n in enumerate(sizes)]


class Own(nn.Module):
    """A user's network: two convolutions, one with a bias, a depthwise one between them, no declared structure."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.first = nn.Conv2d(3, 5, 3, padding=1)
            self.norm = nn.BatchNorm2d(5)
            self.spread = nn.Conv2d(5, 5, 3, padding=1, groups=5)
            self.second = nn.Conv2d(5, 4, 1, bias=False)
            self.head = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, 10]."""
        x = self.second(self.spread(F.relu(self.norm(self.first(x)))))
        return self.head(F.relu(x).mean((2, 3)))


class Three(nn.Module):
    """Three parameters: a 1x1 convolution of two filters a, b, and logits (u a x, b x) of one-pixel images x."""

    def __init__(self, a: float, b: float, u: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1, bias=False, dtype=torch.float64)
        self.scale = nn.Parameter(torch.tensor([u], dtype=torch.float64))
        self.conv.weight.data[:, 0, 0, 0] = torch.tensor([a, b], dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 1, 1, 1] -> [N, 2]."""
        z = self.conv(x).flatten(1)
        return torch.stack([z[:, 0] * self.scale[0], z[:, 1]], dim=1)

    @staticmethod
    def derivatives(a: float, b: float, u: float) -> tuple[list[float], list[float]]:
        """g and Hg, in the order a, b, u, for the image 1 with label 1 at temperature 1, by hand.

        With d = u a - b the loss is log(1 + exp(d)); p = sigmoid(d), q = p (1 - p).
        Gradient of d: v = (u, -1, a). g = p v. H = q v v' + p D, where D has a 1 at (a, u) and (u, a) only.
        Hence Hg = q p |v|^2 v + p^2 (a, 0, u).
        """
        p = 1 / (1 + math.exp(b - u * a))
        q, v = p * (1 - p), (u, -1.0, a)
        square = u * u + 1 + a * a
        return [p * x for x in v], [q * p * square * x + p * p * y for x, y in zip(v, (a, 0.0, u), strict=True)]
