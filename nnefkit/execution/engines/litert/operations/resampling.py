"""Up-sampling of the spatial dimensions by integer factors (4.3.4)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.arrays import Ints
from nnefkit.execution.engines.litert.borders import pad
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import add, mul, take

F = np.float32


@lowering("nearest_upsample")
def nearest_upsample(b: TfliteBuilder, input: TfliteValue, *, factor: Ints) -> TfliteValue:
    """Return each element repeated over a cell."""
    x = input
    if x.rank == 4 and math.prod(factor) > 1:
        pairs = zip(x.shape[1:3], factor, strict=True)
        if all(_is_exact(extent, f) for extent, f in pairs):
            return _resized(b, "RESIZE_NEAREST_NEIGHBOR", x, factor)
    for axis, f in enumerate(factor, 1):
        if f > 1:
            x = take(b, x, np.arange(x.shape[axis] * f) // f, axis)
    return x


def _is_exact(extent: int, factor: int) -> bool:
    """Return whether TFLite selects the elements by positions in float32 that are exact enough."""
    scale = F(extent) / F(extent * factor)
    index = np.arange(extent * factor)
    return bool((np.floor(index.astype(F) * scale) == index // factor).all())


def _resized(
    b: TfliteBuilder, kind: str, x: TfliteValue, factor: Ints, **options: Any
) -> TfliteValue:
    extents = [extent * f for extent, f in zip(x.shape[1:-1], factor, strict=True)]
    shape = (x.shape[0], *extents, x.shape[-1])
    return b.op(kind, [x, b.ints(*extents)], shape, **options)


@lowering("multilinear_upsample")
def multilinear_upsample(
    b: TfliteBuilder, input: TfliteValue, *, factor: Ints, method: str, border: str
) -> TfliteValue:
    """Interpolate linearly, one dimension after the other unless a single operator can do it."""
    if math.prod(factor) == 1:
        return input
    clamped = border == "replicate" or method == "aligned"
    if clamped and input.rank == 4:
        options = {"AlignCorners": method == "aligned", "HalfPixelCenters": method == "symmetric"}
        return _resized(b, "RESIZE_BILINEAR", input, factor, **options)
    x = input
    for axis, f in reversed([*enumerate(factor, 1)]):
        if f > 1:
            x = _interpolated(b, x, axis, f, method, border)
    return x


def _interpolated(
    b: TfliteBuilder, x: TfliteValue, axis: int, f: int, method: str, border: str
) -> TfliteValue:
    """Interpolate along one axis."""
    count, extent = x.shape[axis] * f, x.shape[axis]
    if method == "aligned":
        first, rest = np.divmod(np.arange(count) * (extent - 1), count - 1)
        fraction = rest / (count - 1)
    else:
        twice = 2 * np.arange(count) - (f - 1 if method == "symmetric" else 0)
        first, rest = np.divmod(twice, 2 * f)
        x = pad(b, x, [(int(a == axis), int(a == axis)) for a in range(x.rank)], border)
        first, fraction = first + 1, rest / (2 * f)
    column = [-1 if a == axis else 1 for a in range(x.rank)]
    second = np.where(fraction > 0, first + 1, first)
    weight = fraction.astype(F).reshape(column)
    left = mul(b, take(b, x, first, axis), b.constant(1 - weight))
    return add(b, left, mul(b, take(b, x, second, axis), b.constant(weight)))
