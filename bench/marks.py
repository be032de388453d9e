"""What pytest's ``-m`` asks for."""

from _pytest.mark.expression import Expression


def asks_for(expression: str, *marks: str) -> bool:
    """Whether tests are chosen because they carry ``marks``: ``not gpu`` chooses them too, but not for that."""
    try:
        return bool(expression) and _chooses(expression, *marks) and not _chooses(expression)
    except SyntaxError:
        return False  # pytest says so itself


def _chooses(expression: str, *marks: str) -> bool:
    return Expression.compile(expression).evaluate(lambda name, /, **_: name in marks)
