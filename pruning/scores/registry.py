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
"""``(model, batches, *, option, ...)`` -> scores by name, asking by name for the options it needs.

Of filters it returns {layer: Tensor[channels]} and may ask for ``layers`` (the prunable modules by name, in forward
order), ``temperature`` (of training), ``generator`` (for random numbers) and ``initial`` (the parameters at
initialisation by name). Of weights it returns {parameter: Tensor of its shape} and may ask for ``parameters`` (the
prunable weights by name), ``temperature``, ``generator`` and ``image`` (the shape of one). Low values are pruned first.
"""

Granularity = Literal["filters", "weights"]
Sampling = Literal["none", "shuffled", "class_balanced"]

OPTIONS: dict[Granularity, frozenset[str]] = {
    "filters": frozenset({"layers", "temperature", "generator", "initial"}),
    "weights": frozenset({"parameters", "temperature", "generator", "image"}),
}


@dataclass(frozen=True, kw_only=True)
class Score:
    """A registered score. ``sampling`` says which images it is given; ``bn_mode`` how batch norm normalises them."""

    name: str
    function: ScoreFunction
    version: int
    sampling: Sampling = "shuffled"
    bn_mode: BNMode = "eval"
    granularity: Granularity = "filters"

    def __call__(self, model: Any, batches: Any, options: Mapping[str, Any]) -> dict[str, Tensor]:
        """The score with those of ``options`` that the function asks for."""
        return dict(self.function(model, batches, **{k: v for k, v in options.items() if self.asks_for(k)}))

    def asks_for(self, option: str) -> bool:
        """Whether the function takes ``option``."""
        taken = inspect.signature(self.function).parameters
        return option in taken or any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values())


_SCORES: dict[str, dict[Granularity, Score]] = {}


def register(
    name: str,
    *,
    granularity: Granularity = "filters",
    sampling: Sampling = "shuffled",
    bn_mode: BNMode = "eval",
    version: int | None = None,
) -> Callable[[ScoreFunction], ScoreFunction]:
    """Decorate a function to make it the score of filters, or of weights, called ``name``.

    One name may stand for a score of each. The same function defined again, as in a notebook, takes its own place.
    Raises ValueError where the name is taken by another or the function asks for an option that does not exist.
    """

    def decorate(function: ScoreFunction) -> ScoreFunction:
        others = _SCORES.get(name, {})
        if granularity in others and _home(others[granularity].function) != _home(function):
            raise ValueError(f"a score called {name!r} is registered already; choose another name")
        known = versions.SCORES if granularity == "filters" else versions.WEIGHT_SCORES
        number = known.get(name, 1) if version is None else version
        score = from_function(
            function, name, granularity=granularity, version=number, sampling=sampling, bn_mode=bn_mode
        )
        _SCORES[name] = {**others, granularity: score}
        return function

    return decorate


def _home(function: ScoreFunction) -> tuple[str, str]:
    return getattr(function, "__module__", ""), getattr(function, "__qualname__", repr(function))


def from_function(
    function: ScoreFunction,
    name: str,
    *,
    granularity: Granularity = "filters",
    version: int = 1,
    sampling: Sampling = "shuffled",
    bn_mode: BNMode = "eval",
) -> Score:
    """``function`` as a score. Raises ValueError where it asks for an option that does not exist."""
    options = _options(granularity)
    parameters = list(inspect.signature(function).parameters.values())
    for parameter in parameters[2:]:
        required = parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        if required and parameter.name not in options:
            raise ValueError(f"score {name} asks for {parameter.name!r}; it may ask for {', '.join(sorted(options))}")
    return Score(
        name=name, function=function, version=version, sampling=sampling, bn_mode=bn_mode, granularity=granularity
    )


def _options(granularity: Granularity) -> frozenset[str]:
    if granularity not in OPTIONS:
        raise ValueError(f"granularity is {granularity!r}; it must be 'filters' or 'weights'")
    return OPTIONS[granularity]


def of_function(function: ScoreFunction) -> Score | None:
    """The registered score whose function this is, if there is one."""
    every = (score for scores in _SCORES.values() for score in scores.values())
    return next((score for score in every if score.function is function), None)


def get(name: str, granularity: Granularity = "filters") -> Score:
    """The score of filters, or of weights, called ``name``.

    Raises ValueError with the nearest name where there is none, or with the granularity that there is.
    """
    known = names(granularity)
    if name in known:
        return _SCORES[name][granularity]
    if name in _SCORES:
        raise _other(next(iter(_SCORES[name].values())), granularity)
    raise unknown("score" if granularity == "filters" else "score of weights", name, known)


def resolved(score: str | Score, granularity: Granularity) -> Score:
    """``score``, looked up where it is a name. Raises ValueError where it is none of ``granularity``."""
    if isinstance(score, str):
        return get(score, granularity)
    if score.granularity != granularity:
        raise _other(score, granularity)
    return score


def _other(score: Score, granularity: Granularity) -> ValueError:
    function = "filter_scores" if score.granularity == "filters" else "weight_scores"
    return ValueError(
        f"score {score.name} is one of {score.granularity}, and {granularity} are to be scored; use scores.{function}"
    )


def names(granularity: Granularity = "filters") -> list[str]:
    """All registered names of scores of filters, or of weights."""
    _options(granularity)
    return [name for name, scores in _SCORES.items() if granularity in scores]
