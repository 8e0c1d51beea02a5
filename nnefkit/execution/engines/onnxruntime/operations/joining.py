"""Splitting and concatenation (4.5.3), copies and sums of several tensors (4.9.6)."""

from __future__ import annotations

from nnefkit.arrays import Ints
from nnefkit.execution.engines.onnxruntime import primitives
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.operations.shaping import squeeze, unsqueeze
from nnefkit.execution.engines.onnxruntime.primitives import add


@lowering("split")
def split(b: Builder, value: OnnxValue, *, axis: int, ratios: Ints) -> list[OnnxValue]:
    """Return the parts, in their order along `axis`."""
    unit = value.shape[axis] // sum(ratios)
    return _parts(b, value, axis, [unit * ratio for ratio in ratios])


def _parts(b: Builder, value: OnnxValue, axis: int, extents: Ints) -> list[OnnxValue]:
    if len(extents) == 1:
        return [value]
    before, after = value.shape[:axis], value.shape[axis + 1 :]
    shapes = [(*before, extent, *after) for extent in extents]
    return b.several("Split", [value, b.ints(*extents)], shapes, axis=axis)


@lowering("concat")
def concat(b: Builder, values: list[OnnxValue], *, axis: int) -> OnnxValue:
    """Return the values joined along `axis`."""
    return primitives.concat(b, values, axis)


@lowering("stack")
def stack(b: Builder, values: list[OnnxValue], *, axis: int) -> OnnxValue:
    """Return the values joined along a new axis."""
    return primitives.concat(b, [unsqueeze(b, value, axes=[axis]) for value in values], axis)


@lowering("unstack")
def unstack(b: Builder, value: OnnxValue, *, axis: int) -> list[OnnxValue]:
    """Return the slices along `axis`, without that dimension."""
    parts = _parts(b, value, axis, [1] * value.shape[axis])
    return [squeeze(b, part, axes=[axis]) for part in parts]


@lowering("add_n")
def add_n(b: Builder, x: list[OnnxValue]) -> OnnxValue:
    """Return the sum, computed from the last value to the first."""
    if not x:
        return b.constant(0.0, b.scalar)
    total = x[-1]
    for value in reversed(x[:-1]):
        total = add(b, value, total)
    return total


@lowering("copy_n")
def copy_n(b: Builder, x: OnnxValue, *, times: int) -> list[OnnxValue]:  # noqa: ARG001
    """Return the same value several times."""
    return [x] * times
