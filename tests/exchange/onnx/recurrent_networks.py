"""Recurrent layers of PyTorch and ONNX, and what tests of their models count and compare."""

import collections

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from torch import nn

import nnefkit as nk
from nnefkit.execution.engines.onnxruntime.lowered_model import exported_model
from nnefkit.language import expand_calls

RECURRENT = {"LSTM", "GRU", "RNN"}
STEPWISE = {"Gemm", "Sigmoid", "Tanh", "Relu", "Mul"}


def kinds(model):
    return collections.Counter(node.op_type for node in model.graph.node)


def in_runtime(model, *arrays):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [info.name for info in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))


def unrolled(graph):
    return exported_model(nk.infer_shapes(expand_calls(graph)))


def close(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert a.shape == tuple(b.shape)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-6)


def flat(outputs):
    if isinstance(outputs, torch.Tensor):
        return [outputs.detach().numpy()]
    return [array for item in outputs for array in flat(item)]


class Layer(nn.Module):
    """A recurrent network, with its initial states as inputs if they are given."""

    def __init__(self, kind, size, **options):
        super().__init__()
        torch.manual_seed(0)
        name, _, function = kind.partition(" ")
        options |= {"nonlinearity": function} if function else {}
        self.layer = getattr(nn, name)(4, size, **options)

    def forward(self, x, *states):
        state = tuple(states) if isinstance(self.layer, nn.LSTM) else states and states[0]
        return self.layer(x, state) if states else self.layer(x)


def network(kind, steps, batch, size, *, states=False, **options):
    module = Layer(kind, size, **options).eval()
    x = torch.randn((batch, steps, 4) if options.get("batch_first") else (steps, batch, 4))
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    number = (2 if kind == "LSTM" else 1) if states else 0
    return module, (x, *(torch.randn(count, batch, size) for _ in range(number)))


KINDS = ("LSTM", "GRU", "RNN tanh", "RNN relu")


def onnx_layer(
    kind,
    steps,
    batch,
    size,
    *,
    direction="forward",
    bias=True,
    states=0,
    outputs=3,
    reset_first=False,
):
    rng = np.random.default_rng(steps + size)
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    count = 2 if direction == "bidirectional" else 1

    def drawn(*shape):
        return rng.uniform(-1, 1, shape).astype(np.float32)

    weights = {
        "W": drawn(count, gates * size, 4),
        "R": drawn(count, gates * size, size),
        "B": drawn(count, 2 * gates * size) if bias else None,
    }
    x = {"X": drawn(steps, batch, 4)}
    initial = {name: drawn(count, batch, size) for name in ("h", "c")[:states]}
    names = ["X", *(n if w is not None else "" for n, w in weights.items()), "", *initial]
    results = ["Y", "Y_h", "Y_c"][: 3 if kind == "LSTM" else 2]
    kept = [name if outputs >> i & 1 else "" for i, name in enumerate(results)]
    attributes = {"linear_before_reset": int(not reset_first)} if kind == "GRU" else {}
    while not names[-1]:
        names.pop()
    node = helper.make_node(
        kind, names, kept, "layer", hidden_size=size, direction=direction, **attributes
    )
    feeds = {**x, **initial}
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info(n, 1, a.shape) for n, a in feeds.items()],
        [helper.make_tensor_value_info(name, 1, None) for name in kept if name],
        [numpy_helper.from_array(w, n) for n, w in weights.items() if w is not None],
    )
    opsets = [helper.make_opsetid("", 21)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), [*feeds.values()]


def weight_count(model):
    return sum(
        int(np.prod(t.dims))
        for t in model.graph.initializer
        if t.data_type == onnx.TensorProto.FLOAT
    )
