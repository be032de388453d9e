"""How the second suite's networks and protocols are called on pages, and whether its numbers are the paper's."""

from collections.abc import Iterator
from dataclasses import fields

from bench.profiles import PROFILES, Profile
from bench.protocol import Protocol
from bench.suites.missing_the_mark import TRAININGS, Network, base
from bench.suites.missing_the_mark_grids import Grid
from reports.tables import DEMONSTRATION
from reports.verdicts import Verdict

MODELS = {
    "lenet300_100": "LeNet-300-100",
    "resnet20": "ResNet-20",
    "resnet18": "ResNet-18",
    "resnet18_modified": "Modified ResNet-18",
    "resnet50": "ResNet-50",
    "vgg11": "VGG-11",
    "vgg16": "VGG-16",
    "vgg19": "VGG-19",
    "vgg2_16": "VGG2-16",
    "wrn14_8": "WRN-14-8",
    "wrn14_10": "WRN-14-10",
    "wrn20_8": "WRN-20-8",
    "wrn32_2": "WRN-32-2",
}
DATASETS = {
    "digits": "digits",
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
    "tiny_imagenet": "TinyImageNet",
    "tiny_imagenet_subset": "a subset of TinyImageNet",
    "imagenet": "ImageNet",
}


def model(network: Network) -> str:
    """As the paper calls it; a network that it does not have keeps its own name."""
    return MODELS.get(network.model, network.model)


def stands_in(network: Network) -> bool:
    """Whether its highest matching level stands in for one that the paper does not name."""
    return network.model in _UNNAMED and network.matching is not None


_UNNAMED = ("lenet300_100", "resnet18_modified")


def title(network: Network, training: str = "none") -> str:
    """``ResNet-20 on CIFAR-10``; with another training than usual ``ResNet-20 on CIFAR-10, lr=0.01``."""
    place = f"{model(network)} on {DATASETS.get(network.dataset, network.dataset)}"
    return f"{place}, {TRAININGS[training]}" if training in TRAININGS else place


def networks(profile: Profile) -> dict[Network, Protocol]:
    """The networks of this suite that the profile has, each with the protocol it is run by."""
    if profile.weights is None:
        return {}
    return {network: _protocol(profile.weights, network) for network in profile.weights.protocols}


def trainings(profile: Profile) -> list[tuple[Network, str, Protocol]]:
    """Every training of the networks of this suite that the profile has, by its name there, with its protocol."""
    grid = profile.weights
    if grid is None:
        return []
    return [(network, name, grid.protocol(base(network, 0, name))) for network, name, _ in grid.trainings]


def own(profile: Profile, like: Network) -> Network | None:
    """The profile's network of the same model, on the same data set if it has that; None where it has none."""
    alike = [network for network in networks(profile) if network.model == like.model]
    same = (network for network in alike if network.dataset == like.dataset)
    return next(same, alike[0] if alike else None)


def described(protocol: Protocol) -> str:
    """``40 epochs of 128 images a step, learning rate 0.1, all training images``."""
    if protocol.epochs == 0:
        return "no training"
    factor = "a tenth" if protocol.lr_factor == 0.1 else f"times {protocol.lr_factor:g}"
    drops = f", {factor} after epochs {_joined(protocol.lr_drops)}" if protocol.lr_drops else ""
    parts = [
        f"{protocol.epochs} epochs of {protocol.batch_size} images a step",
        f"learning rate {protocol.lr:g}{drops}",
        f"reached in {protocol.warmup} epochs" if protocol.warmup else "",
        f"momentum {protocol.momentum:g}" if protocol.momentum else "no momentum",
        f"weight decay {protocol.weight_decay:g}" if protocol.weight_decay else "no weight decay",
        "all training images" if protocol.train_limit is None else f"{protocol.train_limit:,} training images",
        "" if protocol.test_limit is None else f"{protocol.test_limit:,} test images",
        "" if protocol.precision == "fp32" else protocol.precision,
    ]
    return ", ".join(part for part in parts if part)


def standing(profile: Profile) -> Iterator[str]:
    """What a page of a profile begins with whose numbers cannot be held against the paper's."""
    if not profile.shows_published:
        yield DEMONSTRATION
    elif reason := why_not_comparable(profile):
        yield f"{Verdict.NOT_COMPARABLE}: no number on this page can be held against a published one ({reason})."


def why_not_comparable(profile: Profile) -> str:
    """How the protocols depart from those of profile paper; empty where they may be held against published numbers."""
    if profile.comparable:
        return ""
    paper = networks(PROFILES["paper"])
    found = {
        model(network): ", ".join(_departures(protocol, paper[theirs]))
        for network, protocol in networks(profile).items()
        if (theirs := own(PROFILES["paper"], network)) is not None
    }
    return "another protocol: " + "; ".join(f"{name} {said}" for name, said in found.items() if said)


def _departures(protocol: Protocol, paper: Protocol) -> Iterator[str]:
    for field in fields(paper):
        ours, theirs = getattr(protocol, field.name), getattr(paper, field.name)
        if ours != theirs:
            yield f"{field.name} {_said(ours)} instead of {_said(theirs)}"


def _protocol(grid: Grid, network: Network) -> Protocol:
    return grid.protocol(base(network, 0))


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return "/".join(str(part) for part in value) or "none"
    return "all" if value is None else str(value)


def _joined(numbers: tuple[int, ...]) -> str:
    return " and ".join(str(number) for number in numbers)
