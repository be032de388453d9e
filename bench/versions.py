"""The versions that enter a cell's key: of everything in the code that decides its number."""

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from bench.cell import BASE, DYNAMICS, UNPRUNED, Cell
from bench.names import unknown
from bench.scores import UNIFORM
from pruning.versions import (
    ANALYSIS,
    AUGMENTATION,
    DATASETS,
    MASKS,
    MODELS,
    SCORES,
    SURGERY,
    TRAINING,
    WEIGHT_SCORES,
)
from pruning.versions import DYNAMICS as DYNAMICS_VERSION


def versions(cell: Cell, references: Mapping[str, str]) -> dict[str, int | str]:
    """What ``cell`` depends on, by name; ``references`` maps the names of users' scores to ``module:function``.

    Raises ValueError where a model, data set or score is unknown, or a reference leads nowhere.
    """
    values: dict[str, int | str] = {
        "model": _lookup("model", cell.model, MODELS),
        "dataset": _lookup("data set", cell.dataset, DATASETS),
        "augmentation": AUGMENTATION,
        "training": TRAINING,
    }
    if cell.score == DYNAMICS:
        values |= {"dynamics": DYNAMICS_VERSION, "masks": MASKS, "surgery": SURGERY}
    elif cell.score != BASE:
        values |= {"score": score_version(cell.score, references, cell.granularity), "masks": MASKS}
        values |= {"analysis": ANALYSIS} if cell.granularity == "weights" else {"surgery": SURGERY}
    return values


@cache  # a process runs what it imported, whatever becomes of the file meanwhile
def _source_version(reference: str) -> str:
    return f"{reference}@{hashlib.sha256(source_file(reference).read_bytes()).hexdigest()[:8]}"


def score_version(name: str, references: Mapping[str, str], granularity: str = "filters") -> int | str:
    """The version of a score; a user's is ``module:function@`` and 8 hex digits of its source file.

    Raises ValueError where there is none of that name and granularity.
    """
    if name in references:
        return _source_version(references[name])
    if granularity == "weights":
        if name in SCORES and name not in WEIGHT_SCORES:
            raise ValueError(f"score {name!r} is one of filters; run it in suite gradient_flow")
        return _lookup("score of weights", name, WEIGHT_SCORES)
    if name in WEIGHT_SCORES and name not in SCORES:
        raise ValueError(f"score {name!r} is one of weights; run it with --suite missing_the_mark")
    return _lookup("score", "random" if name == UNIFORM else name, SCORES)


def is_current(cell: Cell, recorded: Mapping[str, int | str]) -> bool:
    """Whether ``cell`` would get the versions ``recorded`` today; a user's own score counts as it was run."""
    own = is_own(cell)
    now = versions(replace(cell, score="random") if own else cell, {})
    return {**now, **({"score": recorded.get("score", "")} if own else {})} == dict(recorded)


def is_own(cell: Cell) -> bool:
    """Whether the score of ``cell`` is a user's. Its version tells its file from others, not what that imports."""
    return cell.score not in (*UNPRUNED, UNIFORM, *(WEIGHT_SCORES if cell.granularity == "weights" else SCORES))


def source_file(reference: str) -> Path:
    """The source file of ``module:function``, found without importing it. Raises ValueError where there is none."""
    module = reference.partition(":")[0]
    spec = _find(module)
    if spec is None or spec.origin is None or not spec.has_location:
        raise ValueError(f"score {reference!r} has no source file: there is no module {module!r} on the Python path")
    return Path(spec.origin)


def check_reference(reference: str) -> None:
    """Raise ValueError where the module is missing, cannot be parsed, or plainly does not define the function."""
    path, function = source_file(reference), reference.partition(":")[2]
    try:
        defined = _defined(ast.parse(path.read_bytes()))
    except SyntaxError as error:
        raise ValueError(f"score {reference!r}: line {error.lineno} of {path.name} is not Python") from None
    if "*" not in defined and function not in defined:
        raise unknown(f"function of {path.name}", function, sorted(defined))


def _lookup(kind: str, name: str, table: Mapping[str, int]) -> int:
    if name not in table:
        raise unknown(kind, name, table)
    return table[name]


def _find(module: str) -> ModuleSpec | None:
    """The spec of a dotted module; ``find_spec`` alone would import its packages."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # it is in sys.modules without a spec, as __main__ is
        return None
    name = top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, spec.submodule_search_locations)
    return spec


def _defined(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
