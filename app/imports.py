"""Importing much at once."""

import gc
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
