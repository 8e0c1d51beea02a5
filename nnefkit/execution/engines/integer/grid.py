"""Grids of codes: the numbers that whole numbers of few bits stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.execution.engines.integer.fixed_point import Rounding, whole
from nnefkit.operations.broadcasting import align
from nnefkit.operations.quantization_grid import QuantizationGrid

MAX_BITS = 32
"""Codes of more bits do not fit the products of the engine."""


class CodeGrid(NamedTuple):
    """The numbers ``(code - point) * step``."""

    step: Array
    """float32: one number, or one for each channel in a shape that broadcasts (5.3)."""
    point: Array
    """int64: the code of 0, in the same shape."""
    low: int
    """The smallest code."""
    high: int
    """The largest code."""
    bits: int

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> CodeGrid | None:
        """Return the grid of a line of quantization info; None if it has no whole codes."""
        grid = QuantizationGrid.read(line)
        if grid is None or grid.bits > MAX_BITS:
            return None
        step = grid.scale.astype(np.float32)
        if not (np.isfinite(step) & (step > 0)).all():
            return None
        return cls(step, grid.zero_point, *grid.codes, grid.bits)

    @property
    def is_single(self) -> bool:
        """Whether all channels have the same numbers."""
        return self.step.size == 1

    @property
    def scale(self) -> np.float32:
        """The step of a grid that is the same for all channels."""
        return np.float32(self.step.reshape(-1)[0])

    @property
    def zero(self) -> int:
        """The code of 0 of a grid that is the same for all channels."""
        return int(self.point.reshape(-1)[0])

    def equals(self, other: CodeGrid) -> bool:
        """Whether the codes of both stand for the same numbers."""
        return (
            self[2:] == other[2:]
            and np.array_equal(self.step, other.step)
            and np.array_equal(self.point, other.point)
        )

    def clipped(self, codes: Array) -> Array:
        """Return codes limited to those of the grid."""
        return clip(codes, self.low, self.high)

    def numbers(self, codes: Array) -> Array:
        """Return the numbers that codes stand for, in float32."""
        codes, step, point = align(codes, self.step, self.point)
        return np.asarray((codes - point).astype(np.float64) * step, np.float32)

    def dequantized(self, codes: Array, inside: Array) -> Array:
        """Return what TFLite's operator computes of codes: the numbers, but in steps of float32.

        Args:
            codes: int64.
            inside: Which elements are in blocks; the others are rounded once.
        """
        if not self.is_single:
            return self.numbers(codes)
        shift = np.float32(-self.zero * np.float64(self.scale))
        product = codes.astype(np.float32) * self.scale + shift
        return np.where(inside, product, self.numbers(codes))

    def codes(
        self, numbers: Array, rounding: Rounding = "tflite", inside: Array | None = None
    ) -> Array:
        """Return the codes nearest to numbers, in int64.

        Args:
            numbers: The numbers.
            rounding: How to round them.
            inside: Which elements are in blocks, where TFLite multiplies by the reciprocal.

        Raises:
            ExecutionError: A number is NaN, which has no code.
        """
        numbers, step, point = align(np.asarray(numbers, np.float32), self.step, self.point)
        if np.isnan(numbers).any():
            raise ExecutionError(
                "NaN has no code", hint="Only numbers, and infinity, can be quantized."
            )
        with np.errstate(over="ignore"):
            ratio = numbers / step
            if inside is not None and self.bits <= 8 and self.is_single:
                inverse = np.float32(1.0 / np.float64(self.scale))
                ratio = np.where(inside, numbers * inverse, ratio)
        steps = whole(clip(ratio, -(2.0**40), 2.0**40), rounding)
        return self.clipped(steps.astype(np.int64) + point)


def compact(array: Array) -> Array:
    """Return an array with an extent of 1 along the axes where nothing changes."""
    for axis in range(array.ndim):
        first = array.take([0], axis)
        if (array == first).all():
            array = first
    return array


def clip(codes: Array, low: float, high: float) -> Array:
    """Return codes, or numbers, limited to a range."""
    return np.asarray(np.clip(codes, low, high))


def stored_codes(numbers: Array, grid: CodeGrid) -> Array:
    """Return the codes of a constant that is stored as numbers; these are exact up to rounding."""
    numbers, step, point = align(np.asarray(numbers, np.float64), grid.step, grid.point)
    steps = whole(numbers / step.astype(np.float64), "tflite")
    return grid.clipped(np.nan_to_num(steps).astype(np.int64) + point)


def literal_grid(value: float, bits: int) -> tuple[CodeGrid, int]:
    """Return a grid for a single number, and its code, as converters choose them.

    The range reaches from 0 to the number, which has the most distant code from 0 then.
    """
    low = -(1 << (bits - 1))
    high = -low - 1
    span = high - low if bits <= 8 else high
    step = np.float32(abs(value)) / np.float32(span) if value else np.float32(1)
    point = 0 if bits > 8 else low if value >= 0 else high
    code = point + (span if value > 0 else -span if value < 0 else 0)
    return CodeGrid(np.asarray(step, np.float32), np.asarray(point), low, high, bits), code
