"""Recursion without Python's call stack, for trees of any depth.

A recursive function is written as a generator that does ``result = yield callee(...)`` instead of
calling itself; `run` stores the pending generators in a list.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")
Call = Generator["Call[Any]", Any, T]


def run(call: Call[T]) -> T:
    """Return the result of `call`."""
    pending: list[Call[Any]] = [call]
    value: Any = None
    while pending:
        try:
            callee = pending[-1].send(value)
        except StopIteration as stop:
            pending.pop()
            value = stop.value
        else:
            pending.append(callee)
            value = None
    result: T = value
    return result
