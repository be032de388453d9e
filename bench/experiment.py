"""One cell, from initialisation to record: train, score, mask, cut or hold at zero, train on.

The state after a stage can be stored and continued to the bit, because nothing random is carried along: every epoch and
every round draws from streams named after it (``pruning.data.generator``).
"""

import math
import time
from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime
from typing import Any

import torch
from msgspec.structs import replace

from bench import environment as machine
from bench import measured, probing
from bench.cache import StageCache, Stored
from bench.cell import Cell
from bench.filter_pruning import prune, score
from bench.plan import Alter, Probe, Prune, Score, Sparsify, Stage, Train, dense, is_shared, keys, plan
from bench.profiles import Profile
from bench.progress import Listener, Progress, Stopped
from bench.protocol import key
from bench.run_state import State, restored
from bench.settings import Settings
from bench.suites.missing_the_mark import SUITE as WEIGHTS
from bench.suites.missing_the_mark import stops
from bench.trial import Diverged, Trial
from bench.versions import versions
from bench.weight_pruning import alter, sparsify
from pruning.capture import lane as lane
from pruning.steps import Turns, finished
from results.record import Costs, Curve, DataFacts, Environment, Record, Status, finite
from results.registry import side_file_name

Keep = Callable[[str, bytes], object]
"""Where the side files of a record go: name, content."""


def _nowhere(name: str, content: bytes) -> None:
    """For who wants the record alone."""


def environment(settings: Settings) -> Environment:
    """The facts of this process that a record keeps."""
    return replace(machine.environment(settings.device), stacked=settings.stacked)


def run(cell: Cell, profile: Profile, settings: Settings, listener: Listener, keep: Keep = _nowhere) -> Record:
    """Run ``cell`` by the profile's protocol and return its record, ``done`` or ``diverged``.

    Goes on from the last stage that the cache holds, unless ``settings.resume`` is off. Raises
    ``pruning.data.DataError`` where the data set is missing or damaged, ValueError where the cell makes no sense, and
    whatever ``listener`` raises.
    """
    return finished(running(cell, profile, settings, listener, keep), lane(settings.device))


def running(
    cell: Cell, profile: Profile, settings: Settings, listener: Listener, keep: Keep = _nowhere
) -> Turns[Record]:
    """:func:`run` in turns, between which other cells may take theirs; each in a :func:`pruning.capture.lane`."""
    return (yield from Run(cell, profile, settings, listener, keep).record())


class Run:
    """One run of one cell; :func:`running` is the way in."""

    def __init__(
        self, cell: Cell, profile: Profile, settings: Settings, listener: Listener, keep: Keep = _nowhere
    ) -> None:
        self.protocol = protocol = profile.protocol_of(cell)
        machine.settle(protocol.precision, settings.device)
        self.started, self.clock = _now(), time.perf_counter()
        self.cell, self.profile, self.settings = cell, profile, settings
        self.listener, self.keep = listener, keep
        self.versions = versions(cell, settings.score_references)
        self.trial = Trial(cell, protocol, settings)
        self.data, self.image = self.trial.data, self.trial.image
        self.stages = plan(cell, protocol, len(self.data.train))
        self.surroundings = machine.surroundings(settings.device, settings.stacked) | {"data": self.trial.fingerprint}
        self.keys = self._keys(self.stages)
        self.cache = StageCache(settings.cache_root)
        self.cached = 0

    def record(self) -> Turns[Record]:
        """Run every stage that is not cached and describe what came out."""
        if self.settings.device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(self.settings.device)
        done, state = self._resume()
        self.cached = done
        status: Status = "done"
        reason = None
        try:
            yield from self._finish(done, state)
        except Diverged as error:
            status, reason = "diverged", str(error)
        record = self._describe(state, status, reason)  # where a side file cannot be stored, checkpoints stay
        for number in range(len(self.stages)):
            self._forget(number)
        return record

    def _finish(self, done: int, state: State) -> Turns[None]:
        saved, last_saved = done - 1, time.monotonic()
        for number, stage in enumerate(self.stages[done:], start=done):
            try:
                if isinstance(stage, Train):
                    yield from self._train(stage, state)
                else:
                    if isinstance(stage, Alter) and stage.rewind is not None:
                        yield from self._rewind(stage.rewind, state)
                    _IN_ONE_TURN[type(stage)](self.trial, stage, state)
                    yield True
            except Stopped:
                if isinstance(stage, Train):  # else it is not whole, and what it changes comes at its end
                    self._save(number, state)
                elif number > 0:
                    self._save(number - 1, state)
                raise
            due = time.monotonic() - last_saved >= self.settings.checkpoint_seconds
            if is_shared(stage) or (due and number + 1 < len(self.stages)):
                self._save(number, state)
                self._forget(saved)
                saved, last_saved = number, time.monotonic()

    def _rewind(self, iteration: int, state: State) -> Turns[None]:
        """Put back the weights of an iteration of the unpruned network: stored ones, or trained on from such."""
        past = copy(self)
        begun_from = stops(self.cell.model, self.cell.dataset)
        past.stages = list(dense(iteration, self.protocol, len(self.data.train), begun_from))
        past.keys = self._keys(past.stages)
        past.cached, then = past._resume()
        yield from past._finish(past.cached, then)
        state.net = then.net
        for name, seconds in then.seconds.items():
            state.seconds[name] = state.seconds.get(name, 0.0) + seconds

    def _keys(self, stages: list[Stage]) -> list[str]:
        return keys(self.cell, self.protocol, stages, self.versions, self.surroundings)

    def _train(self, stage: Train, state: State) -> Turns[None]:
        """An epoch and a test. What the listener raises comes last, when the stage is whole."""
        if state.steps is None:
            state.steps = self.trial.steps(state.net, momentum=state.momentum, mask=state.mask)
        if stage.epoch in self.protocol.probes:
            probing.remember(state)
        with state.timed("train"):
            trained = yield from state.steps.train(
                lr=stage.lr, seed=self.cell.seed, epoch=stage.epoch, steps=stage.steps, lr_from=stage.lr_from
            )
        state.momentum = state.steps.momentum
        with state.timed("test"):
            tested = yield from state.steps.test()
        row = Curve.__struct_fields__, (stage.epoch, stage.round, stage.lr, *trained, *tested)
        for name, value in zip(*row, strict=True):
            state.curve[name].append(finite(value) if isinstance(value, float) else value)
        if not (math.isfinite(trained.loss) and math.isfinite(tested.loss)):
            raise Diverged(f"the loss was no longer finite in epoch {stage.epoch}")
        if state.moments:
            probing.follow(state, stage.epoch)
        self._tell(stage, trained.loss, tested.accuracy)

    def _tell(self, stage: Train, loss: float, accuracy: float) -> None:
        elapsed = time.perf_counter() - self.clock
        epochs = sum(isinstance(each, Train) for each in self.stages)
        remaining = epochs - stage.epoch
        ran = sum(isinstance(done, Train) for done in self.stages[self.cached :]) - remaining
        self.listener(
            Progress(
                cell_id=self.cell.id,
                epoch=stage.epoch,
                epochs=epochs,
                train_loss=loss,
                test_accuracy=accuracy,
                seconds_left=elapsed / max(1, ran) * remaining,
            )
        )

    # The state on disk.

    def _resume(self) -> tuple[int, State]:
        """The number of stages that need not be run, and the state after them."""
        if self.settings.resume:
            for number in reversed(range(len(self.stages))):
                stored = self.cache.get(self.keys[number])
                if stored is None:
                    continue
                try:
                    return number + 1, self._restored(stored)
                except (KeyError, TypeError, ValueError, RuntimeError):
                    self.cache.drop(self.keys[number])  # whole, but not what a state is
        return 0, State(self.trial.place(self.trial.fresh()))

    def _save(self, number: int, state: State) -> None:
        stored = state.stored()
        if is_shared(self.stages[number]):
            # It belongs to all cells that go on from it, so none of them is charged for it again.
            stored.facts["seconds"] = {}
        self.cache.put(self.keys[number], stored.tensors, stored.facts)

    def _restored(self, stored: Stored) -> State:
        state = restored(stored, self.settings.device)
        # An epoch may have been stored by a cell in which it belonged to another phase.
        phases = {stage.epoch: stage.round for stage in self.stages if isinstance(stage, Train)}
        state.curve["round"] = [phases[epoch] for epoch in state.curve["epoch"]]
        return state

    def _forget(self, number: int) -> None:
        if number >= 0 and not is_shared(self.stages[number]):
            self.cache.drop(self.keys[number])

    # The record.

    def _describe(self, state: State, status: Status, reason: str | None) -> Record:
        weights = self.cell.suite == WEIGHTS
        name = key(self.cell, self.protocol, self.versions)
        return Record(
            key=name,
            cell=self.cell.to_dict(),
            profile=self.profile.name,
            protocol=self.protocol.to_dict(),
            versions=self.versions,
            status=status,
            error=reason,
            metrics=measured.metrics(state, self.trial.fresh(), self.image, weights=weights),
            curve=Curve(**state.curve),
            layers=measured.layers(state, weights=weights),
            mask=measured.mask_facts(state, self.image),
            dynamics=state.moments,
            side_files=self._side_files(state, name),
            costs=Costs(
                seconds={name: round(spent, 3) for name, spent in state.seconds.items()},
                seconds_total=round(sum(state.seconds.values()), 3),
                peak_memory_bytes=measured.peak_memory(self.settings.device),
                stages_cached=self.cached,
                stages_run=len(self.stages) - self.cached,
            ),
            environment=environment(self.settings),
            data=DataFacts(
                name=self.data.name,
                fingerprint=self.trial.fingerprint,
                train_images=len(self.data.train),
                test_images=len(self.data.test),
                score_images=state.score_images,
            ),
            started=self.started,
            finished=_now(),
        )

    def _side_files(self, state: State, name: str) -> list[str]:
        if not state.arrays:
            return []
        content = probing.side_file(state)
        called = side_file_name(name, content, "npz")
        self.keep(called, content)
        return [called]


_IN_ONE_TURN: Mapping[type[Stage], Callable[[Trial, Any, State], None]] = {
    Score: score,
    Prune: prune,
    Sparsify: sparsify,
    Alter: alter,
    Probe: probing.probe,
}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
