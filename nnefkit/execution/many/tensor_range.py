"""Statistics of a tensor over many inputs, merged exactly."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np

from nnefkit.arrays import Array, converted
from nnefkit.display.statistics import Statistics, statistics

_LOWEST, _HIGHEST = -1080, 1030
"""Below and above the exponents of float64."""
_PIECE = 1 << 16


class Extreme(NamedTuple):
    """The element of the largest magnitude."""

    value: float
    input: int
    """Number of the input, from 0."""
    at: tuple[int, ...]
    """Index of the element."""


@dataclass(frozen=True)
class TensorRange:
    """Statistics of one tensor over many inputs.

    Counts, extremes and histograms are those of all values together; mean and deviation are as
    well, up to rounding. They are merged in the order of the inputs, whoever computed them.
    """

    inputs: int
    """Number of inputs."""
    count: int
    """Number of elements of all inputs together; `zeros`, `nan`, `infinite` count among these."""
    minimum: float
    """NaN if there are no finite values, like `maximum`, `mean` and `deviation`."""
    maximum: float
    mean: float
    deviation: float
    """The standard deviation of all values (population, not sample)."""
    zeros: int
    nan: int
    infinite: int
    worst: Extreme | None
    """The finite element of the largest magnitude, of the first input that has it."""
    first_nan: int | None
    """Number of the first input with NaN or Inf in this tensor; None if there is none."""
    magnitudes: Mapping[int, int] = field(default_factory=dict, repr=False)
    """Histogram of the magnitudes by powers of two: ``e`` -> number of finite elements of which the
    magnitude is at least ``2 ** e`` and less than ``2 ** (e + 1)``. These bounds are the same for
    every input, so that the counts add up exactly. Zeros are in `zeros`."""

    @classmethod
    def of(cls, array: Array, number: int) -> Self:
        """Return the statistics of one input.

        Args:
            array: The values, of any shape.
            number: Number of the input.
        """
        found: Statistics = statistics(array)
        is_finite = found.finite
        worst = None
        if not math.isnan(found.minimum):
            low, high = found.minimum, found.maximum
            value = low if -low > high else high
            place = int((array == value).argmax())
            index = tuple(int(i) for i in np.unravel_index(place, array.shape))
            worst = Extreme(float(value), number, index)
        return cls(
            1,
            found.count,
            found.minimum,
            found.maximum,
            found.mean,
            found.deviation,
            found.zeros,
            found.nan,
            found.infinite,
            worst,
            None if is_finite else number,
            _magnitudes(array),
        )

    @property
    def finite(self) -> int:
        """Number of finite values."""
        return self.count - self.nan - self.infinite

    def merged(self, other: Self) -> Self:
        """Return the statistics of these inputs and of later ones."""
        if not self.finite or not other.finite:
            some = self if self.finite else other
            mean, deviation = some.mean, some.deviation
            minimum, maximum, worst = some.minimum, some.maximum, some.worst
        else:
            mean, deviation = _moments(self, other)
            minimum = min(self.minimum, other.minimum)
            maximum = max(self.maximum, other.maximum)
            worst = max(self.worst, other.worst, key=_magnitude)
        firsts = [each.first_nan for each in (self, other) if each.first_nan is not None]
        return replace(
            self,
            inputs=self.inputs + other.inputs,
            count=self.count + other.count,
            minimum=minimum,
            maximum=maximum,
            mean=mean,
            deviation=deviation,
            zeros=self.zeros + other.zeros,
            nan=self.nan + other.nan,
            infinite=self.infinite + other.infinite,
            worst=worst,
            first_nan=min(firsts, default=None),
            magnitudes=dict(sorted((Counter(self.magnitudes) + Counter(other.magnitudes)).items())),
        )


def _magnitudes(array: Array) -> dict[int, int]:
    """Return the number of finite elements other than zero by power of two."""
    counts = np.zeros(_HIGHEST - _LOWEST, np.int64)
    flat = array.reshape(-1)
    for start in range(0, flat.size, _PIECE):
        piece = converted(flat[start : start + _PIECE], np.float64)
        piece = piece[np.isfinite(piece) & (piece != 0)]
        # frexp returns magnitudes from 1/2 to 1.
        exponents = np.frexp(piece)[1] - 1
        counts += np.bincount(exponents - _LOWEST, minlength=counts.size)
    return {int(i) + _LOWEST: int(counts[i]) for i in np.flatnonzero(counts)}


def _magnitude(extreme: Extreme | None) -> float:
    return -1.0 if extreme is None else abs(extreme.value)


def _moments(a: TensorRange, b: TensorRange) -> tuple[float, float]:
    """Return mean and deviation of two sets of values together (Chan, Golub and LeVeque)."""
    share = b.finite / (a.finite + b.finite)
    # Halves, since the distance of two means may overflow.
    half = b.mean / 2 - a.mean / 2
    mean = a.mean + half * share + half * share
    low, high = min(a.minimum, b.minimum), max(a.maximum, b.maximum)
    deviation = math.hypot(
        math.sqrt(1 - share) * a.deviation,
        math.sqrt(share) * b.deviation,
        math.sqrt((1 - share) * share) * half * 2,
    )
    return min(max(mean, low), high), deviation
