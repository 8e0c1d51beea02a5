"""Reshaping, transposing and casting (4.5.1, 4.5.2, 4.5.8), and updates (4.8)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.arrays import Ints
from nnefkit.execution.engines.litert import primitives
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import cast as cast_to
from nnefkit.execution.engines.litert.primitives import compare, unary
from nnefkit.operations.shaping import reshape_shape, unsqueeze_shape


@lowering("reshape")
def reshape(b: TfliteBuilder, input: TfliteValue, **attribs: Any) -> TfliteValue:
    """Return the same elements in row-major order."""
    return b.reshape(input, reshape_shape(input.shape, **attribs))


@lowering("squeeze")
def squeeze(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return the input without the singular dimensions `axes`."""
    shape = [extent for axis, extent in enumerate(input.shape) if axis not in axes]
    return b.reshape(input, shape)


@lowering("unsqueeze")
def unsqueeze(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return the input with singular dimensions at `axes` of the output."""
    return b.reshape(input, unsqueeze_shape(input.shape, axes=axes))


@lowering("transpose")
def transpose(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return the input with its leading axes in the order of `axes`."""
    return primitives.transpose(b, input, [*axes, *range(len(axes), input.rank)])


@lowering("cast")
def cast(b: TfliteBuilder, input: TfliteValue, *, dtype: str) -> TfliteValue:
    """Convert to another data type: to integer by rounding down, to logical by ``!= 0``."""
    if dtype == "scalar":
        return cast_to(b, input, b.scalar)
    if dtype == "integer":
        return cast_to(b, unary(b, "FLOOR", input) if input.is_real else input, np.int64)
    return input if input.dtype == np.bool_ else compare(b, "NOT_EQUAL", input, 0)


@lowering("update")
def update(b: TfliteBuilder, variable: TfliteValue, value: TfliteValue) -> TfliteValue:  # noqa: ARG001
    """Return the new value; the session stores it for the next run."""
    return value
