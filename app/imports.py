"""Importing much at once."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Imports within it are not looked through by the garbage collector, then or later: they stay.

    So importing is quicker, and the pages of what was imported stay shared between processes that are forked after it.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


@contextmanager
def not_found(*libraries: str) -> Iterator[None]:
    """Imports within it do not find these libraries, and do without where they can. Afterwards they are there.

    One that was imported before stays.
    """
    hidden = [library for library in libraries if library not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: how Python marks what is not to be had
    try:
        yield
    finally:
        for library in hidden:
            del sys.modules[library]


@contextmanager
def lean_imports() -> Iterator[None]:
    """For the imports of a whole process: rarely collected, and without what others would import and is never used.

    Redis's client looks for OpenTelemetry's metrics, structlog for rich's tracebacks.
    """
    with rarely_collected(), not_found("opentelemetry", "rich"):
        yield
