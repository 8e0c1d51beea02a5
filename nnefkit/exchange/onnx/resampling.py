"""Resizing: by NNEF's own operations where they say the same, else by a product for each axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.exchange.builder import SCALAR, Value
from nnefkit.exchange.onnx.reduction import along_axis
from nnefkit.exchange.onnx.registry import Call, operator

Array = np.ndarray[Any, Any]

_METHODS = {
    "half_pixel": "symmetric",
    "align_corners": "aligned",
    "asymmetric": "asymmetric",
}


@operator("Resize")
def resize(c: Call) -> Value:
    """Other extents of some axes."""
    x = c[0]
    if c.opset < 11:
        data = c.values(1, "scales")
        assert data is not None  # noqa: S101 - the input is not optional
        return upsampled(c, x, [float(item) for item in data])
    mode = c.attribute("coordinate_transformation_mode", "half_pixel")
    if mode == "tf_crop_and_resize":
        c.refuse("it crops to a region", "Slice first, then resize.")
    axes = [axis % x.rank for axis in c.ints("axes") or range(x.rank)]
    scales, sizes = c.values(2, "scales"), c.values(3, "sizes")
    with c.builder.scope("resize"):
        for number, axis in enumerate(axes):
            scale, size = _single(scales, number), _single(sizes, number)
            if size is not None and c.attribute("keep_aspect_ratio_policy"):
                size = _kept_ratio(c, axes, np.asarray(sizes), axis)
            x = _resized(c, x, axis, scale, size)
    return x


def _single(data: Array | None, number: int) -> Array | None:
    return None if data is None or not data.size else data.reshape(-1)[number : number + 1]


def _kept_ratio(c: Call, axes: Sequence[int], sizes: Array, axis: int) -> Array:
    policy = c.attribute("keep_aspect_ratio_policy", "stretch")
    number = [*axes].index(axis)
    if policy == "stretch":
        return sizes[number : number + 1]
    original = c[0].shape
    ratios = [size / original[a] for a, size in zip(axes, sizes, strict=True)]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return np.array([int(scale * original[axis] + 0.5)], np.int64)


def _resized(c: Call, x: Value, axis: int, scale: Array | None, size: Array | None) -> Value:
    extent = x.shape[axis]
    factor = 1.0 if scale is None else float(scale[0])
    wanted = int(np.floor(extent * factor)) if size is None else int(size[0])
    if wanted == extent and factor == 1:
        return x
    if c.attribute("coordinate_transformation_mode") == "align_corners" and size is None:
        exact = extent * factor
        if abs(exact - round(exact)) > 1e-3:
            c.refuse(
                f"it aligns corners of {exact:.6g} items, of which runtimes make several things",
                "Give the sizes in the place of the scales.",
            )
    nodes = {k: v for k, v in c.attributes.items() if k not in ("axes", "keep_aspect_ratio_policy")}
    if c.attribute("mode", "nearest") == "nearest":
        places = _evaluated(c, np.arange(extent, dtype=np.float32), nodes, scale, size)
        indices = c.builder.constant(places.astype(np.int64))
        result: Value = c.op("gather", x, indices, axis=axis)
        return result
    if c.attribute("coordinate_transformation_mode") == "pytorch_half_pixel" and wanted == 1:
        # The one item lies at position 0, as it does there.
        nodes["coordinate_transformation_mode"] = "asymmetric"
    _refuse_integers(c, x)
    matrix = _evaluated(c, np.eye(extent, dtype=np.float32), nodes, scale, size)
    return along_axis(c, x, axis, matrix)


def _refuse_integers(c: Call, x: Value) -> None:
    if x.dtype != SCALAR:
        c.refuse(
            "it interpolates integers, which runtimes round in several ways",
            "Cast them to float before.",
        )


def _evaluated(
    c: Call, data: Array, attributes: Mapping[str, Any], scale: Array | None, size: Array | None
) -> Array:
    """What ONNX's own definition makes of the last axis of `data`."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    ones = [1] * (data.ndim - 1)
    feeds: dict[str, Array] = {"x": data}
    factor = 1.0 if scale is None else float(scale[0])
    if size is not None:
        feeds["sizes"] = np.array([*data.shape[:-1], *size], np.int64)
    else:
        feeds["scales"] = np.array([*ones, factor], np.float32)
    names = ["x", "", "scales" if "scales" in feeds else "", "sizes" if "sizes" in feeds else ""]
    while not names[-1]:
        names.pop()
    node = helper.make_node("Resize", names, ["y"], **attributes)
    kinds: dict[str, Any] = {
        "x": TensorProto.FLOAT,
        "scales": TensorProto.FLOAT,
        "sizes": TensorProto.INT64,
    }
    inputs = [
        helper.make_tensor_value_info(name, kinds[name], array.shape)
        for name, array in feeds.items()
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "resize", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", max(c.opset, 18))])
    return np.asarray(next(iter(ReferenceEvaluator(model).run(None, feeds))))


def upsampled(c: Call, x: Value, scales: Sequence[float]) -> Value:
    """As opsets before 11 have it: positions are divided by the scale and rounded down."""
    mode = "nearest" if c.attribute("mode", "nearest") == "nearest" else "linear"
    rules = {"mode": mode, "coordinate_transformation_mode": "asymmetric"}
    with c.builder.scope("resize"):
        for axis, scale in enumerate(scales):
            extent = x.shape[axis]
            if scale == 1:
                continue
            one = np.array([scale])
            if mode == "nearest":
                # ONNX does not say so, but where it shrinks, all that ran it rounded up.
                rules["nearest_mode"] = "floor" if scale > 1 else "ceil"
                places = _evaluated(c, np.arange(extent, dtype=np.float32), rules, one, None)
                x = c.op("gather", x, c.builder.constant(places.astype(np.int64)), axis=axis)
            else:
                _refuse_integers(c, x)
                matrix = _evaluated(c, np.eye(extent, dtype=np.float32), rules, one, None)
                x = along_axis(c, x, axis, matrix)
    return x


@operator("Upsample")
def upsample(c: Call) -> Value:
    """What `Resize` was called once; read by the same rules."""
    scales = c.attribute("scales")
    data = c.values(1, "scales") if scales is None else np.asarray(scales)
    assert data is not None  # noqa: S101 - one of the two is there
    return upsampled(c, c[0], [float(item) for item in data])
