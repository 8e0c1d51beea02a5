"""Statistics of the values of a tensor: range, mean, deviation, zeros, NaN and Inf, histogram."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array, check_mapped, converted
from nnefkit.narrow_sums import has_narrow_squares, narrow_dot, narrow_sum

BINS = 24
"""Number of bars of a histogram."""
COUNTED = 1 << 13
"""Number of elements that a trace counts for a histogram; more would take longer than the run."""

_CHUNK = 1 << 17
# One block of a sample: whole pages of a mapped file.
_BLOCK = 1 << 12
# One stretch of the elements that are counted for a histogram.
_STRETCH = 1 << 5
# The integers up to this one are exact in float64.
_EXACT = 1 << 53
# Share of the variance in the mean square below which digits are lost.
_KEPT = 0.05
# Squares of larger values might overflow.
_HUGE = 1e150


class Histogram(NamedTuple):
    """Numbers of finite values between each two edges, the last edge included."""

    counts: tuple[int, ...] = ()
    """One for each bar; one bar if all values are equal, none if there are no finite values.

    Large tensors of a trace are counted by an even sample."""
    edges: tuple[float, ...] = ()
    """One more than bars; the first is the minimum, the last is the maximum."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of the finite values of a tensor, and its numbers of NaN and Inf."""

    count: int
    """Number of elements of the tensor."""
    examined: int
    """Number of elements that were examined; `zeros`, `nan` and `infinite` count among these."""
    minimum: float
    """NaN if there are no finite values, like `maximum`, `mean` and `deviation`."""
    maximum: float
    mean: float
    deviation: float
    """The standard deviation, divided by the number of values (population, not sample)."""
    zeros: int
    nan: int
    infinite: int
    histogram: Histogram

    @property
    def sampled(self) -> bool:
        """True if only a part of the elements was examined."""
        return self.examined < self.count

    @property
    def finite(self) -> bool:
        """True if no NaN and no Inf was found."""
        return not self.nan and not self.infinite

    @property
    def zero_share(self) -> float:
        """Share of zeros among the elements that were examined; NaN if there are none."""
        return self.zeros / self.examined if self.examined else math.nan


def statistics(array: Any, limit: int | None = None, bars: int | None = None) -> Statistics:
    """Statistics of all elements of `array`, or of about `limit` of them, evenly spread.

    Numbers and logicals of every width are examined; other elements (strings) are only counted.
    A sample is read in blocks, so that little of a mapped file is read.

    Args:
        array: Any array.
        limit: Number of elements to examine; None for all.
        bars: Number of elements to count for the histogram, if all are examined; None for all.
    """
    array = np.asarray(array)
    check_mapped(array)
    size = array.size
    if array.dtype.kind not in "fiub" or not size:
        return Statistics(size, 0, *(math.nan,) * 4, 0, 0, 0, Histogram())
    # The order does not matter, and the order in memory needs no copy of a transposed array.
    flat = array.ravel(order="K")
    found = _Moments(min(size, _CHUNK))
    for chunk in _chunks(flat, limit):
        found.add(chunk)
    low, high, finite = found.minimum, found.maximum, found.finite
    if max(abs(low), abs(high)) > _HUGE:
        return _scaled(statistics(flat / _HUGE, limit, bars), found)
    mean = deviation = math.nan
    histogram = Histogram()
    if finite:
        mean, squares = found.mean, found.squares
        if low == high:
            mean, squares = float(low), 0.0
        elif squares is None:
            mean, squares = _about_mean(_chunks(flat, limit), mean, finite)
        mean = min(max(mean, low), high)
        deviation = math.sqrt(squares / finite)
        chunks = _chunks(flat, limit) if bars is None or limit else _sample(flat, bars)
        counts = _bars(chunks, low, high, found.all_finite)
        histogram = Histogram(counts, _edges(low, high, len(counts)))
    return Statistics(
        size,
        found.examined,
        low,
        high,
        mean,
        deviation,
        found.zeros,
        found.nan,
        found.infinite,
        histogram,
    )


def all_finite(array: Any) -> bool:
    """Return whether no element of `array` is NaN or Inf; fast, since a sum settles most cases."""
    array = np.asarray(array)
    if array.dtype.kind != "f":
        return True
    check_mapped(array)
    with np.errstate(all="ignore"):
        # NaN or Inf makes the sum NaN or Inf; a sum of large finite values may overflow too.
        return math.isfinite(array.sum()) or bool(np.isfinite(array).all())


def _chunks(flat: Array, limit: int | None) -> Iterator[Array]:
    """Yield the elements in chunks, or an even sample that includes the first and the last."""
    if flat.dtype == bool:
        flat = flat.view(np.uint8)
    starts, length = range(0, flat.size, _CHUNK), _CHUNK
    if limit is not None and flat.size > max(limit, _BLOCK):
        length = _BLOCK
        blocks = max(2, limit // _BLOCK)
        starts = np.linspace(0, flat.size - _BLOCK, blocks).astype(int).tolist()
    for start in starts:
        chunk = flat[start : start + length]
        # Half precision is slow: it is computed in software, one value at a time.
        yield converted(chunk, np.float32) if chunk.dtype == np.float16 else chunk


def _sample(flat: Array, limit: int) -> Iterator[Array]:
    """Yield all elements, or a sample of `limit`: short stretches, all at the same distance."""
    if flat.size <= limit:
        yield from _chunks(flat, None)
        return
    stretches = max(limit // _STRETCH, 1)
    rows = flat[: flat.size // stretches * stretches].reshape(stretches, -1)
    yield from _chunks(rows[:, : limit // stretches].ravel(), None)


class _Moments:
    """Everything but the histogram, in one pass over chunks of at most `longest` elements."""

    __slots__ = (
        "_buffer",
        "_longest",
        "_square",
        "_total",
        "examined",
        "finite",
        "infinite",
        "maximum",
        "minimum",
        "nan",
        "zeros",
    )

    def __init__(self, longest: int) -> None:
        self.examined = self.finite = self.zeros = self.nan = self.infinite = 0
        self.minimum = self.maximum = math.nan
        # Sums of the values and of their squares.
        self._total = self._square = 0.0
        self._longest = longest
        self._buffer: Array | None = None

    @np.errstate(invalid="ignore", over="ignore")  # of signaling NaN, of huge values
    def add(self, chunk: Array) -> None:
        self.examined += chunk.size
        # Comparing is quicker than counting what is not zero.
        self.zeros += int(np.count_nonzero(chunk == 0))
        lowest, highest = chunk.min(), chunk.max()
        if chunk.dtype.kind == "f" and not (np.isfinite(lowest) and np.isfinite(highest)):
            chunk = self._finite_values(chunk)
            if not chunk.size:
                return
            lowest, highest = chunk.min(), chunk.max()
        low, high = _number(lowest), _number(highest)
        self.minimum = min(self.minimum, low) if self.finite else low
        self.maximum = max(self.maximum, high) if self.finite else high
        self.finite += chunk.size
        if chunk.dtype == np.float32 and has_narrow_squares(max(-low, high)):
            self._total += narrow_sum(chunk)
            self._square += narrow_dot(chunk, chunk)
            return
        if self._buffer is None:
            self._buffer = np.empty(self._longest)
        values = self._buffer[: chunk.size]
        np.copyto(values, chunk, casting="unsafe")
        self._total += float(values.sum())
        # Not by BLAS, whose threads take longer to wake up than a chunk takes.
        self._square += float(np.einsum("i,i->", values, values))

    @property
    def all_finite(self) -> bool:
        """Whether no NaN and no Inf was found."""
        return self.finite == self.examined

    @property
    def mean(self) -> float:
        """The mean of the finite values."""
        return self._total / self.finite

    @property
    def squares(self) -> float | None:
        """The sum of squared distances from the mean; None if its digits were lost."""
        rest = self._square - self._total * self.mean
        return rest if rest > _KEPT * self._square else None

    def _finite_values(self, chunk: Array) -> Array:
        finite = np.isfinite(chunk)
        nan = int(np.count_nonzero(np.isnan(chunk)))
        self.nan += nan
        self.infinite += chunk.size - int(np.count_nonzero(finite)) - nan
        return chunk[finite]


def _number(element: Any) -> float:
    """Return an element as a float; as an integer, if it is one that float64 would round."""
    number = element.item()
    return number if isinstance(number, int) and abs(number) > _EXACT else float(number)


@np.errstate(invalid="ignore", over="ignore")  # of signaling NaN, of infinity
def _about_mean(chunks: Iterator[Array], mean: float, finite: int) -> tuple[float, float]:
    """Return the mean of the finite values and the sum of squared distances, from a near mean."""
    total = square = 0.0
    for chunk in chunks:
        distance = converted(chunk, np.float64) - mean
        if not math.isfinite(distance.sum()):
            distance = distance[np.isfinite(distance)]
        total += float(distance.sum())
        square += float(np.einsum("i,i->", distance, distance))
    return mean + total / finite, max(square - total * (total / finite), 0.0)


@np.errstate(invalid="ignore")  # of signaling NaN
def _bars(chunks: Iterator[Array], low: float, high: float, is_finite: bool) -> tuple[int, ...]:
    """Return the numbers of the finite values in equal bars."""
    bars = BINS if high > low else 1
    # The last one counts the maximum, which is at the upper edge of the last bar.
    counts = np.zeros(bars + 1, np.int64)
    # If the range is so narrow that the quotient would overflow, all values are in the first bar.
    slope = bars / (high - low) if high - low > 1e-300 else 0.0
    for chunk in chunks:
        # A copy in double precision, changed in place: differences of float32 may overflow.
        values = chunk.astype(np.float64)
        if not is_finite:
            values = values[np.isfinite(values)]
        values -= low
        values *= slope
        counts += np.bincount(values.astype(np.intp), minlength=bars + 1)
    *others, last, end = counts.tolist()
    return (*others, last + end)


def _edges(low: float, high: float, bars: int, unit: float = 1.0) -> tuple[float, ...]:
    """Edges of equal bars; with a large `unit`, the distance of the two ends does not overflow."""
    return (*((low + (high - low) * (i / bars)) * unit for i in range(bars)), high * unit)


def _scaled(small: Statistics, first: _Moments) -> Statistics:
    """Return the statistics of values, from those of the values divided by `_HUGE`."""
    return replace(
        small,
        minimum=first.minimum,
        maximum=first.maximum,
        # Small values have become zeros.
        zeros=first.zeros,
        mean=min(max(small.mean * _HUGE, first.minimum), first.maximum),
        deviation=small.deviation * _HUGE,
        histogram=Histogram(
            small.histogram.counts,
            _edges(first.minimum / 2, first.maximum / 2, len(small.histogram.counts), 2.0),
        ),
    )
