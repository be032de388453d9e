"""What pytest's command line and ini file ask for."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from _pytest.mark.expression import Expression


def asks_for(expression: str, *marks: str) -> bool:
    """Whether tests are chosen because they carry ``marks``: ``not gpu`` chooses them too, but not for that."""
    try:
        named = _chooses(expression, lambda name, /, **_: name in marks)
        return bool(expression) and named and not _chooses(expression, lambda *_, **__: False)
    except SyntaxError:
        return False  # pytest says so itself


def chooses(expression: str, marks: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a test is chosen that carries ``marks``, each with its keywords. Raises SyntaxError."""
    return _chooses(expression, lambda name, /, **words: name in marks and words.items() <= marks[name].items())


def _chooses(expression: str, carries: Callable[..., bool]) -> bool:
    return Expression.compile(expression).evaluate(carries)


def value_of(config: pytest.Config, name: str) -> Any:
    """The value of one of :mod:`bench.options`: of the command line, else of the ini file."""
    dest = f"bench_{name.replace('-', '_')}"
    value = config.getoption(dest)
    return config.getini(dest) if value is None else value
