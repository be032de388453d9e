"""Tables 1-3 of Lubana & Dick, "A Gradient Flow Framework For Analyzing Network Pruning" (ICLR 2021), as cells.

The three tables share cells: each (model, data set, score, rounds) is trained once and read by every table that
prints it.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from bench.cell import BASE, DYNAMICS, Cell

SUITE = "gradient_flow"
MODELS = ("vgg13", "mobilenet_v1", "resnet56")
TABLE1 = ("magnitude", "loss", "proposed")
TABLE2 = ("grasp_t200", "grasp_t1", "abs_grasp")
TABLE3_ONLY = ("random", "uniform")  # the remaining columns of Table 3 are those of Tables 1 and 2
ROUNDS = (1, 5, 25)

_AMOUNTS = {
    "vgg13": {"cifar10": "0.75", "cifar100": "0.65"},
    "mobilenet_v1": {"cifar10": "0.75", "cifar100": "0.65"},
    "resnet56": {"cifar10": "0.60", "cifar100": "0.50"},
}

PRINTED_NAMES = {
    "vgg13": "VGG-13",
    "mobilenet_v1": "MobileNet-V1",
    "resnet56": "ResNet-56",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "digits": "digits",
}
"""How models and data sets are called in the paper and in results/published."""

SCORE_LABELS = {
    "magnitude": "Mag.",
    "loss": "Loss",
    "proposed": "Proposed",
    "grasp_t200": "GraSP (T=200)",
    "grasp_t1": "GraSP (T=1)",
    "abs_grasp": "|GraSP| (T=1)",
    "random": "Random",
    "uniform": "Uniform",
    "base": "Base",
}


def amount(model: str, dataset: str) -> Decimal:
    """Fraction of filters the paper prunes; a data set it does not use takes the amount of CIFAR-10."""
    amounts = _AMOUNTS[model]
    return Decimal(amounts.get(dataset, amounts["cifar10"]))


def panels(epochs: int) -> dict[str, int]:
    """After which of so many epochs the panels of Figures 3, 13-15 and 32-38 look at a network: 0, 40, 160 of 160."""
    return {"a": 0, "b": epochs // 4, "c": epochs}


def dynamics(*, datasets: Sequence[str], seeds: Sequence[int]) -> Iterator[Cell]:
    """The runs that Figures 2, 3, 13-15, 21 and 31-38 are measured in, which prune nothing."""
    for seed in seeds:
        for dataset in datasets:
            for model in MODELS:
                yield Cell(suite=SUITE, model=model, dataset=dataset, score=DYNAMICS, seed=seed)


def cells(
    *,
    datasets: Sequence[str],
    rounds: Sequence[int],
    seeds: Sequence[int],
    table3_datasets: Sequence[str],
    extra_scores: Sequence[str] = (),
) -> Iterator[Cell]:
    """Every cell of Tables 1-3 on these data sets, base runs first, seed by seed.

    ``table3_datasets`` are those on which random and uniform pruning run too (CIFAR-100 in the paper);
    ``extra_scores`` are the user's own, run wherever Tables 1 and 2 run.
    """
    for seed in seeds:
        for dataset in datasets:
            for model in MODELS:
                yield Cell(suite=SUITE, model=model, dataset=dataset, score=BASE, seed=seed)
        for dataset in datasets:
            scores = (*TABLE1, *TABLE2, *(TABLE3_ONLY if dataset in table3_datasets else ()), *extra_scores)
            for model in MODELS:
                for n in rounds:
                    for score in scores:
                        yield Cell(
                            suite=SUITE,
                            model=model,
                            dataset=dataset,
                            score=score,
                            amount=amount(model, dataset),
                            rounds=n,
                            seed=seed,
                        )
