"""NaN that operations replace by numbers is reported by runs and traces."""

import warnings

import numpy as np
import pytest

import nnefkit as nk

NAN = np.nan
ENGINES = ("numpy", "onnxruntime", "torch", "tract")


def graph_of(expression, shape="[4]"):
    return nk.parse(
        "version 1.0;\nextension KHR_enable_operator_expressions;\n"
        f"graph g(x) -> (y)\n{{\nx = external<scalar>(shape = {shape});\ny = {expression};\n}}"
    )


HIDING = {
    "relu(x)": 0,
    "max(x, 2.0)": 2,
    "min(x, 2.0)": 2,
    "clamp(x, 1.0, 2.0)": 2,
    "max(min(relu(x), 2.0), 1.0)": 1,
}


@pytest.mark.parametrize("expression", HIDING)
@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_run_reports_nan_that_a_formula_replaces(expression, engine):
    graph = graph_of(expression)
    with pytest.warns(
        RuntimeWarning, match=r"NaN in inputs or weights was replaced .*'(y|relu|min|max)"
    ):
        (result,) = nk.run(graph, np.float32([0, NAN, 1, 3]), engine).values()
    assert result[1] == HIDING[expression]


WEIGHTS = {
    "read by the operation": "y = max(w, x);",
    "after other operations": "t = transpose(w, axes = [1, 0]); u = transpose(t, axes = [1, 0]); "
    "y = max(u, x);",
    "in a product": "t = matmul(x, w); y = relu(t);",
    "in a convolution": "a = reshape(x, shape = [1, 2, 2, 1]);"
    "f = reshape(w, shape = [2, 2, 1, 1]); t = conv(a, f); y = relu(t);",
}


@pytest.mark.parametrize("where", WEIGHTS)
@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_nan_of_a_weight_is_reported_too(where, engine):
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [2, 2]);"
        f"w = variable<scalar>(shape = [2, 2], label = 'w'); {WEIGHTS[where]} }}"
    )
    x = np.float32([[1, 2], [3, 4]])
    bad = graph.with_data({"w": np.float32([[NAN, 1], [2, 3]])})
    with pytest.warns(RuntimeWarning, match=r"NaN in inputs or weights .* in 'y'") as caught:
        (result,) = nk.run(bad, x, engine).values()
    assert caught[0].filename == __file__
    assert np.isfinite(result).all()
    trace = nk.trace(bad, x, engine)
    assert trace.hidden_nan == ("y",)
    assert "NaN replaced by numbers in: y" in repr(trace)
    good = graph.with_data({"w": np.float32([[0, 1], [2, 3]])})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nk.run(good, x, engine)
    assert not nk.trace(good, x, engine).hidden_nan


DIVIDED = ("l1_normalization(x, axes = [1])", "l2_normalization(x, axes = [1])")
QUANTIZED = {
    "linear_quantize(x, -1.0, 1.0, bits = 8)": 1,
    "zero_point_linear_quantize(x, 0, 0.1, bits = 8, signed = true, symmetric = false)": 12.7,
}


@pytest.mark.parametrize("expression", DIVIDED)
@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_norms_without_nan_are_reported(expression, engine):
    # max(sigma, epsilon) is epsilon where sigma is NaN.
    graph = graph_of(expression, "[2, 4]")
    trace = nk.trace(graph, np.float32([[0, NAN, 1, 3], [1, 2, 3, 4]]), engine)
    assert trace.hidden_nan == ("y",)
    assert not nk.trace(graph, np.float32([[0, 2, 1, 3], [1, 2, 3, 4]]), engine).hidden_nan


@pytest.mark.parametrize("expression", QUANTIZED)
def test_quantization_has_no_code_for_nan(expression):
    with pytest.warns(RuntimeWarning, match="replaced by numbers in 'y'"):
        (result,) = nk.run(graph_of(expression), np.float32([0, NAN, 1, 3])).values()
    assert result[1] == np.float32(QUANTIZED[expression])


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch"])
def test_logarithmic_quantization_of_nan_is_nan(engine):
    graph = graph_of("logarithmic_quantize(x, 1.0, bits = 8)")
    (result,) = nk.run(graph, np.float32([0, NAN, 1, -np.inf]), engine).values()
    np.testing.assert_array_equal(result, [0, NAN, 1, -1])


def test_nan_hidden_inside_of_a_fragment_is_reported():
    graph = nk.parse(
        "version 1.0;\nextension KHR_enable_fragment_definitions;\n"
        "fragment bounded(x: tensor<scalar>) -> (y: tensor<scalar>)\n"
        "{\nz = neg(x);\nw = relu(z);\ny = neg(w);\n}\n"
        "graph g(x) -> (y)\n{\nx = external<scalar>(shape = [4]);\ny = bounded(x);\n}",
        expand=False,
    )
    with pytest.warns(RuntimeWarning, match="replaced by numbers in"):
        nk.run(graph, np.float32([0, NAN, 1, 3]))


def test_a_trace_names_the_tensor():
    graph = graph_of("neg(relu(x))")
    trace = nk.trace(graph, np.float32([NAN, 1, NAN, 2]))
    (name,) = trace.hidden_nan
    assert trace.graph.producers[name].name == "relu"
    assert "NaN replaced by numbers in" in repr(trace)
    assert name in repr(trace)
    assert nk.trace(graph, np.float32([0, 1, -1, np.inf])).hidden_nan == ()


def test_a_trace_names_nan_that_the_run_itself_made():
    trace = nk.trace(graph_of("relu(x / x)"), np.float32([0, 1, 2, 3]))
    assert trace.hidden_nan == ("y",)


@pytest.mark.parametrize("expression", ["tanh(x)", "sigmoid(x)", "max_reduce(x, axes = [0])"])
def test_nan_that_an_engine_drops_is_reported(expression):
    graph = graph_of(expression)
    with pytest.warns(RuntimeWarning, match="replaced by numbers in 'y'"):
        nk.run(graph, np.float32([0, 1, NAN, 3]), "tract")


@pytest.mark.parametrize("expression", ["select(x == x, x, 0.0)", "neg(x)", "max(2.0, x)"])
def test_nothing_is_reported_where_no_formula_hides_nan(expression):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nk.run(graph_of(expression), np.float32([0, NAN, 1, 3]))


ROWS = np.array(
    [
        [[1, 2, NAN, 3, 4, 5]],
        [[NAN, 1, 2, 3, 4, 5]],
        [[-np.inf] * 6],
        [[1, -np.inf, 2, np.inf, 3, 4]],
    ],
    np.float32,
)
MAXIMA = {
    "max_reduce(x, axes = [2])": np.max,
    "min_reduce(x, axes = [2])": np.min,
    "argmax_reduce(x, axes = [2])": np.argmax,
    "argmin_reduce(x, axes = [2])": np.argmin,
}


@pytest.mark.parametrize("expression", MAXIMA)
@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch"])
def test_maxima_of_axes_are_those_of_numpy(expression, engine):
    graph = graph_of(expression, "[4, 1, 6]")
    (result,) = nk.run(graph, ROWS, engine).values()
    np.testing.assert_array_equal(result, MAXIMA[expression](ROWS, axis=2, keepdims=True))


@pytest.mark.parametrize("padding", ["[]", "[(0,0), (0,0), (1,1)]"])
@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch"])
def test_maxima_of_windows_hold_nan_and_minus_infinity(engine, padding):
    attributes = f"size = [1, 1, 3], stride = [1, 1, 3], border = 'ignore', padding = {padding}"
    graph = graph_of(f"max_pool(x, {attributes})", "[4, 1, 6]")
    (result,) = nk.run(graph, ROWS, engine).values()
    first = 1 if padding != "[]" else 0
    padded = np.pad(ROWS, [(0, 0), (0, 0), (first, 2 * first)], constant_values=-np.inf)
    expected = padded[..., : padded.shape[2] // 3 * 3].reshape(4, 1, -1, 3).max(-1)
    np.testing.assert_array_equal(result, expected[..., : result.shape[2]])


def test_a_mask_of_minus_infinity_among_the_weights_survives_a_maximum():
    graph = nk.parse(
        "version 1.0;\ngraph g(x) -> (y)\n{\nx = external<scalar>(shape = [1, 1, 6]);\n"
        "mask = variable<scalar>(shape = [1, 1, 6], label = 'mask');\nz = add(x, mask);\n"
        "y = max_pool(z, size = [1, 1, 3], stride = [1, 1, 3], padding = [], border = 'ignore');\n}"
    )
    graph = graph.with_data({"mask": np.float32([[[0, 0, 0, -np.inf, -np.inf, -np.inf]]])})
    for engine in ("numpy", "onnxruntime", "torch"):
        (result,) = nk.run(graph, np.ones((1, 1, 6), np.float32), engine).values()
        np.testing.assert_array_equal(result, [[[1, -np.inf]]], err_msg=engine)
