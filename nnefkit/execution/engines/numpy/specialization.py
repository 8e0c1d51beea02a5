"""Specialized kernels: prepared for fixed shapes and weights, writing into given memory.

A specializer looks at a `CallSite`, an operation with all that is known before a run, and returns a
`SpecializedKernel`, or None where only the reference kernel applies. Both compute the same numbers,
up to the order of summation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.graph import Operation


class SpecializedKernel(NamedTuple):
    """A function that computes one operation with one result."""

    function: Callable[..., Any]
    """``function(out, scratch, *arrays)``: the inputs without a known value, in their order; `out`
    is contiguous, `scratch` a flat array of `scratch` elements or None."""
    scratch: int = 0
    """Number of elements of its dtype that it needs while it runs."""
    in_place: bool = False
    """Whether `out` may be one of the arrays, if it is as large."""
    allocates: bool = False
    """Whether it returns a new array instead: ``function(*arrays)``."""


class KnownInput(NamedTuple):
    """An input of an operation as far as it is known before a run."""

    shape: tuple[int, ...]
    value: Array | None
    """Of a literal, a variable, a constant, or a result of operations on these; else None."""


class Bounds(NamedTuple):
    """The limits between which a clamp or rectifier clips numbers."""

    low: float
    high: float
    nan: float
    """The result for NaN: the formulas of 4.2.4 prefer the bound that they compare with last."""

    def apply(self, array: Array) -> None:
        """Clip a contiguous array in place."""
        # Four times as fast as np.maximum, which is why a rectifier has an upper bound too.
        np.clip(array, self.low, self.high, out=array)
        flat = array.reshape(-1)
        if not np.isfinite(np.dot(flat, flat)):
            np.copyto(array, self.nan, where=np.isnan(array))


@dataclass(frozen=True)
class CallSite:
    """An operation whose inputs are all tensors or literals of the dtype of its one result."""

    operation: Operation
    arguments: tuple[KnownInput, ...]
    """In the order of the declaration."""
    shape: tuple[int, ...]
    """Of the result."""
    dtype: np.dtype[Any]

    def bounds(self) -> Bounds | None:
        """Return the bounds between which it clips its first argument, if that is all it does."""
        name, limits = self.operation.name, self.arguments[1:]
        if name not in ("relu", "clamp", "min", "max") or self.arguments[0].shape != self.shape:
            return None
        if name == "relu":
            return Bounds(0.0, np.inf, 0.0)
        numbers = [_number(limit) for limit in limits]
        if any(np.isnan(number) for number in numbers):
            return None
        if name == "max":
            return Bounds(numbers[0], np.inf, numbers[0])
        if name == "min":
            return Bounds(-np.inf, numbers[0], numbers[0])
        low, high = numbers
        return Bounds(low, high, high) if low <= high else None


def _number(argument: KnownInput) -> float:
    """Return an argument that is a known number, else NaN."""
    known = argument.value is not None and argument.value.size == 1
    return float(argument.value.item()) if known and argument.value is not None else np.nan


Specializer = Callable[[CallSite], SpecializedKernel | None]
