"""Each kind of operation after a convolution, and how it is written channels-first."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk
from nnefkit import Graph
from nnefkit.exchange.layout import channels_first
from tests.exchange.layout.naive_networks import example_inputs

NETWORK = """version 1.0;
graph net(x) -> (o)
{{
    x = external<scalar>(shape = [1, 6, 4, 3]);
    f = variable<scalar>(shape = [2, 3, 1, 1], label = 'f');
    t = transpose(x, axes = [0, 3, 1, 2]);
    c = conv(t, f);
    y = transpose(c, axes = [0, 2, 3, 1]);
    {0}
    u = transpose(z, axes = [0, 3, 1, 2]);
    p = max_pool(u, size = [1, 1, 2, 2], border = 'ignore');
    o = transpose(p, axes = [0, 2, 3, 1]);
}}
"""

POINT = "border = 'constant', padding = [(0, 0), (0, 0)], stride = [], dilation = [], groups = 1"
"""The window of a convolution of one element."""

CASES = {
    "a number for each channel": (
        "w = variable<scalar>(shape = [1, 1, 1, 2], label = 'w'); z = add(y, w);",
        ["w = variable<scalar>(shape = [1, 2], label = 'w');", "z = add(c, w);"],
    ),
    "a number for each row": (
        "w = variable<scalar>(shape = [1, 6], label = 'w'); z = mul(y, w);",
        ["w = variable<scalar>(shape = [1, 1, 6], label = 'w');", "z = mul(c, w);"],
    ),
    "a number for each element": (
        "w = variable<scalar>(shape = [1, 6, 4, 2], label = 'w'); z = mul(w, y);",
        ["w = variable<scalar>(shape = [1, 2, 6, 4], label = 'w');", "z = mul(w, c);"],
    ),
    "numbers in the text": (
        "w = constant<scalar>(shape = [1, 1, 2, 2], value = [1.0, 2.0, 3.0, 4.0]); "
        "v = tile(w, repeats = [1, 1, 2, 1]); z = max(y, v);",
        [
            "w = constant<scalar>(shape = [1, 2, 1, 2], value = [1.0, 3.0, 2.0, 4.0]);",
            "v = tile(w, repeats = [1, 1, 1, 2]);",
            "z = max(c, v);",
        ],
    ),
    "prelu": (
        "w = variable<scalar>(shape = [1, 1, 1, 2], label = 'w'); z = prelu(y, w);",
        ["w = variable<scalar>(shape = [1, 2], label = 'w');", "z = prelu(c, w);"],
    ),
    "mean of the image": (
        "m = mean_reduce(y, axes = [1, 2]); z = sub(y, m);",
        ["m = mean_reduce(c, axes = [2, 3]);", "z = sub(c, m);"],
    ),
    "softmax over channels": (
        "z = softmax(y, axes = [3]);",
        ["z = softmax(c, axes = [1]);"],
    ),
    "the largest channel": (
        "a = argmax_reduce(y, axes = [3]); s = cast<scalar>(a); z = mul(y, s);",
        [
            "a = argmax_reduce(c, axes = [1]);",
            "s = cast<scalar>(a);",
            "z = mul(c, s);",
        ],
    ),
    "concat": (
        "r = relu(y); z = concat([y, r], axis = 3);",
        ["r = relu(c);", "z = concat([c, r], axis = 1);"],
    ),
    "split": (
        "[a, b] = split(y, axis = 2, ratios = [1, 3]); z = concat([b, a], axis = 2);",
        ["[a, b] = split(c, axis = 3, ratios = [1, 3]);", "z = concat([b, a], axis = 3);"],
    ),
    "slice": (
        "z = slice(y, axes = [1, 3], begin = [1, 0], end = [5, 2], stride = [2, 1]);",
        ["z = slice(c, axes = [1, 2], begin = [0, 1], end = [2, 5], stride = [1, 2]);"],
    ),
    "pad": (
        "z = pad(y, padding = [(0, 0), (1, 0), (0, 2), (0, 1)], border = 'constant', value = 0.0);",
        [
            "z = pad(c, padding = [(0, 0), (0, 1), (1, 0), (0, 2)], border = 'constant', "
            "value = 0.0);"
        ],
    ),
    "tile": (
        "z = tile(y, repeats = [1, 1, 2, 3]);",
        ["z = tile(c, repeats = [1, 3, 1, 2]);"],
    ),
    "gather": (
        "i = constant<integer>(shape = [3], value = [1, 0, 1]); z = gather(y, i, axis = 3);",
        [
            "i = constant<integer>(shape = [3], value = [1, 0, 1]);",
            "z = gather(c, i, axis = 1);",
        ],
    ),
    "stack and unstack": (
        "r = relu(y); s = stack([y, r], axis = 1); [a, b] = unstack(s, axis = 1); z = sub(a, b);",
        [
            "r = relu(c);",
            "s = stack([c, r], axis = 1);",
            "[a, b] = unstack(s, axis = 1);",
            "z = sub(a, b);",
        ],
    ),
    "a window in the axes of the source": (
        "z = rms_pool(y, size = [1, 2, 1, 1], border = 'ignore', padding = [], "
        "stride = [1, 2, 1, 1], dilation = []);",
        [
            "z = rms_pool(c, size = [1, 1, 2, 1], border = 'ignore', padding = [], "
            "stride = [1, 1, 2, 1], dilation = []);"
        ],
    ),
    "a window in the channels": (
        "z = local_response_normalization(y, size = [1, 1, 1, 3], alpha = 1.0, beta = 0.5, "
        "bias = 1.0);",
        [
            "z = local_response_normalization(c, size = [1, 3, 1, 1], alpha = 1.0, beta = 0.5, "
            "bias = 1.0);"
        ],
    ),
    "rows and columns as one axis": (
        "r = reshape(y, shape = [1, 24, 2]); q = relu(r); z = reshape(q, shape = [1, 6, 4, 2]);",
        [
            "r = reshape(c, shape = [-1], axis_start = 2, axis_count = -1);",
            "q = relu(r);",
            "z = reshape(q, shape = [-1, 4], axis_start = 2, axis_count = -1);",
        ],
    ),
    "two axes of channels": (
        "r = reshape(y, shape = [1, 6, 4, 1, 2]); s = neg(r); "
        "z = reshape(s, shape = [0, 0, 0, -1]);",
        [
            "r = reshape(c, shape = [-1, 1], axis_start = 3, axis_count = -1);",
            "s = neg(r);",
            "z = reshape(s, shape = [0], axis_start = 3, axis_count = -1);",
        ],
    ),
    "a number for each image and channel": (
        "m = max_reduce(y, axes = [1, 2]); s = squeeze(m, axes = [1, 2]); e = exp(s); "
        "b = unsqueeze(e, axes = [1, 2]); z = mul(y, b);",
        [
            "m = max_reduce(c, axes = [2, 3]);",
            "s = squeeze(m, axes = [2, 3]);",
            "e = exp(s);",
            "e_reshaped = unsqueeze(e, axes = [2, 3]);",
            "z = mul(c, e_reshaped);",
        ],
    ),
    "a batch normalization as the source writes it": (
        "m = variable<scalar>(shape = [1, 1, 1, 2], label = 'm'); "
        "v = variable<scalar>(shape = [1, 1, 1, 2], label = 'v'); "
        "z = batch_normalization(y, m, v, 0.0, 1.0, epsilon = 0.5);",
        [
            "m = variable<scalar>(shape = [1, 2], label = 'm');",
            "v = variable<scalar>(shape = [1, 2], label = 'v');",
            "z = batch_normalization(c, m, v, 0.0, 1.0, epsilon = 0.5);",
        ],
    ),
    "a layer on the image": (
        "w = variable<scalar>(shape = [1, 1, 2, 2], label = 'w'); "
        "b = variable<scalar>(shape = [1, 1, 1, 2], label = 'b'); z = linear(y, w, b);",
        [
            "w = variable<scalar>(shape = [2, 2, 1, 1], label = 'w');",
            "b = variable<scalar>(shape = [1, 2], label = 'b');",
            f"z = conv(c, w, b, {POINT});",
        ],
    ),
    "a matrix that multiplies the image": (
        "w = variable<scalar>(shape = [1, 1, 2, 2], label = 'w'); z = matmul(y, w);",
        [
            "w = variable<scalar>(shape = [2, 2, 1, 1], label = 'w');",
            f"z = conv(c, w, 0.0, {POINT});",
        ],
    ),
    "a transposed matrix": (
        "r = reshape(y, shape = [1, 24, 2]); "
        "g = matmul(r, r, transposeA = true); h = unsqueeze(g, axes = [1]); "
        "n = sum_reduce(h, axes = [2]); z = mul(y, n);",
        [
            "r = reshape(c, shape = [-1], axis_start = 2, axis_count = -1);",
            "g = matmul(r, r, transposeA = false, transposeB = true);",
            "g_reshaped = unsqueeze(g, axes = [3]);",
            "n = sum_reduce(g_reshaped, axes = [1], normalize = false);",
            "n_reshaped = reshape(n, shape = [-1, 1], axis_start = 1, axis_count = 2);",
            "z = mul(c, n_reshaped);",
        ],
    ),
}


def network(tail: str) -> Graph:
    graph = nk.infer_shapes(nk.parse(NETWORK.format(tail.replace("; ", ";\n    "))))
    random = np.random.default_rng(0)
    return graph.with_data({v.name: random.integers(1, 4, v.shape) * 1.0 for v in graph.variables})


def check_equal(graph: Graph, changed: Graph) -> None:
    inputs = example_inputs(graph)
    expected, results = (nk.run(each, inputs, progress=False) for each in (graph, changed))
    for name, array in expected.items():
        np.testing.assert_allclose(results[name], array, rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_an_operation_between_convolutions_is_computed_channels_first(case: str) -> None:
    tail, expected = CASES[case]
    graph = network(tail)
    changed = channels_first(graph)
    check_equal(graph, changed)
    lines = [str(op) for op in changed.operations]
    first = next(i for i, line in enumerate(lines) if line.startswith("c = conv"))
    inside = lines[first + 1 : -2]
    assert [line[: len(want)] for line, want in zip(inside, expected, strict=True)] == expected
    assert lines[-1] == "o = transpose(p, axes = [0, 2, 3, 1]);"
    assert [op.name for op in changed.operations].count("transpose") == 2


BARRIERS = {
    "a reshape that mixes axes": "r = reshape(y, shape = [1, 4, 4, 3]); z = relu(r);",
    "positions in the image": "a = argmax_reduce(y, axes = [1, 2]); s = cast<scalar>(a); "
    "z = mul(y, s);",
    "a layer over channels": "k = variable<scalar>(shape = [1, 4, 2], label = 'k'); "
    "r = reshape(y, shape = [1, 24, 2]); q = linear(r, k); z = reshape(q, shape = [1, 6, 4, 4]);",
    "a table of indices": "i = constant<integer>(shape = [1, 2], value = [1, 0]); "
    "g = gather(y, i, axis = 3); z = reshape(g, shape = [1, 6, 4, 2]);",
}


@pytest.mark.parametrize("case", BARRIERS)
def test_a_barrier_is_computed_in_the_order_of_the_source(case: str) -> None:
    graph = network(BARRIERS[case])
    changed = channels_first(graph)
    check_equal(graph, changed)
    counts = [[op.name for op in each.operations].count("transpose") for each in (graph, changed)]
    assert counts[1] <= counts[0]
    assert any(line.startswith("y = transpose(c") for line in map(str, changed.operations))


def test_a_network_without_transpositions_is_returned_itself() -> None:
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 2]); y = relu(x); }"
    )
    assert channels_first(nk.infer_shapes(graph)) is not None
    inferred = nk.infer_shapes(graph)
    assert channels_first(inferred) is inferred


def test_a_network_that_would_not_be_better_is_returned_itself() -> None:
    graph = network("z = relu(y);").with_outputs(["t"])
    assert channels_first(graph) is graph


def test_the_layout_must_be_one_of_two() -> None:
    with pytest.raises(nk.InputError, match="'source' or 'nnef', not 'nhwc'"):
        channels_first(network("z = relu(y);"), "nhwc")  # type: ignore[arg-type]
