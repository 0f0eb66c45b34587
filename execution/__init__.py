"""Runs the operations of a Strawberry schema; each is parsed, checked and compiled once. See README.md."""

from execution.executor import Executor, Mode
from execution.plan import Plan
from execution.result import Result

__all__ = ["Executor", "Mode", "Plan", "Result"]
