"""Quantization (4.9.5): rounding to the real numbers that a number of bits can represent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.operations.broadcasting import align, broadcast_checked
from nnefkit.operations.elementwise import clamp, round_half_up
from nnefkit.operations.flop_rules import elements, for_each_result
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.registry import Problems, flops, kernel, shape_rule

MAX_BITS = 64
"""Maximum number of bits of an element of a tensor file (5.2)."""


def _quantized_shape(
    shapes: tuple[Shape, ...], names: tuple[str, ...], bits: int, least: int
) -> Shape:
    problems = Problems("4.9.5")
    if bits < least:
        problems.add(
            "bits",
            f"'bits' must be at least {least}, but is {bits}",
            "The only signed symmetric code of one bit is 0."
            if least > 1
            else "It is the number of bits of the codes, for example 8.",
        )
    if bits > MAX_BITS:
        problems.add(
            "bits",
            f"'bits' must be at most {MAX_BITS}, but is {bits}",
            "No stored element has more bits (5.2).",
        )
    shape = broadcast_checked(problems, shapes, names)
    problems.done()
    return shape


@shape_rule("min_max_linear_quantize")
def min_max_linear_quantize_shape(
    x: Shape, min: Shape, max: Shape, *, bits: int, signed: bool, symmetric: bool
) -> Shape:
    """Check the rules of `min_max_linear_quantize` and return its shape (4.9.5)."""
    least = 2 if signed and symmetric else 1
    return _quantized_shape((x, min, max), ("x", "min", "max"), bits, least)


@shape_rule("linear_quantize")
def linear_quantize_shape(x: Shape, min: Shape, max: Shape, *, bits: int) -> Shape:
    """Check the rules of the deprecated `linear_quantize` and return its shape (4.9.5)."""
    return _quantized_shape((x, min, max), ("x", "min", "max"), bits, 1)


@shape_rule("zero_point_linear_quantize")
def zero_point_linear_quantize_shape(
    x: Shape, zero_point: Shape, scale: Shape, *, bits: int, signed: bool, symmetric: bool
) -> Shape:
    """Check the rules of `zero_point_linear_quantize` and return its shape (4.9.5)."""
    del signed, symmetric  # any will do
    return _quantized_shape((x, zero_point, scale), ("x", "zero_point", "scale"), bits, 1)


@shape_rule("logarithmic_quantize")
def logarithmic_quantize_shape(x: Shape, max: Shape, *, bits: int) -> Shape:
    """Check the rules of `logarithmic_quantize` and return its shape (4.9.5)."""
    return _quantized_shape((x, max), ("x", "max"), bits, 1)


@kernel("min_max_linear_quantize")
@quiet
@widened
def min_max_linear_quantize(
    x: Array, min: Array, max: Array, *, bits: int, signed: bool, symmetric: bool
) -> Array:
    """Round to the nearest of equal steps from `min` to `max` (4.9.5)."""
    x, low, high = align(x, min, max)
    r = x.dtype.type(2**bits - 1 - int(signed and symmetric))
    p = x.dtype.type(2 ** (bits - 1) - int(symmetric) if signed else 0)
    z = clamp(x, low, high)
    q = round_half_up((z - low) / (high - low) * r) - p
    return np.asarray((q + p) / r * (high - low) + low)


@kernel("linear_quantize")
def linear_quantize(x: Array, min: Array, max: Array, *, bits: int) -> Array:
    """Apply `min_max_linear_quantize` with unsigned codes (4.9.5)."""
    return min_max_linear_quantize(x, min, max, bits=bits, signed=False, symmetric=False)


@kernel("zero_point_linear_quantize")
@quiet
@widened
def zero_point_linear_quantize(
    x: Array, zero_point: Array, scale: Array, *, bits: int, signed: bool, symmetric: bool
) -> Array:
    """Round to the nearest multiple of `scale` whose code fits in the bits (4.9.5)."""
    x, zero_point, scale = align(x, zero_point, scale)
    z = zero_point.astype(x.dtype)
    r = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    low = 0 if not signed else -r if symmetric else -r - 1
    s = round_half_up(x / scale) + z
    q = clamp(s, np.array(low, s.dtype), np.array(r, s.dtype))
    return np.asarray((q - z) * scale)


@kernel("logarithmic_quantize")
@quiet
@widened
def logarithmic_quantize(x: Array, max: Array, *, bits: int) -> Array:
    """Round to a power of two of at most ``2 ^ m``, to the nearest exponent (4.9.5)."""
    x, limit = align(x, max)
    m = np.asarray(np.ceil(np.log2(limit)))
    r = x.dtype.type(2**bits - 1)
    q = round_half_up(clamp(np.asarray(np.log2(np.abs(x))), np.asarray(m - r), m))
    return np.asarray(np.sign(x) * np.exp2(q))


@flops("min_max_linear_quantize", "linear_quantize")
def min_max_linear_quantize_flops(
    inputs: Sequence[Any], outputs: Sequence[Any], _attribs: dict[str, Any]
) -> int:
    """9 for each result: clamp, sub, div, mul, round, div, mul, add; + 2 for each range: sub."""
    return 9 * elements(outputs[0]) + 2 * max(elements(inputs[1]), elements(inputs[2]))


flops("zero_point_linear_quantize")(for_each_result(7, "div, round, add, clamp, sub, mul"))


@flops("logarithmic_quantize")
def logarithmic_quantize_flops(
    inputs: Sequence[Any], outputs: Sequence[Any], _attribs: dict[str, Any]
) -> int:
    """8 for each result: abs, log2, clamp, round, pow, sign, mul; + 3 for each range."""
    return 8 * elements(outputs[0]) + 3 * elements(inputs[1])
