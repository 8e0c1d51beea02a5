"""Infinities and NaN in converted graphs: the same as in the source, in every engine."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import nnefkit as nk

LARGEST = float(np.finfo(np.float32).max)
ROWS = np.array(
    [
        [1, 2, 3, 4],
        [inf, 1, -2, 3],
        [1, -inf, 2, -1],
        [nan, 1, 2, 3],
        [1, 2, nan, 3],
        [-inf, -inf, -inf, -inf],
        [inf, inf, inf, inf],
        [inf, -inf, 0, 1],
        [0, -0.0, 0, -0.0],
        [LARGEST, -1, 1, 0],
        [-inf, -inf, 5, -inf],
        [1, 2, 3, inf],
    ],
    np.float32,
)
OTHERS = np.random.default_rng(1).permutation(ROWS.ravel()).reshape(ROWS.shape)
ENGINES = ("numpy", "onnxruntime", "torch")


class Layers(nn.Module):
    """Functions of the same inputs, side by side: one export is faster than many."""

    def __init__(self, functions):
        super().__init__()
        self.functions = functions

    def forward(self, *inputs):
        return tuple(function(*inputs) for function in self.functions)


def exported(functions, *inputs):
    """The graph of some functions, exported with ordinary example inputs."""
    torch.manual_seed(0)
    examples = tuple(
        torch.randn(array.shape) if array.dtype.kind == "f" else torch.ones(array.shape).bool()
        for array in inputs
    )
    return nk.from_torch(Layers(functions), examples)


def agrees(functions, *inputs, engines=ENGINES):
    """Check that all engines and an exported module compute what PyTorch does."""
    graph = exported([*functions.values()], *inputs)
    tensors = [torch.from_numpy(array) for array in inputs]
    expected = [function(*tensors).numpy() for function in functions.values()]
    results = {
        engine: [*nk.run(graph, dict(zip(graph.inputs, inputs, strict=True)), engine).values()]
        for engine in engines
    }
    with torch.no_grad():
        result = nk.to_torch(graph)(*tensors)
    results["module"] = [result] if isinstance(result, torch.Tensor) else [*result]
    for engine, arrays in results.items():
        for name, array, right in zip(functions, arrays, expected, strict=True):
            where = f"{name} in {engine}"
            np.testing.assert_allclose(array, right, rtol=1e-4, atol=1e-6, err_msg=where)
    return graph


MASKED = {
    "output": lambda x: x,
    "softmax": lambda x: functional.softmax(x, -1),
    "log_softmax": lambda x: functional.log_softmax(x, -1),
    "maximum": lambda x: x.nan_to_num(0.0, inf, -inf).amax(-1),  # ONNX Runtime misses NaN
    "isinf": torch.isinf,
    "isnan": torch.isnan,
    "mean": lambda x: x.mean(-1),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
}


@pytest.mark.parametrize("value", [-inf, inf, nan])
def test_fill_values_of_masks_are_exact(value):
    filled = {
        f"{then} of a mask": lambda x, f=function: f(x.masked_fill(x > 1, value))
        for then, function in MASKED.items()
    }
    chosen = {
        f"{then} of a choice": lambda x, f=function: f(torch.where(x > 1, torch.tensor(value), x))
        for then, function in MASKED.items()
    }
    agrees(filled | chosen, ROWS)


NUMBERS = {
    "padded": lambda x, v: functional.pad(x, (1, 2), value=v),
    "threshold": lambda x, v: functional.threshold(x, 0.5, v),
    "threshold at": lambda x, v: functional.threshold(x, v, 0.5),
    "sum": lambda x, v: x + v,
    "product": lambda x, v: x * v,
    "comparison": lambda x, v: x < v,
    "equality": lambda x, v: x == v,
    "concatenation": lambda x, v: torch.cat([x, torch.full((len(x), 2), v)], 1),
    "nan_to_num": lambda x, v: torch.nan_to_num(x, nan=v, posinf=v, neginf=v),
    "power": lambda x, v: x**v,
}


@pytest.mark.parametrize("value", [-inf, inf, nan])
def test_numbers_without_a_literal_are_stored_in_variables(tmp_path, value):
    graph = agrees(
        {name: lambda x, f=function: f(x, value) for name, function in NUMBERS.items()}, ROWS
    )
    nk.save(graph, tmp_path / "model")
    again = nk.load(tmp_path / "model")
    assert nk.validate(again).ok
    for before, after in zip(*(nk.run(g, ROWS).values() for g in (graph, again)), strict=True):
        np.testing.assert_array_equal(before, after)


def test_attributes_have_no_infinity():
    with pytest.raises(nk.NnefError, match="is inf") as caught:
        exported([lambda x: functional.leaky_relu(x, inf)], ROWS)
    assert "no literal" in str(caught.value)


FUNCTIONS = {
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "logsumexp of columns": lambda x: torch.logsumexp(x, 0),
    "log_softmax": lambda x: functional.log_softmax(x, -1),
    "softmax": lambda x: functional.softmax(x, -1),
    "cumsum of rows": lambda x: x.cumsum(1),
    "cumsum of columns": lambda x: x.cumsum(0),
    "cumsum of three axes": lambda x: x.reshape(4, 3, 4).cumsum(1),
    "least": lambda x: x.clamp(min=1.0),
    "most": lambda x: x.clamp(max=1.0),
    "crossing bounds": lambda x: x.clamp(1.0, -1.0),
    "normalized": lambda x: functional.normalize(x[:9], dim=-1),
    "mean": lambda x: x.mean(-1),
    "variance": lambda x: x[:9].var(-1),
    "norm of order 1": lambda x: torch.linalg.vector_norm(x, 1, dim=-1),
    "norm of order 3": lambda x: torch.linalg.vector_norm(x, 3, dim=-1),
    "mish": functional.mish,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "elu": functional.elu,
    "selu": functional.selu,
    "celu": lambda x: functional.celu(x, 2.0),
    "erf": torch.erf,
    "hardshrink": functional.hardshrink,
    "softshrink": functional.softshrink,
    "log1p": torch.log1p,
    "expm1": torch.expm1,
    "round": torch.round,
    "trunc": torch.trunc,
    "isfinite": torch.isfinite,
    "glu": functional.glu,
    "layer_norm": lambda x: functional.layer_norm(x[:9], (4,)),
}


def test_functions_of_infinities_and_nan():
    agrees(FUNCTIONS, ROWS)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_largest_elements_are_distinct_and_exact(count, largest):
    # NaN comes first in both directions; to PyTorch, it is the largest.
    rows = ROWS if largest else ROWS[~np.isnan(ROWS).any(1)]
    graph = exported([lambda x: tuple(torch.topk(x, count, 1, largest))], rows)
    expected = torch.topk(torch.from_numpy(rows), count, 1, largest).values.numpy()
    for engine in ENGINES:
        values, indices = nk.run(graph, rows, engine).values()
        np.testing.assert_array_equal(values, expected, err_msg=engine)
        np.testing.assert_array_equal(np.take_along_axis(rows, indices, 1), expected)
        assert all(len({*row}) == count for row in indices.tolist()), engine


OF_MASKS = {
    "largest of a mask": lambda x: x.masked_fill(x > 1, -inf).amax(-1),
    "smallest of a mask": lambda x: x.masked_fill(x > 1, inf).amin(-1),
    "zero times a mask": lambda x: x.masked_fill(x > 1, -inf) * 0,
    "largest of windows": lambda x: functional.max_pool1d(
        x[:, None] + torch.tensor([0.0, -inf, -inf, 0.0]), 2, 1
    ),
    "softmax of a mask": lambda x: functional.softmax(x.masked_fill(x > 1, -inf), -1),
    "attention": lambda x: functional.softmax(
        x @ x.T + torch.triu(torch.full((12, 12), -inf), 1), -1
    ),
}


@pytest.mark.parametrize("function", OF_MASKS.values(), ids=OF_MASKS)
def test_tract_computes_infinite_constants_right_or_refuses_them(function):
    x = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    x[3] = 5
    graph = exported([function], x)
    try:
        (result,) = nk.run(graph, x, "tract").values()
    except nk.ExecutionError as error:
        (refusal,) = [d for d in error.diagnostics if "which a weight holds" in str(d)]
        assert refusal
        return
    expected = function(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-6)


PAIRS = {
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "maximum with a constant": lambda x, y: torch.maximum(x, torch.tensor(0.5)),
    "minimum with a constant": lambda x, y: torch.minimum(torch.tensor(0.5), y),
    "quotient rounded down": lambda x, y: torch.div(x, y, rounding_mode="floor"),
    "quotient rounded toward zero": lambda x, y: torch.div(x, y, rounding_mode="trunc"),
    "fmod": torch.fmod,
    "remainder": torch.remainder,
    "atan2": torch.atan2,
    "hypot": torch.hypot,
    "quotient": torch.div,
    "power": torch.pow,
    "lerp": lambda x, y: torch.lerp(x, y, 0.25),
    "lerp from the end": lambda x, y: torch.lerp(x, y, 0.75),
    "lerp by a tensor": lambda x, y: torch.lerp(x, y, torch.tensor([0.1, 0.5, 0.7, 1.0])),
    "addcmul": lambda x, y: torch.addcmul(x, x, y, value=0.5),
    "product": lambda x, y: x @ y.T,
    "logaddexp": torch.logaddexp,
    "equality": torch.eq,
    "order": torch.lt,
}


def test_functions_of_two_tensors_with_infinities_and_nan():
    agrees(PAIRS, ROWS, OTHERS)


def test_lengths_overflow_only_if_the_result_does():
    x = np.array([[3e38, 1e-30, 3e20, 0.0]], np.float32)
    y = np.array([[1e38, 1e-30, 4e20, 0.0]], np.float32)
    agrees({"hypot": torch.hypot}, x, y)


def test_angles_are_right_in_all_quadrants():
    sides = np.array([0, -0.0, 1, -1, 2, -3, inf, -inf, nan, 1e-30], np.float32)
    y, x = (np.ascontiguousarray(side) for side in np.meshgrid(sides, sides))
    signed = ~((y == 0) & (x == 0)) & ~((x == 0) | ((y == 0) & (x < 0)))
    agrees({"atan2": torch.atan2}, np.where(signed, y, 1), x)


def test_infinity_is_found_among_float64():
    x = np.array([1e39, -1e300, inf, -inf, nan])
    graph = nk.from_torch(Layers([torch.isinf]), torch.zeros(5, dtype=torch.float64))
    for engine in ENGINES:
        (found,) = nk.run(graph, x, engine).values()
        assert found.tolist() == [False, False, True, True, False], engine


KEYS = torch.tensor([[1, 1, 0], [0, 0, 0], [1, 0, 0]], dtype=torch.bool)
ADDED = torch.zeros(3, 3).masked_fill(~KEYS, -inf)


@pytest.mark.parametrize("mask", [KEYS, ADDED], ids=["logical", "added"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "computed"])
def test_attention_of_a_query_without_keys_is_zero(mask, known):
    torch.manual_seed(0)
    parts = [torch.randn(1, 2, 3, 4).numpy() for _ in range(3)]
    attend = functional.scaled_dot_product_attention
    if known:
        agrees({"attention": lambda q, k, v: attend(q, k, v, mask)}, *parts)
        return
    graph = nk.from_torch(Layers([attend]), (*map(torch.from_numpy, parts), torch.ones_like(mask)))
    feeds = dict(zip(graph.inputs, [*parts, mask.numpy()], strict=True))
    expected = attend(*map(torch.from_numpy, parts), mask)
    for engine in ENGINES:
        (result,) = nk.run(graph, feeds, engine).values()
        np.testing.assert_allclose(result, expected.numpy(), rtol=1e-4, atol=1e-5)


class MaskedAttention(nn.Module):
    """An attention with heads, one of whose queries has no key."""

    def __init__(self, weights):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.MultiheadAttention(8, 2, batch_first=True)
        self.weights = weights

    def forward(self, x):
        return self.layer(x, x, x, attn_mask=~KEYS, need_weights=self.weights)[0]


def test_multihead_attention_of_a_query_without_keys_is_nan_as_in_pytorch():
    x = torch.randn(2, 3, 8)
    network = MaskedAttention(True).eval()
    graph = nk.from_torch(network, x)
    with torch.no_grad():
        expected = network(x).numpy()
    assert np.isnan(expected[:, 1]).all()
    for engine in ENGINES:
        (result,) = nk.run(graph, x.numpy(), engine).values()
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_multihead_attention_is_refused_where_pytorch_disagrees_with_itself():
    # Exported or with gradients, PyTorch computes 0, else NaN.
    with pytest.raises(nk.ExecutionError, match="not finite"):
        nk.from_torch(MaskedAttention(False).eval(), torch.randn(2, 3, 8))
