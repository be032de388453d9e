"""Competitors in turns, timed by one clock."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench import environment
from bench.speed.measurement import Measurement, Times, measurement
from bench.speed.roofline import Floor
from bench.speed.sizes import Size
from bench.speed.table import Rows

Work = Callable[[], object]


@dataclass(frozen=True)
class Race:
    """Runs the competitors of one test and notes what came out, for the table, in the test's ``extra_info``."""

    benchmark: BenchmarkFixture
    device: str
    size: Size
    rows: Rows  # of the whole session; this test's is added

    def run(
        self,
        baselines: Mapping[str, Work],
        ours: tuple[str, Work],
        *,
        rounds: int,
        group: str,
        setup: Mapping[str, str | int],
        images: int | None = None,
        floor: Floor | None = None,
    ) -> Measurement:
        """Run ``rounds`` rounds after one that is not counted: in each every baseline, then ``ours``, a name and work.

        ``group``, ``setup``, ``images`` and ``floor`` say what it was, see :class:`Measurement`.
        """
        self.benchmark.group = group
        found = measurement(
            self._times(baselines, ours, rounds),
            subject=ours[0],
            group=group,
            size=self.size.name,
            setup=setup,
            environment=environment.environment(self.device),
            images=images,
            floor=floor,
        )
        self.benchmark.extra_info.update(msgspec.to_builtins(found))
        self.rows[self.benchmark.name] = found
        return found

    def _times(self, baselines: Mapping[str, Work], ours: tuple[str, Work], rounds: int) -> Times:
        name, work = ours
        times: dict[str, list[float]] = {each: [] for each in (*baselines, name)}

        def others() -> None:
            for each, theirs in baselines.items():
                times[each].append(seconds(theirs, self.device))

        def own() -> None:  # timed here too, so that every competitor has the same clock around it
            times[name].append(seconds(work, self.device))

        self.benchmark.pedantic(own, setup=others, rounds=rounds, warmup_rounds=1)  # type: ignore[no-untyped-call]
        return {each: spent[-rounds:] for each, spent in times.items()}


def seconds(work: Work, device: str) -> float:
    """How long ``work`` takes, what it leaves a GPU to do included."""
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
