"""Recursion that does not use Python's stack, for trees of any depth.

A recursive function is written as a generator that says ``result = yield callee(...)`` where it
would call itself; `run` keeps the pending ones on a list of its own.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")
Call = Generator["Call[Any]", Any, T]


def run(call: Call[T]) -> T:
    """The result of `call`."""
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
