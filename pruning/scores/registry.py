"""The scores by name: what each is, what data it wants, and how to add one."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from pruning import versions
from pruning.names import unknown
from pruning.scores.guard import BNMode

ScoreFunction = Callable[..., Mapping[str, Tensor]]
"""``(model, batches, *, option, ...) -> {layer: Tensor[channels]}``, asking by name for the options it needs.

There are ``layers`` (the prunable modules by name, in forward order), ``temperature`` (of training), ``generator`` (for
random numbers) and ``initial`` (the parameters at initialisation by name). Low values are pruned first.
"""

Sampling = Literal["none", "shuffled", "class_balanced"]
OPTIONS = frozenset({"layers", "temperature", "generator", "initial"})


@dataclass(frozen=True, kw_only=True)
class Score:
    """A registered score. ``sampling`` says which images it is given; ``bn_mode`` how batch norm normalises them."""

    name: str
    function: ScoreFunction
    version: int
    sampling: Sampling = "shuffled"
    bn_mode: BNMode = "eval"

    def __call__(self, model: Any, batches: Any, options: Mapping[str, Any]) -> dict[str, Tensor]:
        """The score with those of ``options`` that the function asks for."""
        return dict(self.function(model, batches, **{k: v for k, v in options.items() if self.asks_for(k)}))

    def asks_for(self, option: str) -> bool:
        """Whether the function takes ``option``."""
        taken = inspect.signature(self.function).parameters
        return option in taken or any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values())


_SCORES: dict[str, Score] = {}


def register(
    name: str, *, sampling: Sampling = "shuffled", bn_mode: BNMode = "eval", version: int | None = None
) -> Callable[[ScoreFunction], ScoreFunction]:
    """Decorate a function to make it the score called ``name``.

    The same function defined again, as in a notebook, takes its own place. Raises ValueError where the name is taken by
    another or the function asks for an option that does not exist.
    """

    def decorate(function: ScoreFunction) -> ScoreFunction:
        if name in _SCORES and _home(_SCORES[name].function) != _home(function):
            raise ValueError(f"a score called {name!r} is registered already; choose another name")
        number = versions.SCORES.get(name, 1) if version is None else version
        _SCORES[name] = from_function(function, name, version=number, sampling=sampling, bn_mode=bn_mode)
        return function

    return decorate


def _home(function: ScoreFunction) -> tuple[str, str]:
    return getattr(function, "__module__", ""), getattr(function, "__qualname__", repr(function))


def from_function(
    function: ScoreFunction,
    name: str,
    *,
    version: int = 1,
    sampling: Sampling = "shuffled",
    bn_mode: BNMode = "eval",
) -> Score:
    """``function`` as a score. Raises ValueError where it asks for an option that does not exist."""
    parameters = list(inspect.signature(function).parameters.values())
    for parameter in parameters[2:]:
        required = parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        if required and parameter.name not in OPTIONS:
            raise ValueError(f"score {name} asks for {parameter.name!r}; it may ask for {', '.join(sorted(OPTIONS))}")
    return Score(name=name, function=function, version=version, sampling=sampling, bn_mode=bn_mode)


def of_function(function: ScoreFunction) -> Score | None:
    """The registered score whose function this is, if there is one."""
    return next((score for score in _SCORES.values() if score.function is function), None)


def get(name: str) -> Score:
    """The score called ``name``. Raises ValueError with the nearest name where there is none."""
    if name in _SCORES:
        return _SCORES[name]
    raise unknown("score", name, _SCORES)


def names() -> list[str]:
    """All registered names."""
    return list(_SCORES)
