"""Arithmetic of ONNX models on integers of every width, at the ends of their ranges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from test_onnx_operators import reference_results

import nnefkit as nk
from nnefkit.exchange.compositions.integer_range import root
from nnefkit.exchange.emission import emitted
from nnefkit.exchange.onnx.call import Call as OnnxCall
from nnefkit.exchange.reshaping import to_dtype, to_scalar
from nnefkit.exchange.source_graph import SourceGraph

ENGINES = ("numpy", "onnxruntime", "torch")
NARROW = ("int8", "uint8", "int16", "uint16", "int32", "uint32")


def model_of(operator, feeds, opset=18, **attributes):
    """Return a model of one operator."""
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in feeds.items()
    ]
    node = helper.make_node(operator, [*feeds], ["result"], **attributes)
    output = helper.make_empty_tensor_value_info("result")
    graph = helper.make_graph([node], "g", inputs, [output])
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def agrees(operator, feeds, expected=None, **attributes):
    """Check that all engines compute what ONNX Runtime, or NumPy, does."""
    model = model_of(operator, feeds, **attributes)
    if expected is None:
        (expected,) = reference_results(model, feeds)
    graph = nk.from_onnx(model, verify=False)
    given = {name: feeds[name] for name in graph.inputs}
    for engine in ENGINES:
        (result,) = nk.run(graph, given, engine).values()
        np.testing.assert_array_equal(
            result.astype(object), np.asarray(expected).astype(object), err_msg=engine
        )
    return graph


def ends(dtype, count):
    """Return numbers at and near the ends of the range of a dtype, and others."""
    info, rng = np.iinfo(dtype), np.random.default_rng(0)
    low, high = info.min, info.max
    fixed = [low, low + 1, high, high - 1, 0, 1, low // 2, high // 2 + 1, 3, high // 3]
    more = rng.integers(low, high, count - len(fixed), endpoint=True, dtype=dtype)
    return np.concatenate([np.array(fixed, dtype), more])


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul"])
def test_narrow_integers_wrap_around(operator, dtype):
    x = ends(dtype, 16)
    y = np.random.default_rng(1).permutation(x)
    function = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}[operator]
    agrees(operator, {"x": x, "y": y}, function(x, y))


@pytest.mark.parametrize("dtype", ["int8", "int32"])
@pytest.mark.parametrize("operator", ["Neg", "Abs"])
def test_the_least_integer_has_no_opposite(operator, dtype):
    x = ends(dtype, 12)
    agrees(operator, {"x": x}, np.negative(x) if operator == "Neg" else np.abs(x))


@pytest.mark.parametrize("operator", ["ReduceSum", "ReduceProd", "ReduceSumSquare"])
def test_sums_and_products_of_32_bits_wrap_around(operator):
    x = ends("int32", 12).reshape(3, 4)
    functions = {
        "ReduceSum": lambda: x.sum(keepdims=True, dtype=np.int32),
        "ReduceProd": lambda: x.prod(keepdims=True, dtype=np.int32),
        "ReduceSumSquare": lambda: (x * x).sum(keepdims=True, dtype=np.int32),
    }
    agrees(operator, {"x": x}, functions[operator](), opset=12)


def test_cumulative_sums_of_32_bits_wrap_around():
    x = ends("int32", 12)
    model = model_of("CumSum", {"x": x, "axis": np.array(0)})
    graph = nk.from_onnx(model, constants={"axis": np.array(0)}, verify=False)
    for engine in ENGINES:
        (result,) = nk.run(graph, x, engine).values()
        np.testing.assert_array_equal(result, x.cumsum(dtype=np.int32), err_msg=engine)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_means_of_large_integers_are_exact(dtype):
    x = np.array([[2**24 + 1, 2**24 + 3], [-(2**24) - 1, -(2**24) - 4], [5, -8]], dtype)
    if dtype == "int64":
        x = np.concatenate([x, [[2**53 + 1, 2**53 + 5]]])
    agrees("ReduceMean", {"x": x}, np.trunc(x.sum(1, keepdims=True) / 2).astype(dtype)
           if dtype == "int32" else [[2**24 + 2], [-(2**24) - 2], [-1], [2**53 + 3]],
           opset=12, axes=[1])  # fmt: skip


def whole_roots():
    """Return sums of squares next to those of integers, and their roots."""
    roots = [1, 2, 3, 7, 4095, 4097, 2**24 + 1, 94906267, 2**31 - 1, 2**31 + 11, 3037000499]
    totals = [root * root + more for root in roots for more in (-1, 0, 1, root)]
    totals = [total for total in [0, *totals] if total < 2**63]
    return totals, [math.isqrt(total) for total in totals]


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "uint64"])
def test_roots_of_sums_of_squares_are_rounded_down(dtype):
    x = np.array([[2**24 + 1, 2**24 + 3], [5, 2**24 + 1], [3, 4], [40000, 50001], [0, 0]], dtype)
    expected = [math.isqrt(sum(n * n for n in row)) for row in x.tolist()]
    agrees("ReduceL2", {"x": x}, expected, opset=12, axes=[1], keepdims=0)
    if dtype == "int64":
        agrees("ReduceL2", {"x": -x}, opset=12, axes=[1], keepdims=0)


def test_roots_of_integers_up_to_64_bits_are_rounded_down():
    totals, roots = whole_roots()
    call = OnnxCall("Root", SourceGraph(), [], {}, 18)
    x = call.graph.external("x", (len(totals),), np.dtype(np.int64))
    y = to_dtype(call, root(call, to_scalar(call, x)), x.dtype)
    graph = emitted(call.graph, "roots", [("y", y)])
    for engine in ENGINES:
        (result,) = nk.run(graph, np.array(totals), engine).values()
        assert result.tolist() == roots, engine


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_logarithms_of_sums_are_rounded_toward_zero(dtype):
    # The logarithm of 8,886,110 is 15.99999994, which float32 rounds to 16.
    x = np.array([[8886110, 0], [8886000, 111], [1, 0], [2, 1], [-5, 7], [2**30, 2**30 - 1]], dtype)
    agrees("ReduceLogSum", {"x": x}, [15, 16, 0, 1, 0, 21], opset=12, axes=[1], keepdims=0)
    if dtype == "int64":
        x = np.array([[2**62, 2**62 - 1], [2**53, 1]], dtype)
        agrees("ReduceLogSum", {"x": x}, opset=12, axes=[1], keepdims=0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("numbers", [[0, 0], [-3, 2]])
def test_logarithms_of_integers_that_are_not_positive_fail(engine, numbers):
    x = np.array([[1, 2], numbers])
    model = model_of("ReduceLogSum", {"x": x}, opset=12, axes=[1])
    with pytest.raises(nk.ExecutionError, match="integer_out_of_range"):
        nk.run(nk.from_onnx(model, verify=False), x, engine)


def test_logarithms_of_sums_of_exponentials_of_integers_are_exact():
    x = np.array(
        [[2**24 + 1, 2**24 + 3, 0], [2**40 + 1, 2**40 + 1, 2**40 + 1], [-7, -7, -7], [0, 0, 0],
         [-1, -1, -1], [-(2**24) - 3, -(2**24) - 3, -(2**24) - 3]]
    )  # fmt: skip
    # The logarithms of 1 + e^-2 and of 3 are 0.13 and 1.1.
    expected = [2**24 + 3, 2**40 + 2, -5, 1, 0, -(2**24) - 1]
    agrees("ReduceLogSumExp", {"x": x}, expected, opset=12, axes=[1], keepdims=0)


UNSIGNED = {
    "Add": ([2**62, 5], [2**62 - 1, 5], [2**62, 5], {}),
    "Sub": ([7, 2**62], [3, 2**62], [8, 1], {}),
    "Mul": ([2**31 + 1, 0], [2**31, 2**63 - 1], [2**33, 5], {}),
    "Pow": ([3, 2], [39, 62], [41, 63], {}),
    "MatMul": ([2**31, 1], [2**31, 2**62 - 1], [2**32, 2**62], {}),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("operator", UNSIGNED)
def test_results_of_uint64_beyond_64_bits_fail(operator, engine):
    x, y, larger, attributes = UNSIGNED[operator]
    x, y, larger = (np.array(numbers, np.uint64) for numbers in (x, y, larger))
    function = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Pow": np.power,
                "MatMul": np.matmul}[operator]  # fmt: skip
    graph = nk.from_onnx(model_of(operator, {"x": x, "y": y}, **attributes), verify=False)
    result = nk.run(graph, {"x": x, "y": y}, engine)["result"]
    np.testing.assert_array_equal(result.astype(np.uint64), function(x, y))
    with pytest.raises(nk.ExecutionError, match="integer_out_of_range"):
        nk.run(graph, {"x": x, "y": larger}, engine)


REDUCED = {
    "ReduceSum": ([2**62, 2**62 - 1], [[2**62, 2**62], [2**63 - 1, 2**63 - 1, 2]]),
    "ReduceL1": ([2**62, 2**62 - 1], [[2**62, 2**62], [2**63 - 1, 2**63 - 1, 2]]),
    "ReduceMean": ([2**62, 2**62 - 1], [[2**62, 2**62]]),
    "ReduceSumSquare": ([3037000499, 5], [[3037000500, 0], [2**32, 0], [2**33, 5]]),
    "ReduceL2": ([3037000499, 5], [[3037000500, 0], [2**32, 0], [2**33, 5]]),
    "ReduceProd": ([2**31, 2**32 - 1], [[2**31, 2**32], [2**32, 2**32], [2**40, 2**40]]),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("operator", REDUCED)
def test_reductions_of_uint64_beyond_64_bits_fail(operator, engine):
    numbers, larger = REDUCED[operator]
    functions = {
        "ReduceMean": lambda x: sum(x) // len(x),
        "ReduceSumSquare": lambda x: sum(n * n for n in x),
        "ReduceL2": lambda x: math.isqrt(sum(n * n for n in x)),
        "ReduceProd": math.prod,
    }
    for given in (numbers, *larger):
        x = np.array([given], np.uint64)
        graph = nk.from_onnx(model_of(operator, {"x": x}, opset=12, axes=[1]), verify=False)
        if given is numbers:
            expected = functions.get(operator, sum)(given)
            assert nk.run(graph, x, engine)["result"].tolist() == [[expected]]
            continue
        with pytest.raises(nk.ExecutionError, match="integer_out_of_range"):
            nk.run(graph, x, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_squares_of_signed_integers_beyond_64_bits_have_no_root(engine):
    for numbers in ([2**40 + 1, 2**40 + 4], [-(2**32), 0], [3037000500, 0]):
        x = np.array([numbers])
        model = model_of("ReduceL2", {"x": x}, opset=12, axes=[1])
        with pytest.raises(nk.ExecutionError, match="integer_out_of_range"):
            nk.run(nk.from_onnx(model, verify=False), x, engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("good", "bad"),
    [(np.array([2**62, 0]), np.array([-1, 5])), (np.float32([2**62, 5.5]), np.float32([1e19, 5]))],
)
def test_casts_to_uint64_beyond_64_bits_fail(good, bad, engine):
    graph = nk.from_onnx(model_of("Cast", {"x": good}, to=TensorProto.UINT64), verify=False)
    assert nk.run(graph, good, engine)["result"].tolist() == good.astype(np.uint64).tolist()
    with pytest.raises(nk.ExecutionError, match="integer_out_of_range"):
        nk.run(graph, bad, engine)


@pytest.mark.parametrize("operator", ["MatMul", "Gemm"])
def test_matrix_products_of_32_bits_wrap_around(operator):
    x = ends("int32", 12).reshape(3, 4)
    y = np.random.default_rng(2).permutation(x.reshape(-1)).reshape(4, 3)
    agrees(operator, {"x": x, "y": y}, x @ y)


def test_sums_of_products_of_uint64_are_refused():
    x = np.ones((2, 2), np.uint64)
    for operator, attributes in (("Gemm", {}), ("Einsum", {"equation": "ij,jk->ik"})):
        with pytest.raises(nk.DocumentError, match=r"computes with uint64.*\s.*Cast to int64"):
            nk.from_onnx(model_of(operator, {"x": x, "y": x}, **attributes))


@pytest.mark.parametrize(
    ("before", "after"),
    [("int64", "int32"), ("int64", "uint32"), ("int32", "uint32"), ("uint32", "int32"),
     ("int64", "int16"), ("int32", "int8"), ("int8", "uint8"), ("uint8", "int8")],
)  # fmt: skip
def test_casts_to_narrow_integers_wrap_around(before, after):
    x = ends(before, 16)
    code = helper.np_dtype_to_tensor_dtype(np.dtype(after))
    agrees("Cast", {"x": x}, x.astype(after), to=code)


def test_powers_of_32_bits():
    x = np.array([3, -3, 46340, -2, 7, 2], np.int32)
    y = np.array([19, 19, 2, 31, 2, -1], np.int32)
    agrees("Pow", {"x": x, "y": y}, np.array([3**19, -(3**19), 46340**2, -(2**31), 49, 0]))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.int32, np.float32])
@pytest.mark.parametrize(("x", "y"), [(3, 21), (-3, 21), (46341, 2), (12, 40), (0, -2)])
def test_powers_beyond_32_bits_fail(engine, dtype, x, y):
    # ONNX Runtime wraps some of them around, and returns the smallest integer for others.
    inputs = {"x": np.array([7, x], np.int32), "y": np.array([2, y], dtype)}
    graph = nk.from_onnx(model_of("Pow", inputs), verify=False)
    with pytest.raises(nk.ExecutionError, match="outside of the range of its type") as caught:
        nk.run(graph, inputs, engine)
    assert "Use smaller numbers" in str(caught.value)


def test_sums_of_too_many_unsigned_integers_are_refused():
    model = model_of("ReduceSum", {"x": np.broadcast_to(np.uint64(1), (4097, 4097))})
    with pytest.raises(nk.NnefError, match="more than 16,777,216 unsigned integers"):
        nk.from_onnx(model, verify=False)


def test_squares_and_cubes_of_32_bits_wrap_around():
    x = np.array([65537, 1291, -46341], np.int32)
    for power in (2, 3):
        model = model_of("Pow", {"x": x, "y": np.array(power, np.int32)})
        model.graph.initializer.append(numpy_helper.from_array(np.array(power, np.int32), "y"))
        del model.graph.input[1]
        computed = nk.run(nk.from_onnx(model, verify=False), {"x": x})["result"]
        assert computed.tolist() == (x**power).tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_differences_of_uint64_below_0_fail(engine):
    x, y = np.array([7, 2**62 + 3], np.uint64), np.array([3, 2**62], np.uint64)
    graph = nk.from_onnx(model_of("Sub", {"x": x, "y": y}), verify=False)
    assert nk.run(graph, {"x": x, "y": y}, engine)["result"].tolist() == [4, 3]
    with pytest.raises(nk.ExecutionError):
        nk.run(graph, {"x": y, "y": x}, engine)


def test_steps_compute_small_integers_of_32_bits():
    x = np.array([3, -5, 2**24 - 1], np.int32)
    graph = nk.from_onnx(model_of("Mul", {"x": x, "y": x}), verify=False)
    feeds = {"x": np.array([3, -5, 7]), "y": np.array([2, 2, -1])}
    results = {}
    for one in nk.step(graph, feeds):
        results.update(one.outputs)
    assert results["result"].tolist() == [6, -10, -7]


def test_hashes_as_trained_models_compute_them():
    nodes = [
        helper.make_node("Mul", ["k", "prime"], ["product"]),
        helper.make_node("Mod", ["product", "buckets"], ["bucket"]),
        helper.make_node("Cast", ["bucket"], ["wide"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "wide"], ["y"]),
    ]
    k = helper.make_tensor_value_info("k", TensorProto.UINT32, [4])
    weights = [
        helper.make_tensor("prime", TensorProto.UINT32, [], [2654435761]),
        helper.make_tensor("buckets", TensorProto.UINT32, [], [8]),
        helper.make_tensor("table", TensorProto.FLOAT, [8], np.arange(8.0)),
    ]
    output = helper.make_empty_tensor_value_info("y")
    graph = helper.make_graph(nodes, "g", [k], [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    numbers = np.array([1, 77, 2**31, 2**32 - 1], np.uint32)
    read = nk.from_onnx(model, inputs={"k": numbers})
    expected = (numbers * np.uint32(2654435761)) % 8
    for engine in ENGINES:
        assert nk.run(read, numbers, engine)["y"].tolist() == expected.tolist()


@pytest.mark.parametrize("is_constant", [False, True])
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_the_smallest_integer_divided_by_minus_1_is_itself(dtype, is_constant):
    low = np.iinfo(dtype).min
    x, y = np.array([low, 7, low, -7], dtype), np.array([-1, -1, 1, 2], dtype)
    feeds = {"x": x, "y": y}
    model = model_of("Div", feeds, 14)
    if is_constant:
        model.graph.initializer.append(numpy_helper.from_array(y, "y"))
        del model.graph.input[1]
    graph = nk.from_onnx(model)
    for engine in ENGINES:
        (result,) = nk.run(graph, {name: feeds[name] for name in graph.inputs}, engine).values()
        np.testing.assert_array_equal(result, [low, -7, low, -3], err_msg=engine)


def test_integers_are_refused_where_a_layer_of_scalars_takes_them():
    """ONNX has no such layer either, but a damaged model may say so."""
    feeds = {"x": np.ones((2, 3, 2), np.uint8), "w": np.ones((2, 3), np.float32)}
    model = model_of("Attention", feeds, num_heads=1, domain="com.microsoft")
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    with pytest.raises(nk.DocumentError, match="'A' of 'matmul' must be scalar, but its input is"):
        nk.from_onnx(model, verify=False)
