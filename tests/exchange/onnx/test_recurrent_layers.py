"""Unrolled recurrent layers become one operator in ONNX again, with the same numbers."""

import itertools

import pytest
import torch
from onnx import helper
from recurrent_networks import (
    KINDS,
    RECURRENT,
    STEPWISE,
    close,
    flat,
    in_runtime,
    kinds,
    network,
    onnx_layer,
    unrolled,
    weight_count,
)
from sampled import sampled
from torch import nn

import nnefkit as nk

# -- PyTorch ---------------------------------------------------------------------------------------

EXTENTS = ((1, 1, 1), (1, 3, 5), (2, 1, 5), (2, 3, 1), (7, 3, 5), (7, 1, 1), (129, 1, 5))
FORMS = (
    {},
    {"bidirectional": True, "batch_first": True},
    {"num_layers": 2, "bias": False, "states": True},
    {"num_layers": 2, "bidirectional": True, "states": True},
    {"num_layers": 3, "batch_first": True},
)
CASES = [
    (kind, *extents, form)
    for (number, kind), extents in itertools.product(enumerate(KINDS), EXTENTS)
    for form in ((FORMS[(number + sum(extents)) % 5], FORMS[(number + sum(extents) + 3) % 5]))
]


@pytest.mark.parametrize(("kind", "steps", "batch", "size", "form"), sampled(CASES, 3))
def test_a_layer_of_pytorch_is_one_operator_with_the_same_results(kind, steps, batch, size, form):
    module, inputs = network(kind, steps, batch, size, **form)
    graph = nk.from_torch(module, inputs, verify=False)
    model = nk.to_onnx(graph, verify=False)
    counts = kinds(model)
    assert counts[kind[:4].strip()] == form.get("num_layers", 1)
    assert not STEPWISE & {*counts}
    assert sum(counts.values()) <= 7 * form.get("num_layers", 1) + 6
    arrays = [array.numpy() for array in inputs]
    results = in_runtime(model, *arrays)
    close(results, flat(module(*inputs)))
    close(results, in_runtime(unrolled(graph), *arrays))


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_graph_has_the_same_layers(kind, tmp_path):
    module, inputs = network(kind, 5, 2, 3, num_layers=2, bidirectional=True)
    graph = nk.from_torch(module, inputs, verify=False)
    nk.save(graph, tmp_path / "calls")
    loaded = nk.load(tmp_path / "calls")
    nk.save(loaded, tmp_path / "expanded")
    expected = kinds(nk.to_onnx(graph))
    assert expected[kind[:4].strip()] == 2
    for one in (loaded, nk.load(tmp_path / "calls", expand=False), nk.load(tmp_path / "expanded")):
        model = nk.to_onnx(one)
        assert kinds(model) == expected
        close(in_runtime(model, inputs[0].numpy()), flat(module(*inputs)))


class Cells(nn.Module):
    """A loop over the steps as users write it, which returns the last state."""

    def __init__(self, cell):
        super().__init__()
        torch.manual_seed(0)
        self.cell = cell(4, 3)

    def forward(self, x, h, c):
        state = (h, c) if isinstance(self.cell, nn.LSTMCell) else h
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return state


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_loop_over_a_cell_is_one_layer(cell):
    module = Cells(cell).eval()
    inputs = (torch.randn(2, 6, 4), torch.randn(2, 3), torch.randn(2, 3))
    if cell is not nn.LSTMCell:
        module.forward = lambda x, h: Cells.forward(module, x, h, None)
        inputs = inputs[:2]
    graph = nk.from_torch(module, inputs)
    model = nk.to_onnx(graph)
    counts = kinds(model)
    assert sum(counts[name] for name in RECURRENT) == 1
    assert sum(counts.values()) <= 8
    close(in_runtime(model, *(i.numpy() for i in inputs)), flat(module(*inputs)))


class Readout(nn.Module):
    """A layer whose results are read one by one, after each step and at the end."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.head = nn.GRU(4, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, x):
        y, h = self.layer(x)
        return self.head(y[:, -1]), y[:, 2].tanh(), y.mean(1), h[-1]


def test_single_results_of_a_layer_are_read_from_it():
    module, x = Readout().eval(), torch.randn(2, 5, 4)
    model = nk.to_onnx(nk.from_torch(module, (x,)))
    assert kinds(model)["GRU"] == 1
    close(in_runtime(model, x.numpy()), flat(module(x)))


# -- ONNX ------------------------------------------------------------------------------------------

DIRECTIONS = ("forward", "reverse", "bidirectional")


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("kind", sorted(RECURRENT))
@pytest.mark.parametrize(
    "extents", [(1, 3, 5), (2, 1, 1), (7, 3, 5), pytest.param((129, 1, 5), marks=pytest.mark.slow)]
)
def test_a_layer_of_onnx_returns_as_the_same_node(kind, direction, extents):
    states = sum(extents) % 2 * (2 if kind == "LSTM" else 1)
    model, feeds = onnx_layer(kind, *extents, direction=direction, states=states, outputs=7)
    again = nk.to_onnx(nk.from_onnx(model))
    (layer,) = [node for node in again.graph.node if node.op_type == kind]
    given = {a.name: helper.get_attribute_value(a) for a in layer.attribute}
    if extents[0] > 1:
        assert given.get("direction", b"forward").decode() == direction
        assert len(again.graph.node) == 1
    assert len(again.graph.node) <= 4
    assert weight_count(again) == weight_count(model)
    close(in_runtime(again, *feeds), in_runtime(model, *feeds))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("kind", sorted(RECURRENT))
def test_any_results_of_a_layer_may_be_wanted(kind, outputs, bias):
    if kind != "LSTM" and not outputs & 3:
        outputs = 3
    model, feeds = onnx_layer(kind, 4, 2, 3, direction="bidirectional", bias=bias, outputs=outputs)
    again = nk.to_onnx(nk.from_onnx(model))
    assert [*kinds(again)] == [kind]
    assert weight_count(again) == weight_count(model)
    assert [o.name for o in again.graph.output] == [o.name for o in model.graph.output]
    close(in_runtime(again, *feeds), in_runtime(model, *feeds))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    "extents", [(1, 2, 3), (4, 3, 5), pytest.param((129, 1, 1), marks=pytest.mark.slow)]
)
def test_a_layer_may_reset_the_state_before_the_product(direction, extents, bias):
    form = {"direction": direction, "bias": bias, "states": extents[0] % 2, "reset_first": True}
    model, feeds = onnx_layer("GRU", *extents, **form)
    again = nk.to_onnx(nk.from_onnx(model))
    (layer,) = [node for node in again.graph.node if node.op_type == "GRU"]
    assert "linear_before_reset" not in str(layer.attribute)
    assert len(again.graph.node) <= 4
    assert weight_count(again) == weight_count(model)
    close(in_runtime(again, *feeds), in_runtime(model, *feeds))


@pytest.mark.parametrize("opset", [16, 18, 22])
def test_a_layer_is_written_in_any_opset(opset):
    model, feeds = onnx_layer("LSTM", 3, 2, 3)
    again = nk.to_onnx(nk.from_onnx(model), opset=opset)
    assert kinds(again) == {"LSTM": 1}
    close(in_runtime(again, *feeds), in_runtime(model, *feeds)[:3])


def test_weights_that_layers_share_are_written_once():
    torch.manual_seed(0)
    layer = nn.LSTM(4, 4)
    module = nn.Module()
    module.layer = layer
    module.forward = lambda x: layer(layer(x)[0])[0]
    x = torch.randn(3, 2, 4)
    model = nk.to_onnx(nk.from_torch(module.eval(), (x,)))
    assert kinds(model)["LSTM"] == 2
    assert weight_count(model) == sum(p.numel() for p in layer.parameters())
    close(in_runtime(model, x.numpy()), flat(module(x)))
