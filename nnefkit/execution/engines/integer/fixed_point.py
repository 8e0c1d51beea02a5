"""Multiplication of integers by real numbers, as devices without floating point do it.

A real multiplier is a whole number of 31 bits times a power of two. The product is rounded to a
whole number again: by TFLite in one or two steps, depending on the kernel, by other devices in one
step, in a way that is an option of the engine.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from nnefkit.arrays import Array

Rounding = Literal["tflite", "half_away", "half_up", "half_even", "truncate", "floor"]
ROUNDINGS: tuple[Rounding, ...] = (
    "tflite",
    "half_away",
    "half_up",
    "half_even",
    "truncate",
    "floor",
)

Kernel = Literal["matrix", "plain", "wide"]
"""How TFLite rounds the product in a kernel: those on matrix products round twice, halves up; most
others twice, halves away from zero in the second step; those with 64-bit sums once, with a
multiplier of 15 bits. Kernels that process many elements at once round as those on matrix products
do, except for the elements that are left."""

_HALF, _ONE = 1 << 30, 1 << 31


class Multiplier(NamedTuple):
    """A real number as ``factor * 2 ** (exponent - 31)``."""

    factor: Array
    """int64, from 0 to 2 ** 31 - 1."""
    exponent: Array
    """int64."""

    @classmethod
    def of(cls, numbers: Any) -> Multiplier:
        """Return the multiplier nearest to a number, or to each of an array.

        Numbers of less than about 2 ** -31 become 0, as in TFLite.
        """
        real = np.asarray(numbers, np.float64)
        mantissa, exponent = np.frexp(real)
        scaled = mantissa * float(_ONE)
        factor = np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int64)
        exponent = exponent.astype(np.int64)
        carried = np.abs(factor) == _ONE
        factor = np.where(carried, factor // 2, factor)
        exponent = np.where(carried, exponent + 1, exponent)
        lost = (exponent < -31) | (factor == 0)
        return cls(np.where(lost, 0, factor), np.where(lost, 0, exponent))


def rescaled(x: Array, by: Multiplier, rounding: Rounding, kernel: Kernel = "plain") -> Array:
    """Return ``x * by``, rounded to whole numbers.

    Args:
        x: int64; of 32 bits except for the kernel ``"wide"``.
        by: Its arrays broadcast against `x`.
        rounding: How to round; ``"tflite"`` rounds as the kernels of TFLite do.
        kernel: The kind of kernel, which matters for TFLite only.
    """
    if rounding != "tflite":
        return divided(x, by.factor, 31 - by.exponent, rounding)
    if kernel == "wide":
        short = np.where(by.factor < 0x7FFF0000, (by.factor + (1 << 15)) >> 16, 0x7FFF)
        return divided(x, short, 15 - by.exponent, "half_up")
    left, right = np.maximum(by.exponent, 0), np.maximum(-by.exponent, 0)
    product = _wrapped(x << left) * by.factor
    if kernel == "matrix":
        high = (product + _HALF) >> 31
        return np.asarray((high + ((1 << right) >> 1)) >> right)
    nudged = product + np.where(product >= 0, _HALF, 1 - _HALF)
    # The division truncates; the product of the two smallest numbers is not one of these.
    high = np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))
    return _half_away(high, right)


def rescaled_blocks(x: Array, by: Multiplier, rounding: Rounding, inside: Array) -> Array:
    """Return ``x * by``, rounded as TFLite's kernels do that process blocks of elements at once.

    Args:
        x: int64.
        by: Its arrays broadcast against `x`.
        rounding: As for `rescaled`.
        inside: Which elements are in blocks; broadcasts against `x`.
    """
    if rounding != "tflite":
        return rescaled(x, by, rounding)
    return np.where(inside, rescaled(x, by, "tflite", "matrix"), rescaled(x, by, "tflite"))


def _wrapped(x: Array) -> Array:
    """Return numbers as they are in 32 bits."""
    return np.asarray(((x + _ONE) & 0xFFFFFFFF) - _ONE)


def _half_away(x: Array, bits: Array) -> Array:
    """Return ``x / 2 ** bits``, halves away from zero."""
    half = (1 << bits) >> 1
    return np.where(x >= 0, (x + half) >> bits, -((half - x) >> bits))


def divided(x: Array, factor: Array, bits: Array, rounding: Rounding) -> Array:
    """Return ``x * factor / 2 ** bits``, rounded once, from exact products.

    Args:
        x: int64.
        factor: int64.
        bits: int64; negative ones multiply.
        rounding: Any but ``"tflite"``.
    """
    x, factor, bits = np.broadcast_arrays(x, factor, bits)
    largest = float(np.abs(x).max(initial=0)) * float(np.abs(factor).max(initial=0))
    fits = largest < 2.0**61 and bits.min(initial=0) >= 0 and bits.max(initial=0) <= 61
    if not fits:
        exact = [
            _exact(int(a) * int(b), int(n), rounding)
            for a, b, n in zip(x.reshape(-1), factor.reshape(-1), bits.reshape(-1), strict=True)
        ]
        limits = np.iinfo(np.int64)
        limited = [min(max(each, limits.min), limits.max) for each in exact]
        return np.array(limited, np.int64).reshape(x.shape)
    product = x * factor
    if rounding == "half_away":
        return _half_away(product, bits)
    half = (1 << bits) >> 1
    if rounding == "half_up":
        return np.asarray((product + half) >> bits)
    low = product >> bits
    if rounding == "floor":
        return np.asarray(low)
    rest = product - (low << bits)
    if rounding == "truncate":
        return np.asarray(low + ((product < 0) & (rest != 0)))
    up = (rest > half) | ((rest == half) & (low & 1 == 1) & (bits > 0))
    return np.asarray(low + up)


def _exact(product: int, bits: int, rounding: Rounding) -> int:
    """Return ``product / 2 ** bits``, rounded, in integers of any size."""
    if bits <= 0:
        return product << -bits
    half, low = 1 << (bits - 1), product >> bits
    rest = product - (low << bits)
    if rounding == "half_away":
        return (product + half) >> bits if product >= 0 else -((half - product) >> bits)
    if rounding == "half_up":
        return (product + half) >> bits
    if rounding == "half_even":
        return low + (rest > half or (rest == half and low & 1 == 1))
    return low + (rounding == "truncate" and product < 0 and rest != 0)


def quotient(x: Array, count: Array, rounding: Rounding) -> Array:
    """Return ``x / count``, rounded to whole numbers.

    Args:
        x: int64.
        count: int64, positive.
        rounding: How to round; TFLite rounds halves away from zero here.
    """
    low = x // count
    rest = x - low * count
    if rounding == "floor":
        return np.asarray(low)
    if rounding == "truncate":
        return np.asarray(low + ((x < 0) & (rest != 0)))
    if rounding == "half_up":
        return np.asarray(low + (2 * rest >= count))
    if rounding == "half_even":
        return np.asarray(low + ((2 * rest > count) | ((2 * rest == count) & (low & 1 == 1))))
    return np.asarray(low + ((2 * rest > count) | ((2 * rest == count) & (x > 0))))


def whole(numbers: Array, rounding: Rounding) -> Array:
    """Return numbers in floating point, rounded to whole ones, in their own dtype.

    TFLite rounds halves away from zero here.
    """
    if rounding == "floor":
        return np.asarray(np.floor(numbers))
    if rounding == "truncate":
        return np.asarray(np.trunc(numbers))
    if rounding == "half_up":
        return np.asarray(np.floor(numbers + numbers.dtype.type(0.5)))
    if rounding == "half_even":
        return np.asarray(np.rint(numbers))
    away = np.trunc(numbers)
    rest = np.abs(numbers - away)
    return np.asarray(away + np.where(rest >= 0.5, np.sign(numbers), 0).astype(numbers.dtype))
