"""Recurrent networks written in NNEF: their state persists in every engine (4.8)."""

import numpy as np
import pytest
import torch

import nnefkit as nk

ENGINES = ["numpy", "onnxruntime", "torch", "tract"]
HEAD = "version 1.0;\nextension KHR_enable_fragment_definitions KHR_enable_operator_expressions;\n"

LSTM = (
    HEAD
    + """
# The gates of PyTorch in its order: input, forget, cell, output.
fragment lstm_cell(
    x: tensor<scalar>, h: tensor<scalar>, c: tensor<scalar>,
    W: tensor<scalar>, U: tensor<scalar>, b: tensor<scalar>
) -> ( new_h: tensor<scalar>, new_c: tensor<scalar> )
{
    gates = linear(x, W, b) + linear(h, U);
    [i, f, g, o] = split(gates, axis = 1, ratios = [1, 1, 1, 1]);
    new_c = sigmoid(f) * c + sigmoid(i) * tanh(g);
    new_h = sigmoid(o) * tanh(new_c);
}
graph net( x ) -> ( y )
{
    x = external<scalar>(shape = [2, 3]);
    W0 = variable<scalar>(shape = [20, 3], label = 'weight_ih_l0');
    U0 = variable<scalar>(shape = [20, 5], label = 'weight_hh_l0');
    b0 = variable<scalar>(shape = [1, 20], label = 'bias_l0');
    W1 = variable<scalar>(shape = [20, 5], label = 'weight_ih_l1');
    U1 = variable<scalar>(shape = [20, 5], label = 'weight_hh_l1');
    b1 = variable<scalar>(shape = [1, 20], label = 'bias_l1');
    h0 = variable<scalar>(shape = [2, 5], label = 'h0');
    c0 = variable<scalar>(shape = [2, 5], label = 'c0');
    h1 = variable<scalar>(shape = [2, 5], label = 'h1');
    c1 = variable<scalar>(shape = [2, 5], label = 'c1');
    h0_next, c0_next = lstm_cell(x, h0, c0, W0, U0, b0);
    y, c1_next = lstm_cell(h0_next, h1, c1, W1, U1, b1);
    kept1 = update(h0, h0_next);
    kept2 = update(c0, c0_next);
    kept3 = update(h1, y);
    kept4 = update(c1, c1_next);
}
"""
)

GRU = (
    HEAD
    + """
fragment gate( gates: tensor<scalar>, number: integer ) -> ( y: tensor<scalar> )
{
    y = slice(gates, axes = [1], begin = [4 * number], end = [4 * number + 4]);
}
fragment gru_cell(
    x: tensor<scalar>, h: tensor<scalar>,
    W: tensor<scalar>, U: tensor<scalar>, b: tensor<scalar>, d: tensor<scalar>
) -> ( y: tensor<scalar> )
{
    gates = linear(x, W, b);
    state = linear(h, U, d);
    r = sigmoid(gate(gates, number = 0) + gate(state, number = 0));
    z = sigmoid(gate(gates, number = 1) + gate(state, number = 1));
    n = tanh(gate(gates, number = 2) + r * gate(state, number = 2));
    y = (1.0 - z) * n + z * h;
}
graph net( x ) -> ( y )
{
    x = external<scalar>(shape = [2, 3]);
    W = variable<scalar>(shape = [12, 3], label = 'weight_ih_l0');
    U = variable<scalar>(shape = [12, 4], label = 'weight_hh_l0');
    b = variable<scalar>(shape = [1, 12], label = 'bias_ih_l0');
    d = variable<scalar>(shape = [1, 12], label = 'bias_hh_l0');
    h = variable<scalar>(shape = [2, 4], label = 'h');
    y = gru_cell(x, h, W, U, b, d);
    kept = update(h, y);
}
"""
)


def numpy_of(parameter):
    return parameter.detach().numpy()


def sequence(steps):
    return np.random.default_rng(3).normal(size=(steps, 2, 3)).astype(np.float32)


def lstm():
    module = torch.nn.LSTM(3, 5, num_layers=2)
    weights = {
        f"{kind}_l{layer}": numpy_of(getattr(module, f"{kind}_l{layer}"))
        for layer in (0, 1)
        for kind in ("weight_ih", "weight_hh")
    }
    for layer in (0, 1):
        both = [numpy_of(getattr(module, f"bias_{kind}_l{layer}")) for kind in ("ih", "hh")]
        weights[f"bias_l{layer}"] = sum(both)[None]
    states = {f"{kind}{layer}": np.zeros((2, 5), np.float32) for kind in "hc" for layer in (0, 1)}
    return module, nk.parse(LSTM).with_data(weights | states)


def gru():
    module = torch.nn.GRU(3, 4)
    weights = {name: numpy_of(parameter) for name, parameter in module.named_parameters()}
    weights = {n: w[None] if n.startswith("bias") else w for n, w in weights.items()}
    return module, nk.parse(GRU).with_data(weights | {"h": np.zeros((2, 4), np.float32)})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make", [lstm, gru])
def test_a_sequence_has_the_results_of_the_pytorch_layer(make, engine):
    torch.manual_seed(5)
    module, graph = make()
    # tract has no split.
    fallback = "numpy" if engine == "tract" and make is lstm else None
    session = nk.Session(graph, engine, fallback=fallback)
    x = sequence(12)
    with torch.no_grad():
        expected = module(torch.from_numpy(x))[0].numpy()
    for step, wanted in zip(x, expected, strict=True):
        np.testing.assert_allclose(session.run(step)["y"], wanted, atol=2e-6)
    # From the beginning once more, and traced: every intermediate of a step is there.
    session.reset()
    trace = session.trace(x[0])
    np.testing.assert_allclose(trace["y"], expected[0], atol=2e-6)
    assert {"h0_next", "c0_next"} <= set(trace) or make is gru
    np.testing.assert_allclose(session.run(x[1])["y"], expected[1], atol=2e-6)
    # A new session starts from the beginning; this one continues.
    np.testing.assert_allclose(
        nk.run(graph, x[0], engine, fallback=fallback)["y"], expected[0], atol=2e-6
    )
    np.testing.assert_allclose(session.run(x[2])["y"], expected[2], atol=2e-6)


STREAM = """version 1.0;
graph net( x ) -> ( y, best, ever )
{
    x = external<scalar>(shape = [1, 2, 1]);
    w = variable<scalar>(shape = [3, 2, 4], label = 'w');
    window = variable<scalar>(shape = [1, 2, 4], label = 'window');
    last = variable<integer>(shape = [1, 1, 1], label = 'last');
    seen = variable<logical>(shape = [1, 2, 1], label = 'seen');
    older = slice(window, axes = [2], begin = [1], end = [4]);
    now = concat([older, x], axis = 2);
    y = conv(now, w, padding = [(0, 0)]);
    best = argmax_reduce(y, axes = [1]);
    positive = gt(x, 1.0);
    ever = or(seen, positive);
    kept1 = update(window, now);
    kept2 = update(last, best);
    kept3 = update(seen, ever);
}
"""


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch"])
def test_a_stream_is_convolved_by_a_window_that_moves(engine):
    random = np.random.default_rng(0)
    x = random.normal(size=(1, 2, 20)).astype(np.float32)
    w = random.normal(size=(3, 2, 4)).astype(np.float32)
    graph = nk.parse(STREAM).with_data(
        {
            "w": w,
            "window": np.zeros((1, 2, 4), np.float32),
            "last": np.zeros((1, 1, 1), np.int64),
            "seen": np.zeros((1, 2, 1), bool),
        }
    )
    padded = torch.nn.functional.pad(torch.from_numpy(x), (3, 0))
    whole = torch.nn.functional.conv1d(padded, torch.from_numpy(w)).numpy()
    session = nk.Session(graph, engine)
    for t in range(x.shape[2]):
        results = session.run(x[:, :, t : t + 1])
        np.testing.assert_allclose(results["y"], whole[:, :, t : t + 1], atol=2e-6)
        assert results["best"] == whole[0, :, t].argmax() == session.variables["last"]
        np.testing.assert_array_equal(results["ever"][..., 0], (x[:, :, : t + 1] > 1).any(2))
    state = session.variables
    assert (state["last"].dtype, state["seen"].dtype) == (np.int64, np.bool_)
    np.testing.assert_array_equal(state["window"], x[:, :, -4:])
