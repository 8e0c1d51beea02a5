"""Faster forms of kernels: prepared for fixed shapes and weights, writing into a given place.

A lowering looks at a `Site`, an operation with all that is known before a run, and gives a
`Lowered` form of it, or None where only the reference kernel will do. Both give the same numbers
but for the order of sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.graph import Operation


class Lowered(NamedTuple):
    """How to run an operation with one result."""

    function: Callable[..., Any]
    """``function(out, scratch, *arrays)``: the inputs without a known value, in their order; `out`
    is contiguous, `scratch` a flat array of `scratch` items or None."""
    scratch: int = 0
    """Number of items of its dtype that it needs while it runs."""
    in_place: bool = False
    """Whether `out` may be one of the arrays, if it is as large."""
    returns: bool = False
    """Whether it gives a new array itself: ``function(*arrays)``."""


class Argument(NamedTuple):
    """An input of an operation as far as it is known before a run."""

    shape: tuple[int, ...]
    value: Array | None
    """Of a literal, a variable, a constant, or what was computed from such; else None."""


class Bounds(NamedTuple):
    """What a clamp or rectifier does to a number."""

    low: float
    high: float
    nan: float
    """What NaN becomes: the formulae of 4.2.4 prefer the bound that they compare with last."""

    def apply(self, array: Array) -> None:
        """Clips a contiguous array in place."""
        # Four times as fast as np.maximum, which is why a rectifier has an upper bound too.
        np.clip(array, self.low, self.high, out=array)
        flat = array.reshape(-1)
        if not np.isfinite(np.dot(flat, flat)):
            np.copyto(array, self.nan, where=np.isnan(array))


@dataclass(frozen=True)
class Site:
    """An operation whose inputs are all tensors or literals of the dtype of its one result."""

    operation: Operation
    arguments: tuple[Argument, ...]
    """In the order of the declaration."""
    shape: tuple[int, ...]
    """Of the result."""
    dtype: np.dtype[Any]

    def bounds(self) -> Bounds | None:
        """What it does, if it does nothing but clip its first argument between constants."""
        name, limits = self.operation.name, self.arguments[1:]
        if name not in ("relu", "clamp", "min", "max") or self.arguments[0].shape != self.shape:
            return None
        if any(limit.value is None or limit.value.size != 1 for limit in limits):
            return None
        numbers = [float(limit.value.item()) for limit in limits if limit.value is not None]
        if name == "relu":
            return Bounds(0.0, np.inf, 0.0)
        if any(np.isnan(number) for number in numbers):
            return None
        if name == "max":
            return Bounds(numbers[0], np.inf, numbers[0])
        if name == "min":
            return Bounds(-np.inf, numbers[0], numbers[0])
        low, high = numbers
        return Bounds(low, high, high) if low <= high else None


Lowering = Callable[[Site], Lowered | None]
