"""Metrics of the difference of two arrays: each is defined once, with its unit.

The first array, ``a``, is the reference for ``b``. Everything is computed in float64 (differences
of integers exactly), block by block, so that mapped files and transposed views are never copied.
Elements that are NaN or infinite in either array are counted, and agree if they are the same in
both, but do not contribute to the metrics of distance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from nnefkit.analysis.tolerance import EXACT, Tolerance
from nnefkit.arguments import refuse_masked
from nnefkit.arrays import Array, check_mapped
from nnefkit.errors import InputError
from nnefkit.narrow_sums import has_narrow_squares, narrow_dot

BLOCK = 1 << 15
"""Elements worked on at a time: a block and its few copies in float64 stay in the cache."""

_HUGE = 1e120
"""Squares and products of magnitudes between 1 / _HUGE and _HUGE neither over- nor underflow."""


class DifferingElement(NamedTuple):
    """One element of two arrays."""

    at: tuple[int, ...]
    """Its index."""
    first: Any
    """Its value in ``a``, a NumPy scalar."""
    second: Any
    """Its value in ``b``."""


@dataclass(frozen=True)
class Metrics:
    """Metrics of the difference of two arrays of one shape.

    If no element is finite in both arrays, and some differ, there is no distance: `max_abs`,
    `max_rel`, `rmse`, `snr` and `cosine` are NaN.
    """

    count: int
    """Number of elements of each array."""
    compared: int
    """Number of elements that are finite in both; distances are computed over these."""
    scale: float
    """Largest finite ``|a|``, in the unit of the tensor: the reference of `max_rel`."""
    max_abs: float
    """Largest ``|a - b|``, in the unit of the tensor."""
    max_rel: float
    """``max |a - b| / max |a|``, no unit: relative to the tensor, not to the element, since the
    relative errors of elements near zero are noise. Infinite where only ``a`` is all zero."""
    rmse: float
    """Root of the mean of ``(a - b)^2``, in the unit of the tensor."""
    snr: float
    """Signal-to-noise ratio ``10 log10(sum a^2 / sum (a - b)^2)``, in dB. Infinite for equal
    arrays, minus infinite where only ``a`` is all zero."""
    cosine: float
    """``sum a b / sqrt(sum a^2 sum b^2)``, no unit, from -1 to 1. 1 where both are all zero, 0
    where one is."""
    ulp: int | None
    """Largest number of steps from one floating-point number to the next between an element of
    ``a`` and of ``b`` (0.0 and -0.0 are 0 steps apart); None unless both are float16, both float32
    or both float64."""
    different: int
    """Number of elements that are not equal; NaN equals NaN, 0.0 equals -0.0."""
    outside: int
    """Number of elements out of tolerance, those in `mismatched` included."""
    mismatched: int
    """Number of elements that are NaN or infinite in one array and not the same in the other."""
    nan: tuple[int, int]
    """Number of NaN in ``a`` and in ``b``."""
    infinite: tuple[int, int]
    """Number of infinite elements in ``a`` and in ``b``."""
    worst: tuple[int, ...] | None
    """Index of the element with the largest ``|a - b|``, the first of several; None if none differs
    by a finite amount."""
    element: DifferingElement | None = None
    """The first element that is NaN or infinite in one array and not the same in the other; else
    the one at `worst`; None if the arrays are equal."""

    @property
    def ok(self) -> bool:
        """Whether every element is within the tolerance."""
        return self.outside == 0

    @property
    def outside_share(self) -> float:
        """Share of elements out of tolerance, from 0 to 1."""
        return self.outside / self.count if self.count else 0.0

    @property
    def different_share(self) -> float:
        """Share of elements that are not equal, from 0 to 1."""
        return self.different / self.count if self.count else 0.0


def metrics(a: Any, b: Any, tolerance: Tolerance = EXACT) -> Metrics:
    """Measure ``b`` against the reference ``a``.

    Args:
        a: The reference, of any shape; floating-point, integer or logical.
        b: Of the same shape, perhaps of another dtype.
        tolerance: For `Metrics.outside`.

    Raises:
        InputError: The shapes differ, or a dtype is neither numeric nor logical.
    """
    a, b = _numeric(a), _numeric(b)
    if a.shape != b.shape:
        raise InputError(f"arrays of shapes {list(a.shape)} and {list(b.shape)} cannot be compared")
    extent_a = _Extent.of(a)
    if _are_identical(a, b):
        return _no_difference(a, extent_a, 0 if _ulp_type(a, b) else None)
    extent_b = _Extent.of(b)
    with np.errstate(all="ignore"):
        sums = _Sums(extent_a, extent_b, tolerance.allowed(extent_a.largest), _ulp_type(a, b))
        for x, y in _blocks(a, b):
            sums.add(x, y)
    found = sums.metrics(a.shape)
    place = sums.mismatch if sums.mismatch is not None else sums.worst
    if place < 0:
        return found
    index = tuple(int(i) for i in np.unravel_index(place, a.shape))
    return replace(found, element=DifferingElement(index, a[index], b[index]))


def energy(array: Array) -> float:
    """Return the sum of the squares of the finite elements."""
    total = 0.0
    with np.errstate(all="ignore"):
        for (block,) in _blocks(_numeric(array)):
            top = max(float(block.max()), -float(block.min()))
            if block.dtype == np.float32 and has_narrow_squares(top):
                total += narrow_dot(block, block)
            else:
                finite = block[np.isfinite(block)].astype(np.float64)
                total += _dot(finite, finite)
    return total


def _are_identical(a: Array, b: Array) -> bool:
    """Return whether all elements are equal, and none is NaN; quick where they are not."""
    with np.errstate(all="ignore"):  # of signaling NaN
        return all(bool((x == y).all()) for x, y in _blocks(a, b))


def _no_difference(array: Array, extent: _Extent, ulp: int | None) -> Metrics:
    return Metrics(
        count=array.size,
        compared=array.size - extent.infinite,
        scale=extent.largest,
        max_abs=0.0,
        max_rel=0.0,
        rmse=0.0,
        snr=math.inf,
        cosine=1.0,
        ulp=ulp,
        different=0,
        outside=0,
        mismatched=0,
        nan=(0, 0),
        infinite=(extent.infinite, extent.infinite),
        worst=None,
    )


def non_finite(array: Array) -> tuple[int, int]:
    """Return the number of NaN and of infinite elements."""
    extent = _Extent.of(array)
    return extent.nan, extent.infinite


def _numeric(values: Any) -> Array:
    refuse_masked(values, "the arrays")
    array = np.asarray(values)
    check_mapped(array)
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"arrays of dtype {array.dtype} cannot be compared",
            hint="Floating-point numbers, integers and bools can.",
        )
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Flat pieces of the arrays, side by side, in the order of the C layout of their indices."""
    if all(array.flags.c_contiguous for array in arrays):
        flat = [array.reshape(-1) for array in arrays]
        for start in range(0, flat[0].size, BLOCK):
            yield tuple(array[start : start + BLOCK] for array in flat)
        return
    pieces = np.nditer(
        arrays,
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=[["readonly"]] * len(arrays),
        order="C",
        buffersize=BLOCK,
    )
    with pieces:
        for piece in pieces:
            if pieces.itersize:
                # NumPy yields a single array as it is, several as a tuple.
                yield piece if isinstance(piece, tuple) else (piece,)  # type: ignore[redundant-expr]


@dataclass(frozen=True)
class _Extent:
    """Properties of one array that are needed before two are compared."""

    largest: float
    nan: int
    infinite: int

    @property
    def finite(self) -> bool:
        return not (self.nan or self.infinite)

    @classmethod
    def of(cls, array: Array) -> _Extent:
        largest, nan, infinite = 0.0, 0, 0
        with np.errstate(all="ignore"):
            for (block,) in _blocks(array):
                # Not np.abs(block).max(): the magnitude of the smallest integer overflows.
                top = max(float(block.max()), -float(block.min()))
                if not math.isfinite(top):
                    nan += int(np.isnan(block).sum())
                    infinite += int(np.isinf(block).sum())
                    block = block[np.isfinite(block)]
                    top = float(np.abs(block).max()) if block.size else 0.0
                largest = max(largest, top)
        return cls(largest, nan, infinite)


class _Sums:
    """Sums over the blocks of two arrays."""

    def __init__(self, a: _Extent, b: _Extent, allowed: float, floating: bool) -> None:
        self.extents = a, b
        self.allowed = allowed
        self.finite = a.finite and b.finite
        self.narrow = has_narrow_squares(a.largest) and has_narrow_squares(b.largest)
        self.factors = _factor(a.largest), _factor(b.largest)
        self.count = self.compared = self.different = self.outside = self.mismatched = 0
        self.squares_a = self.squares_b = self.products = 0.0
        self.noise = 0.0
        self.largest, self.worst = 0.0, -1
        self.mismatch: int | None = None
        """Position of the first element in `mismatched`."""
        self.ulp: int | None = 0 if floating else None

    def add(self, x: Array, y: Array) -> None:
        start = self.count
        self.count += x.size
        places = None
        if not self.finite:
            x, y, places = self._without_non_finite(x, y, start)
        self.compared += x.size
        if not x.size:
            return
        self._add_signal(x, y)
        unequal = int(np.count_nonzero(x != y))
        self.different += unequal
        if not unequal:
            return
        if self.ulp is not None:
            self.ulp = max(self.ulp, _steps(x, y))
        distance = _distance(x, y)
        self.outside += int(np.count_nonzero(distance > self.allowed))
        at = int(distance.argmax())
        largest = float(distance[at])
        if largest > self.largest:
            self.largest = largest
            self.worst = start + (at if places is None else int(places[at]))
        # hypot neither over- nor underflows where a sum of squares would.
        self.noise = math.hypot(self.noise, _norm(distance, largest))

    def _without_non_finite(self, x: Array, y: Array, start: int) -> tuple[Array, Array, Array]:
        usable = np.isfinite(x) & np.isfinite(y)
        places = np.flatnonzero(~usable)
        u, v = x[places], y[places]
        different = np.flatnonzero((u != v) & ~(np.isnan(u) & np.isnan(v)))
        unlike = different.size
        if unlike and self.mismatch is None:
            self.mismatch = start + int(places[different[0]])
        self.mismatched += unlike
        self.different += unlike
        self.outside += unlike
        return x[usable], y[usable], np.flatnonzero(usable)

    def _add_signal(self, x: Array, y: Array) -> None:
        if self.narrow and x.dtype == y.dtype == np.float32:
            self.squares_a += narrow_dot(x, x)
            self.squares_b += narrow_dot(y, y)
            self.products += narrow_dot(x, y)
            return
        u, v = (z.astype(np.float64) for z in (x, y))
        for z, factor in zip((u, v), self.factors, strict=True):
            if factor != 1.0:
                z *= factor
        self.squares_a += _dot(u, u)
        self.squares_b += _dot(v, v)
        self.products += _dot(u, v)

    def metrics(self, shape: tuple[int, ...]) -> Metrics:
        a, b = self.extents
        nothing = not self.compared and self.mismatched > 0
        # The factors are powers of two, so that dividing by them is exact.
        signal = math.sqrt(self.squares_a) / self.factors[0]
        worst = None if self.worst < 0 else np.unravel_index(self.worst, shape)
        return Metrics(
            count=self.count,
            compared=self.compared,
            scale=a.largest,
            max_abs=math.nan if nothing else self.largest,
            max_rel=math.nan if nothing else _ratio(self.largest, a.largest),
            rmse=math.nan if nothing else self.noise / math.sqrt(self.compared or 1),
            snr=math.nan if nothing else _decibels(signal, self.noise),
            cosine=math.nan if nothing else self._cosine(),
            ulp=self.ulp,
            different=self.different,
            outside=self.outside,
            mismatched=self.mismatched,
            nan=(a.nan, b.nan),
            infinite=(a.infinite, b.infinite),
            worst=None if worst is None else tuple(int(i) for i in worst),
        )

    def _cosine(self) -> float:
        if not self.noise:
            return 1.0
        norms = math.sqrt(self.squares_a) * math.sqrt(self.squares_b)
        return max(-1.0, min(1.0, self.products / norms)) if norms else 0.0


def _dot(x: Array, y: Array) -> float:
    # Not by BLAS, whose threads take longer to wake up than a block takes.
    return float(np.einsum("i,i->", x, y))


def _factor(largest: float) -> float:
    """Return a power of two that scales extreme magnitudes to about 1; 1.0 for ordinary ones."""
    if largest == 0 or 1 / _HUGE < largest < _HUGE:
        return 1.0
    # Denormal numbers have exponents lower than the largest factor can compensate.
    return 2.0 ** -max(-1020, min(1020, math.frexp(largest)[1]))


def _norm(block: Array, largest: float) -> float:
    """Root of the sum of squares; `largest` is the largest element."""
    if not largest or not math.isfinite(largest):
        return largest
    if 1 / _HUGE < largest < _HUGE:
        return math.sqrt(_dot(block, block))
    scaled = block / largest
    return largest * math.sqrt(_dot(scaled, scaled))


def _distance(x: Array, y: Array) -> Array:
    """``|x - y|`` in float64; of integers computed exactly, then rounded."""
    if x.dtype.kind == "f" or y.dtype.kind == "f":
        difference = np.subtract(x, y, dtype=np.float64, casting="same_kind")
        return np.abs(difference, out=difference)
    u, v = x.astype(np.uint64), y.astype(np.uint64)
    distance = np.where(x > y, u - v, v - u).astype(np.float64)
    # A distance of 2^64, only possible between int64 and uint64, wraps around to 0.
    distance[(distance == 0) & (x != y)] = 2.0**64
    return distance


def _ratio(part: float, whole: float) -> float:
    if not part:
        return 0.0
    return part / whole if whole else math.inf


def _decibels(signal: float, noise: float) -> float:
    if not noise:
        return math.inf
    if not signal or math.isinf(noise):
        return -math.inf
    # The difference of logarithms, since the ratio of extreme norms may overflow.
    return 20 * (math.log10(signal) - math.log10(noise))


def _ulp_type(x: Array, y: Array) -> bool:
    return bool(x.dtype == y.dtype and x.dtype.kind == "f" and x.dtype.itemsize <= 8)


def _steps(x: Array, y: Array) -> int:
    """Largest number of steps from one representable number to the next between `x` and `y`."""
    u, v = _ordinal(x), _ordinal(y)
    # The largest difference exceeds the range of a signed integer of that width.
    unsigned = u.dtype.str.replace("i", "u")
    return int((np.maximum(u, v).view(unsigned) - np.minimum(u, v).view(unsigned)).max())


def _ordinal(x: Array) -> Array:
    """Integers in the order of the floating-point numbers, one for each; both zeros are 0."""
    width = 8 * x.dtype.itemsize
    bits: Array = np.ascontiguousarray(x).view(f"i{x.dtype.itemsize}")
    sign = bits >> (width - 1)
    # Clear the sign bit, and negate the rest where it was set (sign is -1).
    bits = bits & ((1 << (width - 1)) - 1)
    bits ^= sign
    bits -= sign
    return bits
