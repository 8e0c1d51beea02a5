"""Integer divisions of models that ONNX Runtime runs: the ends of the ranges, and divisors of 0."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_models import model, node, weight

import nnefkit as nk

SIGNED = ("int8", "int16", "int32", "int64")
INT64 = TensorProto.INT64


def in_another_process(script):
    """Run a script that could end its process, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout.split()


def type_of(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def quotient(operator, dtype, shape=(3,), **attributes):
    """Return a model of one division of two inputs."""
    inputs = [("x", type_of(dtype), list(shape)), ("d", type_of(dtype), list(shape))]
    return model(node(operator, "x d", **attributes), inputs=inputs)


def traced(source, x, d):
    """Return the result of a run of a model."""
    dtype = helper.tensor_dtype_to_np_dtype(source.graph.input[0].type.tensor_type.elem_type)
    return nk.trace_onnx(source, {"x": np.array(x, dtype), "d": np.array(d, dtype)})["y"]


def in_a_branch(then, condition=True):
    """Return a model whose division is in a branch, with operands from outside."""
    body = helper.make_graph(then, "then", [], [helper.make_tensor_value_info("inner", INT64, [3])])
    other = helper.make_graph(
        [node("Identity", "x", "same")],
        "else",
        [],
        [helper.make_tensor_value_info("same", INT64, [3])],
    )
    return model(
        helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=other),
        inputs=[("x", INT64, [3]), ("d", INT64, [3])],
        weights=[weight(np.array(condition), "c")],
    )


@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_the_least_integer_divided_by_minus_one_does_not_end_the_process(operator):
    lines = in_another_process(f"""
        import numpy as np, sys
        sys.path.append({str(__file__.rpartition("/")[0])!r})
        from test_onnx_divisors import SIGNED, quotient, traced
        import nnefkit as nk
        for dtype in SIGNED:
            least = np.iinfo(dtype).min
            model = quotient({operator!r}, dtype)
            print(*traced(model, [least, least, 9], [-1, 1, -1]), sep=",")
            x, d = np.array([least, 7, -7], dtype), np.array([-1, -1, 2], dtype)
            print(nk.from_onnx(model, inputs={{"x": x, "d": d}}).provenance["verified"])
    """)
    for dtype, numbers in zip(SIGNED, lines[::2], strict=True):
        least = np.iinfo(dtype).min
        expected = [least, least, -9] if operator == "Div" else [0, 0, 0]
        assert numbers == ",".join(map(str, expected))
    assert lines[1::2] == ["True"] * 4


@pytest.mark.parametrize("dtype", [*SIGNED, "uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_an_integer_divisor_of_zero_is_reported(operator, dtype):
    source = quotient(operator, dtype)
    source.graph.node[0].name = "halves"
    with pytest.raises(nk.ExecutionError, match=f"'{operator}'.*'halves'.*integer.*zero"):
        traced(source, [1, 2, 3], [1, 0, 3])


def test_integer_divisors_of_zero_of_operators_that_only_onnx_evaluates_are_reported():
    # ONNX Runtime has no division of opset 6.
    source = quotient("Div", "int32")
    source.opset_import[0].version, source.ir_version = 6, 3
    np.testing.assert_array_equal(traced(source, [7, -7, 9], [2, 2, -3]), [3, -3, -3])
    with pytest.raises(nk.ExecutionError, match=r"'Div'.*zero"):
        traced(source, [1, 2, 3], [1, 0, 3])


def test_quotients_and_remainders_of_all_signs_are_what_they_were():
    x, d = [7, -7, 9], [-2, 2, -4]
    np.testing.assert_array_equal(traced(quotient("Div", "int64"), x, d), [-3, -3, -2])
    np.testing.assert_array_equal(traced(quotient("Mod", "int64"), x, d), [-1, 1, -3])
    np.testing.assert_array_equal(traced(quotient("Mod", "int64", fmod=1), x, d), [1, -1, 1])
    large = [2**63 - 1, -(2**63) + 1, 2**62]
    np.testing.assert_array_equal(
        traced(quotient("Div", "int64"), large, [-1, -1, 3]), [-large[0], -large[1], 2**62 // 3]
    )
    unsigned = [2**64 - 1, 2**63, 5]
    np.testing.assert_array_equal(
        traced(quotient("Div", "uint64"), unsigned, [2**64 - 1, 2, 2]), [1, 2**62, 2]
    )


def test_real_quotients_by_zero_are_infinite_as_before():
    source = quotient("Div", "float32")
    np.testing.assert_array_equal(traced(source, [1, -1, 0], [0, 0, 0]), [np.inf, -np.inf, np.nan])


def test_operands_broadcast_and_constants_are_divisors_too():
    source = model(
        node("Div", "x a", "p"),
        node("Div", "b x", "q"),
        node("Add", "p q", "y"),
        inputs=[("x", INT64, [2, 3])],
        outputs=["p", "q", "y"],
        weights=[weight(np.array([-1, 2, 3]), "a"), weight(np.array([[12]]), "b")],
    )
    x = np.array([[-6, 6, 6], [1, 2, 3]])
    trace = nk.trace_onnx(source, {"x": x})
    np.testing.assert_array_equal(trace["p"], [[6, 3, 2], [-1, 1, 1]])
    np.testing.assert_array_equal(trace["q"], [[-2, 2, 2], [12, 6, 4]])
    with pytest.raises(nk.ExecutionError, match=r"'Div'.*'q'"):
        nk.trace_onnx(source, {"x": np.array([[1, 0, 1], [1, 1, 1]])})


@pytest.mark.parametrize("condition", [True, False])
def test_divisions_in_branches_are_held_to_the_same(condition):
    source = in_a_branch([node("Div", "x d", "inner")], condition)
    x, d = np.array([-(2**63), 8, 9]), np.array([-1, -2, 3])
    lines = in_another_process(f"""
        import numpy as np, sys
        sys.path.append({str(__file__.rpartition("/")[0])!r})
        from small_models import node
        from test_onnx_divisors import in_a_branch, traced
        source = in_a_branch([node("Div", "x d", "inner")], {condition})
        print(*traced(source, {x.tolist()}, {d.tolist()}))
    """)
    assert lines == [str(n) for n in ([-(2**63), -4, 3] if condition else x)]
    if condition:
        with pytest.raises(nk.ExecutionError, match="zero"):
            traced(source, [1, 2, 3], [1, 0, 3])
    else:
        traced(source, [1, 2, 3], [1, 0, 3])


def test_types_that_follow_from_operators_of_vendors_are_known():
    gelu = helper.make_node("Gelu", ["x"], ["g"], domain="com.microsoft")
    source = model(
        gelu,
        node("Cast", "g", "i", to=INT64),
        node("Div", "i j", "q"),
        node("Div", "g h", "y"),
        helper.make_node("Gelu", ["z"], ["h"], domain="com.microsoft"),
        inputs=[("x", 1, [2]), ("z", 1, [2]), ("j", INT64, [2])],
        outputs=["y", "q"],
    )
    # In the order of their dependence.
    nodes = [*source.graph.node]
    del source.graph.node[:]
    source.graph.node.extend([nodes[0], nodes[4], *nodes[1:4]])
    source.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    feeds = {"x": np.ones(2, np.float32), "z": np.zeros(2, np.float32)}
    trace = nk.trace_onnx(source, {**feeds, "j": np.array([1, 2])})
    assert np.isinf(trace["y"]).all()
    with pytest.raises(nk.ExecutionError, match=r"'Div'.*'q'.*zero"):
        nk.trace_onnx(source, {**feeds, "j": np.array([1, 0])})


def test_the_proof_reports_a_divisor_of_zero_and_names_inputs():
    source = quotient("Div", "int32")
    with pytest.raises(nk.ExecutionError, match="zero"):
        nk.from_onnx(source, inputs={"x": np.ones(3, np.int32), "d": np.array([1, 0, 2])})


def test_nodes_without_an_input_are_not_run():
    # ONNX Runtime ends the process at some of them.
    source = model(node("Min", ["x", "", "x"]))
    with pytest.raises(nk.ExecutionError, match=r"'Min' \('y'\) is incomplete: its input 1"):
        nk.trace_onnx(source, {"x": np.ones((2, 3))})
    source = in_a_branch([node("Max", ["x", "", "d"], "inner")])
    with pytest.raises(nk.ExecutionError, match="'Max'"):
        traced(source, [1, 2, 3], [1, 2, 3])


def test_divisors_of_unread_branches_of_a_graph_do_not_end_the_process():
    # The quotient is no output, and the graph does not have it.
    source = model(
        node("Div", "x d", "unread"),
        node("Add", "x d", "y"),
        inputs=[("x", INT64, [1]), ("d", INT64, [1])],
    )
    source.graph.initializer.append(numpy_helper.from_array(np.array([1.0]), "spare"))
    assert nk.from_onnx(source).provenance["verified"]
    with pytest.raises(nk.ExecutionError, match="'unread'"):
        nk.trace_onnx(source, {"x": [1], "d": [0]})


def test_absurd_versions_of_operators_are_refused():
    source = model(node("Relu", "x"))
    source.opset_import[1].version = 2**40
    source.graph.node[0].domain = "own"
    for call in (nk.from_onnx, lambda one: nk.trace_onnx(one, {"x": np.ones((2, 3))})):
        with pytest.raises(nk.NnefError):
            call(source)
