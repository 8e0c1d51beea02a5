"""Every operation of the onnxruntime engine agrees with the reference kernels.

The tolerance is that of `conftest`: 2e-6 of the largest element in float32, 1e-13 in float64, ten
times that where many elements are added. Inputs have infinities, zeros of both signs and NaN among
them, but no NaN where the specification says which argument wins: ONNX does not define that.
"""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnefkit.errors import ExecutionError
from nnefkit.execution import Session
from nnefkit.execution.engine_list import find_engine
from nnefkit.execution.engines.onnxruntime.graph_lowering import OPERATIONS
from nnefkit.execution.engines.onnxruntime.lowered_model import exported_model
from nnefkit.graph import FrozenDict
from nnefkit.language import declarations

CHOOSING = {"argmax_pool", "argmax_reduce", "argmin_reduce", "clamp", "max", "max_reduce", "min"}
CHOOSING |= {"min_reduce", "relu"}
"""Operations whose result for NaN is not defined by ONNX."""
FINITE = {"max_pool", "max_pool_with_index", "multilinear_upsample"}
"""ONNX Runtime starts maxima of windows from the lowest finite number, and multiplies infinity by
zero when it interpolates."""
INEXACT = {"elu", "selu"}
"""ONNX Runtime subtracts 1 from an exponential, which costs digits next to 0."""
SINGLE_ONLY = {"acos", "acosh", "asin", "asinh", "atan", "atanh", "cosh", "gelu", "sinh", "tan"}

quick = settings(deadline=None, suppress_health_check=list(HealthCheck))


def tamed(name, value):
    if isinstance(value, list):
        return [tamed(name, item) for item in value]
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    if name in FINITE:
        return np.asarray(np.nan_to_num(value, nan=0.25, posinf=0.5, neginf=-0.5))
    return np.asarray(np.nan_to_num(value, nan=0.25, posinf=np.inf, neginf=-np.inf))


def drawn(data, calls, name):
    call = data.draw(calls.of(name))
    if name in INEXACT:
        call.spread *= 50
    if name in CHOOSING | FINITE:
        call.inputs = [tamed(name, value) for value in call.inputs]
    return call


def with_variables(graph, feeds, names):
    """Return the graph with some of its inputs as variables, which have the values of the feeds."""
    operations, tensors = [], dict(graph.tensors)
    for op in graph.operations:
        name = op.output_names[0]
        if op.name == "external" and name in names:
            attribs = FrozenDict(op.attribs, label=name)
            op = replace(op, name="variable", attribs=attribs)
            tensors[name] = replace(tensors[name], data=feeds[name], label=name)
        operations.append(op)
    fed = tuple(name for name in graph.inputs if name not in names)
    graph = replace(graph, inputs=fed, operations=tuple(operations), tensors=FrozenDict(tensors))
    return graph, {name: feeds[name] for name in fed}


def test_all_standard_operations_are_claimed_and_checked(calls):
    assert set(OPERATIONS) == set(declarations())
    assert find_engine("onnxruntime").operations == OPERATIONS
    assert calls.names | {"external", "variable", "constant"} == set(OPERATIONS)


@settings(quick, max_examples=12)
@given(data=st.data())
def test_results_are_those_of_the_reference(standard_operation, calls, data):
    call = drawn(data, calls, standard_operation)
    calls.check("onnxruntime", standard_operation, call, threads=1)


@pytest.mark.slow
@settings(quick, max_examples=80)
@given(data=st.data())
def test_results_are_those_of_the_reference_in_many_calls(standard_operation, calls, data):
    call = drawn(data, calls, standard_operation)
    calls.check("onnxruntime", standard_operation, call, threads=1)


@pytest.mark.slow
@settings(quick, max_examples=15)
@given(data=st.data())
def test_results_with_weights_are_those_of_the_reference(standard_operation, calls, data):
    call = drawn(data, calls, standard_operation)
    graph, feeds = calls.graph_of(standard_operation, call)
    known = data.draw(st.sampled_from([set(feeds), set(graph.inputs[1:])]), label="variables")
    graph, feeds = with_variables(graph, feeds, known)
    expected = Session(graph).run(feeds)
    found = Session(graph, "onnxruntime", threads=1).run(feeds)
    calls.assert_close(found, expected, call.spread, least=call.least)


@pytest.mark.slow
@settings(quick, max_examples=10)
@given(data=st.data())
def test_results_in_float64_are_those_of_the_reference(standard_operation, calls, data):
    call = drawn(data, calls, standard_operation)
    if standard_operation in SINGLE_ONLY:
        graph, _ = calls.graph_of(standard_operation, call, wide=True)
        with pytest.raises(ExecutionError, match="float32 only"):
            Session(graph, "onnxruntime")
        return
    calls.check("onnxruntime", standard_operation, call, wide=True, threads=1)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [16, 18, 21, 26])
@settings(quick, max_examples=2)
@given(data=st.data())
def test_lowerings_pass_the_checker_of_onnx(standard_operation, opset, calls, data):
    graph, _ = calls.graph_of(standard_operation, drawn(data, calls, standard_operation))
    proto = exported_model(graph, opset=opset)
    onnx.checker.check_model(proto, full_check=True)
