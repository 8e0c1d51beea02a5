"""The arithmetic of a device: how it rounds, how wide its sums are, and how they overflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import Diagnostic, ExecutionError, InputError, did_you_mean
from nnefkit.execution.engines.integer.fixed_point import (
    ROUNDINGS,
    Kernel,
    Multiplier,
    Rounding,
    rescaled,
    rescaled_blocks,
)

Overflow = Literal["wrap", "saturate", "error"]
MIN_BITS, MAX_BITS = 8, 64


@dataclass(frozen=True)
class Arithmetic:
    """The options of the engine.

    Raises:
        InputError: An option has a value that it cannot have.
    """

    rounding: Rounding = "tflite"
    accumulator_bits: int | None = None
    overflow: Overflow = "wrap"

    def __post_init__(self) -> None:
        problems = [
            _not_among("rounding", self.rounding, ROUNDINGS),
            _not_among("overflow", self.overflow, get_args(Overflow)),
            _no_width(self.accumulator_bits),
        ]
        found = [problem for problem in problems if problem is not None]
        if found:
            raise InputError(found)

    def total(self, sums: Array, bits: int) -> Array:
        """Return sums as they are in an accumulator.

        Args:
            sums: Exact whole numbers, in float64 or int64.
            bits: Number of bits of the codes that are summed; sums of codes of 16 bits are 64 bits
                wide, unless the width is an option.

        Raises:
            ExecutionError: One overflows, and that is an error.
        """
        return self._narrowed(sums.astype(np.int64), self._width(bits))

    def _width(self, bits: int) -> int:
        return self.accumulator_bits or (64 if bits > 8 else 32)

    def _narrowed(self, exact: Array, width: int) -> Array:
        """Return whole numbers in a number of bits.

        Raises:
            ExecutionError: One overflows, and that is an error.
        """
        if width >= 64:
            return exact
        limit = 1 << (width - 1)
        inside = (exact >= -limit) & (exact < limit)
        if inside.all():
            return exact
        if self.overflow == "saturate":
            return np.clip(exact, -limit, limit - 1)
        if self.overflow == "wrap":
            return np.asarray(((exact + limit) & (2 * limit - 1)) - limit)
        worst = int(exact.reshape(-1)[np.abs(exact).argmax()])
        count = int((~inside).sum())
        raise ExecutionError(
            f"{count:,} of {exact.size:,} sums overflow {width} bits; the largest is {worst:,}",
            hint="overflow='saturate' or overflow='wrap' goes on, accumulator_bits=... is the "
            "width of the sums.",
        )

    def rescaled(self, x: Array, by: Multiplier, kernel: Kernel = "plain") -> Array:
        """Return ``x * by``, rounded; see `fixed_point.rescaled`.

        Raises:
            ExecutionError: What TFLite shifts to the left overflows, and that is an error.
        """
        if self.rounding == "tflite" and kernel != "wide":
            x, by = self._shifted(x, by)
        return rescaled(x, by, self.rounding, kernel)

    def _shifted(self, x: Array, by: Multiplier) -> tuple[Array, Multiplier]:
        """Return numbers after the shift to the left of a multiplier of more than 1."""
        left = np.maximum(by.exponent, 0)
        if not left.any():
            return x, by
        return self._narrowed(x << np.minimum(left, 31), 32), Multiplier(
            by.factor, by.exponent - left
        )

    def multiplied(self, x: Array, y: Array, by: Multiplier) -> Array:
        """Return ``x * y * by``, rounded; products of more than 32 bits are rounded once."""
        product = x * y
        if float(np.abs(x).max(initial=0)) * float(np.abs(y).max(initial=0)) < 2.0**31:
            return self.rescaled(self.total(product, 8), by)
        once: Rounding = "half_away" if self.rounding == "tflite" else self.rounding
        return rescaled(self.total(product, 16), by, once)

    def rescaled_blocks(self, x: Array, by: Multiplier, inside: Array) -> Array:
        """Return ``x * by``, rounded in blocks; see `fixed_point.rescaled_blocks`."""
        if self.rounding == "tflite":
            x, by = self._shifted(x, by)
        return rescaled_blocks(x, by, self.rounding, inside)

    def rescaled_channels(self, x: Array, by: Multiplier, axis: int, block: int) -> Array:
        """Return ``x * by``, rounded in blocks of channels."""
        count = x.shape[axis]
        inside = np.arange(count) < count - count % block
        shape = [-1 if n == axis else 1 for n in range(x.ndim)]
        return self.rescaled_blocks(x, by, inside.reshape(shape))


def _not_among(option: str, value: Any, known: tuple[str, ...]) -> Diagnostic | None:
    if isinstance(value, str) and value in known:
        return None
    listed = ", ".join(map(repr, known))
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    return Diagnostic(
        "wrong-input", f"'{option}' must be one of {listed}, not {value!r}", hint=hint
    )


def _no_width(bits: Any) -> Diagnostic | None:
    if bits is None:
        return None
    if isinstance(bits, (int, np.integer)) and not isinstance(bits, bool):
        if MIN_BITS <= bits <= MAX_BITS:
            return None
        return Diagnostic(
            "wrong-input",
            f"'accumulator_bits' must be from {MIN_BITS} to {MAX_BITS}, not {bits}",
        )
    return Diagnostic("wrong-input", f"'accumulator_bits' must be an integer or None, not {bits!r}")
