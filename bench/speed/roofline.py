"""The time below which a training step cannot go: its arithmetic and its traffic, from shapes, over what a device can.

The larger of the two counts, since a device computes and copies at once (Williams et al., CACM 52(4), 2009). Kernels
that fuse several operations move less than is assumed here, and a processor whose caches hold the activations need not
move them at all; so the floor is one for unfused kernels, and more than all of it can be reached.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

PASSES = 16
"""How often a step reads or writes each convolution's output, about: by it, by batch norm, by ReLU and by the next
convolution, forward and backward, each a kernel of its own."""


class Convolution(NamedTuple):
    """The shape of one convolution; a linear layer is one with kernel 1 and one position."""

    inputs: int  # channels that each output channel reads: all, or those of its group
    outputs: int  # channels
    kernel: int  # weights per pair of channels, 9 for 3x3
    positions: int  # pixels of an output channel

    @property
    def macs(self) -> int:
        """Multiply-adds per image."""
        return self.inputs * self.outputs * self.kernel * self.positions


class Work(NamedTuple):
    """What one image is to a network, forward."""

    macs: int
    activations: int  # numbers that its convolutions put out


class Device(NamedTuple):
    """What a device can do at most."""

    flops: float  # per second
    bandwidth: float  # bytes per second, read and written


class Floor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The least time that some training steps can take on a device."""

    flop: float
    traffic_bytes: float
    peak_flops: float  # per second
    peak_bandwidth: float  # bytes per second
    seconds: float
    bound: Literal["compute", "memory"]


def work(convolutions: Iterable[Convolution]) -> Work:
    """The sum over all layers; ``activations`` leaves out layers of one position, whose outputs are next to nothing."""
    layers = list(convolutions)
    return Work(
        macs=sum(layer.macs for layer in layers),
        activations=sum(layer.outputs * layer.positions for layer in layers if layer.positions > 1),
    )


def flop(of: Work, images: int) -> int:
    """Of training on so many images: two per multiply-add, and backward costs two forward passes."""
    return 3 * 2 * of.macs * images


def traffic(of: Work, images: int, element_bytes: int) -> int:
    """Bytes of activations that training on so many images reads and writes; weights, being few, are left out."""
    return PASSES * of.activations * element_bytes * images


def floor(of: Work, images: int, element_bytes: int, device: Device) -> Floor:
    """For one pass over ``images``, in numbers of ``element_bytes``."""
    arithmetic, moved = flop(of, images), traffic(of, images, element_bytes)
    computing, moving = arithmetic / device.flops, moved / device.bandwidth
    return Floor(
        flop=arithmetic,
        traffic_bytes=moved,
        peak_flops=device.flops,
        peak_bandwidth=device.bandwidth,
        seconds=max(computing, moving),
        bound="compute" if computing >= moving else "memory",
    )
