"""Integers that are cast to scalars and back are computed as integers, in every engine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import sampled

import nnefkit as nk
from nnefkit.execution import Session, run, step, trace

ENGINES = ("numpy", "onnxruntime", "torch")
LEAST, MOST = -(2**63), 2**63 - 1
CORNERS = (0, 1, -1, 2, 7, -7, 2**24 + 1, -(2**24) - 1, 2**31, 2**53 + 1, LEAST, LEAST + 1, MOST)
HEAD = "version 1.0;\nextension KHR_enable_operator_expressions;\n"


def document(result, *, inputs=("x", "y"), shape=(3, 4), more=""):
    """Return a graph of `result`, which reads the integers x and y as the scalars a and b."""
    names = ", ".join(inputs)
    externals = "".join(f"{n} = external<integer>(shape = {[*shape]});\n" for n in inputs)
    casts = "".join(f"{s} = cast<scalar>({n});\n" for s, n in zip("ab", inputs, strict=False))
    return nk.parse(
        f"{HEAD}graph net({names}) -> (z)\n{{\n{externals}{casts}{more}z = {result};\n}}"
    )


integers = st.one_of(st.sampled_from(CORNERS), st.integers(LEAST, MOST), st.integers(-50, 50))
arrays = st.lists(integers, min_size=12, max_size=12).map(
    lambda numbers: np.array(numbers, np.int64).reshape(3, 4)
)


def truncated(x, y):
    quotient = np.floor_divide(x, y)
    return quotient + ((quotient < 0) & (quotient * y != x))


FORMULAS = {
    "cast<integer>(a + b)": lambda x, y: x + y,
    "cast<integer>(a - b)": lambda x, y: x - y,
    "cast<integer>(a * b)": lambda x, y: x * y,
    "cast<integer>(-a)": lambda x, y: -x,
    "cast<integer>(abs(a) - sign(b))": lambda x, y: np.abs(x) - np.sign(y),
    "cast<integer>(min(a, b))": np.minimum,
    "cast<integer>(max(a, b))": np.maximum,
    "cast<integer>(clamp(a, -3.0, 16777217.0))": lambda x, y: np.clip(x, -3, 2**24 + 1),
    "cast<integer>(relu(a))": lambda x, y: np.maximum(x, 0),
    "cast<integer>(sqr(a))": lambda x, y: x * x,
    "cast<integer>(a ^ 5.0)": lambda x, y: x * x * x * x * x,
    "cast<integer>(a ^ 1.0)": lambda x, y: x,
    "cast<integer>(floor(a))": lambda x, y: x,
    "cast<integer>(ceil(a) + round(b))": lambda x, y: x + y,
    "cast<integer>(select(x_positive, a, b))": lambda x, y: np.where(x > 0, x, y),
    "cast<integer>(a * 86400.0 + 16777217.0)": lambda x, y: x * 86400 + 2**24 + 1,
    "cast<integer>(floor(a / 86400.0))": lambda x, y: x // 86400,
    "cast<integer>(a / 86400.0)": lambda x, y: x // 86400,
    "cast<integer>(a - floor(a / 86400.0) * 86400.0)": lambda x, y: x % 86400,
    "cast<integer>(a / -1.0)": lambda x, y: -x,
    "cast<integer>(floor(a / nonzero))": lambda x, y: x // np.where(y == 0, 3, y),
    "cast<integer>(select(a / nonzero < 0.0, ceil(a / nonzero), floor(a / nonzero)))": (
        lambda x, y: truncated(x, np.where(y == 0, 3, y))
    ),
    "a < b": np.less,
    "a <= b": np.less_equal,
    "a > b": np.greater,
    "a >= b": np.greater_equal,
    "a == b": np.equal,
    "a != b": np.not_equal,
    "a + 1.0 == 16777218.0": lambda x, y: x == 2**24 + 1,
    "cast<logical>(a - b)": lambda x, y: x != y,
    "cast<integer>(sum_reduce(a, axes = [1]))": lambda x, y: x.sum(1, keepdims=True),
    "cast<integer>(sum_reduce(a, axes = [1, 0]))": lambda x, y: x.sum(keepdims=True),
    "cast<integer>(max_reduce(a, axes = [0, 1]))": lambda x, y: x.max(keepdims=True),
    "cast<integer>(min_reduce(a, axes = [0]))": lambda x, y: x.min(0, keepdims=True),
    "argmax_reduce(a, axes = [1])": lambda x, y: x.argmax(1, keepdims=True),
    "argmin_reduce(a, axes = [0])": lambda x, y: x.argmin(0, keepdims=True),
    "cast<integer>(matmul(a, b, transposeB = true))": lambda x, y: x @ y.T,
    "cast<integer>(matmul(a, b, transposeA = true))": lambda x, y: x.T @ y,
    "cast<integer>(linear(a, b, 16777217.0))": lambda x, y: x @ y.T + 2**24 + 1,
    "cast<integer>(transpose(a, axes = [1, 0]))": lambda x, y: x.T,
    "cast<integer>(reshape(a, shape = [2, 6]) + 1.0)": lambda x, y: x.reshape(2, 6) + 1,
    "cast<integer>(unsqueeze(a, axes = [0]) * 1.0)": lambda x, y: x[None],
    "cast<integer>(slice(a, axes = [1], begin = [1], end = [3]))": lambda x, y: x[:, 1:3],
    "cast<integer>(tile(a, repeats = [1, 2]))": lambda x, y: np.tile(x, (1, 2)),
    "cast<integer>(concat([a, b], axis = 0))": lambda x, y: np.concatenate([x, y]),
    "cast<integer>(stack([a, b], axis = 0))": lambda x, y: np.stack([x, y]),
    "cast<integer>(gather(a, first, axis = 1))": lambda x, y: x[:, [0, 0]],
    "cast<integer>(pad(a, padding = [(0, 1), (1, 0)], border = 'constant', value = 3.0))": (
        lambda x, y: np.pad(x, ((0, 1), (1, 0)), constant_values=3)
    ),
    "cast<integer>(add_n([a, b, a]))": lambda x, y: x + y + x,
    "cast<integer>(a + cast<scalar>(x_positive))": lambda x, y: x + (x > 0),
    "cast<integer>(a * table)": lambda x, y: x * np.array([[1], [2**20], [-3]]),
}
MORE = """x_positive = a > 0.0;
nonzero = select(b == 0.0, 3.0, b);
first = constant<integer>(shape = [2], value = [0]);
table = constant(shape = [3, 1], value = [1.0, 1048576.0, -3.0]);
"""


@pytest.mark.parametrize("formula", sampled(FORMULAS, 3))
@pytest.mark.parametrize("engine", ENGINES)
def test_results_are_those_of_numpy(engine, formula):
    session = Session(document(formula, more=MORE), engine)

    @settings(max_examples=25)
    @given(arrays, arrays)
    def check(x, y):
        with np.errstate(all="ignore"):
            expected = FORMULAS[formula](x, y)
        result = session.run({"x": x, "y": y})["z"]
        assert result.dtype == expected.dtype
        np.testing.assert_array_equal(result, expected)

    check()


@pytest.mark.parametrize("engine", [*ENGINES, "litert", "auto"])
@pytest.mark.parametrize("result", ["floor(a / b)", "ceil(a / b)", "a / b"])
def test_a_division_of_integers_by_zero_is_named(engine, result):
    graph = document(f"cast<integer>({result})")
    x = np.arange(12).reshape(3, 4)
    with pytest.raises(nk.ExecutionError, match=r"integer is divided by zero|ZeroDivision"):
        run(graph, {"x": x, "y": x}, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_scalars_on_the_way_are_what_the_integers_are_as_scalars(engine):
    graph = document("cast<integer>(c * 3.0)", more="c = a + b;\n")
    x, y = np.full((3, 4), 2**24, np.int64), np.full((3, 4), 1, np.int64)
    recorded = trace(graph, {"x": x, "y": y}, engine)
    assert {*recorded} == {*"xyabcz", *(n for n in graph.tensors if n not in "xyabcz")}
    np.testing.assert_array_equal(recorded["z"], (x + y) * 3)
    np.testing.assert_array_equal(recorded["c"], np.float32(2**24 + 1))
    assert recorded["c"].dtype == np.float32


@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_that_are_not_integers_are_computed_as_before(engine):
    x = np.array([[2**24 + 1, 5, -3, 0]] * 3)
    scaled = run(document("cast<integer>(floor(a * 0.5))", inputs=("x",)), {"x": x}, engine)["z"]
    np.testing.assert_array_equal(scaled, np.floor(x.astype(np.float32) * np.float32(0.5)))
    mean = run(document("mean_reduce(a, axes = [1])", inputs=("x",)), {"x": x}, engine)["z"]
    np.testing.assert_allclose(mean, x.mean(1, keepdims=True), rtol=1e-6)


def test_an_engine_that_computes_no_integers_leaves_them_to_its_fallback():
    graph = document("cast<integer>(a + b)")
    x, y = np.full((3, 4), 2**53, np.int64), np.full((3, 4), 1, np.int64)
    result = run(graph, {"x": x, "y": y}, "tract", fallback="numpy")["z"]
    np.testing.assert_array_equal(result, x + y)


def test_step_refuses_integers_that_the_scalars_between_would_round():
    graph = document("cast<integer>(a + b)")
    x, y = np.full((3, 4), 2**24 - 1, np.int64), np.full((3, 4), 1, np.int64)
    assert [*step(graph, {"x": y, "y": y})][-1].outputs["z"][0, 0] == 2
    with pytest.raises(nk.ExecutionError, match=r"'add'.*16,777,216"):
        [*step(graph, {"x": x, "y": y})]


def test_exported_models_compute_with_integers():
    onnxruntime, torch = pytest.importorskip("onnxruntime"), pytest.importorskip("torch")
    graph = document("cast<integer>(a - floor(a / 86400.0) * 86400.0) ", inputs=("x",))
    x = np.array([[1_732_900_001, -1, 2**40 + 1, 5]] * 3)
    model = onnxruntime.InferenceSession(
        nk.to_onnx(graph).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    np.testing.assert_array_equal(model.run(None, {"x": x})[0], x % 86400)
    np.testing.assert_array_equal(nk.to_torch(graph)(torch.from_numpy(x)).numpy(), x % 86400)
