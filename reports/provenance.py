"""Where the records of a report come from: machines and commits, and files that could not be read."""

from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path

from reports.markdown import grid
from results.record import Environment, Record
from results.registry import Registry


def environments(records: Iterable[Record]) -> str:
    """A section with a row for each device, software and commit; empty without records."""
    counts = Counter(_place(record.environment) for record in records)
    if not counts:
        return ""
    head = ["device", "threads", "torch", "CUDA", "Python", "commit", "source changed", "cells"]
    rows = [[*place, str(count)] for place, count in sorted(counts.items())]
    return f"## Environments\n\n{grid(head, rows)}"


def problems(registry: Registry) -> str:
    """A section with the files that ``registry`` has met and could not use; empty where there are none."""
    if not registry.problems:
        return ""
    lines = (f"- `{_shown(problem.path, registry.root)}`: {escape(problem.reason)}" for problem in registry.problems)
    return "\n\n".join(["## Files that could not be read", "\n".join(sorted(lines))])


def _place(environment: Environment) -> tuple[str, ...]:
    commit = "unknown" if environment.commit is None else environment.commit[:10]
    changed = {None: "unknown", True: "**yes**", False: "no"}[environment.dirty]
    name, threads = f"{escape(environment.device_name)} ({environment.device})", str(environment.threads)
    return name, threads, environment.torch, environment.cuda or "none", environment.python, commit, changed


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
