"""Quantization by codes: pairs of QuantizeLinear and DequantizeLinear, as tools of ONNX want it.

They say what the quantizing operations of NNEF (4.9.5) say, but for values that lie just between
two codes, of which ONNX takes the even one, and NNEF the greater one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.onnxruntime.builder import Builder, Value
from nnefkit.operations.elementwise import round_half_up

_SINCE_16_BITS = 21
_NEAR = 4e-7
"""Share of the range of codes that a zero point may be off: ranges are held in float32."""


class Coding(NamedTuple):
    """What codes stand for: ``(code - zero_point) scale``."""

    zero_point: Array
    scale: Array
    kind: np.dtype[Any]


def by_zero_point(
    b: Builder, zero_point: Value, scale: Value, bits: int, signed: bool, symmetric: bool
) -> Coding | None:
    """The coding of `zero_point_linear_quantize`; None if ONNX has none, or it is not known yet."""
    kind = _kind(b, bits, signed)
    if kind is None or (signed and symmetric) or zero_point.data is None or scale.data is None:
        return None
    points = np.asarray(zero_point.data, np.float64)
    limits = np.iinfo(kind)
    if (points < limits.min).any() or (points > limits.max).any():
        return None
    return Coding(points.astype(kind), np.asarray(scale.data), kind)


def by_range(
    b: Builder, low: Value, high: Value, bits: int, signed: bool, symmetric: bool
) -> Coding | None:
    """The coding of `min_max_linear_quantize`; None if no code stands for 0, as ONNX wants it."""
    kind = _kind(b, bits, signed)
    if kind is None or (signed and symmetric) or low.data is None or high.data is None:
        return None
    least, most = (np.asarray(value.data, np.float64) for value in (low, high))
    if (least >= most).any():
        return None
    limits = np.iinfo(kind)
    scale = (most - least) / (limits.max - limits.min)
    points = limits.min - least / scale
    whole = np.round(points)
    near = np.abs(points - whole).max() <= _NEAR * (limits.max - limits.min)
    if not near or (whole < limits.min).any() or (whole > limits.max).any():
        return None
    return Coding(whole.astype(kind), scale.astype(np.asarray(low.data).dtype), kind)


def _kind(b: Builder, bits: int, signed: bool) -> np.dtype[Any] | None:
    if not b.codes or bits not in (8, 16) or (bits == 16 and b.opset < _SINCE_16_BITS):
        return None
    return np.dtype(f"{'' if signed else 'u'}int{bits}")


def coded(b: Builder, x: Value, coding: Coding) -> Value | None:
    """`x` through its codes; None if there is more than one axis with codings of its own."""
    parameters = _along_one_axis(x, coding)
    if parameters is None:
        return None
    zero_point, scale, axis = parameters
    attributes = {} if axis is None else {"axis": axis}
    given = [b.constant(scale, x.dtype), b.constant(zero_point)]
    if x.data is not None:
        limits = np.iinfo(coding.kind)
        codes = round_half_up(x.data / _spread(scale, x, axis)) + _spread(zero_point, x, axis)
        data = np.clip(codes, limits.min, limits.max).astype(coding.kind)
        held = Value(x.shape, data.dtype, f"{x.name}.codes" if x.name else "", data)
    else:
        held = b.node("QuantizeLinear", [x, *given], x.shape, coding.kind, **attributes)
    return b.node("DequantizeLinear", [held, *given], x.shape, x.dtype, **attributes)


def _spread(parameter: Array, x: Value, axis: int | None) -> Array:
    shape = [1] * x.rank
    if axis is not None:
        shape[axis] = x.shape[axis]
    return parameter.astype(np.float64).reshape(shape)


def _along_one_axis(x: Value, coding: Coding) -> tuple[Array, Array, int | None] | None:
    """Zero point and scale as single numbers, or as lists along an axis."""
    zero_point, scale, _ = coding
    if zero_point.size == scale.size == 1:
        return zero_point.reshape(()), scale.reshape(()), None
    # NNEF aligns shapes from the left.
    rank = max(zero_point.ndim, scale.ndim)
    points, scales = (a.reshape(a.shape + (1,) * (rank - a.ndim)) for a in (zero_point, scale))
    points, scales = np.broadcast_arrays(points, scales)
    axes = [axis for axis, extent in enumerate(points.shape) if extent > 1]
    if len(axes) != 1 or axes[0] >= x.rank or points.size != x.shape[axes[0]]:
        return None
    return points.reshape(-1), scales.reshape(-1), axes[0]
