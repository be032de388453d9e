"""pytest is how cells are run: this plugin offers the options, makes a test of every cell, and sums up.

A report of a cell's test carries, in ``user_properties``: ``bench_cell`` (the id), ``bench_profile``,
``bench_registry`` (its root) and ``bench_outcome`` (JSON, see :class:`bench.summary.Note`).
"""

import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import options
from bench.budget import Budget, budget, upcoming
from bench.cell import Cell
from bench.cost import estimates
from bench.device import likely_kind
from bench.executor import Outcome
from bench.marks import asks_for, chooses, value_of
from bench.queue import longest_first
from bench.runner import Runner
from bench.sharing import processes, share_threads
from bench.state import find, missing
from bench.summary import Note, table
from results import bundle
from results.registry import Registry

CELLS = Path(__file__).with_name("test_cells.py")

_RUNNER = pytest.StashKey[Runner]()
_OWN_DISPLAY = ("verbose", "columns", "histogram", "csv", "json", "compare", "save", "autosave")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer every option on the command line, and as ``bench_…`` in the ini file."""
    group = parser.getgroup("pruning cells (-m benchmark)")
    kinds = {"flag": "bool", "list": "args", "text": "string"}
    for option in (*options.ALL, options.CELLS):
        group.addoption(f"--{option.name}", **option.arguments())
        parser.addini(option.dest, option.help, type=kinds[option.kind], default=None)  # type: ignore[arg-type]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Share out the tests, unless they need the one GPU; cells, where that is faster."""
    if asks_for(config.option.markexpr or "", "gpu"):
        return 0
    return _processes(config) if _wanted(config) else None


def pytest_configure(config: pytest.Config) -> None:
    """Work out which cells are meant. Raises pytest.UsageError for options that mean none."""
    if hasattr(config, "workerinput"):
        share_threads(_workers(config))
    config.addinivalue_line("markers", "cell(cell, profile): one cell of a suite (set by the bench plugin)")
    if not _wanted(config):
        return
    _collect_cells_alone(config)
    _calm_benchmark(config)
    if getattr(config.option, "dist", "no") == "loadfile":  # as tests are shared out; but all cells are in one file
        config.option.dist = "load"
    try:
        request = _request(config)
        _check_workers(config, request)
        session = CellSession(config, request)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(session, "bench-cells")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Keep cells out of every run that does not ask for them."""
    return True if collection_path == CELLS and not config.pluginmanager.hasplugin("bench-cells") else None


@pytest.fixture
def run_cell(request: pytest.FixtureRequest) -> Callable[[Cell], Outcome]:
    """Run a cell for this test, or find its record; skip where data or a GPU is missing."""
    return partial(request.config.stash[_RUNNER].run, request.node)


class CellSession:
    """The hooks of a run that was asked for cells."""

    def __init__(self, config: pytest.Config, request: options.Request) -> None:
        self.config, self.request = config, request
        self.began = datetime.now(UTC).isoformat(timespec="seconds")
        self.chosen = request.selection.cells()
        self.registry = Registry(request.registry)
        self.budget = self._budget()
        self.cells = self._sent() or self._wanted()
        self.notes: list[tuple[str, Note]] = []
        config.stash[_RUNNER] = self.runner = Runner(config, request, self.registry)
        self.runner.budget = self.budget

    def _sent(self) -> tuple[Cell, ...]:
        """In a worker, the cells that the controller has: what is missing may be less by now."""
        by_id = {cell.id: cell for cell in self.chosen}
        return tuple(by_id[name] for name in getattr(self.config, "workerinput", {}).get("bench_cells", ()))

    def _wanted(self) -> tuple[Cell, ...]:
        if self.budget is not None:
            return tuple(self.budget.epoch_seconds)
        cells = self.chosen
        if self.request.missing:
            cells = missing(cells, self.registry, self.request.selection.profile, self.request.references)
        return self._shared_out(cells) if _workers(self.config) > 1 else cells

    def _shared_out(self, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        profile, device = self.request.selection.profile, likely_kind(self.request.device)
        found = estimates(cells, profile, self.registry.records(profile.name), device)
        return tuple(longest_first(cells, {cell: estimate.seconds for cell, estimate in found.items()}))

    def _budget(self) -> Budget | None:
        """Counted from now, which is when the command was given; in a worker, from when it was there."""
        if self.request.budget is None:
            return None
        end = getattr(self.config, "workerinput", {}).get("bench_deadline", time.time() + self.request.budget)
        return budget(upcoming(self.request, self.registry), self.request, end, _workers(self.config))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker which cells there are (pytest-xdist)."""
        node.workerinput["bench_cells"] = [cell.id for cell in self.cells]
        if self.budget is not None:
            node.workerinput["bench_deadline"] = self.budget.deadline

    @property
    def complete(self) -> bool:
        """Whether only missing cells were asked for, and there are none."""
        return not self.cells

    @property
    def idle(self) -> bool:
        """Whether a run that had to do something did nothing."""
        answered = any(said.answered or said.status == "interrupted" for _, said in self.notes)
        return self.request.require_run and not answered and not self.complete and not self._only_listed

    def pytest_report_header(self) -> str:
        """Say what is about to run."""
        left = f", {len(self.chosen)} without --missing" if self.request.missing else ""
        return f"cells: {len(self.cells)} of profile {self.request.selection.profile.name}{left}"

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of every cell."""
        if metafunc.definition.path == CELLS:
            metafunc.parametrize("cell", [_case(cell, self.request.selection.profile.name) for cell in self.cells])

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Drop the place-holder that stands for no cell."""
        if self.complete:
            items[:] = [item for item in items if item.path != CELLS]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which cells come one after the other here, after -k and the like; a worker is told one by one."""
        if not hasattr(self.config, "workerinput"):
            self.runner.coming = [cell for item in session.items if (cell := _cell_of(item)) is not None]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what became of a cell, wherever it ran."""
        said = dict(report.user_properties)
        if report.when == "call" and "bench_outcome" in said:
            self.notes.append((str(said["bench_cell"]), Note.from_json(str(said["bench_outcome"]))))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail an idle run; where nothing was missing, having collected nothing is a success. Write the bundle."""
        self.runner.close()
        if self.request.bundle is not None and not hasattr(self.config, "workerinput") and not self._only_listed:
            self._write_bundle(self.request.bundle)
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.complete:
            session.exitstatus = pytest.ExitCode.OK
        elif exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and self.idle:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def _only_listed(self) -> bool:
        return bool(self.config.option.collectonly)

    def _write_bundle(self, path: Path) -> None:
        """The records made since this run began, failures among them, beside what the file holds already."""
        profile, references = self.request.selection.profile, self.request.references
        found = [find(self.registry, cell, profile, references) for cell in self.cells]
        made = {record.key: record for record in found if record is not None and record.finished >= self.began}
        try:
            before = {entry.record.key: entry for entry in bundle.read(path)} if path.exists() else {}
            new = {name: bundle.entry(self.registry, record) for name, record in made.items()}
            bundle.write((before | new).values(), path)
        except (OSError, ValueError) as error:
            raise pytest.UsageError(f"--bundle: {error}; the records are in {self.request.registry}") from None

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """Print the table of cells."""
        if self._only_listed:
            return
        begun = [(name, said) for name, said in self.notes if said.status != "not begun"]
        if begun:
            terminalreporter.section("cells")
            terminalreporter.write_line(table(begun))
        for line in self._remarks(exitstatus):
            terminalreporter.write_line(line)

    def _remarks(self, exitstatus: int) -> list[str]:
        runner = self.config.stash[_RUNNER]
        reasons = Counter((said.status, said.reason) for _, said in self.notes if said.reason)
        lines = [f"{status} {count} cell{'s' * (count > 1)}: {reason}" for (status, reason), count in reasons.items()]
        lines += [f"left out: {problem}" for problem in runner.registry.problems]
        if self.complete:
            lines.append(f"no cell is missing: all {len(self.chosen)} have a final record")
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            lines.append("interrupted: what is finished is kept; the same command goes on from here")
        elif self.idle:
            lines.append("--require-run: no cell ran or was found in the registry, so this run fails")
        return lines


def _case(cell: Cell, profile: str) -> Any:
    words = _marks(cell)
    marks = pytest.mark.benchmark(**words["benchmark"]), pytest.mark.cell(cell, profile, **words["cell"])
    return pytest.param(cell, id=cell.id, marks=marks)


def _marks(cell: Cell) -> dict[str, dict[str, Any]]:
    """The marks of a cell's test, with their keywords."""
    names = {"model": cell.model, "dataset": cell.dataset, "score": cell.score, "rounds": cell.rounds}
    return {"benchmark": {"group": f"{cell.model}-{cell.dataset}"}, "cell": {**names, "seed": cell.seed}}


def _cell_of(item: pytest.Item) -> Cell | None:
    found = item.callspec.params.get("cell") if isinstance(item, pytest.Function) else None
    return found if isinstance(found, Cell) else None


def _wanted(config: pytest.Config) -> bool:
    """Whether ``-m`` asks for cells, or their file is named."""
    return asks_for(config.option.markexpr or "", "benchmark", "cell") or any(
        _is_cells(config, arg) for arg in config.args
    )


def _is_cells(config: pytest.Config, argument: str) -> bool:
    return (config.invocation_params.dir / argument.partition("::")[0]).resolve() == CELLS


def _collect_cells_alone(config: pytest.Config) -> None:
    """Where no path was given, look at the cells instead of at the tests, which have no such mark."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        keep = config.args if re.search(r"\bor\b", config.option.markexpr) else []
        config.args = [*keep, str(CELLS)]
        config.args_source = pytest.Config.ArgsSource.ARGS


def _calm_benchmark(config: pytest.Config) -> None:
    """Silence pytest-benchmark: its table says nothing about one round, and xdist makes it warn that it is off."""
    option = config.option
    if not any(getattr(option, f"benchmark_{name}", None) for name in _OWN_DISPLAY):
        option.benchmark_quiet = True
    distributed = hasattr(config, "workerinput") or getattr(option, "dist", "no") != "no"
    if distributed and not option.benchmark_enable and not option.benchmark_only:
        option.benchmark_disable = True


def _request(config: pytest.Config) -> options.Request:
    """What the options ask for. Raises ValueError."""
    _add_path(config.invocation_params.dir)
    return options.parse(partial(value_of, config))


def _processes(config: pytest.Config) -> int:
    """Into how many processes cells are divided where the user leaves that open; 0 where they run in this one.

    That depends on all cells that were asked for, not on those that are missing: a cell that was stopped is continued
    with the same number of threads, or not at all.
    """
    option = config.option
    if option.collectonly or option.keyword or option.capture == "no":  # what is printed is to be seen
        return 0
    try:
        request = _request(config)
        cells, profile = _asked_for(config, request), request.selection.profile
    except (ValueError, SyntaxError):
        return 0  # pytest says it to the user
    if likely_kind(request.device) != "cpu" or request.at_once is not None or request.stacked > 1:
        return 0
    if not request.rerun and not missing(cells, Registry(request.registry), profile, request.references):
        return 0
    return processes(len(cells))


def _asked_for(config: pytest.Config, request: options.Request) -> list[Cell]:
    """The cells that ids of tests and ``-m`` leave. Raises SyntaxError for an expression that is none."""
    tests = [argument.partition("::test_cell[")[2].removesuffix("]") for argument in config.args]
    cells = [cell for cell in request.selection.cells() if "" in tests or cell.id in tests]
    marks = config.option.markexpr
    return [cell for cell in cells if chooses(marks, _marks(cell))] if marks else cells


def _check_workers(config: pytest.Config, request: options.Request) -> None:
    """Raises ValueError for cells at once in workers; lets workers take one cell at a time."""
    workers = _workers(config)
    for name, given in (("--at-once", request.at_once is not None), ("--stacked", request.stacked > 1)):
        if workers > 1 and given:
            raise ValueError(f"{name} is for one process, and -n for several; use one of them")
    if workers > 1 and config.option.maxschedchunk is None:
        config.option.maxschedchunk = 1  # else each is given a long piece of the queue, the last cells among them


def _workers(config: pytest.Config) -> int:
    """Processes that cells are shared out to (pytest-xdist); 1 where there is none besides this."""
    if hasattr(config, "workerinput"):
        return int(config.workerinput["workercount"])
    return max(1, len(getattr(config.option, "tx", None) or ()))


def _add_path(folder: Path) -> None:
    """Make the user's own modules importable, as ``python -m`` does."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
