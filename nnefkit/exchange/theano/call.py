"""Calls of Theano's operations.

A reader takes a `Call` and returns the values that the operation computes: one, or a list of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions.casting import cast
from nnefkit.exchange.dumped.call import DumpedCall
from nnefkit.exchange.reshaping import to_dtype, to_logical, to_scalar
from nnefkit.exchange.source_value import LOGICAL, SCALAR, DType, Value, data_type_of
from nnefkit.registry import Registry

READERS = Registry()
"""Class of an operation -> its reader."""
op = READERS.register
_MAX_INTS = 1 << 16


class Call(DumpedCall):
    """An operation of a graph."""

    def constant(self, index: int, what: str) -> Array:
        """Return the elements of an input that must be constant.

        Args:
            index: The index of the input.
            what: The meaning of the input, for the message.

        Raises:
            Refusal: The input is missing, or computed at run time.
        """
        value = self[index]
        if value.data is None:
            self.refuse(
                f"its {what} is computed at run time",
                "Make it constant, or compute it from shapes.",
            )
        return value.data

    def integers_at(self, index: int, what: str) -> list[int]:
        """Return the integers of a constant input; see `constant`.

        Raises:
            Refusal: There are more of them than any shape or order has.
        """
        items = self.constant(index, what).reshape(-1)
        if items.size > _MAX_INTS or items.dtype.kind not in "iub":
            self.invalid(f"its {what} has {items.size:,} elements of type {items.dtype}")
        return [int(item) for item in items]

    def integer_at(self, index: int, what: str) -> int:
        """Return the integer of a constant input with one element; see `constant`.

        Raises:
            Refusal: It has several elements.
        """
        items = self.integers_at(index, what)
        if len(items) != 1:
            self.invalid(f"its {what} has {len(items)} elements, not 1")
        return items[0]

    def number_at(self, index: int, what: str) -> float:
        """Return the number of a constant input with one element; see `constant`.

        Raises:
            Refusal: It has several elements.
        """
        array = self.constant(index, what)
        if array.size != 1:
            self.invalid(f"its {what} has {array.size} elements, not 1")
        return float(array.reshape(-1)[0])

    def extents(self, shape: Sequence[Any], what: str) -> list[Any]:
        """Return extents, none of which is negative.

        Raises:
            Refusal: One is.
        """
        if min(shape, default=0) < 0:
            self.invalid(f"its {what} is {[*shape]}")
        return [*shape]

    def to_result(self, x: Value, dtype: DType | None = None) -> Value:
        """Return a value in a dtype, by default that of the first result."""
        wanted = self.dtype if dtype is None else dtype
        kind = data_type_of(wanted)
        if x.data_type == kind:
            if x.data is not None and x.data.dtype != wanted:
                return x.converted(x.data.astype(wanted), wanted)
            return x
        if kind == SCALAR:
            return to_scalar(self, x)
        if kind == LOGICAL:
            return to_logical(self, x)
        return to_dtype(self, x, wanted)

    def cast(self, x: Value, dtype: DType) -> Value:
        """Return a value converted to a dtype; constants are converted by NumPy."""
        if x.data is not None:
            self.allowance.take(x.shape, dtype.itemsize)
            with np.errstate(all="ignore"):
                return x.converted(x.data.astype(dtype), dtype)
        return cast(self, x, dtype)
