"""Regions of interest are pooled and resampled as 4.6 says."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nnefkit.errors import ArgumentError
from nnefkit.graph import Graph, Identifier, Operation, Tensor
from nnefkit.operations import KERNELS, SHAPE_RULES
from nnefkit.operations.shape_inference import check_shapes

METHODS = ["symmetric", "asymmetric", "aligned"]


def test_cells_that_divide_the_region_are_those_of_ordinary_pools():
    x = np.random.default_rng(0).standard_normal((1, 2, 12, 15)).astype(np.float32)
    rois = np.array([[2, 3, 8, 15]], np.float32)
    crop = x[:, :, 2:8, 3:15]
    attribs = {
        "size": [1, 1, 2, 4],
        "stride": [1, 1, 2, 4],
        "border": "constant",
        "padding": [],
        "dilation": [],
    }
    for kind in ("avg", "max"):
        pooled = KERNELS[f"{kind}_roi_pool"](x, rois, np.zeros((1, 1), int), output_size=[3, 3])
        assert_allclose(pooled, KERNELS[f"{kind}_pool"](crop, **attribs), atol=1e-6)


def test_cells_overlap_by_one_where_they_do_not_divide_the_region():
    x = np.arange(7, dtype=np.float32).reshape(1, 1, 7)
    rois, batch = np.array([[1, 6]], np.float32), np.zeros((1, 1), int)
    result = KERNELS["avg_roi_pool"](x, rois, batch, output_size=[2])
    assert_array_equal(result[0, 0], [(1 + 2 + 3) / 3, (3 + 4 + 5) / 3])


def test_coordinates_in_the_middle_are_rounded_up():
    x = np.arange(7, dtype=np.float32).reshape(1, 1, 7)
    rois, batch = np.array([[0.5, 2.5], [1.5, 4.4]], np.float32), np.zeros((2, 1), int)
    result = KERNELS["avg_roi_pool"](x, rois, batch, output_size=[1])
    assert_array_equal(result[:, 0, 0], [(1 + 2) / 2, (2 + 3) / 2])


@pytest.mark.parametrize("rate", [1, 2])
def test_symmetric_alignment_agrees_with_onnx_runtime(rate):
    random = np.random.default_rng(rate)
    x = random.standard_normal((2, 3, 9, 11)).astype(np.float32)
    corners = np.sort(random.uniform(0, 1, (5, 2, 2)) * (9, 11), axis=1).astype(np.float32)
    rois = corners.reshape(5, 4)
    batch = random.integers(0, 2, (5, 1))
    node = onnx.helper.make_node(
        "RoiAlign",
        ["x", "rois", "batch"],
        ["y"],
        output_height=3,
        output_width=4,
        sampling_ratio=rate,
        coordinate_transformation_mode="half_pixel",
    )
    value = onnx.helper.make_tensor_value_info
    inputs = [value("x", 1, x.shape), value("rois", 1, rois.shape), value("batch", 7, (5,))]
    graph = onnx.helper.make_graph([node], "align", inputs, [value("y", 1, None)])
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    swapped = rois[:, [1, 0, 3, 2]]  # theirs are x before y
    expected = session.run(None, {"x": x, "rois": swapped, "batch": batch[:, 0]})[0]
    result = KERNELS["avg_roi_align"](
        x,
        rois,
        batch,
        output_size=[3, 4],
        sampling_rate=[rate, rate],
        resize_method="symmetric",
    )
    assert result.dtype == np.float32
    assert_allclose(result, expected, atol=1e-5)


def test_the_whole_map_as_region_is_multilinear_upsampling():
    x = np.random.default_rng(0).standard_normal((1, 2, 4, 5))
    rois, batch = np.array([[0.0, 0, 4, 5]]), np.zeros((1, 1), int)
    for method in METHODS:
        resized = KERNELS["roi_resample"](x, rois, batch, output_size=[12, 15], method=method)
        attribs = {"factor": [3, 3], "method": method, "border": "replicate"}
        assert_allclose(resized, KERNELS["multilinear_upsample"](x, **attribs), atol=1e-12)


def test_a_batch_index_of_rank_one_has_the_same_result():
    x = np.random.default_rng(0).standard_normal((2, 1, 4, 4))
    rois = np.array([[0.0, 0, 4, 4], [1, 1, 3, 3]])
    results = [
        KERNELS["max_roi_pool"](x, rois, np.array([1, 0]).reshape(shape), output_size=[2, 2])
        for shape in [(2, 1), (2,)]
    ]
    assert_array_equal(*results)
    shapes = x.shape, rois.shape, (2,)
    assert SHAPE_RULES["max_roi_pool"](*shapes, output_size=[2, 2]) == (2, 1, 2, 2)


@pytest.mark.parametrize(
    ("rois", "batch", "argument", "message"),
    [
        ([[0, 0, np.nan, 4]], [[0]], "rois", "region 0 .* not finite"),
        (
            [[0, 0, 2, 4]],
            [[2]],
            "batch_index",
            "region 0 is 2, but the batch extent of the input is 2",
        ),
        ([[0, 0, 2, 4]], [[-1]], "batch_index", "is -1"),
    ],
)
def test_invalid_regions_are_refused(rois, batch, argument, message):
    x = np.zeros((2, 1, 4, 4))
    given = x, np.array(rois, float), np.array(batch)
    calls = [
        ("avg_roi_pool", {}),
        ("max_roi_pool", {}),
        ("roi_resample", {"method": "symmetric"}),
        ("avg_roi_align", {"sampling_rate": [1, 1], "resize_method": "symmetric"}),
        ("max_roi_align", {"sampling_rate": [1, 1], "resize_method": "symmetric"}),
    ]
    for name, more in calls:
        with pytest.raises(ArgumentError, match=message) as caught:
            KERNELS[name](*given, output_size=[2, 2], **more)
        assert caught.value.arguments == (argument,)


def test_huge_coordinates_do_no_harm():
    x = np.ones((1, 1, 4, 4), np.float32)
    rois, batch = np.array([[-1e30, 0, 1e30, 4]], np.float32), np.zeros((1, 1), int)
    assert_array_equal(
        KERNELS["max_roi_pool"](x, rois, batch, output_size=[1, 1]), np.ones((1, 1, 1, 1))
    )


@pytest.mark.parametrize(("shape", "severities"), [([2, 1], []), ([2], ["warning"])])
def test_a_batch_index_of_rank_one_gets_a_warning(shape, severities):
    shapes = {"x": [2, 1, 4, 4], "rois": [2, 4], "batch": shape}
    operations = [
        Operation("external", {}, {"output": Identifier(name)}, {"shape": extents})
        for name, extents in shapes.items()
    ]
    inputs = {"input": "x", "rois": "rois", "batch_index": "batch"}
    operations.append(
        Operation(
            "max_roi_pool",
            {formal: Identifier(name) for formal, name in inputs.items()},
            {"output": Identifier("y")},
            {"output_size": [2, 2]},
        )
    )
    tensors = {name: Tensor(name, "scalar") for name in [*shapes, "y"]}
    graph = Graph("pool", tuple(shapes), ("y",), tuple(operations), tensors)
    inferred, diagnostics = check_shapes(graph)
    assert inferred.tensors["y"].shape == (2, 1, 2, 2)
    assert [diagnostic.severity for diagnostic in diagnostics] == severities
