"""Integers to the power of integers: computed as integers of 64 bits, or an error of the run."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from oracles.torch_operators import Of

import nnefkit as nk
from nnefkit.execution import Session

ENGINES = ("numpy", "onnxruntime", "torch")
BASES = torch.tensor([3, -7, 2, 0, 1, -1, 5, -2, 0, 10])
EXPONENTS = torch.tensor([40, 22, 62, 0, -3, 1_000_001, -2, 63, 5, 18])
CASES = {
    "tensors": (lambda x, y: x**y, BASES, EXPONENTS),
    "of 3": (lambda y: 3**y, torch.tensor([0, 1, 39, 40, 255, -1])),
    "of -1": (lambda y: (-1) ** y, torch.tensor([0, 1, 10**9, 10**9 + 1, -3])),
    "of 2": (lambda y: 2**y, torch.tensor([0, 1, 62, 63, 64, 100])),
    "of a large number": (lambda y: 16_777_217**y, torch.tensor([0, 1, 2, 3])),
    "a large exponent": (lambda x: x**100, BASES),
    "known exponents": (lambda x: x ** EXPONENTS.abs(), BASES),
    "shapes that broadcast": (lambda x, y: x[:, None] ** y[None], BASES[:3], EXPONENTS[:2]),
    "32 bits": (lambda x, y: x.int() ** y.int(), BASES, EXPONENTS),
    "8 bits": (lambda x, y: x.to(torch.uint8) ** y.to(torch.uint8), BASES, BASES.abs()),
}


@pytest.mark.parametrize("name", CASES)
def test_powers_are_those_of_pytorch(name):
    function, *inputs = CASES[name]
    graph = nk.from_torch(Of(function), tuple(inputs))
    given = {n: x.numpy() for n, x in zip(graph.inputs, inputs, strict=True)}
    expected = function(*inputs).numpy()
    for engine in ENGINES:
        result = Session(graph, engine).run(given)[graph.outputs[0]]
        np.testing.assert_array_equal(result, expected)


def test_an_exponent_out_of_range_is_an_error():
    graph = nk.from_torch(Of(lambda x, y: x**y), (BASES, EXPONENTS))
    exponents = np.where(EXPONENTS == 40, 300, EXPONENTS)
    given = dict(zip(graph.inputs, (BASES.numpy(), exponents), strict=True))
    for engine in ENGINES:
        with pytest.raises(nk.ExecutionError, match="300"):
            nk.run(graph, given, engine)


def test_powers_of_onnx_are_computed_as_integers():
    info = [helper.make_tensor_value_info(name, TensorProto.INT64, [3]) for name in "xyz"]
    node = helper.make_node("Pow", ["x", "y"], ["z"])
    made = helper.make_model(helper.make_graph([node], "power", info[:2], info[2:]))
    graph = nk.from_onnx(onnx.shape_inference.infer_shapes(made))
    given = {"x": np.array([3, -7, 2]), "y": np.array([39, 21, -1])}
    for engine in ENGINES:
        result = nk.run(graph, given, engine)["z"]
        np.testing.assert_array_equal(result, [3**39, (-7) ** 21, 0])
