"""Steps that are no whole layer of ONNX stay unrolled, and keep their numbers."""

import numpy as np
import pytest
import torch
from recurrent_networks import RECURRENT, close, flat, in_runtime, kinds, network
from torch import nn

import nnefkit as nk

HEAD = """version 1.0;
graph net(x, h) -> ({outputs})
{{
    x = external(shape = [2, 3, 4]);
    h = external(shape = [{batch}, 5]);
    u = variable(shape = [5, 4], label = "u");
    v = variable(shape = [5, 5], label = "v");
    w = variable(shape = [5, 5], label = "w");
    b = variable(shape = [1, 5], label = "b");
    [x0, x1, x2] = unstack(x, axis = 1);
"""
STEP = """    g{n} = linear({x}, {u}, b);
    k{n} = linear({h}, {v}, {b});
    s{n} = add(g{n}, k{n});
    h{n} = {function}(s{n});
"""


def steps(*changes, outputs="h2", more="", batch=2):
    """A document of three steps; `changes` are those of each step."""
    text = HEAD.format(outputs=outputs, batch=batch)
    for n, change in enumerate(changes):
        given = {"x": f"x{n}", "u": "u", "v": "v", "b": "0.0", "function": "tanh"}
        given["h"] = f"h{n - 1}" if n else "h"
        text += STEP.format(n=n, **(given | change))
    rng = np.random.default_rng(0)
    graph = nk.parse(text + more + "}\n")
    return graph.with_data(
        {v.name: rng.uniform(-1, 1, v.shape).astype(np.float32) for v in graph.variables}
    )


def recurrent_count(graph):
    """The number of layers in the model, whose results are those of the graph."""
    model = nk.to_onnx(graph)
    rng = np.random.default_rng(1)
    feeds = [
        rng.uniform(-1, 1, graph.tensors[name].shape).astype(np.float32) for name in graph.inputs
    ]
    expected = nk.run(graph, dict(zip(graph.inputs, feeds, strict=True)))
    close(in_runtime(model, *feeds), [*expected.values()])
    counts = kinds(model)
    return sum(counts[name] for name in RECURRENT)


UNROLLED = {
    "other weights in each step": steps({}, {"v": "w"}, {}),
    "another function": steps({}, {"function": "sigmoid"}, {}),
    "a function without an operator": steps(*[{"function": "sigmoid"}] * 3),
    "sums as outputs": steps({}, {}, {}, outputs="h2, s0, s1, s2"),
    "sums read elsewhere": steps(
        {}, {}, {}, outputs="y", more="p = add(h2, s1); q = add(s0, s2); y = add(p, q);\n"
    ),
    "a bias that is a number": steps(*[{"b": "0.5"}] * 3),
    "an input that depends on the state": steps({}, {"x": "h0", "u": "w"}, {"x": "h1", "u": "w"}),
    "a single sum of linear layers": steps({}, outputs="h0"),
}


@pytest.mark.parametrize("name", UNROLLED)
def test_other_steps_stay_as_they_are(name):
    assert recurrent_count(UNROLLED[name]) == 0


def test_a_layer_ends_where_the_weights_change():
    assert recurrent_count(steps({}, {"v": "w"}, {"v": "w"})) == 1


def test_steps_without_names_or_scopes_are_a_layer():
    assert recurrent_count(steps({}, {}, {})) == 1
    assert recurrent_count(steps({}, {}, {}, outputs="h0, h2, h1")) == 1
    assert recurrent_count(steps(*[{"function": "relu", "b": "b"}] * 3)) == 1


def test_a_state_that_is_broadcast_is_left_to_the_first_step():
    assert recurrent_count(steps({}, {}, {}, batch=1)) == 1


def test_inputs_in_any_order_are_read():
    order = [{"x": name} for name in ("x2", "x1", "x0")]
    graph = steps(*order)
    model = nk.to_onnx(graph)
    (layer,) = [node for node in model.graph.node if node.op_type == "RNN"]
    assert "reverse" in str(layer.attribute)
    assert recurrent_count(graph) == 1
    assert recurrent_count(steps({"x": "x1"}, {"x": "x0"}, {"x": "x2"})) == 1
    assert recurrent_count(steps({"x": "x1"}, {"x": "x1"}, {"x": "x1"})) == 1


class Feedback(nn.Module):
    """A decoder that reads what it predicted."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.cell, self.head = nn.LSTMCell(4, 4), nn.Linear(4, 4)

    def forward(self, x, h, c):
        results = []
        for _ in range(3):
            h, c = self.cell(x, (h, c))
            x = self.head(h)
            results.append(x)
        return torch.stack(results), c


class TwoDecoders(nn.Module):
    """Two chains that read each other's states."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other = nn.GRUCell(4, 4), nn.GRUCell(4, 4)
        self.after = nn.GRU(4, 4)

    def forward(self, x, h, c):
        states = []
        for _ in range(3):
            h, c = self.one(x + c, h), self.other(x - h, c)
            states.append(h)
        return self.after(torch.stack(states))[0]


class StateOfTheOther(nn.Module):
    """A backward layer that starts with the last state of the forward one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other = nn.LSTMCell(4, 4), nn.LSTMCell(4, 4)

    def forward(self, x, h, c):
        inputs = [x, x + 1, x * 2]
        forward, backward = [], []
        for each in inputs:
            h, c = self.one(each, (h, c))
            forward.append(h)
        for each in inputs[::-1]:
            h, c = self.other(each, (h, c))
            backward.append(h)
        return torch.stack(forward), torch.stack(backward), c


class AllCells(nn.Module):
    """A layer all of whose cell states are results."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.cell = nn.LSTMCell(4, 4)

    def forward(self, x, h, c):
        cells = []
        for factor in (1, 2, 3):
            h, c = self.cell(x * factor, (h, c))
            cells.append(c)
        return torch.stack(cells), h


@pytest.mark.parametrize(
    ("module", "layers"), [(Feedback, 0), (TwoDecoders, 1), (StateOfTheOther, 2), (AllCells, 3)]
)
def test_layers_that_depend_on_their_own_results_stay_unrolled(module, layers):
    net, inputs = module().eval(), tuple(torch.randn(2, 4) for _ in range(3))
    model = nk.to_onnx(nk.from_torch(net, inputs))
    counts = kinds(model)
    assert sum(counts[name] for name in RECURRENT) == layers
    close(in_runtime(model, *(i.numpy() for i in inputs)), flat(net(*inputs)))


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_layers_of_other_forms_stay_unrolled():
    module, inputs = network("LSTM", 3, 2, 5, proj_size=2)
    model = nk.to_onnx(nk.from_torch(module, inputs, verify=False))
    assert not RECURRENT & {*kinds(model)}
    close(in_runtime(model, inputs[0].numpy()), flat(module(*inputs)))
    double, inputs = network("LSTM", 3, 2, 5)
    graph = nk.from_torch(double.double(), (inputs[0].double(),))
    assert not RECURRENT & {*kinds(nk.to_onnx(graph))}


def test_a_layer_that_onnx_runtime_computes_otherwise_stays_unrolled():
    graph = steps(*[{"function": "relu"}] * 3)
    x = np.full((2, 3, 4), 3e38, np.float32)
    h = np.ones((2, 5), np.float32)
    expected = nk.run(graph, {"x": x, "h": h})
    assert not np.isfinite(expected["h2"]).all()
    model = nk.to_onnx(graph, inputs={"x": x, "h": h})
    np.testing.assert_array_equal(in_runtime(model, x, h)[0], expected["h2"])


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_layer_whose_proof_has_nan_stays_unrolled(kind):
    # ONNX Runtime's own operators compute numbers from NaN.
    module, inputs = network(kind, 4, 2, 5)
    graph = nk.from_torch(module, inputs, verify=False)
    x = inputs[0].numpy().copy()
    x[1, 0, 2] = np.nan
    expected = module(torch.from_numpy(x))[0].detach().numpy()
    assert np.isnan(expected).sum() == 15
    model = nk.to_onnx(graph, inputs={graph.inputs[0]: x})
    np.testing.assert_allclose(in_runtime(model, x)[0], expected, rtol=1e-4, atol=1e-6)


def test_variables_that_a_run_updates_may_be_states():
    text = """version 1.0;
    graph net(x) -> (y)
    {
        x = external(shape = [1, 4]);
        h = variable(shape = [1, 4], label = "h");
        w = variable(shape = [4, 4], label = "w");
        a = linear(x, w);
        b = linear(h, w);
        c = add(a, b);
        k = tanh(c);
        d = linear(x, w);
        e = linear(k, w);
        f = add(d, e);
        y = tanh(f);
        z = update(h, y);
    }
    """
    rng = np.random.default_rng(0)
    graph = nk.parse(text).with_data(
        {"h": rng.uniform(-1, 1, (1, 4)), "w": rng.uniform(-1, 1, (4, 4)).astype(np.float32)}
    )
    graph = graph.with_data({"h": rng.uniform(-1, 1, (1, 4)).astype(np.float32)})
    model = nk.to_onnx(graph)
    assert kinds(model)["RNN"] == 1
    x = rng.uniform(-1, 1, (1, 4)).astype(np.float32)
    results = in_runtime(model, x, graph.tensors["h"].data)
    close(results, [nk.run(graph, x)["y"]] * 2)


@pytest.mark.parametrize("engine", ["onnxruntime", "auto"])
def test_traces_have_every_tensor_of_every_step(engine):
    module, inputs = network("LSTM", 3, 2, 5, bidirectional=True)
    graph = nk.from_torch(module, inputs, verify=False)
    trace = nk.trace(graph, inputs[0].numpy(), engine=engine)
    reference = nk.trace(graph, inputs[0].numpy())
    assert {*reference} == {*trace}
    assert len([name for name in trace if "_h" in name or "_c" in name]) >= 12
    for name, array in reference.items():
        np.testing.assert_allclose(trace[name], array, rtol=1e-4, atol=1e-6)
