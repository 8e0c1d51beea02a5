"""Quantization by integer codes: pairs of QuantizeLinear and DequantizeLinear.

They compute the same as the quantization operations of NNEF (4.9.5), except for values exactly
between two codes, which ONNX rounds to the even one, and NNEF to the greater one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.operations.elementwise import round_half_up

_SINCE_16_BITS = 21
_WIDE = 32
"""Number of bits of integers that ONNX dequantizes, but does not quantize to."""
_NEAR = 4e-7
"""Largest error of a zero point as a fraction of the range of codes: ranges are float32."""


class Coding(NamedTuple):
    """The meaning of integer codes: ``(code - zero_point) * scale``."""

    zero_point: Array
    scale: Array
    dtype: np.dtype[Any]
    lowest: int
    """The smallest code: symmetric ranges lack that of the data type."""


def by_zero_point(
    b: Builder,
    x: OnnxValue,
    zero_point: OnnxValue,
    scale: OnnxValue,
    bits: int,
    signed: bool,
    symmetric: bool,
) -> Coding | None:
    """Return the coding of `zero_point_linear_quantize`; None if ONNX lacks it or it is unknown."""
    if zero_point.data is None or scale.data is None:
        return None
    points = np.asarray(zero_point.data, np.float64)
    dtype = _dtype(b, bits, signed)
    if b.codes and bits == _WIDE and signed and x.data is not None and not points.any():
        dtype = np.dtype(np.int32)  # biases: they have no zero point, and are not quantized in runs
    if dtype is None:
        return None
    limits = np.iinfo(dtype)
    lowest = int(limits.min) + int(signed and symmetric)
    if (points < limits.min).any() or (points > limits.max).any():
        return None
    if lowest > limits.min and x.data is None:
        return None  # ONNX would use the smallest code, too
    return Coding(points.astype(dtype), np.asarray(scale.data), dtype, lowest)


def by_range(
    b: Builder, low: OnnxValue, high: OnnxValue, bits: int, signed: bool, symmetric: bool
) -> Coding | None:
    """Return the coding of `min_max_linear_quantize`; None if no code means 0, as ONNX requires."""
    dtype = _dtype(b, bits, signed)
    if dtype is None or (signed and symmetric) or low.data is None or high.data is None:
        return None
    least, most = (np.asarray(value.data, np.float64) for value in (low, high))
    if (least >= most).any():
        return None
    limits = np.iinfo(dtype)
    scale = (most - least) / (limits.max - limits.min)
    points = limits.min - least / scale
    whole = np.round(points)
    near = np.abs(points - whole).max() <= _NEAR * (limits.max - limits.min)
    if not near or (whole < limits.min).any() or (whole > limits.max).any():
        return None
    number = np.asarray(low.data).dtype
    return Coding(whole.astype(dtype), scale.astype(number), dtype, int(limits.min))


def _dtype(b: Builder, bits: int, signed: bool) -> np.dtype[Any] | None:
    if not b.codes or bits not in (8, 16) or (bits == 16 and b.opset < _SINCE_16_BITS):
        return None
    return np.dtype(f"{'' if signed else 'u'}int{bits}")


def coded(b: Builder, x: OnnxValue, coding: Coding) -> OnnxValue | None:
    """Return `x` after coding and decoding; None if codings differ along more than one axis."""
    parameters = _along_one_axis(x, coding)
    if parameters is None:
        return None
    zero_point, scale, axis = parameters
    attributes = {} if axis is None else {"axis": axis}
    given = [b.constant(scale, x.dtype), b.constant(zero_point)]
    if x.data is not None:
        limits = np.iinfo(coding.dtype)
        codes = round_half_up(x.data / _spread(scale, x, axis)) + _spread(zero_point, x, axis)
        data = np.clip(codes, coding.lowest, limits.max).astype(coding.dtype)
        held = OnnxValue(x.shape, data.dtype, f"{x.name}.codes" if x.name else "", data)
    else:
        held = b.node("QuantizeLinear", [x, *given], x.shape, coding.dtype, **attributes)
    return b.node("DequantizeLinear", [held, *given], x.shape, x.dtype, **attributes)


def _spread(parameter: Array, x: OnnxValue, axis: int | None) -> Array:
    shape = [1] * x.rank
    if axis is not None:
        shape[axis] = x.shape[axis]
    return parameter.astype(np.float64).reshape(shape)


def _along_one_axis(x: OnnxValue, coding: Coding) -> tuple[Array, Array, int | None] | None:
    """Return zero point and scale as single numbers, or as lists along an axis."""
    zero_point, scale = coding.zero_point, coding.scale
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
