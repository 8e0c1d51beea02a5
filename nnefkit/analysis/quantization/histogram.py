"""Histograms of a stream of values: the range does not have to be known in advance."""

from __future__ import annotations

import math
from typing import Self

import numpy as np

from nnefkit.arrays import Array

BINS = 8192
"""Number of bins of a histogram, of equal width and symmetric about 0."""
_BLOCK = 1 << 16


class ValueHistogram:
    """Counts of values in bins from ``-limit`` to ``limit``, a power of two that grows.

    The counts depend neither on the order of the values nor on how they are split into arrays.
    Memory is bounded: 64 KiB.
    """

    def __init__(self) -> None:
        self.minimum = math.inf
        self.maximum = -math.inf
        self.count = 0
        self.zeros = 0
        """Number of zeros, which are in no bin: no grid rounds them."""
        self.exponent: int | None = None
        self.counts = np.zeros(BINS, np.int64)

    @property
    def limit(self) -> float:
        """The end of the last bin; 0 as long as all values are 0."""
        return 0.0 if self.exponent is None else math.ldexp(1.0, self.exponent)

    @property
    def centers(self) -> Array:
        """The values in the middle of the bins."""
        return np.asarray((np.arange(BINS) + 0.5) * (2 * self.limit / BINS) - self.limit)

    def add(self, values: Array) -> None:
        """Count finite values."""
        flat = values.reshape(-1)
        for start in range(0, flat.size, _BLOCK):
            self._add(flat[start : start + _BLOCK].astype(np.float64))

    def _add(self, block: Array) -> None:
        low, high = float(block.min()), float(block.max())
        self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        self.count += block.size
        nonzero = block[block != 0]
        self.zeros += block.size - nonzero.size
        block = nonzero
        if not block.size:
            return
        self._grow(min(math.frexp(max(-low, high))[1], 1023))
        place = np.ldexp(block, BINS.bit_length() - 2 - (self.exponent or 0))
        place = np.floor(place).astype(np.int64) + BINS // 2
        self.counts += np.bincount(np.clip(place, 0, BINS - 1), minlength=BINS)

    def _grow(self, exponent: int) -> None:
        """Make room for magnitudes below two to the power of `exponent`."""
        if self.exponent is None or not self.counts.any():
            self.exponent = exponent if self.exponent is None else max(exponent, self.exponent)
            return
        if exponent <= self.exponent:
            return
        halvings = min(exponent - self.exponent, BINS.bit_length() - 2)
        merged = self.counts.reshape(-1, 1 << halvings).sum(axis=1)
        self.counts = np.zeros(BINS, np.int64)
        start = (BINS - merged.size) // 2
        self.counts[start : start + merged.size] = merged
        self.exponent = exponent

    def merge(self, other: Self) -> None:
        """Add the counts of another histogram."""
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.count += other.count
        self.zeros += other.zeros
        if other.exponent is None:
            return
        added = ValueHistogram()
        added.counts, added.exponent = other.counts, other.exponent
        self._grow(other.exponent)
        added._grow(self.exponent or 0)
        self.exponent = added.exponent
        self.counts = self.counts + added.counts
