"""Run cells inside a pytest run, and say on each test's report what came of it."""

from functools import cached_property

import pytest

from bench.cell import Cell
from bench.device import NoDevice, resolve, share_threads
from bench.executor import CellFailed, Outcome, answer, execute, is_missing_data
from bench.line import shown
from bench.options import Request
from bench.settings import Settings
from bench.state import key_of
from bench.summary import Note, note
from results.registry import Registry


class Runner:
    """Runs cells in this process; the device is decided when the first of them is not in the registry."""

    def __init__(self, config: pytest.Config, request: Request, registry: Registry) -> None:
        self.config, self.request, self.registry = config, request, registry
        self.profile = request.selection.profile

    def run(self, item: pytest.Item, cell: Cell) -> Outcome:
        """Run ``cell`` for the test ``item``, or find its record. Raises CellFailed; skips for want of data or GPU."""
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
            raise
        except Exception as error:
            if not isinstance(error, NoDevice) and not is_missing_data(error):
                raise
            _attach(
                item, Note(key=key_of(cell, self.profile, self.request.references), status="skipped", reason=str(error))
            )
            pytest.skip(str(error))
        _attach(item, note(outcome.record, outcome.cached))
        return outcome

    def _found(self, cell: Cell) -> Outcome | None:
        if self.request.rerun:
            return None
        return answer(cell, self.profile, self.request.references, self.registry)

    def _executed(self, cell: Cell) -> Outcome:
        __tracebackhide__ = True
        with shown(self.config) as listener:
            return execute(
                cell, self.profile, self._settings, self.registry, rerun=self.request.rerun, listener=listener
            )

    @cached_property
    def _settings(self) -> Settings:
        worker = getattr(self.config, "workerinput", {"workerid": "gw0", "workercount": 1})
        if worker["workercount"] > 1:
            share_threads(worker["workercount"])
        device = resolve(self.request.device, int(worker["workerid"].removeprefix("gw")))
        return Settings(
            data_root=self.request.data_root,
            cache_root=self.request.cache_root,
            device=device,
            score_references=self.request.references,
            cell_timeout=self.request.cell_timeout,
            resume=not self.request.rerun,
        )


def _attach(item: pytest.Item, said: Note) -> None:
    item.user_properties.append(("bench_outcome", said.to_json()))
