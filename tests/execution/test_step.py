"""Stepping: one operation at a time, results may be replaced before going on."""

import numpy as np
import pytest

from nnefkit import io
from nnefkit.errors import InputError, UnknownNameError
from nnefkit.execution import step, trace

TEXT = """
version 1.0;
graph net(x) -> (y)
{
    x = external<scalar>(shape = [1, 4]);
    w = variable<scalar>(shape = [1, 4], label = 'w');
    a = mul(x, w);
    [b, c] = split(a, axis = 1, ratios = [1, 1]);
    d = add(b, c);
    y = relu(d);
}
"""
X = np.float32([[1, -2, 3, -4]])


@pytest.fixture(scope="module")
def graph():
    return io.parse(TEXT).with_data({"w": np.float32([[1, 2, 3, 4]])})


def test_steps_come_in_the_order_of_the_graph_with_inputs_and_outputs(graph):
    traced = trace(graph, X)
    seen = []
    for one in step(graph, X):
        assert graph.operations[one.number] is one.operation
        assert tuple(one.inputs) == tuple(dict.fromkeys(one.operation.input_names))
        for name, array in one.outputs.items():
            np.testing.assert_array_equal(array, traced[name])
        seen += one.outputs
    assert seen == ["a", "b", "c", "d", "y"]


def test_a_replaced_result_is_what_the_following_operations_read(graph):
    results = {}
    for one in step(graph, X):
        if "b" in one.outputs:
            one.outputs["b"] = [[100, 200]]
        results.update(one.outputs)
    np.testing.assert_array_equal(results["d"], results["c"] + [[100, 200]])
    assert results["b"].dtype == np.float32


def test_a_result_can_only_be_replaced_by_one_of_its_shape(graph):
    steps = step(graph, X)
    first = next(steps)
    with pytest.raises(InputError, match=r"\[1, 4\]"):
        first.outputs["a"] = np.ones(3)
    with pytest.raises(UnknownNameError, match="no result"):
        first.outputs["aa"] = X


def test_inputs_are_checked_before_the_first_step(graph):
    with pytest.raises(InputError):
        step(graph, np.ones((1, 5)))


def test_a_step_shows_its_operation_and_its_results(graph):
    one = next(each for each in step(graph, X) if each.operation.name == "split")
    lines = repr(one).splitlines()
    assert "split(a" in lines[0]
    assert [line.split()[1] for line in lines[1:]] == ["b:", "c:"]
    page = one._repr_html_()
    for words in ("split", 'step.outputs["b"]', "1×2"):
        assert words in page.replace("&quot;", '"')
