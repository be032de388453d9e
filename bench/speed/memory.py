"""``python -m bench.speed.memory``: the most memory that a score takes, by the number of images it sees."""

import argparse
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import torch

from bench import environment
from bench.measured import peak_memory
from pruning import models, scores, training
from pruning.scores import Batch

SCORING_BATCH = 256
"""As in the second suite's protocols; batch norm's statistics are of so many images."""


class Asked(NamedTuple):
    """One score of one network on so many images."""

    model: str
    score: str
    images: int
    side: int
    classes: int


class Noise:
    """Batches of noise, each drawn when it is due; the same ones every time."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    def __iter__(self) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(0)
        for first in range(0, self.asked.images, SCORING_BATCH):
            number = min(SCORING_BATCH, self.asked.images - first)
            images = torch.randn(number, 3, self.asked.side, self.asked.side, generator=generator)
            labels = torch.randint(self.asked.classes, (number,), generator=generator)
            yield images.to(memory_format=torch.channels_last), labels


def measured(asked: Asked) -> tuple[int, float]:
    """Peak resident bytes of this process after the score, and the seconds it took. Call it in a new process."""
    environment.settle()
    net = training.place(models.build(asked.model, num_classes=asked.classes, seed=0), "cpu")
    start = time.perf_counter()
    scores.weight_scores(asked.score, net, Noise(asked))
    return peak_memory("cpu"), time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each score and number of images in a process of its own; print each row when it is there.

    The exit status is 0. Raises BrokenProcessPool if the system stops such a process, as it does where memory is short.
    """
    options = _parser().parse_args(arguments)
    print(f"{options.model} at {options.side} × {options.side}, float32, {torch.get_num_threads()} threads\n")
    print("| score | images | peak GiB | of the first | seconds |\n|---|---|---|---|---|", flush=True)
    for score in options.score:
        peaks = []
        for images in options.images:
            asked = Asked(options.model, score, images, options.side, options.classes)
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                peak, seconds = process.submit(measured, asked).result()
            peaks.append(peak)
            row = [score, images, f"{peak / 2**30:.2f}", f"{peak / peaks[0]:.3f}", f"{seconds:.0f}"]
            print("|", " | ".join(str(part) for part in row), "|", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.speed.memory", description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", default="resnet50", choices=models.names())
    parser.add_argument("--score", nargs="+", default=["snip", "grasp"], choices=scores.names("weights"))
    parser.add_argument("--images", nargs="+", type=int, default=[256, 1024])
    parser.add_argument("--side", type=int, default=224, help="pixels; default 224")
    parser.add_argument("--classes", type=int, default=1000)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
