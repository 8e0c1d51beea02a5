"""Regions of interest are pooled and resampled as 4.6 says."""

import math

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nnefkit.errors import ArgumentError
from nnefkit.graph import Graph, Identifier, Operation, Tensor
from nnefkit.operations import KERNELS, SHAPE_RULES
from nnefkit.operations.shapes import check_shapes

METHODS = ["symmetric", "asymmetric", "aligned"]


@st.composite
def regions(draw):
    """A feature map, its regions and their batch items, in one to three dimensions."""
    rank = draw(st.integers(1, 3))
    extents = draw(st.lists(st.integers(1, 7), min_size=rank, max_size=rank))
    size = draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank))
    count = draw(st.integers(1, 3))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    x = random.standard_normal((2, 3, *extents))
    corners = random.uniform(-2, np.array(extents) + 2, (2, count, rank))
    rois = np.concatenate([corners.min(0), corners.max(0)], 1)
    batch = random.integers(0, 2, (count, 1))
    return x, rois, batch, size


def cell_items(x, roi, batch, i, size):
    """The items of one cell, channel by channel; those outside of the map left out."""
    rank = len(size)
    start = [math.floor(c + 0.5) for c in roi[:rank]]
    stop = [math.floor(c + 0.5) for c in roi[rank:]]
    taken = x[batch]
    for axis in range(rank):
        extent = max(stop[axis] - start[axis], 1)
        first = start[axis] + i[axis] * math.floor(extent / size[axis])
        places = [first + k for k in range(math.ceil(extent / size[axis]))]
        places = [place for place in places if 0 <= place < x.shape[2 + axis]]
        taken = taken.take(places, 1 + axis)
    return taken.reshape(len(taken), -1)


@given(regions())
@settings(max_examples=150, deadline=None)
def test_pools_are_the_averages_and_maxima_of_cells(drawn):
    x, rois, batch, size = drawn
    for name, reduce in [("avg_roi_pool", np.mean), ("max_roi_pool", np.max)]:
        result = KERNELS[name](x, rois, batch, output_size=size)
        rule = SHAPE_RULES[name]
        assert rule(x.shape, rois.shape, batch.shape, output_size=size) == result.shape
        for n, b in enumerate(batch[:, 0]):
            for i in np.ndindex(*size):
                items = cell_items(x, rois[n], b, i, size)
                expected = reduce(items, 1) if items.size else 0
                assert_allclose(result[(n, slice(None), *i)], expected, atol=1e-12, err_msg=name)


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


def source(i, start, stop, count, method):
    extent = stop - start
    if method == "asymmetric":
        return start + i * extent / count
    if method == "symmetric":
        return start + (i + 0.5) * extent / count - 0.5
    return start + (i * max(extent - 1, 0) / (count - 1) if count > 1 else 0)


def resampled(line, start, stop, count, method):
    result = []
    for i in range(count):
        place = min(max(source(i, start, stop, count, method), 0), len(line) - 1)
        j = min(math.floor(place), len(line) - 1)
        after = line[min(j + 1, len(line) - 1)]
        result.append((1 - (place - j)) * line[j] + (place - j) * after)
    return np.array(result)


@given(regions(), st.sampled_from(METHODS), st.data())
@settings(max_examples=100, deadline=None)
def test_resampling_and_alignment_are_linear_interpolation(drawn, method, data):
    x, rois, batch, size = drawn
    rank = len(size)
    rate = data.draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank))
    attribs = {"output_size": size, "method": method}
    result = KERNELS["roi_resample"](x, rois, batch, **attribs)
    shapes = x.shape, rois.shape, batch.shape
    assert SHAPE_RULES["roi_resample"](*shapes, **attribs) == result.shape
    fine = [n * r for n, r in zip(size, rate, strict=True)]
    finer = np.zeros((len(rois), 3, *fine))
    for n, b in enumerate(batch[:, 0]):
        expected, dense = x[b], x[b]
        for axis in range(rank):
            corners = rois[n, axis], rois[n, rank + axis]
            along = (resampled, axis + 1)
            expected = np.apply_along_axis(*along, expected, *corners, size[axis], method)
            dense = np.apply_along_axis(*along, dense, *corners, fine[axis], method)
        assert_allclose(result[n], expected, atol=1e-9)
        finer[n] = dense
    attribs = {"output_size": size, "sampling_rate": rate, "resize_method": method}
    split = [n for pair in zip(size, rate, strict=True) for n in pair]
    cells = finer.reshape(len(rois), 3, *split)
    axes = tuple(range(3, cells.ndim, 2))
    for name, reduced in [("avg_roi_align", cells.mean(axes)), ("max_roi_align", cells.max(axes))]:
        result = KERNELS[name](x, rois, batch, **attribs)
        assert SHAPE_RULES[name](*shapes, **attribs) == result.shape
        assert_allclose(result, reduced, atol=1e-9, err_msg=name)


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


def test_a_batch_index_of_rank_one_gives_the_same():
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
        ([[0, 0, np.nan, 4]], [[0]], "rois", "region 0 .* no finite numbers"),
        ([[0, 0, 2, 4]], [[2]], "batch_index", "region 0 is 2, but the input has 2 batch items"),
        ([[0, 0, 2, 4]], [[-1]], "batch_index", "is -1"),
    ],
)
def test_regions_that_cannot_be_are_refused(rois, batch, argument, message):
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
def test_a_batch_index_of_rank_one_is_warned_of(shape, severities):
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
