"""What pytest's command line and ini file ask for."""

from typing import Any

import pytest
from _pytest.mark.expression import Expression


def asks_for(expression: str, *marks: str) -> bool:
    """Whether tests are chosen because they carry ``marks``: ``not gpu`` chooses them too, but not for that."""
    try:
        return bool(expression) and _chooses(expression, *marks) and not _chooses(expression)
    except SyntaxError:
        return False  # pytest says so itself


def _chooses(expression: str, *marks: str) -> bool:
    return Expression.compile(expression).evaluate(lambda name, /, **_: name in marks)


def value_of(config: pytest.Config, name: str) -> Any:
    """The value of one of :mod:`bench.options`: of the command line, else of the ini file."""
    dest = f"bench_{name.replace('-', '_')}"
    value = config.getoption(dest)
    return config.getini(dest) if value is None else value
