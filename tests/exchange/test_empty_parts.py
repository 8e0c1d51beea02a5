"""Parts of zero extent, which NNEF does not have, are left out where they are joined to others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import nnefkit as nk


class Layer(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


JOINED = {
    "slices": lambda x: torch.cat([x[:, :0], x, x[:, 3:3]], 1),
    "activations": lambda x: torch.cat([torch.relu(x[:, :0]), x], 1),
    "sums": lambda x: torch.cat([x[:, :0] + x[:, :1], x], 1),
    "reshaped": lambda x: torch.cat([x[:, :0].reshape(2, 0, 2).transpose(1, 2).flatten(1), x], 1),
    "stacked": lambda x: torch.cat([torch.stack([x[:, :0]] * 2).reshape(2, 0), x], 1),
    "indexed": lambda x: torch.cat([x[:, torch.zeros(0, dtype=torch.long)], x], 1),
    "split": lambda x: torch.cat(torch.split(x, [0, 3, 1], 1)[::-1], 1),
    "joined before": lambda x: torch.cat([torch.cat([x[:, :0], x[:, 2:2]], 1), x], 1),
    "made": lambda x: torch.cat([x.new_zeros(2, 0), x], 1),
    "reduced": lambda x: x[:, :0].sum(1, keepdim=True) + x,
    "multiplied": lambda x: x[:, :0] @ x.new_zeros(0, 4) + x,
}


@pytest.mark.parametrize("what", JOINED)
def test_empty_parts_of_pytorch_are_left_out(what):
    x = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    graph = nk.from_torch(Layer(JOINED[what]).eval(), (x,))
    (y,) = nk.run(graph, x.numpy(), progress=False).values()
    np.testing.assert_allclose(y, JOINED[what](x).numpy(), 1e-6)
    assert all(0 not in (tensor.shape or ()) for tensor in graph.tensors.values())


def test_empty_outputs_and_inputs_of_pytorch_are_refused():
    x = torch.ones(2, 4)
    with pytest.raises(nk.DocumentError, match=r"output '\w+' is empty"):
        nk.from_torch(Layer(lambda x: (x, x[:, :0])).eval(), (x,))
    with pytest.raises(nk.DocumentError, match=r"input '\w+' is empty"):
        nk.from_torch(Layer(lambda x, y: torch.cat([x, y], 1)).eval(), (x, torch.ones(2, 0)))


def model(nodes, weights, inputs=(("x", (2, 4)),)):
    graph = helper.make_graph(
        nodes,
        "joined",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


PARTS = {
    "Slice": (["x", "starts", "ends", "axes"], {"starts": [1], "ends": [1], "axes": [1]}, {}),
    "Gather": (["x", "indices"], {"indices": np.zeros(0, np.int64)}, {"axis": 1}),
    "Tile": (["x", "repeats"], {"repeats": [1, 0]}, {}),
    "Compress": (["x", "condition"], {"condition": [False] * 4}, {"axis": 1}),
    "Add": (["x1", "nothing"], {"nothing": np.zeros((2, 0), np.float32)}, {}),
}


@pytest.mark.parametrize("name", PARTS)
def test_empty_parts_of_onnx_are_left_out(name):
    inputs, weights, attributes = PARTS[name]
    nodes = [
        helper.make_node("Slice", ["x", "zero", "one", "one"], ["x1"]),
        helper.make_node(name, inputs, ["part"], **attributes),
        helper.make_node("Relu", ["part"], ["positive"]),
        helper.make_node("Concat", ["positive", "x"], ["y"], axis=1),
    ]
    weights = {**weights, "zero": [0], "one": [1]}
    graph = nk.from_onnx(model(nodes, weights))
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(nk.run(graph, x, progress=False)["y"], x)


def test_empty_inputs_of_onnx_become_constants():
    nodes = [helper.make_node("Concat", ["past", "x"], ["y"], axis=1)]
    made = model(nodes, {}, (("x", (2, 4)), ("past", (2, 0))))
    with pytest.raises(nk.InputError, match="input 'past' is empty") as caught:
        nk.from_onnx(made)
    assert "constants={'past': np.zeros((2, 0))}" in caught.value.diagnostics[0].hint
    graph = nk.from_onnx(made, constants={"past": np.zeros((2, 0))})
    assert graph.inputs == ("x",)
