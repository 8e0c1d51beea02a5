"""Bounds on time that hold on a busy machine: processor time, the least of several tries."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TRACED = 5
"""How much slower code may be while its coverage is measured."""


def least_seconds(function: Callable[[], object], bound: float = 0.0, tries: int = 5) -> float:
    """Return the least processor time of several calls, after fewer where one meets `bound`.

    What other processes do to caches and clock rates only ever adds to a measurement, so that one
    quick call shows that the code is quick. The garbage collector is off, and not called before:
    its turns take as long as the heap of the test process is large.
    """
    least = float("inf")
    for _ in range(tries):
        gc.disable()
        began = time.process_time()
        try:
            function()
        finally:
            least = min(least, time.process_time() - began)
            gc.enable()
        if least < bound:
            break
    return least


def assert_linear(seconds: Callable[[int], float], size: int, factor: int, most: float) -> None:
    """Assert that `factor` times the size takes less than `most` times the time.

    Args:
        seconds: The least processor time for an input of some size.
        size: Of the small input.
        factor: How much larger the other one is.
        most: Between `factor` (linear time) and its square, with room for noise.
    """
    small = max(seconds(size), 0.005)
    assert seconds(size * factor) < most * small


def assert_quick(function: Callable[[], T], bound: float, tries: int = 5) -> T:
    """Assert that a call takes less than `bound` seconds of processor time; return its result."""
    results: list[T] = []
    if sys.gettrace() is not None:
        bound *= TRACED
    seconds = least_seconds(lambda: results.append(function()), bound, tries)
    assert seconds < bound
    return results[-1]
