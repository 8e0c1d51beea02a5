"""One budget bounds the cost of reading a model, and can be raised."""

from __future__ import annotations

import time

import numpy as np
import pytest
from timing import assert_quick

import nnefkit as nk

HEAD = (
    "version 1.0; extension KHR_enable_fragment_definitions KHR_enable_operator_expressions;"
    " graph g(x) -> (y) { x = external(shape = [1]); "
)
LONG = f"[{', '.join(['1'] * 20_000)}]"
MILLION = "[1] * 1000000"
BODIES = {
    "filters search a long array": f"y = reshape(x, shape = [for i in {LONG} if i + 1 in {LONG}"
    " yield i]);",
    "filters make a long array": f"y = reshape(x, shape = [for i in {LONG} if "
    f"length_of({MILLION}) < 0 yield i]);",
    "ranges": f"y = reshape(x, shape = [for i in {LONG} if length_of(range_of({LONG})) < 0"
    " yield i]);",
    "parts": f"y = reshape(x, shape = [for i in {LONG} if length_of({LONG}[1:]) < 0 yield i]);",
    "strings": f"y = reshape(x, shape = [for i in {LONG} if length_of('a' * 1000000) < 0"
    " yield i]);",
    "copies of a literal": "y = "
    + " + ".join(["constant(shape = [1000000], value = [1.0] * 1000000)"] * 2000)
    + ";",
    "nested arrays": f"y = reshape(x, shape = [for i in {LONG} if [[2]] in [[{LONG}]] yield i]);",
}


@pytest.mark.parametrize("kind", BODIES)
def test_elements_of_arrays_count_as_work(kind):
    report = assert_quick(lambda: nk.validate(HEAD + BODIES[kind] + " }"), 20)
    assert "too-long" in [d.code for d in report.errors]
    problem = next(d for d in report.errors if d.code == "too-long")
    assert "nnefkit.Budget(" in problem.hint


LOOP = HEAD + "y = add_n([for i in [1.0] * 1000 yield x * i]); }"


def test_a_budget_is_lowered_and_raised():
    assert len(nk.parse(LOOP).operations) == 1002
    with nk.Budget(steps=100), pytest.raises(nk.DocumentError, match="100 steps"):
        nk.parse(LOOP)
    with nk.Budget(bytes=1000), pytest.raises(nk.DocumentError, match="1000 bytes"):
        nk.parse(LOOP)
    with nk.Budget(seconds=1e-9), pytest.raises(nk.DocumentError, match="1e-09 seconds"):
        nk.parse(LOOP)
    with nk.Budget(steps=100), nk.Budget(steps=10_000):
        assert len(nk.parse(LOOP).operations) == 1002


@pytest.mark.parametrize("limit", ["steps", "bytes", "seconds"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), "many", None, True])
def test_limits_are_positive_numbers(limit, value):
    with pytest.raises(nk.InputError, match=limit):
        nk.Budget(**{limit: value})


def _onnx(nodes, initializers=()):
    helper = pytest.importorskip("onnx").helper
    x = helper.make_tensor_value_info("x", 1, [1])
    last = nodes[-1].output[0]
    nodes = [
        *nodes,
        helper.make_node("Shape", [last], ["s"]),
        helper.make_node("Size", ["s"], ["r"]),
    ]
    nodes += [
        helper.make_node("Cast", ["r"], ["f"], to=1),
        helper.make_node("Add", ["x", "f"], ["y"]),
    ]
    y = helper.make_tensor_value_info("y", 1, [1])
    graph = helper.make_graph(nodes, "net", [x], [y], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def _filled(name, shape):
    onnx = pytest.importorskip("onnx")
    extents = onnx.numpy_helper.from_array(np.array(shape, np.int64), name + "_shape")
    value = onnx.numpy_helper.from_array(np.array([1.0], np.float32))
    return [
        onnx.helper.make_node("Constant", [], [name + "_shape"], value=extents),
        onnx.helper.make_node("ConstantOfShape", [name + "_shape"], [name], value=value),
    ]


def test_constants_of_an_onnx_model_share_one_budget_of_bytes():
    helper = pytest.importorskip("onnx").helper
    nodes = _filled("c0", [1024, 1024])
    nodes += [helper.make_node("Add", [f"c{i}", f"c{i}"], [f"c{i + 1}"]) for i in range(20)]
    model = _onnx(nodes)
    nk.from_onnx(model, verify=False)
    before = time.process_time()
    with nk.Budget(bytes=40 << 20), pytest.raises(nk.DocumentError, match="bytes to compute") as e:
        nk.from_onnx(model, verify=False)
    assert time.process_time() - before < 10
    assert "nnefkit.Budget(bytes=...)" in str(e.value)


def test_one_large_constant_is_refused_before_it_is_made():
    with nk.Budget(bytes=1 << 20), pytest.raises(nk.DocumentError, match="bytes to compute"):
        nk.from_onnx(_onnx(_filled("c", [40_000, 40_000])), verify=False)


def test_products_of_constants_share_one_budget_of_seconds():
    helper = pytest.importorskip("onnx").helper
    nodes = _filled("c0", [256, 256])
    nodes += [helper.make_node("MatMul", ["c0", f"c{i}"], [f"c{i + 1}"]) for i in range(50)]
    with nk.Budget(seconds=1e-3), pytest.raises(nk.DocumentError, match="seconds to compute"):
        nk.from_onnx(_onnx(nodes), verify=False)


def test_a_product_that_is_too_large_is_refused_before_it_is_computed():
    helper = pytest.importorskip("onnx").helper
    nodes = [*_filled("c", [8192, 8192]), helper.make_node("MatMul", ["c", "c"], ["d"])]
    before = time.process_time()
    with nk.Budget(seconds=10), pytest.raises(nk.DocumentError, match="seconds to compute"):
        nk.from_onnx(_onnx(nodes), verify=False)
    assert time.process_time() - before < 10


def test_data_of_the_file_is_not_counted():
    """Transposed and widened weights are not an attack, whatever their size."""
    onnx = pytest.importorskip("onnx")
    weight = onnx.numpy_helper.from_array(np.ones((512, 512), np.float32), "w")
    nodes = [onnx.helper.make_node("Transpose", ["w"], ["t"])]
    with nk.Budget(bytes=1000):
        nk.from_onnx(_onnx(nodes, [weight]), verify=False)
