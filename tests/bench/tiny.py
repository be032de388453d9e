"""A profile small enough for tests: real training, real scores, seconds."""

from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.profiles import Profile
from bench.protocol import Protocol
from bench.settings import Settings


def profile(**changes: Any) -> Profile:
    protocol = {
        "width": "0.25",
        "image_size": 8,
        "train_limit": 100,
        "test_limit": 50,
        "epochs": 4,
        "lr_drops": (2, 3),
        "batch_size": 32,
        "score_samples": 40,
    }
    return Profile(
        name="tiny",
        purpose="tests",
        protocol=Protocol(**{**protocol, **changes}),
        datasets=("digits",),
        rounds=(1, 3),
        seeds=(0,),
        table3_datasets=("digits",),
        headline="last",
        comparable=False,
        shows_published=False,
    )


def cell(score: str = "loss", model: str = "vgg13", rounds: int = 2, amount: str = "0.6", seed: int = 0) -> Cell:
    if score == "base":
        return Cell(suite="gradient_flow", model=model, dataset="digits", seed=seed)
    return Cell.from_dict(
        {
            "suite": "gradient_flow",
            "model": model,
            "dataset": "digits",
            "score": score,
            "amount": amount,
            "rounds": rounds,
            "seed": seed,
        }
    )


def settings(folder: Path, **changes: Any) -> Settings:
    return Settings(
        **{"data_root": folder / "data", "cache_root": folder / "stages", "checkpoint_seconds": 0.0, **changes}
    )
