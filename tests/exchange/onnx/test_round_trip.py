"""Operations written as ONNX and read again compute the same."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles.drawing import Call
from oracles.drawn_calls import CALLS
from oracles.one_call import calls_of, graph_of

import nnefkit as nk
from nnefkit.execution.preparation.updated_variables import updates

REFUSED = {
    "constant": "the graph has no inputs",
    "desample": "ScatterElements",
}
"""Operations that cannot be read again, and why."""


@pytest.mark.parametrize("name", sorted(CALLS))
@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=4)
@given(data=st.data())
def test_every_operation_survives_a_round_trip(name, data):
    check_round_trip(name, data.draw(calls_of(name, strange=False)))


def test_an_output_that_equals_another_tensor_retains_its_name():
    # It is written as a Pad and a Max of one input, which is the same tensor under another name.
    window = {"size": [1], "padding": [(0, 1)], "stride": [1], "dilation": [1]}
    x = np.array([-1.0], np.float32)
    check_round_trip("max_pool", Call([x], {"border": "constant", **window}))


def check_round_trip(name, call):
    graph, feeds = graph_of(name, call)
    model = nk.to_onnx(graph, verify=False)
    try:
        again = nk.from_onnx(model, verify=False)
    except nk.NnefError as error:
        if REFUSED.get(name, "nothing") in str(error):
            return
        raise
    state = {variable: graph.tensors[variable].data for variable in updates(graph)}
    assert again.inputs == (*graph.inputs, *state)
    assert again.outputs[: len(graph.outputs)] == graph.outputs
    expected = nk.run(graph, feeds, progress=False)
    actual = nk.run(again, {**feeds, **state}, progress=False)
    for output, array in expected.items():
        assert actual[output].dtype == array.dtype
        assert actual[output].shape == array.shape
        if array.dtype.kind != "f":
            np.testing.assert_array_equal(actual[output], array)
            continue
        finite = array[np.isfinite(array)]
        scale = max(float(np.abs(finite).max(initial=0)), 1e-3)
        np.testing.assert_allclose(
            actual[output], array, rtol=1e-3 * call.spread, atol=1e-5 * scale * call.spread
        )
