"""pytest plugin: renders the report of what a session ran, from what the reports of its tests say.

A test report that names ``bench_cell``, ``bench_profile`` and ``bench_registry`` in its ``user_properties`` is about a
cell; where there is none, nothing is rendered.
"""

import json
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("bench_cell", "bench_profile", "bench_registry")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer ``--no-report`` and ``--report-dir``."""
    group = parser.getgroup("pruning reports (-m benchmark)")
    group.addoption("--no-report", action="store_true", help="render no tables and figures at the end")
    group.addoption("--report-dir", type=Path, metavar="DIR", help="folder that gets a folder of pages per profile")


def pytest_configure(config: pytest.Config) -> None:
    """Listen, except in an xdist worker, whose test reports reach the controller too."""
    if not hasattr(config, "workerinput") and not config.getoption("no_report"):
        config.pluginmanager.register(Renderer(config.getoption("report_dir")), "reports-renderer")


class Renderer:
    """Collects which profiles ran cells in which registry, and renders them at the end."""

    def __init__(self, out: Path | None) -> None:
        self.out = out
        self.ran: dict[tuple[str, str], None] = {}  # profile and registry, in order
        self.lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a test says that it ran."""
        said = dict(report.user_properties)
        skipped = json.loads(str(said.get("bench_outcome", "{}"))).get("status") in ("skipped", "not begun")
        if all(name in said for name in _NAMES) and not skipped:
            self.ran[str(said["bench_profile"]), str(said["bench_registry"])] = None

    def pytest_sessionfinish(self) -> None:
        """Render."""
        self.lines = [self._render(profile, Path(root)) for profile, root in self.ran]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the pages are."""
        for line in self.lines:
            terminalreporter.write_line(line)

    def _render(self, profile: str, root: Path) -> str:
        from reports.pages import render  # plotting and tables, only where a cell ran
        from reports.places import default_out
        from results.registry import Registry

        try:
            return f"report: {render(profile, Registry(root), self.out or default_out(root))}"
        except Exception as error:  # the records are safe; a report must not take the session down with it
            return f"report of profile {profile} failed, records are kept: {type(error).__name__}: {error}"
