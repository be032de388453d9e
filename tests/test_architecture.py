"""The four rooms: who may import whom, and what no file may mention."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("pruning", "results", "bench", "reports")
CATALOGUE = (
    "bench", "bench.cell", "bench.cost", "bench.cost_model", "bench.names", "bench.options", "bench.places",
    "bench.plan", "bench.profiles", "bench.progress", "bench.protocol", "bench.queue", "bench.scores",
    "bench.selection", "bench.settings", "bench.state", "bench.suites", "bench.suites.gradient_flow",
    "bench.suites.gradient_flow_claims", "bench.suites.missing_the_mark", "bench.suites.missing_the_mark_grids",
    "bench.suites.missing_the_mark_questions", "bench.versions",
)  # fmt: skip


def modules(room):
    for path in sorted((ROOT / room).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(name, path):
    """Every module that ``path`` imports, wherever in it; what is imported from a package counts as its module."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                outer = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*outer, *filter(None, [base])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def ours(name, path):
    return {found for found in imports(name, path) if found.partition(".")[0] in ROOMS}


def known_modules():
    return {name for room in ROOMS for name, _ in modules(room)}


def within(found, allowed):
    """Whether an imported name is one of the modules ``allowed``, or something out of one."""
    return found in allowed or (found.rpartition(".")[0] in allowed and found not in known_modules())


@pytest.mark.parametrize("room", ["pruning", "results"])
def test_what_is_pruned_and_what_is_remembered_know_only_themselves(room):
    for name, path in modules(room):
        assert all(found.partition(".")[0] == room for found in ours(name, path)), name


def test_the_catalogue_knows_itself_the_records_and_one_table_of_integers():
    for name, path in modules("bench"):
        if name not in CATALOGUE:
            continue
        for found in ours(name, path):
            allowed = within(found, {*CATALOGUE, "pruning.versions"}) or found.partition(".")[0] == "results"
            assert allowed or found == "pruning", f"{name} imports {found}"


EXECUTION = (
    "bench.__main__", "bench.budget", "bench.cache", "bench.commands", "bench.datasets", "bench.device",
    "bench.environment", "bench.executor", "bench.experiment", "bench.filter_pruning", "bench.line",
    "bench.marks", "bench.measured",
    "bench.plugin", "bench.probing", "bench.queue_command", "bench.run_state", "bench.runner",
    "bench.sharing", "bench.summary", "bench.test_cells", "bench.together", "bench.trial",
    "bench.weight_pruning", "bench.width",
)  # fmt: skip


def measures_speed(name):
    return f"{name}.".startswith("bench.speed.")


def test_every_module_of_bench_is_catalogue_or_execution_or_measures_speed():
    assert {*CATALOGUE, *EXECUTION} == {name for name, _ in modules("bench") if not measures_speed(name)}


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_knows_the_speed_benchmarks_but_themselves(room):
    for name, path in modules(room):
        assert measures_speed(name) or not [found for found in ours(name, path) if measures_speed(found)], name


def test_execution_does_not_know_the_reports():
    for name, path in modules("bench"):
        assert not [found for found in ours(name, path) if found.partition(".")[0] == "reports"], name


def test_reports_know_records_and_the_catalogue():
    for name, path in modules("reports"):
        for found in ours(name, path):
            room = found.partition(".")[0]
            assert room in ("reports", "results") or within(found, CATALOGUE), f"{name} imports {found}"


@pytest.mark.parametrize("room", ["results", "reports"])
def test_rooms_without_torch(room):
    for name, path in modules(room):
        assert not {found for found in imports(name, path) if found.partition(".")[0] in ("torch", "torchvision")}, name


def test_importing_the_catalogue_and_the_plugin_imports_no_torch():
    entrances = ("bench.plugin", "bench.__main__", "bench.speed.plugin", "bench.speed.__main__")
    code = f"import sys, {', '.join([*CATALOGUE, *entrances])}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def tracked():
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git to know which files belong to the project")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_mentions_a_folder_of_some_machine():
    folders = "|".join(["work", "root", "home", "Users", "tmp", "mnt", "scratch"])
    absolute = re.compile(rf"(?<![\w.:/}}$~*)-])/(?:{folders})/\w")
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        assert not (found := absolute.search(text)), f"{path.name}: {text[found.start() : found.start() + 60]!r}"
