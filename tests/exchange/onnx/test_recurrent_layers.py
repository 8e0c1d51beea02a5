"""Unrolled recurrent layers become one operator in ONNX again, with the same numbers."""

import collections
import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from sampled import sampled
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


# -- PyTorch ---------------------------------------------------------------------------------------


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


# -- steps that are no layer -----------------------------------------------------------------------

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
