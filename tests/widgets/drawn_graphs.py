"""Graphs for the tests of the workbench: drawn ones, and small ones with a run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

import nnefkit as nk
from nnefkit.display.folding import PlainOperation

NAMES = ("conv", "relu", "add", "max_pool", "reshape", "concat", "batch_normalization")


@st.composite
def drawn_graphs(draw: st.DrawFn) -> tuple[list[PlainOperation], list[str], list[str]]:
    """Operations, inputs and outputs: chains, branches, skips, weights, nested fragment calls."""
    inputs = [f"x{i}" for i in range(draw(st.integers(1, 2)))]
    operations = [PlainOperation("external", [], [name], [(1, 8, 4, 4)]) for name in inputs]
    made = list(inputs)
    scope: tuple[str, ...] = ()
    for number in range(draw(st.integers(1, 40))):
        # Calls of fragments begin and end, nested.
        turn = draw(st.sampled_from([0, 0, 0, 1, -1]))
        if turn > 0 and len(scope) < 3:
            scope = (*scope, f"{draw(st.sampled_from(['block', 'unit']))}:t{number}")
        elif turn < 0:
            scope = scope[:-1]
        reach = draw(st.sampled_from([1, 1, 2, 6]))
        count = draw(st.sampled_from([1, 1, 1, 2, 3]))
        sources = {made[-draw(st.integers(1, min(reach, len(made))))] for _ in range(count)}
        reads = sorted(sources)
        if draw(st.booleans()):
            operations.append(PlainOperation("variable", [], [f"w{number}"], [(8, 8)], scope))
            reads.append(f"w{number}")
        name = draw(st.sampled_from(NAMES))
        operations.append(PlainOperation(name, reads, [f"t{number}"], [(1, 8, 4, 4)], scope))
        made.append(f"t{number}")
    return operations, inputs, [made[-1]]


RESIDUAL = """version 1.0;
extension KHR_enable_fragment_definitions;
fragment block(x: tensor<scalar>, f: tensor<scalar>) -> (y: tensor<scalar>)
{
    c = conv(x, f, padding = [(1, 1), (1, 1)]);
    r = relu(c);
    d = conv(r, f, padding = [(1, 1), (1, 1)]);
    s = add(d, x);
    y = relu(s);
}
graph residual(input) -> (output)
{
    input = external<scalar>(shape = [1, 3, 16, 16]);
    filter = variable<scalar>(shape = [3, 3, 3, 3], label = 'filter');
    a = block(input, filter);
    b = block(a, filter);
    pooled = avg_pool(b, size = [1, 1, 16, 16], padding = [(0, 0), (0, 0), (0, 0), (0, 0)]);
    flat = reshape(pooled, shape = [0, 3]);
    output = softmax(flat);
}
"""


def residual(change: Callable[[np.ndarray], np.ndarray] = lambda values: values) -> nk.Graph:
    """A graph of two calls of a fragment, with weights."""
    draw = np.random.default_rng(5)
    values = draw.normal(0, 0.3, (3, 3, 3, 3)).astype(np.float32)
    return nk.parse(RESIDUAL).with_data({"filter": change(values)})


def image() -> np.ndarray:
    draw = np.random.default_rng(6)
    return draw.random((1, 3, 16, 16), dtype=np.float32)


def compared() -> tuple[nk.Graph, nk.Comparison]:
    """The graph, and a comparison of its run with that of coarse weights."""
    graph = residual()
    coarse = residual(lambda values: np.round(values * 8) / 8)
    runs = nk.trace(graph, image()), nk.trace(coarse, image())
    return graph, nk.compare(*runs, labels=("fine", "coarse"))


def long_graph(count: int) -> nk.Graph:
    """A graph of many operations: residual stages with changing shapes."""
    lines = ["version 1.0;", "graph deep(x) -> (y)", "{", "    x = external(shape = [1, 4, 8, 8]);"]
    last = "x"
    number = 0
    while number < count - 1:
        skip = last
        for name in ("relu", "tanh", "sigmoid", "relu", "abs"):
            if number % 7 == 3:
                name = "elu"
            lines.append(f"    t{number} = {name}({last});")
            last = f"t{number}"
            number += 1
        if number % 3:
            lines.append(f"    t{number} = add({last}, {skip});")
            last = f"t{number}"
            number += 1
    lines += [f"    y = neg({last});", "}"]
    return nk.parse("\n".join(lines))


def transformer(layers: int, width: int = 16) -> nk.Graph:
    """A transformer of layers with attention and two linear maps, as fragments, with weights."""
    lines = [
        "version 1.0;",
        "extension KHR_enable_fragment_definitions;",
        "extension KHR_enable_operator_expressions;",
        "fragment attention(x: tensor<scalar>, q: tensor<scalar>, k: tensor<scalar>,"
        " v: tensor<scalar>) -> (y: tensor<scalar>)",
        "{ s = matmul(matmul(x, q), matmul(x, k), transposeB = true);"
        " y = matmul(softmax(s, axes = [2]), matmul(x, v)); }",
        "fragment mlp(x: tensor<scalar>, a: tensor<scalar>, b: tensor<scalar>)"
        " -> (y: tensor<scalar>)",
        "{ y = matmul(relu(matmul(x, a)), b); }",
        "graph transformer(x) -> (y)",
        "{",
        f"    x = external<scalar>(shape = [1, 8, {width}]);",
    ]
    last = "x"
    for i in range(layers):
        for name in "qkvab":
            facts = f"shape = [1, {width}, {width}], label = 'layer{i}/{name}'"
            lines.append(f"    {name}_{i} = variable<scalar>({facts});")
        lines.append(f"    attended_{i} = attention({last}, q_{i}, k_{i}, v_{i});")
        lines.append(f"    sum_{i} = add({last}, attended_{i});")
        lines.append(f"    mapped_{i} = mlp(sum_{i}, a_{i}, b_{i});")
        lines.append(f"    layer_{i} = add(sum_{i}, mapped_{i});")
        last = f"layer_{i}"
    lines += [f"    y = softmax({last}, axes = [2]);", "}"]
    return nk.parse("\n".join(lines))
