"""Whatever LiteRT claims to compute, it computes as the reference kernels do."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("ai_edge_litert")
pytest.importorskip("tflite")

import nnefkit as nk
from nnefkit.execution.engine_list import find_engine
from nnefkit.language import declarations

SOURCES = {"external", "variable", "constant"}
CLAIMED = find_engine("litert").operations


def test_only_standard_operations_are_claimed():
    assert set(declarations()) >= CLAIMED


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_results_are_those_of_the_reference(standard_operation, calls, data):
    call = data.draw(calls.of(standard_operation, strange=False, plain=data.draw(st.booleans())))
    graph, _ = calls.graph_of(standard_operation, call)
    if standard_operation not in CLAIMED:
        assert find_engine("litert").unsupported(graph)
        return
    if not find_engine("litert").unsupported(graph):
        calls.check("litert", standard_operation, call)


DECONVOLUTIONS = [
    pytest.param(f"border = '{border}', {attributes}", id=f"{border}-{attributes}")
    for border in ("replicate", "reflect", "reflect-even")
    for attributes in (
        "groups = 1",
        "padding = [(2, 1), (2, 0)], dilation = [2, 1], groups = 1",
        "stride = [1, 2], padding = [(1, 1), (0, 1)], groups = 0",
    )
]


@pytest.mark.parametrize("attributes", DECONVOLUTIONS)
def test_the_border_of_a_deconvolution_adds_to_its_results(attributes):
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [2, 3, 4, 5]);"
        "f = variable<scalar>(shape = [3, 1, 3, 2], label = 'f');"
        f"y = deconv(x, f, 0.5, {attributes}); }}"
    )
    rng = np.random.default_rng(0)
    graph = graph.with_data({"f": rng.normal(size=(3, 1, 3, 2)).astype(np.float32)})
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(
        nk.run(graph, x, "litert")["y"], nk.run(graph, x)["y"], rtol=1e-5, atol=1e-5
    )


def test_convolutions_of_more_than_three_dimensions_are_refused():
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [1, 2, 1, 1, 2, 2]);"
        "f = variable<scalar>(shape = [2, 1, 1, 1, 2, 1], label = 'f');"
        "y = conv(x, f, groups = 2); }"
    ).with_data({"f": np.ones((2, 1, 1, 1, 2, 1), np.float32)})
    x = np.ones((1, 2, 1, 1, 2, 2), np.float32)
    with pytest.raises(nk.NnefError, match="at most 3 spatial dimensions"):
        nk.run(graph, x, "litert")
    assert nk.run(graph, x, "litert", fallback="numpy")["y"].sum() == 12


def test_tensors_without_elements_are_refused():
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [2, 3, 4]);"
        "e = slice(x, axes = [0], begin = [2], end = [2]); y = avg_pool(e, size = [1, 1, 2]); }"
    )
    x = np.ones((2, 3, 4), np.float32)
    with pytest.raises(nk.NnefError, match="without elements"):
        nk.run(graph, x, "litert")
    assert nk.run(graph, x, "litert", fallback="numpy")["y"].shape == nk.run(graph, x)["y"].shape


NUMBERS = [
    1e-30,
    1e-8,
    1e-5,
    1e-3,
    0.1,
    0.3,
    0.7,
    0.99,
    1,
    1.001,
    1.5,
    3,
    8,
    13,
    17,
    50,
    88,
    1e4,
    1e19,
]


@pytest.mark.parametrize("name", ["sinh", "cosh", "asinh", "acosh", "atanh", "softplus"])
def test_functions_without_an_operator_are_precise_for_small_and_large_numbers(name):
    x = np.float32([[0, *NUMBERS, *(-np.array(NUMBERS))]])
    graph = nk.parse(
        f"version 1.0; graph g(x) -> (y) {{ x = external<scalar>(shape = [1, {x.size}]);"
        f"y = {name}(x); }}"
    )
    with np.errstate(all="ignore"):
        expected = nk.run(graph, x)["y"]
    np.testing.assert_allclose(nk.run(graph, x, "litert")["y"], expected, rtol=1e-5, atol=1e-37)
