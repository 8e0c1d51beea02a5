"""Resizing (4.3.4): by equivalent operations of NNEF, else axis by axis.

Along an axis, elements are gathered by their indices, or weighted by a matrix. Positions are
computed in float32 as runtimes do, since rounding decides between two neighbors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions import grid_sampling
from nnefkit.exchange.compositions.grid_sampling import Sampling
from nnefkit.exchange.compositions.resampling import ResizedAxis, interpolated, selected
from nnefkit.exchange.onnx.call import INVALID, Call, operator
from nnefkit.exchange.refusal import refuse, refuse_empty_tensor
from nnefkit.exchange.source_value import SCALAR, Value

F = np.float32


@dataclass(frozen=True)
class _Rules:
    """How elements are interpolated."""

    mode: str
    """nearest, linear or cubic."""
    positions: str
    """The coordinate transformation."""
    rounding: str
    """How positions are rounded in mode nearest."""
    options: Mapping[str, Any]
    """Further attributes of ONNX."""


_OPTIONS = ("antialias", "cubic_coeff_a", "exclude_outside", "extrapolation_value")


@operator("Resize")
def resize(c: Call) -> Value:
    """Read a resize by scales or to sizes."""
    x = c[0]
    if c.opset < 11:
        return _upsampled(c, x, c.required_constant(1, "scales"))
    positions = c.attribute("coordinate_transformation_mode", "half_pixel")
    if positions == "tf_crop_and_resize":
        c.refuse("it crops to a region", "Slice first, then resize.")
    if positions not in (*_METHODS, "tf_half_pixel_for_nn"):
        c.refuse(f"its coordinate transformation '{positions}' is unknown", INVALID)
    axes = _axes(c)
    if positions == "align_corners":
        _refuse_fractions(c, axes)
    _refuse_unchanged(c, axes)
    options = {name: c.attributes[name] for name in _OPTIONS if name in c.attributes}
    rounding = c.attribute("nearest_mode", "round_prefer_floor")
    return _resized(
        c, x, axes, _Rules(c.attribute("mode", "nearest"), positions, rounding, options)
    )


def _axes(c: Call) -> list[ResizedAxis]:
    shape = c[0].shape
    numbers = [c.front_axis(axis, len(shape)) for axis in c.ints("axes") or range(len(shape))]
    if len({*numbers}) < len(numbers):
        c.refuse("its axes repeat", INVALID)
    scales, sizes = c.constant(2, "scales"), c.constant(3, "sizes")
    axes = [ResizedAxis(extent, extent, 1.0) for extent in shape]
    if sizes is not None and sizes.size:
        extents = [shape[number] for number in numbers]
        for number, axis in zip(numbers, _sized(c, extents, sizes.reshape(-1)), strict=True):
            axes[number] = axis
    elif scales is not None and scales.size:
        for number, scale in zip(numbers, scales.reshape(-1), strict=True):
            axes[number] = _scaled(shape[number], float(scale))
    return axes


def _scaled(extent: int, scale: float) -> ResizedAxis:
    return ResizedAxis(extent, int(np.floor(F(extent) * F(scale))), float(F(scale)))


def _sized(c: Call, extents: Sequence[int], sizes: Array) -> list[ResizedAxis]:
    """Return axes of given sizes, or with one scale for all of them that keeps the aspect ratio.

    That scale is not the quotient of the extents, since the new ones are rounded.
    """
    policy = c.attribute("keep_aspect_ratio_policy", "stretch")
    pairs = [*zip(extents, map(int, sizes), strict=True)]
    if policy == "stretch":
        return [ResizedAxis(old, new, float(F(new) / F(old)), by_size=True) for old, new in pairs]
    if policy not in _POLICIES:
        c.refuse(f"its policy for the aspect ratio '{policy}' is unknown", INVALID)
    scale = F(_POLICIES[policy](F(new) / F(old) for old, new in pairs))
    return [ResizedAxis(old, int(scale * F(old) + F(0.5)), float(scale)) for old in extents]


_POLICIES = {"not_larger": min, "not_smaller": max}


def _refuse_fractions(c: Call, axes: Sequence[ResizedAxis]) -> None:
    """Refuse aligned corners of extents that are not integers before they are rounded."""
    for axis in axes:
        exact = axis.extent * axis.scale
        if not axis.by_size and abs(exact - round(exact)) > 1e-3:
            c.refuse(
                f"it aligns corners of {exact:.6g} elements, and runtimes disagree on the result",
                _SET_SIZES,
            )


_SET_SIZES = "Set sizes instead of scales, with keep_aspect_ratio_policy='stretch'."


def _refuse_unchanged(c: Call, axes: Sequence[ResizedAxis]) -> None:
    """Refuse scales that change no extent: some runtimes resample, others copy."""
    idle = [axis.scale != 1 for axis in axes if axis.new_extent == axis.extent]
    if any(idle) and (len(idle) == len(axes) or c.attribute("antialias", 0)):
        c.refuse("its scales change no extent, and runtimes disagree on the result", _SET_SIZES)


@operator("Upsample")
def upsample(c: Call) -> Value:
    """Read the predecessor of `Resize`."""
    scales = c.attribute("scales")
    data = c.constant(1, "scales") if scales is None else np.asarray(scales)
    if data is None:
        c.refuse("its scales are missing", INVALID)
    return _upsampled(c, c[0], data)


def _upsampled(c: Call, x: Value, scales: Array) -> Value:
    """Resize as before opset 11: positions are divided by the scale and rounded down.

    ONNX does not define the rounding for shrinking axes; all runtimes rounded up.
    """
    mode = "nearest" if c.attribute("mode", "nearest") == "nearest" else "linear"
    axes = [
        _scaled(extent, float(scale))
        for extent, scale in zip(x.shape, scales.reshape(-1), strict=True)
    ]
    for grows in (True, False):
        part = [
            axis if (axis.scale > 1) == grows else ResizedAxis(extent, extent, 1.0)
            for axis, extent in zip(axes, x.shape, strict=True)
        ]
        x = _resized(c, x, part, _Rules(mode, "asymmetric", "floor" if grows else "ceil", {}))
    return x


def _resized(c: Call, x: Value, axes: Sequence[ResizedAxis], rules: _Rules) -> Value:
    if all(axis.is_unchanged for axis in axes):
        return x
    if any(axis.new_extent < 1 for axis in axes):
        refuse_empty_tensor()
    if rules.mode != "nearest" and x.data_type != SCALAR:
        c.refuse(
            "it interpolates integers, and runtimes disagree on the rounding",
            "Cast them to float first.",
        )
    if rules.mode == "nearest":
        return selected(c, x, axes, [_nearest(axis, rules) for axis in axes])

    def weights(number: int) -> Value:
        matrix = _weights(axes[number], rules).astype(F)
        return c.graph.constant(matrix, name=f"{c.output_names[0]}.matrix")

    method = _METHODS.get(rules.positions, "") if rules.mode == "linear" else ""
    antialias = bool(rules.options.get("antialias"))
    return interpolated(c, x, axes, weights, method=method, antialias=antialias)


_METHODS = {
    "half_pixel": "symmetric",
    "pytorch_half_pixel": "symmetric",
    "half_pixel_symmetric": "symmetric",
    "align_corners": "aligned",
    "asymmetric": "asymmetric",
}


# -- by indices and weights ------------------------------------------------------------------------


def _positions(axis: ResizedAxis, rules: _Rules) -> Array:
    """Return the positions of the new elements among the old ones, in float32."""
    index, scale = np.arange(axis.new_extent, dtype=F), F(axis.scale)
    if rules.positions == "asymmetric":
        return np.asarray(index / scale)
    if rules.positions == "align_corners":
        steps = F(max(axis.new_extent - 1, 1))
        return np.asarray(index * F(axis.extent - 1) / steps)
    if rules.positions == "pytorch_half_pixel" and axis.new_extent == 1:
        return np.zeros(1, F)
    if rules.positions == "tf_half_pixel_for_nn":
        return np.asarray((index + F(0.5)) / scale)
    positions = (index + F(0.5)) / scale
    if rules.positions == "half_pixel_symmetric":
        adjustment = F(axis.new_extent) / (scale * F(axis.extent))
        positions = F(axis.extent / 2) * (F(1) - adjustment) + positions
    return np.asarray(positions - F(0.5), F)


_NEARLY_HALF = F(5e-7)
"""Positions within this distance of a half are rounded as halves, as in ONNX Runtime."""
_NEARLY_WHOLE = 1e-5


def _nearest(axis: ResizedAxis, rules: _Rules) -> Array:
    """Return the index of the old element for each new one."""
    if axis.is_unchanged:
        return np.arange(axis.extent)
    positions = _positions(axis, rules)
    if rules.positions == "half_pixel_symmetric" and rules.rounding in ("floor", "ceil"):
        is_close = np.abs(positions - np.rint(positions)) < _NEARLY_WHOLE
        if is_close.any() and not axis.factor:
            refuse(
                "it rounds positions that are nearly integers, and runtimes disagree on them",
                "Use the coordinate transformation half_pixel, or round to the nearest.",
            )
    if rules.rounding == "round_prefer_floor":
        positions = np.ceil(positions - F(0.5) - _NEARLY_HALF)
    elif rules.rounding == "round_prefer_ceil":
        positions = np.floor(positions + F(0.5) + _NEARLY_HALF)
    else:
        positions = {"floor": np.floor, "ceil": np.ceil}[rules.rounding](positions)
    return np.asarray(np.clip(positions, 0, axis.extent - 1, out=positions).astype(np.int64))


def _weights(axis: ResizedAxis, rules: _Rules) -> Array:
    """Return the weights of the old elements, a column for each new one."""
    positions = _positions(axis, rules).astype(np.float64)
    # An antialiasing filter is stretched where the axis shrinks.
    stretch = max(1.0, 1.0 / axis.scale) if rules.options.get("antialias") else 1.0
    reach = (2 if rules.mode == "cubic" else 1) * stretch
    first = np.floor(positions - reach).astype(np.int64)
    taps = first[:, None] + np.arange(int(2 * reach) + 3)
    factors = _kernel(rules, (taps - positions[:, None]) / stretch)
    if rules.options.get("exclude_outside"):
        factors = np.where((taps < 0) | (taps >= axis.extent), 0.0, factors)
    factors /= factors.sum(1, keepdims=True)
    weights = np.zeros((axis.extent, axis.new_extent))
    columns = np.broadcast_to(np.arange(axis.new_extent)[:, None], taps.shape)
    np.add.at(weights, (np.clip(taps, 0, axis.extent - 1), columns), factors)
    return weights


def _kernel(rules: _Rules, distances: Array) -> Array:
    """Return the filter at some distances: a triangle, or a cubic spline."""
    x = np.abs(distances)
    if rules.mode == "linear":
        return np.asarray(np.maximum(1 - x, 0))
    a = float(rules.options.get("cubic_coeff_a", -0.75))
    inner = ((a + 2) * x - (a + 3)) * x * x + 1
    outer = ((x - 5) * x + 8) * x * a - 4 * a
    return np.asarray(np.where(x <= 1, inner, np.where(x < 2, outer, 0.0)))


# -- sampling at computed positions ----------------------------------------------------------------


@operator("GridSample")
def grid_sample(c: Call) -> Value:
    """Read an image sampled at the positions of a grid: gathered neighbors, and their weights."""
    mode = str(c.attribute("mode", "bilinear" if c.opset < 20 else "linear"))
    names = {"bilinear": "linear", "bicubic": "cubic"}
    border = str(c.attribute("padding_mode", "zeros"))
    corners = bool(c.attribute("align_corners", 0))
    sampling = Sampling(names.get(mode, mode), border, corners, rounds_first=True)
    if sampling.mode not in ("nearest", "linear", "cubic"):
        c.refuse(f"its mode '{mode}' is unknown", INVALID)
    if border not in ("zeros", "border", "reflection"):
        c.refuse(f"its padding mode '{border}' is unknown", INVALID)
    return grid_sampling.grid_sample(c, c[0], c[1], sampling)
