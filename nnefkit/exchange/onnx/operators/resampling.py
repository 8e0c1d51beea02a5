"""Resizing: by NNEF's own operations where they say the same, else axis by axis.

Items are picked by their indices, or weighted by a matrix. Runtimes compute positions in float32,
and so do we: what lies just between two items there would not in float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.onnx.operators.reduction import along_axis
from nnefkit.exchange.refusal import refuse_empty_tensor
from nnefkit.exchange.source_graph import SCALAR, Value

F = np.float32


@dataclass(frozen=True)
class _Axis:
    """What becomes of one axis."""

    extent: int
    wanted: int
    scale: float
    by_size: bool
    """Whether the size was given, and the scale follows from it."""

    @property
    def is_kept(self) -> bool:
        return self.wanted == self.extent and self.scale == 1

    @property
    def factor(self) -> int:
        """By which whole number it grows; 0 if by none."""
        whole = self.wanted // self.extent
        return whole if self.wanted == whole * self.extent and self.scale == whole else 0


@dataclass(frozen=True)
class _Rules:
    """How items are found."""

    mode: str
    positions: str
    rounding: str
    others: Mapping[str, Any]
    """Attributes of ONNX that say the rest."""


@operator("Resize")
def resize(c: Call) -> Value:
    """Other extents of some axes."""
    x = c[0]
    if c.opset < 11:
        data = c.values(1, "scales")
        assert data is not None  # noqa: S101 - the input is not optional
        return _upsampled(c, x, [float(item) for item in data])
    mode = c.attribute("coordinate_transformation_mode", "half_pixel")
    if mode == "tf_crop_and_resize":
        c.refuse("it crops to a region", "Slice first, then resize.")
    numbers = [axis % x.rank for axis in c.ints("axes") or range(x.rank)]
    scales, sizes = c.values(2, "scales"), c.values(3, "sizes")
    axes = [_Axis(extent, extent, 1.0, False) for extent in x.shape]
    for number, axis in enumerate(numbers):
        if sizes is not None and sizes.size:
            axes[axis] = _sized(x.shape[axis], _size(c, numbers, sizes, number))
        elif scales is not None and scales.size:
            axes[axis] = _scaled(x.shape[axis], float(scales.reshape(-1)[number]))
    if mode == "align_corners":
        _refuse_parts(c, axes)
    names = ("antialias", "cubic_coeff_a", "exclude_outside", "extrapolation_value")
    others = {name: c.attributes[name] for name in names if name in c.attributes}
    kind = c.attribute("mode", "nearest")
    return _resized(c, x, axes, _Rules(kind, mode, c.attribute("nearest_mode", _ROUNDED), others))


_ROUNDED = "round_prefer_floor"


def _sized(extent: int, size: int) -> _Axis:
    return _Axis(extent, size, float(F(size) / F(extent)), True)


def _scaled(extent: int, scale: float) -> _Axis:
    return _Axis(extent, int(np.floor(F(extent) * F(scale))), float(F(scale)), False)


def _size(c: Call, axes: Sequence[int], sizes: Array, number: int) -> int:
    """The size of an axis, by the policy for the ratio of all of them."""
    policy = c.attribute("keep_aspect_ratio_policy", "stretch")
    given = [int(size) for size in sizes.reshape(-1)]
    if policy == "stretch":
        return given[number]
    original = c[0].shape
    ratios = [size / original[axis] for axis, size in zip(axes, given, strict=True)]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return int(scale * original[axes[number]] + 0.5)


def _refuse_parts(c: Call, axes: Sequence[_Axis]) -> None:
    for axis in axes:
        exact = axis.extent * axis.scale
        if not axis.by_size and abs(exact - round(exact)) > 1e-3:
            c.refuse(
                f"it aligns corners of {exact:.6g} items, of which runtimes make several things",
                "Give the sizes in the place of the scales.",
            )


@operator("Upsample")
def upsample(c: Call) -> Value:
    """What `Resize` was called once."""
    scales = c.attribute("scales")
    data = c.values(1, "scales") if scales is None else np.asarray(scales)
    assert data is not None  # noqa: S101 - one of the two is there
    return _upsampled(c, c[0], [float(item) for item in data])


def _upsampled(c: Call, x: Value, scales: Sequence[float]) -> Value:
    """As opsets before 11 have it: positions are divided by the scale and rounded down.

    Where it shrinks, ONNX does not say how to round; all that ran it rounded up.
    """
    mode = "nearest" if c.attribute("mode", "nearest") == "nearest" else "linear"
    axes = [_scaled(extent, scale) for extent, scale in zip(x.shape, scales, strict=True)]
    for grows in (True, False):
        part = [
            axis if (axis.scale > 1) == grows else _Axis(n, n, 1.0, False)
            for axis, n in zip(axes, x.shape, strict=True)
        ]
        x = _resized(c, x, part, _Rules(mode, "asymmetric", "floor" if grows else "ceil", {}))
    return x


def _resized(c: Call, x: Value, axes: Sequence[_Axis], rules: _Rules) -> Value:
    if all(axis.is_kept for axis in axes):
        return x
    if any(axis.wanted < 1 for axis in axes):
        refuse_empty_tensor()
    if rules.mode != "nearest" and x.data_type != SCALAR:
        c.refuse(
            "it interpolates integers, which runtimes round in several ways",
            "Cast them to float before.",
        )
    standard = _standard(c, x, axes, rules)
    if standard is not None:
        return standard
    with c.graph.scope("resize"):
        for number, axis in enumerate(axes):
            if axis.is_kept:
                continue
            if rules.mode == "nearest":
                places = c.graph.constant(_nearest(axis, rules))
                x = c.op("gather", x, places, axis=number)
            else:
                x = along_axis(c, x, number, _weights(axis, rules, max(c.opset, 18)))
    return x


# -- by operations of NNEF -------------------------------------------------------------------------

_METHODS = {
    "half_pixel": "symmetric",
    "pytorch_half_pixel": "symmetric",
    "half_pixel_symmetric": "symmetric",
    "align_corners": "aligned",
    "asymmetric": "asymmetric",
}


def _standard(c: Call, x: Value, axes: Sequence[_Axis], rules: _Rules) -> Value | None:
    """One of the operations of 4.3.4, if it says the same."""
    if x.rank < 3 or x.data_type != SCALAR or not (axes[0].is_kept and axes[1].is_kept):
        return None
    spatial = axes[2:]
    factors = [axis.factor for axis in spatial]
    if rules.mode == "nearest" and all(factors) and _repeats(spatial, rules):
        result: Value | None = c.op("nearest_upsample", x, factor=factors)
    elif rules.mode == "linear" and all(factors) and not _is_single(spatial, rules):
        method = _METHODS[rules.positions]
        how: dict[str, Any] = {"factor": factors, "method": method, "border": "replicate"}
        result = c.op("multilinear_upsample", x, **how)
    elif rules.mode == "linear" and _halves(spatial, rules):
        result = c.op("area_downsample", x, factor=[a.extent // a.wanted for a in spatial])
    else:
        result = None
    return result


def _repeats(axes: Sequence[_Axis], rules: _Rules) -> bool:
    """Whether each item is taken as often as its factor says."""
    return all(
        np.array_equal(_nearest(axis, rules), np.arange(axis.wanted) // axis.factor)
        for axis in axes
    )


def _is_single(axes: Sequence[_Axis], rules: _Rules) -> bool:
    """Whether an axis has one item only, of which corners cannot be aligned in NNEF."""
    return rules.positions == "align_corners" and any(axis.extent == 1 for axis in axes)


def _halves(axes: Sequence[_Axis], rules: _Rules) -> bool:
    """Whether each item is the mean of two: between centres half as many lie just there."""
    return (
        _METHODS[rules.positions] == "symmetric"
        and not rules.others.get("antialias")
        and all(a.is_kept or (a.extent == 2 * a.wanted > 2 and a.scale == 0.5) for a in axes)
    )


# -- by indices and weights ------------------------------------------------------------------------


def _positions(axis: _Axis, rules: _Rules) -> Array:
    """Where the items of the output lie in the input, in float32."""
    index, scale = np.arange(axis.wanted, dtype=F), F(axis.scale)
    if rules.positions == "asymmetric":
        return np.asarray(index / scale)
    if rules.positions == "align_corners":
        steps = F(max(axis.wanted - 1, 1))
        return np.asarray(index * F(axis.extent - 1) / steps)
    if rules.positions == "pytorch_half_pixel" and axis.wanted == 1:
        return np.zeros(1, F)
    found = (index + F(0.5)) / scale - F(0.5)
    if rules.positions == "half_pixel_symmetric":
        adjustment = F(axis.wanted) / (scale * F(axis.extent))
        found = F(axis.extent / 2) * (F(1) - adjustment) + found
    return np.asarray(found, F)


def _nearest(axis: _Axis, rules: _Rules) -> Array:
    """The index of the item next to each position."""
    if axis.is_kept:
        return np.arange(axis.extent)
    position = _positions(axis, rules)
    rounded = {
        "round_prefer_floor": np.ceil(position - F(0.5)),
        "round_prefer_ceil": np.floor(position + F(0.5)),
        "floor": np.floor(position),
        "ceil": np.ceil(position),
    }[rules.rounding]
    return np.clip(rounded, 0, axis.extent - 1).astype(np.int64)


def _weights(axis: _Axis, rules: _Rules, opset: int) -> Array:
    """What ONNX's own definition weights each item with: a column for each item of the output."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    positions = rules.positions
    if positions == "pytorch_half_pixel" and axis.wanted == 1:
        # The one item lies at position 0, as it does there.
        positions = "asymmetric"
    attributes = {"mode": rules.mode, "coordinate_transformation_mode": positions, **rules.others}
    feeds: dict[str, Array] = {"x": np.eye(axis.extent, dtype=F)}
    if axis.by_size:
        feeds["sizes"] = np.array([axis.extent, axis.wanted], np.int64)
    else:
        feeds["scales"] = np.array([1, axis.scale], F)
    names = ["x", "", "" if axis.by_size else "scales", "sizes" if axis.by_size else ""]
    node = helper.make_node("Resize", names[: 3 + axis.by_size], ["y"], **attributes)
    kinds = {"x": TensorProto.FLOAT, "scales": TensorProto.FLOAT, "sizes": TensorProto.INT64}
    inputs = [
        helper.make_tensor_value_info(name, kinds[name], array.shape)
        for name, array in feeds.items()
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "resize", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return np.asarray(next(iter(ReferenceEvaluator(model).run(None, feeds))))
