"""Run cells inside a pytest run, and say on each test's report what came of it."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property, partial

import pytest

from bench import cost
from bench.budget import Budget
from bench.cell import Cell
from bench.device import NoDevice, allow_streams, answers, fits_beside, resolve
from bench.executor import CellFailed, Outcome, answer, executing, is_missing_data
from bench.line import shown
from bench.options import Request
from bench.progress import Listener, OutOfBudget, Progress, silent, within
from bench.settings import Settings
from bench.state import key_of
from bench.summary import Note, note
from bench.together import Together, Turns
from bench.width import MOST, Width
from results.registry import Registry


class NotBegun(Exception):  # noqa: N818
    """There is no time left for a cell."""


class Runner:
    """Runs cells in this process; the device is decided when the first of them is not in the registry.

    Where the device has room for several at once, ``coming`` says which are next.
    """

    def __init__(self, config: pytest.Config, request: Request, registry: Registry) -> None:
        self.config, self.request, self.registry = config, request, registry
        self.profile = request.selection.profile
        self.budget: Budget | None = None
        self.coming: Sequence[Cell] = ()
        self._listener: Listener = silent

    def run(self, item: pytest.Item, cell: Cell) -> Outcome:
        """Run ``cell`` for the test ``item``, or find its record.

        Raises CellFailed; skips for want of data, a GPU, or time.
        """
        __tracebackhide__ = True  # of a failure, the experiment's own traceback is what matters
        item.user_properties += [
            ("bench_cell", cell.id),
            ("bench_profile", self.profile.name),
            ("bench_registry", str(self.request.registry)),
        ]
        try:
            outcome = self._found(cell) or self._executed(cell)
        except CellFailed as error:
            _attach(item, note(error.record, cached=False))
            if not answers(self._settings.device):
                pytest.exit(f"{self._settings.device} no longer answers; the same command goes on from here", 3)
            if isinstance(error.__cause__, OutOfBudget):
                pytest.skip(f"{error.__cause__}; the same command goes on from there")
            raise
        except Exception as error:
            if not isinstance(error, NoDevice | NotBegun) and not is_missing_data(error):
                raise
            status = "not begun" if isinstance(error, NotBegun) else "skipped"
            key = key_of(cell, self.profile, self.request.references)
            _attach(item, Note(key=key, status=status, reason=str(error)))
            pytest.skip(str(error))
        _attach(item, note(outcome.record, outcome.cached))
        return outcome

    def close(self) -> None:
        """End cells that are under way beside the one that the run ended with."""
        if "_together" in vars(self):
            self._together.close()

    def _found(self, cell: Cell) -> Outcome | None:
        begun = "_together" in vars(self) and self._together.knows(cell)  # it may have ended beside another
        if begun or self.request.rerun:
            return None
        return answer(cell, self.profile, self.request.references, self.registry)

    def _executed(self, cell: Cell) -> Outcome:
        __tracebackhide__ = True
        together, budget = self._together, self.budget
        if budget is not None and not together.knows(cell) and not budget.lasts(cell, together.under_way):
            raise NotBegun("the budget is used up; the same command goes on from here")
        with shown(self.config) as listener:
            self._listener = listener
            try:
                return self._together.result(cell)
            finally:
                self._listener = silent

    @cached_property
    def _together(self) -> Together[Outcome]:
        settings = self._settings
        from bench import experiment  # imports torch, which listing cells must not

        alone = partial(experiment.lane, settings.device)
        lane = cache(alone) if settings.stacked > 1 else alone  # what is done for all networks goes on in one
        return Together(self._begin, lane, self._width, coming=self._worth_beginning())

    def _begin(self, cell: Cell, crowd: Callable[[], float]) -> Turns[Outcome]:
        return executing(cell, self.profile, self._settings, self.registry, listener=self._limit(cell), crowd=crowd)

    def _limit(self, cell: Cell) -> Listener:
        """What a cell tells its epochs to: the terminal, as it is then, and the budget."""
        work = self._work.get(cell, 1.0)

        def tell(progress: Progress) -> None:
            self._width.epoch(work)
            self._listener(progress)

        return tell if self.budget is None else within(tell, self.budget.deadline, self.budget.clock)

    @cached_property
    def _width(self) -> Width:
        if self.request.stacked > 1:
            return Width.fixed(self.request.stacked)
        if self.request.at_once is not None:
            return Width.fixed(self.request.at_once)
        return Width(limit=MOST, room=fits_beside) if self._settings.device.startswith("cuda") else Width.fixed(1)

    @cached_property
    def _work(self) -> dict[Cell, float]:
        """The seconds that each of the coming cells is expected to take."""
        records, device = self.registry.records(self.profile.name), self._settings.device
        found = cost.estimates(self.coming, self.profile, records, device)
        return {cell: estimate.seconds for cell, estimate in found.items()}

    def _worth_beginning(self) -> Iterator[Cell]:
        for cell in self.coming:
            beside = self._together.under_way
            if self._found(cell) is None and (self.budget is None or self.budget.lasts(cell, beside)):
                yield cell

    @cached_property
    def _settings(self) -> Settings:
        worker = getattr(self.config, "workerinput", {"workerid": "gw0"})
        allow_streams()
        device = resolve(self.request.device, int(worker["workerid"].removeprefix("gw")))
        if self.profile.protocol.precision == "tf32" and not device.startswith("cuda"):
            raise NoDevice(f"profile {self.profile.name} needs an NVIDIA GPU: a CPU has no TF32")
        return Settings(
            data_root=self.request.data_root,
            cache_root=self.request.cache_root,
            device=device,
            stacked=self.request.stacked,
            score_references=self.request.references,
            cell_timeout=self.request.cell_timeout,
            resume=not self.request.rerun,
        )


def _attach(item: pytest.Item, said: Note) -> None:
    item.user_properties.append(("bench_outcome", said.to_json()))
