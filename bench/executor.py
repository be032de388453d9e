"""Run one cell, or find that it has been run: every attempt leaves a record, unless its process is killed."""

import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from bench.cell import Cell
from bench.places import checkout
from bench.profiles import Profile
from bench.progress import CellTimeout, Listener, OutOfBudget, limited, silent
from bench.protocol import key
from bench.settings import Settings
from bench.state import find
from bench.together import Together, Turns
from bench.versions import versions
from bench.width import Width
from results import bundle
from results.record import Costs, Environment, Record, Status
from results.registry import Registry

_TAIL = 3000  # characters of a traceback that a record keeps
_INSTALLED = re.compile(r'File "[^"]*[\\/](?:site-packages|python3\.\d+)[\\/]')


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The record of a cell, and whether it was there already."""

    record: Record
    cached: bool


class CellFailed(Exception):  # noqa: N818
    """A cell ended without an answer. Its record says why; the next run tries the cell again."""

    def __init__(self, status: Status, record: Record) -> None:
        self.status = status
        self.record = record
        reason = (record.error or "no reason given").partition("\n")[0]
        super().__init__(f"{status}: {reason} (recorded as {record.key}; the next run tries this cell again)")


def execute(
    cell: Cell,
    profile: Profile,
    settings: Settings,
    registry: Registry,
    *,
    rerun: bool = False,
    listener: Listener = silent,
) -> Outcome:
    """The final record of ``cell``: from the registry, or by running it now and recording how that went.

    Raises :class:`CellFailed` where the run ended without an answer, ``pruning.data.MissingData`` unrecorded where the
    data set is not there, and KeyboardInterrupt after recording it. Needs torch only for a cell that is run.
    """
    __tracebackhide__ = True
    known = answer(cell, profile, settings.score_references, registry)
    if known is not None and not rerun:
        return known
    from bench import experiment  # imports torch, which listing cells must not

    def begin(cell: Cell, crowd: Callable[[], float]) -> Turns[Outcome]:
        return executing(cell, profile, settings, registry, listener=listener, crowd=crowd)

    return Together(begin, partial(experiment.lane, settings.device), Width.fixed(1)).result(cell)


def executing(
    cell: Cell,
    profile: Profile,
    settings: Settings,
    registry: Registry,
    *,
    listener: Listener = silent,
    crowd: Callable[[], float],
) -> Turns[Outcome]:
    """Run ``cell`` in turns, whatever the registry holds, and record how that went; raises as :func:`execute` does.

    ``crowd`` says at the end how many cells were under way on average.
    """
    __tracebackhide__ = True
    # A run that fails is kept beside an answer that was there, or came from elsewhere meanwhile, not in its place.
    registry.check_writable()
    keep = partial(registry.keep, profile.name, cell.to_dict())
    record = yield from _run(cell, profile, settings, listener, keep, keep_failure=registry.merge)
    record = _beside(record, crowd())
    try:
        registry.put(record)
    except OSError as error:
        rescued = _rescue(record, registry)
        raise OSError(
            f"the record could not be stored ({error}); it is in {rescued}: python -m results import {rescued}"
        ) from error
    return Outcome(record=record, cached=False)


def _beside(record: Record, number: float) -> Record:
    """``record`` of a run beside others: what memory it took by itself nobody knows."""
    if number == 1:
        return record
    environment = replace(record.environment, at_once=round(number, 2))
    return replace(record, environment=environment, costs=replace(record.costs, peak_memory_bytes=None))


def _rescue(record: Record, registry: Registry) -> Path:
    """Write a record to the system's folder for temporary files, as a bundle of one with the side files there are."""
    path = Path(tempfile.gettempdir()) / f"{record.key}.jsonl"
    bundle.write([bundle.entry(registry, record)], path)
    return path


def answer(cell: Cell, profile: Profile, references: Mapping[str, str], registry: Registry) -> Outcome | None:
    """What the registry holds as the final record of ``cell``; needs no torch."""
    record = find(registry, cell, profile, references)
    return Outcome(record=record, cached=True) if record is not None and record.final else None


def is_missing_data(error: BaseException) -> bool:
    """Whether ``error`` says that a data set is not there; whoever raised it has imported ``pruning.data``."""
    return isinstance(error, getattr(sys.modules.get("pruning.data"), "MissingData", ()))


def _run(
    cell: Cell,
    profile: Profile,
    settings: Settings,
    listener: Listener,
    keep: Callable[[str, bytes], object],
    keep_failure: Callable[[Record], object],
) -> Turns[Record]:
    from bench import experiment  # imports torch, which listing cells must not

    __tracebackhide__ = True
    found = versions(cell, settings.score_references)  # of the sources as they are before they are imported
    attempt = _Attempt(cell, profile, found, experiment.environment(settings))
    try:
        return (yield from experiment.running(cell, profile, settings, limited(listener, settings.cell_timeout), keep))
    except (KeyboardInterrupt, GeneratorExit) as error:
        keep_failure(attempt.failed(error))
        raise
    except Exception as error:
        if is_missing_data(error):
            raise
        record = attempt.failed(error)
        keep_failure(record)
        raise CellFailed(record.status, record) from error


@dataclass(frozen=True)
class _Attempt:
    """A run that has begun, and what its record says should it fail."""

    cell: Cell
    profile: Profile
    versions: dict[str, int | str]
    environment: Environment
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def failed(self, error: BaseException) -> Record:
        now = datetime.now(UTC)
        return Record(
            key=key(self.cell, self.profile.protocol_of(self.cell), self.versions),
            cell=self.cell.to_dict(),
            profile=self.profile.name,
            protocol=self.profile.protocol_of(self.cell).to_dict(),
            versions=self.versions,
            status=_status(error),
            error=_reason(error),
            costs=Costs(seconds_total=(now - self.started).total_seconds()),
            environment=self.environment,
            started=self.started.isoformat(timespec="seconds"),
            finished=now.isoformat(timespec="seconds"),
        )


def _status(error: BaseException) -> Status:
    if isinstance(error, KeyboardInterrupt | GeneratorExit | OutOfBudget):
        return "interrupted"
    if isinstance(error, CellTimeout):
        return "timeout"
    names = {kind.__name__ for kind in type(error).__mro__}
    memory = names & {"MemoryError", "OutOfMemoryError"}
    if memory or ("RuntimeError" in names and "out of memory" in str(error).lower()):
        return "out_of_memory"
    return "error"


def _reason(error: BaseException) -> str:
    """One line that says what happened, then the end of the traceback."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted from the keyboard"
    if isinstance(error, GeneratorExit):
        return "interrupted: the run ended while this cell was under way beside another"
    if isinstance(error, OutOfBudget):
        return str(error)
    line = _without_folders(traceback.format_exception_only(error)[-1].strip().replace("\n", " "))
    return f"{line}\n{_without_folders(''.join(traceback.format_exception(error)))[-_TAIL:]}"


def _without_folders(text: str) -> str:
    """The traceback with file names as they are inside a checkout or an installed package, wherever those lie."""
    text = _INSTALLED.sub('File "', text.replace(f'File "{checkout()}{os.sep}', 'File "'))
    return text.replace(f"{Path.cwd()}{os.sep}", "").replace(f"{Path.home()}{os.sep}", f"~{os.sep}")
