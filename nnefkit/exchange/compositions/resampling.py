"""Resampling (4.3.4): resizing axis by axis, and pixels out of channels and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.linear_algebra import along_axis
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import SCALAR, Value

_F = np.float32

# -- resizing --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ResizedAxis:
    """How an axis is resized."""

    extent: int
    new_extent: int
    scale: float
    """The scale by which positions are computed, which need not be the ratio of the extents."""
    by_size: bool = False
    """Whether the source states the new extent, and the scale follows from it."""

    @property
    def is_unchanged(self) -> bool:
        """Whether each element keeps its position."""
        return self.new_extent == self.extent and self.scale == 1

    @property
    def factor(self) -> int:
        """The integer by which the extent is multiplied; 0 if there is none."""
        factor = self.new_extent // self.extent
        return factor if self.new_extent == factor * self.extent and self.scale == factor else 0


def selected(
    c: OperatorCall, x: Value, axes: Sequence[ResizedAxis], indices: Sequence[Array], name: str = ""
) -> Value:
    """Return selected elements: `nearest_upsample`, `nearest_downsample`, or else `gather`.

    Args:
        c: The call of the operator.
        x: The tensor.
        axes: How each axis is resized.
        indices: The index of the old element for each new one, for each axis.
        name: The stem of the labels of indices.
    """
    factors = [axis.new_extent // axis.extent for axis in axes]
    is_repeated = all(
        axis.new_extent == factor * axis.extent
        and np.array_equal(index, np.repeat(np.arange(axis.extent), factor))
        for axis, index, factor in zip(axes, indices, factors, strict=True)
    )
    if is_repeated and _is_image(x, axes):
        return c.op("nearest_upsample", x, factor=factors[2:])
    divisors = [max(axis.extent // axis.new_extent, 1) for axis in axes]
    is_strided = all(
        axis.extent == divisor * axis.new_extent
        and np.array_equal(index, np.arange(0, axis.extent, divisor))
        for axis, index, divisor in zip(axes, indices, divisors, strict=True)
    )
    if is_strided and _is_image(x, axes):
        return c.op("nearest_downsample", x, factor=divisors[2:])
    with c.graph.scope("resize"):
        for number, (axis, index) in enumerate(zip(axes, indices, strict=True)):
            if not np.array_equal(index, np.arange(axis.extent)):
                x = c.op("gather", x, c.graph.constant(index, name=name), axis=number)
    return x


def interpolated(
    c: OperatorCall,
    x: Value,
    axes: Sequence[ResizedAxis],
    weights: Callable[[int], Value],
    *,
    method: str = "",
    antialias: bool = False,
) -> Value:
    """Return weighted means along each axis: `multilinear_upsample`, `area_downsample` or `matmul`.

    Args:
        c: The call of the operator.
        x: The tensor.
        axes: How each axis is resized.
        weights: Returns the weights of the old elements of an axis, a column for each new one.
        method: The method of a linear interpolation in the terms of NNEF; empty for another one.
        antialias: Whether elements are blurred before they are downsampled.
    """
    if method and _is_image(x, axes):
        spatial = axes[2:]
        factors = [axis.factor for axis in spatial]
        # NNEF does not define how the corners of a single element are aligned.
        is_single = method == "aligned" and any(axis.extent == 1 for axis in spatial)
        if all(factors) and not is_single:
            return c.op(
                "multilinear_upsample", x, factor=factors, method=method, border="replicate"
            )
        if method == "symmetric" and not antialias and all(map(_is_same_or_halved, spatial)):
            divisors = [axis.extent // axis.new_extent for axis in spatial]
            return c.op("area_downsample", x, factor=divisors)
    with c.graph.scope("resize"):
        for number, axis in enumerate(axes):
            if not axis.is_unchanged:
                x = along_axis(c, x, number, weights(number))
    return x


def _is_image(x: Value, axes: Sequence[ResizedAxis]) -> bool:
    """Whether only axes after batch and channels are resized."""
    is_spatial = all(axis.is_unchanged for axis in axes[:2])
    return x.rank >= 3 and x.data_type == SCALAR and is_spatial


def _is_same_or_halved(axis: ResizedAxis) -> bool:
    """Whether each element is the mean of two, as half of the positions are between two."""
    is_halved = axis.extent == 2 * axis.new_extent > 2 and axis.scale == 0.5
    return axis.is_unchanged or is_halved


# -- images ----------------------------------------------------------------------------------------


def resized_image(
    c: OperatorCall,
    x: Value,
    extents: Sequence[int],
    *,
    nearest: bool = False,
    align_corners: bool = False,
    half_pixel_centers: bool = False,
    name: str = "resize",
    take: Callable[[Sequence[int]], None] = lambda _: None,
) -> Value:
    """Return a channels-first tensor with its spatial axes resized as TensorFlow resizes images.

    Args:
        c: The call of the operator.
        x: The tensor.
        extents: The new spatial extents.
        nearest: Whether the nearest element is selected; otherwise elements are interpolated.
        align_corners: Whether the first and the last elements keep their positions.
        half_pixel_centers: Whether the positions are those of the centers of elements.
        name: The stem of the labels of constants.
        take: Called with the shape of each constant before it is computed.

    Raises:
        Refusal: Integers are interpolated.
    """
    axes = [ResizedAxis(n, n, 1.0) for n in x.shape[:2]]
    axes += [
        ResizedAxis(extent, new, float(_F(new) / _F(extent)), by_size=True)
        for extent, new in zip(x.shape[2:], extents, strict=True)
    ]
    if all(axis.is_unchanged for axis in axes):
        return x
    take(extents)
    grid = _Grid(align_corners, half_pixel_centers, nearest)
    positions = [grid.positions(axis) for axis in axes]
    if nearest:
        indices = [grid.nearest(*pair) for pair in zip(axes, positions, strict=True)]
        return selected(c, x, axes, indices, f"{name}.indices")
    if x.data_type != SCALAR:
        refuse("it interpolates integers", "Cast them to float before.")

    def weights(number: int) -> Value:
        # With the columns and the shares that it is computed from.
        take((axes[number].extent + 12, axes[number].new_extent))
        matrix = _linear_weights(axes[number], positions[number])
        return c.graph.constant(matrix, name=f"{name}.matrix")

    method = "asymmetric"
    if align_corners:
        # The corners of a single new element are not aligned.
        method = "" if any(axis.new_extent == 1 for axis in axes[2:]) else "aligned"
    elif half_pixel_centers:
        method = "symmetric"
    return interpolated(c, x, axes, weights, method=method)


class _Grid:
    """The positions of new elements among old ones."""

    def __init__(self, align_corners: bool, half_pixel_centers: bool, nearest: bool) -> None:
        self._align_corners = align_corners
        self._half_pixel_centers = half_pixel_centers
        self._nearest = nearest

    def positions(self, axis: ResizedAxis) -> Array:
        """Return the positions of the new elements of an axis, in float32."""
        index = np.arange(axis.new_extent, dtype=_F)
        scale = _F(axis.extent) / _F(axis.new_extent)
        if self._align_corners and axis.new_extent > 1:
            scale = _F(axis.extent - 1) / _F(axis.new_extent - 1)
        if not self._half_pixel_centers:
            return np.asarray(index * scale)
        # A neighbor is selected by the center itself, a mean is weighted by distances to centers.
        shift = _F(0) if self._nearest else _F(0.5)
        return np.asarray((index + _F(0.5)) * scale - shift)

    def nearest(self, axis: ResizedAxis, positions: Array) -> Array:
        """Return the index of the old element for each new one."""
        if axis.is_unchanged:
            return np.arange(axis.extent)
        shift = _F(0.5) if self._align_corners else _F(0)
        index = np.floor(positions + shift).astype(np.int64)
        return np.asarray(np.clip(index, 0, axis.extent - 1))


def _linear_weights(axis: ResizedAxis, positions: Array) -> Array:
    """Return the weights of the old elements, a column for each new one."""
    last = axis.extent - 1
    low = np.clip(np.floor(positions), 0, last).astype(np.int64)
    high = np.clip(np.ceil(positions), 0, last).astype(np.int64)
    share = np.clip(positions - low, 0, 1)
    weights = np.zeros((axis.extent, axis.new_extent), _F)
    columns = np.arange(axis.new_extent)
    np.add.at(weights, (low, columns), 1 - share)
    np.add.at(weights, (high, columns), share)
    weights.flags.writeable = False
    return weights


# -- pixels and channels ---------------------------------------------------------------------------


def cut(c: OperatorCall, x: Value, axis: int, size: int) -> Value:
    """Return `x` with an axis cut into pieces of a size, which become a new axis."""
    count = x.shape[axis] // size
    return reshaped(c, x, (*x.shape[:axis], count, size, *x.shape[axis + 1 :]), axis)


def merged(c: OperatorCall, x: Value, axis: int) -> Value:
    """Return `x` with an axis and the one after it as one."""
    extent = x.shape[axis] * x.shape[axis + 1]
    return reshaped(c, x, (*x.shape[:axis], extent, *x.shape[axis + 2 :]), axis)


def pixel_shuffle(c: OperatorCall, x: Value, factor: int) -> Value:
    """Return ``[N, C r r, H, W]`` as ``[N, C, H r, W r]``."""
    batch, channels, height, width = x.shape
    shape = batch, channels // (factor * factor), height * factor, width * factor
    return c.fragment("pixel_shuffle", shape, x, factor=factor)


def pixel_unshuffle(c: OperatorCall, x: Value, factor: int) -> Value:
    """Return ``[N, C, H r, W r]`` as ``[N, C r r, H, W]``."""
    batch, channels, height, width = x.shape
    shape = batch, channels * factor * factor, height // factor, width // factor
    return c.fragment("pixel_unshuffle", shape, x, factor=factor)
