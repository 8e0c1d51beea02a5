"""Up- and down-sampling of the spatial dimensions by integer factors (4.3.4)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints
from nnefkit.execution.engines.onnxruntime.borders import pad
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.operations.box import box
from nnefkit.execution.engines.onnxruntime.primitives import add, mul, sliced, take, where
from nnefkit.operations.window import Window

_COORDINATES = {
    "symmetric": "half_pixel",
    "asymmetric": "asymmetric",
    "aligned": "align_corners",
}


@lowering("nearest_downsample")
def nearest_downsample(b: Builder, input: OnnxValue, *, factor: Ints) -> OnnxValue:
    """Return the first element of each cell."""
    return sliced(b, input, {axis: (0, input.shape[axis], f) for axis, f in enumerate(factor, 2)})


@lowering("area_downsample")
def area_downsample(b: Builder, input: OnnxValue, *, factor: Ints) -> OnnxValue:
    """Return the average of each cell."""
    return box(b, input, window=Window.of_cells((1, 1, *factor)), normalize=True)


@lowering("nearest_upsample")
def nearest_upsample(b: Builder, input: OnnxValue, *, factor: Ints) -> OnnxValue:
    """Return each element repeated over a cell."""
    if b.has("Resize", input) and math.prod(factor) > 1 and input.rank == 4:
        attributes = {"mode": "nearest", "nearest_mode": "floor"}
        return _resize(b, input, factor, coordinates="asymmetric", **attributes)
    x = input
    for axis, f in enumerate(factor, 2):
        if f > 1:
            x = take(b, x, np.arange(x.shape[axis] * f) // f, axis)
    return x


def _resize(
    b: Builder, x: OnnxValue, factor: Ints, coordinates: str, **attributes: Any
) -> OnnxValue:
    shape = (*x.shape[:2], *(e * f for e, f in zip(x.shape[2:], factor, strict=True)))
    scales = b.constant(np.array([1, 1, *factor], np.float32))
    inputs = [x, None, scales]
    return b.node("Resize", inputs, shape, coordinate_transformation_mode=coordinates, **attributes)


@lowering("multilinear_upsample")
def multilinear_upsample(
    b: Builder, input: OnnxValue, *, factor: Ints, method: str, border: str
) -> OnnxValue:
    """Interpolate linearly, one dimension after the other unless a single node can do it."""
    if math.prod(factor) == 1:
        return input
    clamped = border == "replicate" or method == "aligned"
    if clamped and b.has("Resize", input) and input.rank == 4 and min(input.shape[2:]) > 1:
        return _resize(b, input, factor, _COORDINATES[method], mode="linear")
    x = input
    for axis, f in reversed([*enumerate(factor, 2)]):
        if f == 1:
            continue
        if method == "aligned":
            count, extent = x.shape[axis] * f, x.shape[axis]
            first, rest = np.divmod(np.arange(count) * (extent - 1), count - 1)
            x = interpolated(b, x, axis, first, rest / (count - 1))
            continue
        twice = 2 * np.arange(x.shape[axis] * f) - (f - 1 if method == "symmetric" else 0)
        first, rest = np.divmod(twice, 2 * f)
        x = pad(b, x, [(int(a == axis), int(a == axis)) for a in range(x.rank)], border)
        x = interpolated(b, x, axis, first + 1, rest / (2 * f))
    return x


def interpolated(b: Builder, x: OnnxValue, axis: int, first: Array, fraction: Array) -> OnnxValue:
    """Interpolate between the elements at the indices `first` and the next ones, along one axis."""
    column = [-1 if a == axis else 1 for a in range(x.rank)]
    second = np.where(fraction > 0, first + 1, first)
    weight = b.constant(fraction.reshape(column), x.dtype)
    other = b.constant((1 - fraction.astype(x.dtype)).reshape(column), x.dtype)
    left = mul(b, take(b, x, first, axis), other)
    right = mul(b, take(b, x, second, axis), weight)
    if not fraction.all():  # zero times infinity would be NaN
        right = where(b, b.constant((fraction > 0).reshape(column)), right, 0.0)
    return add(b, left, right)
