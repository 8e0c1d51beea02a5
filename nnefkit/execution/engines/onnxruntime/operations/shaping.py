"""Reshaping, transposing and casting (4.5.1, 4.5.2, 4.5.8), and updates (4.8)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.arrays import Ints
from nnefkit.execution.engines.onnxruntime import primitives
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.primitives import cast as cast_to
from nnefkit.execution.engines.onnxruntime.primitives import compare, elementwise, unary, where
from nnefkit.operations.shaping import reshape_shape, unsqueeze_shape


@lowering("reshape")
def reshape(b: Builder, input: OnnxValue, **attribs: Any) -> OnnxValue:
    """Return the same elements in row-major order."""
    return b.reshape(input, reshape_shape(input.shape, **attribs))


@lowering("squeeze")
def squeeze(b: Builder, input: OnnxValue, *, axes: Ints) -> OnnxValue:
    """Return the input without the singular dimensions `axes`."""
    shape = tuple(extent for axis, extent in enumerate(input.shape) if axis not in axes)
    if input.data is not None or not axes:
        return b.reshape(input, shape)
    return b.node("Squeeze", [input, b.ints(*axes)], shape)


@lowering("unsqueeze")
def unsqueeze(b: Builder, input: OnnxValue, *, axes: Ints) -> OnnxValue:
    """Return the input with singular dimensions at `axes` of the output."""
    shape = unsqueeze_shape(input.shape, axes=axes)
    if input.data is not None or not axes:
        return b.reshape(input, shape)
    return b.node("Unsqueeze", [input, b.ints(*axes)], shape)


@lowering("transpose")
def transpose(b: Builder, input: OnnxValue, *, axes: Ints) -> OnnxValue:
    """Return the input with its leading axes in the order of `axes`."""
    return primitives.transpose(b, input, [*axes, *range(len(axes), input.rank)])


@lowering("cast")
def cast(b: Builder, input: OnnxValue, *, dtype: str) -> OnnxValue:
    """Convert to another data type: to integer by rounding down, to logical by ``!= 0``."""
    if dtype == "scalar":
        return cast_to(b, input, b.scalar)
    if dtype == "integer":
        return _rounded_down(b, input) if input.dtype.kind == "f" else cast_to(b, input, np.int64)
    if input.dtype == np.bool_:
        return input
    return unary(b, "Not", compare(b, "Equal", input, 0))


def _rounded_down(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return the next lower 64-bit integers, the nearest where there is none; 0 for NaN."""
    limit = 2.0**63
    holds = compare(b, "Less", unary(b, "Abs", x), limit)
    whole = cast_to(b, where(b, holds, unary(b, "Floor", x), 0.0), np.int64)
    for kind, bound, extreme in (
        ("GreaterOrEqual", limit, 2**63 - 1),
        ("LessOrEqual", -limit, -(2**63)),
    ):
        beyond = compare(b, kind, x, bound)
        whole = elementwise(
            b, "Where", beyond, b.constant(extreme, np.int64), whole, dtype=np.int64
        )
    return whole


@lowering("update")
def update(b: Builder, variable: OnnxValue, value: OnnxValue) -> OnnxValue:  # noqa: ARG001
    """Return the new value; the session stores it for the next run."""
    return value
