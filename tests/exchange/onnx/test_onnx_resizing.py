"""Resizes compute what ONNX Runtime computes, in every mode, or are refused."""

from __future__ import annotations

import tracemalloc
from itertools import product

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from sampled import sampled

import nnefkit as nk

onnxruntime.set_default_logger_severity(4)


def resize(shape, scales=None, sizes=None, opset=19, **attributes):
    """Return a model of one node, and its input."""
    empty = np.zeros(0, np.float32)
    weights = {"roi": empty, "scales": empty if scales is None else np.array(scales, np.float32)}
    names = ["x", "roi", "scales"] if opset < 13 else ["x", "", "" if scales is None else "scales"]
    if sizes is not None:
        weights["sizes"] = np.array(sizes, np.int64)
        names.append("sizes")
    graph = helper.make_graph(
        [helper.make_node("Resize", names, ["y"], **attributes)],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), x


def assert_equal_to_onnx_runtime(model, x):
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    (y,) = nk.run(nk.from_onnx(model, verify=False), x, progress=False).values()
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, 1e-4, 1e-5)


COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
PAIRS = [(old, new) for old in range(1, 8) for new in range(1, 12)]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("coordinates", sampled([*COORDINATES, "tf_half_pixel_for_nn"], 2))
def test_nearest_elements(coordinates, rounding):
    opset = 11 if coordinates == "tf_half_pixel_for_nn" else 19
    modes = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounding}
    for old, new in PAIRS[::8]:
        sizes = [1, 1, new, 5]
        assert_equal_to_onnx_runtime(*resize((1, 1, old, 5), None, sizes, opset, **modes))


@pytest.mark.parametrize("antialias", [0, 1])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("coordinates", [*COORDINATES, "half_pixel_symmetric"])
def test_interpolated_elements(coordinates, mode, antialias):
    modes = {"coordinate_transformation_mode": coordinates, "mode": mode, "antialias": antialias}
    for number, (old, new) in enumerate(PAIRS[::9]):
        outside = {"exclude_outside": number % 2} if mode == "cubic" else {}
        model, x = resize((1, 1, old, 3), None, [1, 1, new, 4], **modes, **outside)
        assert_equal_to_onnx_runtime(model, x)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_aspect_ratios_are_preserved_by_one_scale_for_all_axes(mode, policy):
    modes = {"mode": mode, "keep_aspect_ratio_policy": policy, "axes": [2, 3]}
    for old, new in product([(3, 5), (7, 4), (6, 6)], [(2, 9), (5, 3), (11, 10)]):
        model, x = resize(
            (1, 1, *old), None, new, **modes, coordinate_transformation_mode="half_pixel"
        )
        assert_equal_to_onnx_runtime(model, x)


def test_the_common_scale_is_not_recomputed_from_rounded_extents():
    # The scale is 7 / 5, and 3 * 7 / 5 is rounded to 4: 4 / 3 would move every position.
    model, x = resize(
        (1, 1, 3, 5), None, [9, 7], mode="linear", keep_aspect_ratio_policy="not_larger",
        axes=[2, 3], coordinate_transformation_mode="asymmetric",
    )  # fmt: skip
    (y,) = nk.run(nk.from_onnx(model), x, progress=False).values()
    assert y.shape == (1, 1, 4, 7)
    at = np.minimum(np.arange(4) / 1.4, 2)
    first = np.floor(at).astype(int)
    column, share = x[0, 0, :, 0], at - first
    expected = column[first] * (1 - share) + column[np.minimum(first + 1, 2)] * share
    np.testing.assert_allclose(y[0, 0, :, 0], expected, 1e-5, 1e-6)


REFUSED = {
    "an unknown transformation": ({"coordinate_transformation_mode": "half"}, "'half' is unknown"),
    "an unknown policy": ({"keep_aspect_ratio_policy": "larger"}, "'larger' is unknown"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_unknown_modes_are_refused(what):
    attributes, message = REFUSED[what]
    model, _ = resize((1, 1, 2, 2), None, [1, 1, 3, 3], **attributes)
    with pytest.raises(nk.DocumentError, match=message):
        nk.from_onnx(model, verify=False)


def test_scales_that_change_no_extent_are_refused():
    model, _ = resize((1, 1, 2, 2), [1.0, 1.0, 1.3, 1.0], mode="linear")
    with pytest.raises(nk.DocumentError, match="scales change no extent, and runtimes disagree"):
        nk.from_onnx(model, verify=False)


@pytest.mark.parametrize("rounding", ["round_prefer_floor", "ceil"])
def test_the_indices_of_a_wide_image_are_hardly_stored_twice(rounding):
    count = 2**20
    node = helper.make_node("Resize", ["x", "", "", "s"], ["y"], nearest_mode=rounding)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, count])],
        [numpy_helper.from_array(np.array([1, count]), "s")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    nk.from_onnx(model, verify=False)
    tracemalloc.start()
    try:
        nk.from_onnx(model, verify=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.2 * count * np.dtype(np.int64).itemsize
