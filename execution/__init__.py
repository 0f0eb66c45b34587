"""Runs the operations of a Strawberry schema; each is parsed, checked and compiled once. See README.md."""

from execution.executor import Counters, Executor, Mode
from execution.plan import Plan
from execution.reference import core_schema
from execution.result import FormattedError, OnError, Result, format_error
from execution.shared import Serialise

__all__ = [
    "Counters",
    "Executor",
    "FormattedError",
    "Mode",
    "OnError",
    "Plan",
    "Result",
    "Serialise",
    "core_schema",
    "format_error",
]
