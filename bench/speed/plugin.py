"""pytest plugin: ``pytest -m speed`` runs the speed benchmarks, and nothing that does not ask for them does."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import options
from bench.marks import asks_for, value_of
from bench.speed.sizes import FULL, SIZES
from bench.speed.table import Rows, markdown

FOLDER = Path(__file__).resolve().parent
ROWS = pytest.StashKey[Rows]()
"""What this run of pytest measured."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer ``--speed-size`` and ``--speed-rounds``; device, data and registry are those of the cells' options."""
    group = parser.getgroup("speed benchmarks (-m speed)")
    group.addoption("--speed-size", choices=[*SIZES], default=FULL.name, help="tiny shows that everything runs")
    group.addoption(
        "--speed-rounds", type=int, metavar="N", help="rounds of every benchmark (default: those of the size)"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run the benchmarks in this process: several at once would slow each other down."""
    return 0 if wanted(config) else None


def pytest_configure(config: pytest.Config) -> None:
    """Where no path was given, look at the benchmarks instead of at the tests. Raises pytest.UsageError."""
    config.stash[ROWS] = {}
    if not wanted(config):
        return
    rounds = config.option.speed_rounds
    if rounds is not None and rounds < 1:
        raise pytest.UsageError(f"--speed-rounds is {rounds}; it must be at least 1")
    if getattr(config.option, "dist", "no") != "no":
        raise pytest.UsageError("speed benchmarks run one at a time, or they would slow each other down; leave out -n")
    if asks_for(config.option.markexpr or "", "benchmark"):
        raise pytest.UsageError("cells and speed benchmarks run apart; ask for one of them with -m")
    config.option.benchmark_quiet = True  # its table compares what has nothing to do with each other
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(FOLDER)]
        config.args_source = pytest.Config.ArgsSource.ARGS


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Keep the benchmarks out of every run that does not ask for them."""
    return True if collection_path.is_relative_to(FOLDER) and not wanted(config) else None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables of what was measured."""
    if rows := config.stash[ROWS]:
        terminalreporter.section("speed")
        terminalreporter.write_line(markdown(rows))


def wanted(config: pytest.Config) -> bool:
    """Whether ``-m`` asks for speed benchmarks, or their folder or something in it is named."""
    return asks_for(config.option.markexpr or "", "speed") or any(_is_ours(config, arg) for arg in config.args)


def request(config: pytest.Config) -> options.Request:
    """What the options of the cells say. Raises pytest.UsageError where they make no sense."""
    try:
        return options.parse(partial(value_of, config))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _is_ours(config: pytest.Config, argument: str) -> bool:
    return (config.invocation_params.dir / argument.partition("::")[0]).resolve().is_relative_to(FOLDER)
