"""Scatter and grid sampling at indices and positions that are known only at run time."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from torch.nn import functional

import nnefkit as nk


def read(name, inputs, opset=18, **attributes):
    """Return the graph of one node whose inputs are all inputs of the graph."""
    infos = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for key, a in inputs.items()
    ]
    node = helper.make_node(name, [*inputs], ["y"], **attributes)
    graph = helper.make_graph([node], "computed", infos, [helper.make_empty_tensor_value_info("y")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return nk.from_onnx(made, verify=False)


def run(graph, inputs, engine="numpy"):
    return nk.run(graph, inputs, engine, progress=False)["y"]


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch"])
@pytest.mark.parametrize("reduction", ["none", "add", "max"])
def test_scattered_elements_in_every_engine(reduction, engine):
    rng = np.random.default_rng(0)
    x, updates = rng.normal(size=(4, 5)), rng.normal(size=(2, 3))
    indices = np.array([[4, -5, 1], [0, 2, -1]])
    inputs = {"x": x.astype("f4"), "i": indices, "u": updates.astype("f4")}
    graph = read("ScatterElements", inputs, axis=1, reduction=reduction)
    expected = inputs["x"].copy()
    for (row, column), index in np.ndenumerate(indices):
        old, new = expected[row, index], inputs["u"][row, column]
        expected[row, index] = {"none": new, "add": old + new, "max": max(old, new)}[reduction]
    np.testing.assert_allclose(run(graph, inputs, engine), expected, 1e-6)


def test_numbers_that_are_not_finite_do_not_spread():
    x = np.zeros((1, 4), np.float32)
    updates = np.array([[np.inf, np.nan]], np.float32)
    for reduction in ("none", "add"):
        inputs = {"x": x, "i": np.array([[1, 3]]), "u": updates}
        y = run(read("ScatterElements", inputs, axis=1, reduction=reduction), inputs)
        np.testing.assert_array_equal(y, [[0, np.inf, 0, np.nan]])


def test_the_last_of_equal_indices_wins():
    inputs = {
        "x": np.zeros((3, 2), np.float32),
        "i": np.array([[1], [2], [1]]),
        "u": np.arange(6, dtype=np.float32).reshape(3, 2),
    }
    y = run(read("ScatterND", inputs), inputs)
    np.testing.assert_array_equal(y, [[0, 0], [4, 5], [2, 3]])


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch"])
@pytest.mark.parametrize("index", [3, -4])
def test_indices_out_of_range_are_errors(index, engine):
    inputs = {
        "x": np.zeros((3, 2), np.float32),
        "i": np.array([[index]]),
        "u": np.ones((1, 2), np.float32),
    }
    graph = read("ScatterND", inputs)
    with pytest.raises(nk.ExecutionError, match=r"gather|index"):
        run(graph, inputs, engine)


def test_too_many_comparisons_are_refused():
    inputs = {
        "x": np.zeros((4096, 2), np.float32),
        "i": np.zeros((4096, 1), np.int64),
        "u": np.zeros((4096, 2), np.float32),
    }
    with pytest.raises(nk.DocumentError, match="it takes 16,777,216 comparisons"):
        read("ScatterND", inputs)


BORDERS = ("zeros", "border", "reflection")


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_grids_are_sampled_as_in_pytorch(mode):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    grid = rng.uniform(-1.8, 1.8, (2, 6, 3, 2)).astype(np.float32)
    inputs = {"x": x, "g": grid}
    for border, aligned in product(BORDERS, (False, True)):
        graph = read("GridSample", inputs, mode=mode, padding_mode=border, align_corners=aligned)
        expected = functional.grid_sample(
            torch.from_numpy(x), torch.from_numpy(grid), mode, border, aligned
        )
        np.testing.assert_allclose(run(graph, inputs), expected.numpy(), 1e-4, 1e-5)


def test_known_grids_become_indices_and_weights():
    """Only gathers, products and sums remain at run time."""
    rng = np.random.default_rng(0)
    grid = helper.make_tensor(
        "g", TensorProto.FLOAT, (1, 2, 3, 2), rng.uniform(-1, 1, 12).astype(np.float32)
    )
    graph = helper.make_graph(
        [helper.make_node("GridSample", ["x", "g"], ["y"])],
        "sampled",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 2, 4, 5))],
        [helper.make_empty_tensor_value_info("y")],
        [grid],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
    names = {op.name for op in nk.from_onnx(made).operations}
    assert names <= {
        "external", "variable", "constant", "transpose", "reshape", "gather", "select", "mul",
        "add", "squeeze", "unsqueeze",
    }  # fmt: skip


def test_cumulative_products_take_few_operations():
    x = np.random.default_rng(0).uniform(0.9, 1.1, (2, 300)).astype(np.float32)
    axis = helper.make_tensor("axis", TensorProto.INT64, (), [1])
    made = helper.make_model(
        helper.make_graph(
            [helper.make_node("CumProd", ["x", "axis"], ["y"])],
            "products",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
            [helper.make_empty_tensor_value_info("y")],
            [axis],
        ),
        opset_imports=[helper.make_opsetid("", 26)],
        ir_version=8,
    )
    graph = nk.from_onnx(made, verify=False)
    np.testing.assert_allclose(run(graph, {"x": x}), np.cumprod(x, 1), 1e-4)
    assert len(graph.operations) < 30


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch"])
def test_indices_that_are_not_integers_are_truncated(engine):
    inputs = {"i": np.float32([0, 1.5, -0.5, 2.9, -1.5, 3])}
    depth, values = helper.make_tensor("d", TensorProto.FLOAT, [], [3.0]), [5.0, 7.0]
    pair = helper.make_tensor("v", TensorProto.FLOAT, [2], values)
    info = helper.make_tensor_value_info("i", TensorProto.FLOAT, [6])
    node = helper.make_node("OneHot", ["i", "d", "v"], ["y"])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [6, 3])
    graph = helper.make_graph([node], "one_hot", [info], [output], [depth, pair])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    expected = np.array([5.0, 7.0])[
        (np.trunc(inputs["i"])[:, None] % 3 == np.arange(3)).astype(int)
    ]
    expected[5] = 5  # 3 is out of range.
    np.testing.assert_array_equal(run(nk.from_onnx(made), inputs, engine), expected)


def test_no_largest_element_is_an_empty_tensor():
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])]
    none = helper.make_tensor("k", TensorProto.INT64, [1], [0])
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["values", "indices"]),
        helper.make_node("Concat", ["values", "x"], ["y"], axis=1),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])
    graph = helper.make_graph(nodes, "top", inputs, [output], [none])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(run(nk.from_onnx(made), {"x": x}), x)
