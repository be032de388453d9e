"""One cell, from initialisation to record: train, score, mask, cut or hold at zero, train on.

The state after a stage can be stored and continued to the bit, because nothing random is carried along: every epoch and
every round draws from streams named after it (``pruning.data.generator``).
"""

import importlib
import math
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench import environment as machine
from bench import measured
from bench.cache import StageCache, Stored
from bench.cell import BASE, Cell
from bench.plan import Prune, Sparsify, Train, dense, initialisation, is_shared, keys, plan
from bench.profiles import Profile
from bench.progress import Listener, Progress, Stopped
from bench.protocol import Protocol, key
from bench.run_state import State, restored
from bench.sampling import Sampler
from bench.settings import Settings
from bench.suites.missing_the_mark import SUITE as WEIGHTS
from bench.versions import versions
from pruning import ablations, data, iterative, masks, models, rounds, scores, surgery, training
from pruning.capture import lane as lane
from pruning.scores import Granularity, Score
from pruning.steps import Steps, Turns, finished
from results.record import Costs, Curve, DataFacts, Environment, Record, Status, finite


class Diverged(Exception):  # noqa: N818
    """The loss, or a score, is no longer a finite number."""


def environment(settings: Settings) -> Environment:
    """The facts of this process that a record keeps."""
    return machine.environment(settings.device)


def run(cell: Cell, profile: Profile, settings: Settings, listener: Listener) -> Record:
    """Run ``cell`` by the profile's protocol and return its record, ``done`` or ``diverged``.

    Goes on from the last stage that the cache holds, unless ``settings.resume`` is off. Raises
    ``pruning.data.DataError`` where the data set is missing or damaged, ValueError where the cell makes no sense, and
    whatever ``listener`` raises.
    """
    return finished(running(cell, profile, settings, listener), lane(settings.device))


def running(cell: Cell, profile: Profile, settings: Settings, listener: Listener) -> Turns[Record]:
    """:func:`run` in turns, between which other cells may take theirs; each in a :func:`pruning.capture.lane`."""
    return (yield from Run(cell, profile, settings, listener).record())


class Run:
    """One run of one cell; :func:`running` is the way in."""

    def __init__(self, cell: Cell, profile: Profile, settings: Settings, listener: Listener) -> None:
        self.protocol = protocol = profile.protocol_of(cell)
        machine.settle(protocol.precision, settings.device)
        self.started, self.clock = _now(), time.perf_counter()
        self.cell, self.profile, self.settings, self.listener = cell, profile, settings, listener
        self.versions = versions(cell, settings.score_references)
        self.data, self.fingerprint = _dataset(
            cell.dataset,
            settings.data_root,
            settings.device,
            protocol.image_size,
            (protocol.train_limit, protocol.test_limit),
        )
        self.stages = plan(cell, protocol, len(self.data.train))
        self.recipe = _recipe(protocol)
        self.score = None if cell.score == BASE else _score(cell, settings)
        self.sampler = Sampler(self.data, self.recipe, protocol, cell.seed)
        surroundings = machine.surroundings(settings.device) | {"data": self.fingerprint}
        self.keys = keys(cell, protocol, self.stages, self.versions, surroundings)
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
        for number in range(len(self.stages)):
            self._forget(number)
        return self._describe(state, status, reason)

    def _finish(self, done: int, state: State) -> Turns[None]:
        saved, last_saved = done - 1, time.monotonic()
        for number, stage in enumerate(self.stages[done:], start=done):
            try:
                if isinstance(stage, Train):
                    yield from self._train(stage, state)
                elif isinstance(stage, Prune):
                    self._prune(stage, state)
                    yield True
                else:
                    yield from self._sparsify(stage, state)
            except Stopped:
                self._save(number, state)
                raise
            due = time.monotonic() - last_saved >= self.settings.checkpoint_seconds
            if is_shared(stage) or (due and number + 1 < len(self.stages)):
                self._save(number, state)
                self._forget(saved)
                saved, last_saved = number, time.monotonic()

    def _train(self, stage: Train, state: State) -> Turns[None]:
        """An epoch and a test. What the listener raises comes last, when the stage is whole."""
        if state.steps is None:
            state.steps = Steps(state.net, self.data, self.recipe, momentum=state.momentum, mask=state.mask)
        with state.timed("train"):
            trained = yield from state.steps.train(
                lr=stage.lr, seed=self.cell.seed, epoch=stage.epoch, steps=stage.steps
            )
        state.momentum = state.steps.momentum
        with state.timed("test"):
            tested = yield from state.steps.test()
        row = Curve.__struct_fields__, (stage.epoch, stage.round, stage.lr, *trained, *tested)
        for name, value in zip(*row, strict=True):
            state.curve[name].append(finite(value) if isinstance(value, float) else value)
        if not (math.isfinite(trained.loss) and math.isfinite(tested.loss)):
            raise Diverged(f"the loss was no longer finite in epoch {stage.epoch}")
        self._tell(stage, trained.loss, tested.accuracy)

    def _prune(self, stage: Prune, state: State) -> None:
        previous = state.kept()
        with state.timed("score"):
            now = self._scores(stage.k, state)
            broken = [layer for layer, score in now.items() if not torch.isfinite(score).all()]  # waits for a GPU
        if broken:
            raise Diverged(
                f"score {self.cell.score} was not finite for {broken[0]} and {len(broken) - 1} other layers in "
                f"round {stage.k}"
            )
        with state.timed("surgery"):
            mask = rounds.round_mask(
                state.net,
                {layer: _spread(now[layer], keep) for layer, keep in previous.items()},
                previous,
                amount=stage.amount,
                rounds=stage.rounds,
                k=stage.k,
                rule=_rule(self.cell, self.protocol),
            )
            kept = {layer: tuple(keep.nonzero().flatten().tolist()) for layer, keep in mask.items()}
            state.net = training.place(surgery.with_channels(state.net, kept), self.settings.device)
            state.momentum, state.steps = {}, None

    def _scores(self, k: int, state: State) -> dict[str, Tensor]:
        """Of filters."""
        assert self.score is not None
        sample = self.sampler.sample(self.score, k, state.net)
        state.score_images = None if sample is None else len(sample.index)
        return scores.filter_scores(
            self.score,
            state.net,
            [] if sample is None else list(sample.batches()),
            temperature=self.protocol.temperature,
            generator=data.generator(self.cell.seed, "score", k),
            initial=self._initial(state.net) if self.score.asks_for("initial") else None,
        )

    def _sparsify(self, stage: Sparsify, state: State) -> Turns[None]:
        """Score, mask, ablate; what the network goes on from is put in its place."""
        with state.timed("score"):
            state.mask = iterative.weight_mask(
                self._scored(state.net),
                partial(self._weight_scores, state),
                stage.amount,
                iterations=stage.iterations,
            )
        if self.cell.ablation == "shuffle":
            state.mask = ablations.shuffled(state.mask, data.generator(self.cell.seed, "shuffle"))
        if stage.rewind is not None:
            state.net = yield from self._rewound(stage.rewind)
        if self.cell.ablation == "reinit":
            seed = data.generator(self.cell.seed, "reinit").initial_seed()
            models.initialise(state.net, self.protocol.initialisation, seed)
        masks.zero_(state.net, state.mask)
        state.momentum, state.steps = {}, None
        yield True

    def _scored(self, net: nn.Module) -> nn.Module:
        """The network that is scored: ``net``, unless only scoring is to see weights of variance 1."""
        return self._fresh("unit_variance") if self.cell.ablation == "unit_variance_score" else net

    def _weight_scores(self, state: State, net: nn.Module) -> dict[str, Tensor]:
        assert self.score is not None
        sample = self.sampler.sample(self.score, 1, net)
        state.score_images = None if sample is None else len(sample.index)
        found = scores.weight_scores(
            self.score,
            net,
            [] if sample is None else list(sample.batches()),
            temperature=self.protocol.temperature,
            generator=data.generator(self.cell.seed, "score", 1),
            image=self.image,
        )
        if broken := [name for name, score in found.items() if not torch.isfinite(score).all()]:
            raise Diverged(f"score {self.cell.score} was not finite for {broken[0]} and {len(broken) - 1} others")
        return ablations.inverted(found) if self.cell.ablation == "invert" else found

    def _rewound(self, iteration: int) -> Turns[nn.Module]:
        """The unpruned network as it was after so many iterations: its streams are named, so they can be run again."""
        net = training.place(self._fresh(), self.settings.device)
        steps = Steps(net, self.data, self.recipe)
        for stage in dense(iteration, self.protocol, len(self.data.train)):
            yield from steps.train(lr=stage.lr, seed=self.cell.seed, epoch=stage.epoch, steps=stage.steps)
        return net

    def _initial(self, net: Any) -> dict[str, Tensor]:
        """The parameters ``net`` started from, cut to what is left of it."""
        start = surgery.with_channels(self._fresh(), models.kept_channels(net))
        return {name: parameter.detach() for name, parameter in start.named_parameters()}

    def _fresh(self, start: str | None = None) -> nn.Module:
        """The unpruned network before training, by the cell's initialisation or by ``start``."""
        return models.build(
            self.cell.model,
            self.data.classes,
            in_channels=self.image[0],
            width=self.protocol.width,
            image_size=self.image[1],
            initialisation=start or initialisation(self.cell, self.protocol),
            seed=data.generator(self.cell.seed, "init").initial_seed(),
        )

    @property
    def image(self) -> tuple[int, int, int]:
        """Shape of an image, [C, H, W]."""
        height, width, channels = self.data.train.images.shape[1:]
        return channels, height, width

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
        return 0, State(training.place(self._fresh(), self.settings.device))

    def _save(self, number: int, state: State) -> None:
        stored = state.stored()
        if is_shared(self.stages[number]):
            # The first epoch belongs to all cells that share it, so none of them is charged for it again.
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
        return Record(
            key=key(self.cell, self.protocol, self.versions),
            cell=self.cell.to_dict(),
            profile=self.profile.name,
            protocol=self.protocol.to_dict(),
            versions=self.versions,
            status=status,
            error=reason,
            metrics=measured.metrics(state, self._fresh(), self.image, weights=weights),
            curve=Curve(**state.curve),
            layers=measured.layers(state, weights=weights),
            mask=measured.mask_facts(state, self.image),
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
                fingerprint=self.fingerprint,
                train_images=len(self.data.train),
                test_images=len(self.data.test),
                score_images=state.score_images,
            ),
            started=self.started,
            finished=_now(),
        )


@lru_cache(maxsize=2)
def _dataset(
    name: str, root: Path, device: str, image_size: int | None, limits: tuple[int | None, int | None]
) -> tuple[data.Dataset, str]:
    """The images of a cell on its device, and the fingerprint of the whole set; shared by cells of one process."""
    whole = data.load(name, root, image_size)
    placed = whole.limited(*limits).to(device)
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)  # the next cell reads them on another stream
    return placed, whole.fingerprint


def _score(cell: Cell, settings: Settings) -> Score:
    """The score of a cell: a built-in one, or the user's, loaded only now."""
    reference = settings.score_references.get(cell.score)
    if reference is not None:
        module, _, function = reference.partition(":")
        found = getattr(importlib.import_module(module), function)
        registered = scores.of_function(found)
        if registered:
            return replace(registered, name=cell.score)
        return scores.from_function(found, cell.score, granularity=_granularity(cell))
    return scores.get("random" if cell.score == "uniform" else cell.score, granularity=_granularity(cell))


def _granularity(cell: Cell) -> Granularity:
    return "weights" if cell.granularity == "weights" else "filters"


def _rule(cell: Cell, protocol: Protocol) -> rounds.Rule:
    return rounds.Rule(
        allocation="uniform" if cell.score == "uniform" else "global",
        schedule=protocol.schedule,
        total=protocol.total,
        floor=protocol.floor,
        counting=protocol.counting,
        revival=protocol.revival,
    )


def _recipe(protocol: Protocol) -> training.Recipe:
    return training.Recipe(
        batch_size=protocol.batch_size,
        momentum=protocol.momentum,
        weight_decay=protocol.weight_decay,
        temperature=protocol.temperature,
        augmentation=protocol.augmentation,
        mean=protocol.mean,
        std=protocol.std,
        precision=protocol.precision,
    )


def _spread(values: Tensor, keep: Tensor) -> Tensor:
    """``values`` of the filters that are left, at their places among all; zeros elsewhere."""
    wide = torch.zeros(len(keep), dtype=torch.float64)
    wide[keep] = values.double().cpu()
    return wide


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
