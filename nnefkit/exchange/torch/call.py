"""Readers of ATen operators, registered under the names of the operators.

A reader takes a `Call` and the arguments of the operator by the names of its schema (``x`` for
``self``), and returns the value of its result, or a list of them. It refuses what NNEF cannot
express.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.arrays import Padding
from nnefkit.exchange import call
from nnefkit.exchange.compositions.elementwise import extreme, scalar_operation
from nnefkit.exchange.compositions.integer_range import narrowed
from nnefkit.exchange.reshaping import number, to_dtype, to_scalar, truncated
from nnefkit.exchange.source_value import SCALAR, DType, Value
from nnefkit.registry import Registry

READERS = Registry()
"""Name of an ATen operator, without its overload -> its reader."""
operator = READERS.register

Padded = tuple[Value, Padding]
"""A tensor, and the number of zeros that were added to each of its axes."""


def parameters(reader: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a reader after the call."""
    return dict([*inspect.signature(reader).parameters.items()][1:])


@dataclass(eq=False)
class Call(call.OperatorCall):
    """A call of an ATen operator."""

    shapes: list[tuple[int, ...]]
    """The shapes of the results in PyTorch."""
    dtypes: list[DType]
    """The dtypes of the results in PyTorch."""
    wanted: frozenset[int]
    """The indices of the results that are read."""
    name: str = ""
    """The name for its result."""
    folds: bool = False
    """Whether normalizations are folded into the convolutions before them."""
    convolution: tuple[Mapping[str, Any], Padded | None] | None = None
    """The arguments of the convolution that computes the input, if its weights are known and only
    this call reads it; and the input of that convolution before it was padded."""
    padded: Padded | None = None
    """The input before it was padded with zeros, if only this call reads it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first result."""
        return self.shapes[0]

    @property
    def scalar_dtype(self) -> DType:
        """float64 if a result is float64, else float32."""
        return np.dtype(np.float64 if np.float64 in self.dtypes else np.float32)


def arithmetic(c: Call, name: str, *values: Value | float) -> Value:
    """Call an elementwise operation on scalars; the result has PyTorch's dtype."""
    if name in ("max", "min"):
        x, y = (to_scalar(c, number(c, value)) for value in values)
        result = extreme(c, name, x, y, is_integer=c.dtypes[0].kind in "iu")
    else:
        result = scalar_operation(c, name, *values)
    return to_result(c, result, overflows=name in _OVERFLOWING)


_OVERFLOWING = frozenset(("add", "sub", "mul", "neg", "abs", "sqr", "pow"))
"""Operations on integers whose results may be outside of the range of their dtype."""


def to_result(c: Call, x: Value, *, overflows: bool = False) -> Value:
    """Return what was computed as scalars in PyTorch's dtype; narrow integers wrap around.

    Args:
        c: The call of the operator.
        x: The result.
        overflows: Whether it may be outside of the range of the dtype.
    """
    dtype = c.dtypes[0]
    if x.data_type != SCALAR:
        return x
    return to_dtype(c, narrowed(c, x, dtype) if overflows else x, dtype)


def in_dtype_of_result(c: Call, x: Value) -> Value:
    """Return a tensor as scalars, truncated if the result has another dtype and is an integer."""
    is_truncated = c.dtypes[0].kind in "iu" and x.dtype.kind == "f"
    return truncated(c, x) if is_truncated else to_scalar(c, x)


def per_axis(argument: float | Sequence[int], count: int) -> list[int]:
    """Return an argument with one number for each axis; a single number applies to all axes."""
    numbers = [argument] if isinstance(argument, (int, float)) else argument
    return [int(number) for number in numbers] * (count if len(numbers) == 1 else 1)
