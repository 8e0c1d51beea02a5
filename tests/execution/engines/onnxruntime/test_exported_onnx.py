"""Written ONNX models compute in every opset what the graph computes: in ONNX Runtime and in ONNX's
evaluator.
"""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from nnefkit.execution import Session
from nnefkit.execution.engines.onnxruntime.lowered_model import exported_model
from nnefkit.execution.preparation.updated_variables import updates

quick = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=2)


def in_runtime(proto, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(proto.SerializeToString(), options).run(None, feeds)


def in_evaluator(proto, feeds):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return ReferenceEvaluator(proto).run(None, feeds)


def written(calls, name, data, opset):
    """Return a drawn call as a model, its feeds, and its results."""
    call = data.draw(calls.of(name, strange=False))
    graph, feeds = calls.graph_of(name, call)
    proto = exported_model(graph, opset=opset)
    onnx.checker.check_model(proto, full_check=True)
    assert [info.name for info in proto.graph.input][: len(graph.inputs)] == [*graph.inputs]
    assert [info.name for info in proto.graph.output][: len(graph.outputs)] == [*graph.outputs]
    given = dict(feeds)
    for variable in updates(graph):
        given[variable] = graph.tensors[variable].data
    return graph, call, proto, given, Session(graph).run(feeds)


def assert_same(calls, found, expected, call):
    results = dict(zip(expected, found, strict=False))
    results = {n: np.asarray(a) for n, a in results.items()}
    calls.assert_close(results, expected, call.spread * 50, f"{call.attribs}", call.least)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [16, 17, 18, 19, 20, 22, 24, 27])
@quick
@given(data=st.data())
def test_models_of_every_opset_agree_in_onnx_runtime(standard_operation, opset, calls, data):
    _, call, proto, feeds, expected = written(calls, standard_operation, data, opset)
    assert_same(calls, in_runtime(proto, feeds), expected, call)


WITH_INDICES = {"argmax_pool", "max_pool_with_index"}


def in_groups(node):
    """Whether a node is a transposed convolution in groups, as a depthwise one is."""
    groups = [a.i for a in node.attribute if a.name == "group"]
    return node.op_type == "ConvTranspose" and groups not in ([], [1])


@quick
@given(data=st.data(), opset=st.sampled_from([16, 18, 21, 24, 28]))
def test_models_agree_in_the_evaluator_of_onnx(
    standard_operation, opset, calls, data, foreign_fault
):
    graph, call, proto, feeds, expected = written(calls, standard_operation, data, opset)
    # It confuses the channels of transposed convolutions in groups.
    assume(not any(in_groups(node) for node in proto.graph.node))
    # It has no indices of maxima over an extent of 1.
    assume(
        standard_operation not in WITH_INDICES
        or all(extent > 1 for extent in graph.tensors[graph.inputs[0]].shape)
    )
    try:
        assert_same(calls, in_evaluator(proto, feeds), expected, call)
    except Exception as error:
        # ONNX Runtime is the umpire.
        assert_same(calls, in_runtime(proto, feeds), expected, call)
        if not foreign_fault(f"ONNX's evaluator fails on {standard_operation} {call}: {error}"):
            raise
