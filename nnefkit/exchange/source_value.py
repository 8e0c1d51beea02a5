"""Tensors of graphs under construction, and their data types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.exchange.refusal import refuse

DType = np.dtype[Any]

SCALAR, INTEGER, LOGICAL = "scalar", "integer", "logical"

DTYPES = frozenset(
    f"{family}{bits}" for family in ("int", "uint", "float") for bits in (8, 16, 32, 64)
) - {"float8"} | {"bool"}
"""Names of the dtypes whose elements a tensor of NNEF can hold unchanged."""


def data_type_of(dtype: DType) -> str:
    """Return the NNEF data type (3.3.1) for elements of a NumPy dtype.

    Raises:
        Refusal: They are complex.
    """
    if dtype.kind == "c":
        refuse("NNEF has no complex numbers (3.3.1)", "Compute with their parts as two tensors.")
    return {"b": LOGICAL, "i": INTEGER, "u": INTEGER}.get(dtype.kind, SCALAR)


class Value:
    """A tensor of a graph under construction."""

    __slots__ = (
        "coded",
        "data",
        "data_type",
        "dtype",
        "filler",
        "name",
        "origin",
        "shape",
        "sources",
        "whole",
    )

    def __init__(
        self,
        shape: Shape,
        dtype: DType,
        name: str = "",
        data: Array | None = None,
        origin: str | None = None,
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        """The NumPy dtype of the elements in the source format."""
        self.name = name
        """An identifier, or the stem of the label of a constant; empty until it is named."""
        self.data = data
        """The elements of a constant, None for a tensor that is computed at run time."""
        self.origin = origin
        """The name of the tensor in the source."""
        self.data_type = data_type_of(dtype)
        """The NNEF data type: scalar, integer or logical."""
        self.filler = False
        """Whether it is a constant that repeats one number, and not a weight."""
        self.coded = False
        """Whether it is a constant whose elements are codes in the source."""
        self.sources: frozenset[str] = frozenset()
        """The names of the weights of the source that a constant was computed from."""
        self.whole = False
        """Whether it holds all elements of the weight that it is named after, in their order."""

    def converted(self, data: Array, dtype: DType) -> Value:
        """Return a constant with the elements of this one in another data type."""
        other = Value(data.shape, dtype, self.name, data)
        other.sources = self.sources
        other.coded = self.coded and self.dtype == dtype
        # Integers that are cut to fewer bits are other numbers.
        is_cut = self.dtype.kind in "iu" and dtype.kind in "iu" and self.dtype != dtype
        other.whole = self.whole and not is_cut
        return other

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def is_number(self) -> bool:
        """Whether it is a constant with a single finite element, which a literal can express.

        A code is no literal: with its grid, integer arithmetic multiplies by other numbers.
        """
        if self.data is None or self.data.size != 1 or self.coded:
            return False
        return bool(np.isfinite(self.data).all())


Argument = Value | bool | float | Sequence[Value]
"""An input of an operation: a tensor, a literal, or an array of tensors."""


def values_in(arguments: Sequence[Any]) -> list[Value]:
    """Return the values among arguments and lists of them."""
    values: list[Value] = []
    for argument in arguments:
        if isinstance(argument, Value):
            values.append(argument)
        elif isinstance(argument, (list, tuple)):
            values += values_in(argument)
    return values
