"""Quantization (4.9.5): rounding to the real numbers that a number of bits can represent."""

from __future__ import annotations

from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.operations.elementwise import log2
from nnefkit.execution.engines.onnxruntime.primitives import (
    add,
    align,
    cast,
    compare,
    div,
    elementwise,
    maximum,
    minimum,
    mul,
    round_half_up,
    sub,
    unary,
    where,
)
from nnefkit.execution.engines.onnxruntime.quantization_codes import by_range, by_zero_point, coded


@lowering("min_max_linear_quantize")
def min_max_linear_quantize(
    b: Builder,
    x: OnnxValue,
    min: OnnxValue,
    max: OnnxValue,
    *,
    bits: int,
    signed: bool,
    symmetric: bool,
) -> OnnxValue:
    """Return the nearest of equal steps from `min` to `max`."""
    coding = by_range(b, min, max, bits, signed, symmetric)
    if coding is not None and (value := coded(b, x, coding)) is not None:
        return value
    x, low, high = align(b, x, min, max)
    steps = float(2**bits - 1 - int(signed and symmetric))
    lowest = float(2 ** (bits - 1) - int(symmetric) if signed else 0)
    extent = sub(b, high, low)
    clamped = maximum(b, minimum(b, x, high), low)
    code = round_half_up(b, mul(b, div(b, sub(b, clamped, low), extent), steps))
    if lowest:  # the code is signed, which loses digits if there are many bits
        code = add(b, sub(b, code, lowest), lowest)
    return add(b, mul(b, div(b, code, steps), extent), low)


@lowering("linear_quantize")
def linear_quantize(
    b: Builder, x: OnnxValue, min: OnnxValue, max: OnnxValue, *, bits: int
) -> OnnxValue:
    """Apply `min_max_linear_quantize`, unsigned."""
    return min_max_linear_quantize(b, x, min, max, bits=bits, signed=False, symmetric=False)


@lowering("zero_point_linear_quantize")
def zero_point_linear_quantize(
    b: Builder,
    x: OnnxValue,
    zero_point: OnnxValue,
    scale: OnnxValue,
    *,
    bits: int,
    signed: bool,
    symmetric: bool,
) -> OnnxValue:
    """Return the nearest multiple of `scale` whose code fits into the bits."""
    coding = by_zero_point(b, x, zero_point, scale, bits, signed, symmetric)
    if coding is not None and (value := coded(b, x, coding)) is not None:
        return value
    x, zero, scale = align(b, x, cast(b, zero_point, x.dtype), scale)
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    low = 0 if not signed else -high if symmetric else -high - 1
    code = add(b, round_half_up(b, div(b, x, scale)), zero)
    held = b.node("Clip", [code, b.number(low, x), b.number(high, x)], code.shape)
    return mul(b, sub(b, held, zero), scale)


@lowering("logarithmic_quantize")
def logarithmic_quantize(b: Builder, x: OnnxValue, max: OnnxValue, *, bits: int) -> OnnxValue:
    """Return the power of two with the nearest exponent, at most that of `max`."""
    x, limit = align(b, x, max)
    top = _exponent(b, limit)
    bottom = sub(b, top, float(2**bits - 1))
    exponent = log2(b, unary(b, "Abs", x))
    code = round_half_up(b, maximum(b, minimum(b, exponent, top), bottom))
    return mul(b, unary(b, "Sign", x), _power_of_two(b, code))


def _exponent(b: Builder, limit: OnnxValue) -> OnnxValue:
    """Return ``ceil(log2(limit))``, of powers of two exactly."""
    near = unary(b, "Ceil", log2(b, limit))
    less = sub(b, near, 1.0)
    lower = where(b, compare(b, "GreaterOrEqual", _power_of_two(b, less), limit), less, near)
    more = add(b, near, 1.0)
    return where(b, compare(b, "Less", _power_of_two(b, near), limit), more, lower)


def _power_of_two(b: Builder, exponent: OnnxValue) -> OnnxValue:
    return elementwise(b, "Pow", b.number(2.0, exponent), exponent)
