"""Budgets of SQL statements: a block that runs more than it may has failed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from persistence.base import Statement, on_statement


def names_into(names: list[str]) -> Callable[[Statement], None]:
    """A listener that keeps the names of statements."""
    return lambda statement: names.append(statement.name)


@contextmanager
def queries(most: int) -> Iterator[list[str]]:
    """At most so many statements run in the block; yields their names as they run."""
    names: list[str] = []
    token = on_statement.set(names_into(names))
    try:
        yield names
    finally:
        on_statement.reset(token)
    assert len(names) <= most, f"{len(names)} statements where {most} will do: {', '.join(names)}"
