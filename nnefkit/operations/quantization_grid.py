"""Grids of equal steps that tensors are rounded to: `zero_point_linear_quantize` (4.9.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.graph import FrozenDict
from nnefkit.operations.broadcasting import align
from nnefkit.operations.quantization import zero_point_linear_quantize

ALGORITHM = "zero_point_linear_quantize"
_TINY, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class QuantizationGrid:
    """The numbers ``(code - zero_point) scale``; 0 is always one of them."""

    scale: Array
    """The step, a single number or one for each channel, in a shape that broadcasts (5.3)."""
    zero_point: Array
    """The code of 0, in the same shape."""
    bits: int
    signed: bool
    symmetric: bool

    @classmethod
    def of(cls, low: Any, high: Any, bits: int, *, symmetric: bool) -> QuantizationGrid:
        """Return the grid for values from `low` to `high`, with 0 among them.

        Args:
            low: The smallest values, one or one for each channel; may be greater than 0.
            high: The largest values.
            bits: Number of bits of a code.
            symmetric: Whether the range is symmetric: signed codes, and 0 is the code of 0. Else
                the codes are unsigned, and the range is shifted by at most half a step so that 0
                has a code.
        """
        low = np.minimum(np.asarray(low, np.float64), 0.0)
        high = np.maximum(np.asarray(high, np.float64), 0.0)
        if symmetric:
            scale = _step(np.maximum(-low, high), 2 ** (bits - 1) - 1)
            return cls(scale, np.zeros(scale.shape, np.int64), bits, signed=True, symmetric=True)
        most = 2**bits - 1
        scale = _step(high - low, most)
        zero_point = np.clip(np.floor(-low / scale + 0.5), 0, most).astype(np.int64)
        return cls(scale, zero_point, bits, signed=False, symmetric=False)

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> QuantizationGrid | None:
        """Return the grid of a line of a quantization file; None for another algorithm."""
        if line.get("op-name") != ALGORITHM:
            return None
        scale, zero_point = np.asarray(line["scale"], np.float64), np.asarray(line["zero_point"])
        scale, zero_point = align(scale, zero_point)
        scale, zero_point = np.broadcast_arrays(scale, zero_point)
        flags = bool(line["signed"]), bool(line["symmetric"])
        return cls(scale, zero_point.astype(np.int64), int(line["bits"]), *flags)

    @property
    def codes(self) -> tuple[int, int]:
        """The smallest and the largest code."""
        if not self.signed:
            return 0, 2**self.bits - 1
        largest = 2 ** (self.bits - 1) - 1
        return (-largest if self.symmetric else -largest - 1), largest

    @property
    def low(self) -> Array:
        """The smallest numbers of the grid, one or one for each channel."""
        return np.asarray((self.codes[0] - self.zero_point) * self.scale)

    @property
    def high(self) -> Array:
        """The largest numbers of the grid, one or one for each channel."""
        return np.asarray((self.codes[1] - self.zero_point) * self.scale)

    @property
    def line(self) -> FrozenDict:
        """The arguments of the line of a quantization file."""
        arguments = {
            "zero_point": _literal(self.zero_point),
            "scale": _literal(self.scale),
            "bits": self.bits,
            "signed": self.signed,
            "symmetric": self.symmetric,
        }
        return FrozenDict({"op-name": ALGORITHM, **arguments})

    def rounded(self, values: Array) -> Array:
        """Return the numbers of the grid that values become, as every engine computes them."""
        scale = self.scale.astype(values.dtype)
        return np.asarray(
            zero_point_linear_quantize(
                values,
                self.zero_point,
                scale,
                bits=self.bits,
                signed=self.signed,
                symmetric=self.symmetric,
            )
        )

    def with_bits(self, bits: int) -> QuantizationGrid:
        """Return the grid of the same range with other steps."""
        if not self.signed or self.zero_point.any():
            return QuantizationGrid.of(self.low, self.high, bits, symmetric=False)
        grid = QuantizationGrid.of(-self.high, self.high, bits, symmetric=True)
        return replace(grid, symmetric=self.symmetric)


def _step(extent: Array, steps: int) -> Array:
    """Return the length of a step, a float32 number; 1 where the extent is 0."""
    step = np.where(extent > 0, np.clip(extent / steps, _TINY, _LARGEST), 1.0)
    return np.asarray(step.astype(np.float32).astype(np.float64))


def _literal(values: Array) -> Any:
    """Return one number where all are equal."""
    if values.ndim and (values == values.flat[0]).all() and not values.flat[0]:
        return values.flat[0].item()
    return values.tolist()
