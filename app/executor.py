"""The executor of the service: made in one place, so that whoever explains a plan explains the one that is run."""

from collections.abc import Mapping
from functools import cache

import orjson
import strawberry

from execution import Executor, Mode, OnError, format_error
from resolvers.root import build_schema


def serialised(data: Mapping[str, object]) -> orjson.Fragment:
    """An object of the catalogue as it stands in many answers."""
    return orjson.Fragment(orjson.dumps(data))


@cache
def service_schema() -> strawberry.Schema:
    """The service's schema, built once: before the server processes are forked, so that none of them builds it."""
    return build_schema()


def service_executor(schema: strawberry.Schema, *, mode: Mode, on_error: OnError = format_error) -> Executor:
    """Runs the operations of the service's schema, as every server process does."""
    return Executor(schema, mode=mode, on_error=on_error, fragments=serialised)
