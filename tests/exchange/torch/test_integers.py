"""Integers and remainders of PyTorch, at the values where float32 rounds them."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sampled import sampled
from torch import nn

import nnefkit as nk
from nnefkit.execution import Session

ENGINES = ("numpy", "onnxruntime", "torch")
SMALL = [5, -3, 7, 2, 1, -7, 7, 0]
LARGE = [2**24 + 1, -(2**24) - 3, 2**40 + 7, -(2**53) - 1, 1_732_900_001, -7, 7, 0]
EXTREME = [2**63 - 1, -(2**63), 2**62, -(2**62) + 1, 2**53 + 1, -1, 1, -(2**31)]
DIVISORS = [3, -5, 86400, 7, -86400, 2, -2, 9]

FUNCTIONS = {
    "remainder by a number": lambda x, y: x % 86400,
    "remainder": lambda x, y: x % y,
    "remainder of a number": lambda x, y: torch.remainder(-7, y),
    "fmod": torch.fmod,
    "floor_divide": lambda x, y: x // y,
    "div trunc": lambda x, y: torch.div(x, y, rounding_mode="trunc"),
    "div floor": lambda x, y: torch.div(x, y, rounding_mode="floor"),
    "add a large number": lambda x, y: x + 16_777_217,
    "add a larger number": lambda x, y: x + (2**53 + 1),
    "add large numbers": lambda x, y: x + torch.tensor([2**24 + 1, 2**33 + 5, 3, 4, 5, 6, 7, 8]),
    "mul": lambda x, y: x * 1_000_003 * y,
    "rsub": lambda x, y: 5 - x,
    "eq": lambda x, y: x == 16_777_217,
    "lt": lambda x, y: x < y * 2000,
    "sum": lambda x, y: x.sum() + y,
    "cumsum": lambda x, y: x.cumsum(0),
    "prod": lambda x, y: x[:2].prod() + y,
    "max": lambda x, y: x.max() + y,
    "argmax": lambda x, y: x.argmax() + y,
    "square": lambda x, y: x**2,
    "cube": lambda x, y: x**3,
    "abs": lambda x, y: x.abs(),
    "sign": lambda x, y: torch.sign(x) * y,
    "clamp": lambda x, y: x.clamp(-16_777_219, 16_777_217),
    "minimum and maximum": lambda x, y: torch.minimum(x, y) + torch.maximum(x, -y),
    "where": lambda x, y: torch.where(x > y, x, 16_777_217),
    "matmul": lambda x, y: x.reshape(2, 4) @ y.reshape(4, 2),
    "outer sum": lambda x, y: x.unsqueeze(1) * y.unsqueeze(0) + x,
    "topk": lambda x, y: torch.topk(x, 3)[0],
    "diff": lambda x, y: x.diff(),
    "flip": lambda x, y: x.roll(1) - x.flip(0),
    "modulo arithmetic": lambda x, y: (x * 31 + 7) % 1_000_003,
}


class Layer(nn.Module):
    """A function as a module, with a weight if one is given."""

    def __init__(self, function, weight=None):
        super().__init__()
        self.function = function
        self.weight = weight

    def forward(self, *inputs):
        result = self.function(*inputs)
        return result if self.weight is None else result + self.weight


def exported(function, *inputs, weight=None):
    graph = nk.from_torch(Layer(function, weight), inputs, ["x", "y"])
    return graph, lambda *arrays: {
        name: array for name, array in zip("xy", arrays, strict=True) if name in graph.inputs
    }


@pytest.mark.parametrize("name", sampled(FUNCTIONS, 3))
def test_integers_are_those_of_pytorch(name):
    function, divisors = FUNCTIONS[name], torch.tensor(DIVISORS)
    graph, named = exported(function, torch.tensor(SMALL), divisors)
    for engine in ENGINES:
        session = Session(graph, engine)
        for numbers in (SMALL, LARGE, EXTREME):
            x = torch.tensor(numbers)
            expected = function(x, divisors).numpy()
            result = session.run(named(x.numpy(), divisors.numpy()))[graph.outputs[0]]
            np.testing.assert_array_equal(result, expected)


LARGE_ROWS = torch.tensor([[2**24 + 1, 2**24 + 3], [2**31 - 1, 5], [-(2**31), -7], [3, 40]])
REDUCTIONS = {
    "sum of int32": lambda x: x.sum(1, dtype=torch.int32),
    "sum of int8": lambda x: x.sum(1, dtype=torch.int8),
    "sum of narrow integers": lambda x: x.int().sum(1),
    "sum of logicals": lambda x: x.sum(1, dtype=torch.bool),
    "product of int32": lambda x: x.prod(1, dtype=torch.int32),
    "cumulative sum of int32": lambda x: x.cumsum(1, dtype=torch.int32),
    "cumulative product of int32": lambda x: x.cumprod(1, dtype=torch.int32),
    "mean": lambda x: x.mean(1, dtype=torch.float32),
    "log-sum-exp": lambda x: x.logsumexp(1),
    "matrix product of int32": lambda x: x.int() @ x.int().T,
    "sum and matrix product of int32": lambda x: torch.addmm(x.int()[:, :1], x.int(), x.int().T),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_have_the_dtype_of_pytorch(name):
    function = REDUCTIONS[name]
    graph = nk.from_torch(Layer(function), torch.tensor([[1, 2], [3, -3], [7, 5], [0, 1]]))
    expected = function(LARGE_ROWS)
    for engine in ENGINES:
        (result,) = nk.run(graph, LARGE_ROWS.numpy(), engine).values()
        np.testing.assert_array_equal(result, expected.numpy(), err_msg=engine)


@pytest.mark.parametrize("name", ["sum", "prod", "cumsum", "cumprod"])
def test_real_numbers_are_truncated_before_they_are_summed_as_integers(name):
    def function(x):
        return getattr(x, name)(1, dtype=torch.int64)

    x = torch.tensor([[1.5, 1.6, -2.75], [-0.5, 3.9, 8.0]])
    graph = nk.from_torch(Layer(function), x)
    for engine in ENGINES:
        (result,) = nk.run(graph, x.numpy(), engine).values()
        np.testing.assert_array_equal(result, function(x).numpy(), err_msg=engine)


@pytest.mark.parametrize("name", ["remainder", "fmod", "floor_divide", "div trunc"])
def test_integers_divided_by_zero_are_an_error(name):
    graph, named = exported(FUNCTIONS[name], torch.tensor(SMALL), torch.tensor(DIVISORS))
    for engine in ENGINES:
        with pytest.raises(nk.ExecutionError, match=r"divided by zero|ZeroDivision"):
            nk.run(graph, named(np.array(SMALL), np.zeros(8, np.int64)), engine)


# -- real numbers ---------------------------------------------------------------------------------

DIVISIONS = {
    "floor_divide": torch.floor_divide,
    "div floor": lambda x, y: torch.div(x, y, rounding_mode="floor"),
    "remainder": torch.remainder,
    "fmod": torch.fmod,
}
tenths = st.integers(-(10**4), 10**4).map(lambda n: n / 10)
numbers = st.one_of(tenths, st.floats(-1e5, 1e5, width=32), st.sampled_from([0.7, -0.7, 1e-30]))
divisors = st.one_of(
    st.sampled_from([0.1, -0.1, 0.3, 0.7, 3.0, -7.0, float("inf"), float("-inf")]),
    st.floats(0.0625, 100.0, width=32),
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", DIVISIONS)
def test_quotients_are_rounded_down_from_the_true_quotient(name, dtype):
    function = DIVISIONS[name]
    weight = nn.Parameter(torch.zeros(2, dtype=dtype)) if dtype == torch.float64 else None
    start = torch.tensor([0.7, 1.0], dtype=dtype), torch.tensor([0.1, 0.1], dtype=dtype)
    graph, named = exported(function, *start, weight=weight)
    sessions = [Session(graph, engine) for engine in ENGINES]

    @settings(max_examples=60)
    @example((0.7, 1.0), (0.1, 0.1))
    @example((-1.0, 6.0), (float("inf"), 0.1))
    @given(st.tuples(numbers, numbers), st.tuples(divisors, divisors))
    def check(x, y):
        x, y = (torch.tensor(pair, dtype=dtype) for pair in (x, y))
        expected = function(x, y).numpy()
        for session in sessions:
            result = session.run(named(x.numpy(), y.numpy()))[graph.outputs[0]]
            assert result.dtype == expected.dtype
            np.testing.assert_array_equal(result, expected)

    check()


# -- inputs ---------------------------------------------------------------------------------------


def test_unsigned_integers_beyond_64_bits_are_refused():
    graph = nk.parse(
        "version 1.0;\ngraph g(x) -> (y)\n{\nx = external<integer>(shape = [2]);\ny = copy(x);\n}"
    )
    fits = np.array([2**63 - 1, 0], np.uint64)
    np.testing.assert_array_equal(nk.run(graph, fits)["y"], fits.astype(np.int64))
    with pytest.raises(nk.InputError, match=r"'x' has 9,223,372,036,854,775,808, which exceeds"):
        nk.run(graph, np.array([2**63, 0], np.uint64))


def test_large_integers_are_compared_exactly():
    a, b = {"x": np.array([2**53, 2**63 - 1])}, {"x": np.array([2**53 + 1, 2**63 - 1])}
    assert not nk.compare(a, b).ok
    assert nk.compare(a, a).ok


# -- narrow integers ------------------------------------------------------------------------------

NARROW = {
    "add": lambda x: x + 100,
    "sub": lambda x: 5 - x,
    "mul": lambda x: x * x * 3,
    "neg": lambda x: -x,
    "abs": lambda x: x.abs(),
    "square": lambda x: x**2,
    "cast": lambda x: (x.long() * 1000).to(x.dtype),
    "cast to uint8": lambda x: x.to(torch.uint8),
    "cast to int8": lambda x: x.to(torch.int8) + x.to(torch.int64),
    "remainder": lambda x: (x + 1) % 7,
}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
@pytest.mark.parametrize("name", NARROW)
def test_narrow_integers_wrap_around_as_in_pytorch(name, dtype):
    function, limits = NARROW[name], torch.iinfo(dtype)
    x = torch.tensor([0, 1, 7, 100, limits.max, limits.min, limits.max // 2 + 1], dtype=dtype)
    graph, named = exported(lambda x, y: function(x), x, torch.zeros(1))
    expected = function(x).numpy()
    for engine in ENGINES:
        result = nk.run(graph, named(x.numpy(), np.zeros(1, np.float32)), engine)[graph.outputs[0]]
        np.testing.assert_array_equal(result, expected.astype(np.int64))


@pytest.mark.parametrize("function", [torch.remainder, torch.fmod])
def test_remainders_of_quotients_with_too_many_digits_are_nan(function):
    x, y = torch.tensor([1.0, -1.0, 7.5, -7.5, 1e30]), torch.tensor([6e-29, 6e-29, 2.0, 2.0, 3e8])

    class Module(torch.nn.Module):
        def forward(self, x, y):
            return function(x, y)

    graph = nk.from_torch(Module(), (x, y), verify=False)
    (computed,) = nk.run(graph, {"x": x.numpy(), "y": y.numpy()}).values()
    assert np.isnan(computed[[0, 1, 4]]).all()
    np.testing.assert_array_equal(computed[2:4], function(x, y).numpy()[2:4])
