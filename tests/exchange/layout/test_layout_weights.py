"""Weights, variables with updates and quantization of rewritten networks."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk
from nnefkit import Graph
from nnefkit.exchange.layout import as_in_source, channels_first, layouts
from tests.exchange.layout.naive_networks import example_inputs

POOL = "max_pool({0}, size = [1, 1, 2, 2], border = 'ignore')"


def network(body: str, inputs: str = "x", outputs: str = "o", quantization: str = "") -> Graph:
    lines = ";\n    ".join(line.strip() for line in body.split(";"))
    text = f"version 1.0;\ngraph net({inputs}) -> ({outputs})\n{{\n    {lines}}}\n"
    graph = nk.infer_shapes(nk.parse(text, quantization or None))
    random = np.random.default_rng(0)
    shapes = {variable.label: variable.shape for variable in graph.variables}
    return graph.with_data({n: random.integers(-3, 4, s) * 1.0 for n, s in shapes.items()})


def check_equal(graph: Graph, changed: Graph, **options: bool) -> None:
    inputs = example_inputs(graph)
    expected = nk.run(graph, inputs, progress=False, **options)
    results = nk.run(changed, inputs, progress=False, **options)
    for name, array in expected.items():
        np.testing.assert_array_equal(results[name], array)


def line(graph: Graph, name: str) -> str:
    return str(graph.producers[name])


def count(graph: Graph) -> int:
    return [op.name for op in graph.operations].count("transpose")


def test_a_weight_that_operations_transpose_is_stored_transposed() -> None:
    graph = network(
        "x = external(shape = [1, 5, 4, 2]); w = variable(shape = [3, 1, 1, 2], label = 'a/w');"
        "t = transpose(x, axes = [0, 3, 1, 2]); f = transpose(w, axes = [0, 3, 1, 2]);"
        "c = conv(t, f); o = transpose(c, axes = [0, 2, 3, 1]);"
    )
    changed = channels_first(graph)
    assert line(changed, "w") == "w = variable<scalar>(shape = [3, 2, 1, 1], label = 'a/w');"
    assert changed.tensors["w"].shape == (3, 2, 1, 1)
    given = graph.tensors["w"].data
    assert given is not None
    np.testing.assert_array_equal(changed.tensors["w"].data, given.transpose(0, 3, 1, 2))
    check_equal(graph, changed)


def test_a_weight_that_is_read_in_two_layouts_is_stored_twice() -> None:
    graph = network(
        "x = external(shape = [1, 6, 4, 2]); w = variable(shape = [1, 1, 4, 2], label = 'w');"
        "t = transpose(x, axes = [0, 3, 1, 2]);"
        f"c = {POOL.format('t')}; p = transpose(c, axes = [0, 2, 3, 1]); s = mul(x, w);"
        "e = transpose(s, axes = [0, 3, 1, 2]); m = max_reduce(x, axes = [1, 2]);"
        "q = reshape(w, shape = [1, 8]); r = mul(q, 2.0);"
        f"d = {POOL.format('e')}; a = add(d, c); o = transpose(a, axes = [0, 2, 3, 1]);",
        outputs="o, r",
    )
    changed = channels_first(graph)
    assert {v.name: v.shape for v in changed.variables} == {
        "w": (1, 1, 4, 2),
        "w_transposed": (1, 2, 1, 4),
    }
    assert [v.label for v in changed.variables] == ["w", "w_transposed"]
    assert changed.tensors["q"].shape == (1, 8)
    assert count(changed) == 2
    check_equal(graph, changed)


def test_forms_that_differ_in_extents_of_one_are_stored_once() -> None:
    graph = network(
        "x = external(shape = [1, 6, 4, 2]); w = variable(shape = [1, 1, 1, 2], label = 'w');"
        "t = transpose(x, axes = [0, 3, 1, 2]);"
        f"c = {POOL.format('t')}; p = transpose(c, axes = [0, 2, 3, 1]); s = mul(p, w);"
        "e = transpose(s, axes = [0, 3, 1, 2]);"
        f"d = {POOL.format('e')}; o = transpose(d, axes = [0, 2, 3, 1]);"
        "q = reshape(w, shape = [1, 2]); r = mul(q, 2.0);",
        outputs="o, r",
    )
    changed = channels_first(graph)
    assert [v.label for v in changed.variables] == ["w"]
    check_equal(graph, changed)


def test_variables_of_one_label_keep_their_shape() -> None:
    graph = network(
        "x = external(shape = [1, 6, 4, 2]); w = variable(shape = [1, 6, 4, 2], label = 'w');"
        "v = variable(shape = [1, 6, 4, 2], label = 'w'); t = transpose(x, axes = [0, 3, 1, 2]);"
        f"c = {POOL.format('t')}; y = transpose(c, axes = [0, 2, 3, 1]);"
        "z = add(y, w); u = mul(z, v);"
        f"e = transpose(u, axes = [0, 3, 1, 2]); p = {POOL.format('e')};"
        "o = transpose(p, axes = [0, 2, 3, 1]);"
    )
    changed = channels_first(graph)
    assert {v.shape for v in changed.variables} == {(1, 6, 4, 2)}
    assert count(changed) <= count(graph)
    check_equal(graph, changed)


def test_a_variable_and_its_update_are_stored_channels_first() -> None:
    """A window over time, as streaming networks have it."""
    graph = network(
        "x = external(shape = [1, 1, 4, 2]); s = variable(shape = [1, 2, 4, 2], label = 's');"
        "f = variable(shape = [2, 2, 3, 1], label = 'f'); b = transpose(x, axes = [0, 3, 1, 2]);"
        f"k = {POOL.format('b')}; y = transpose(k, axes = [0, 2, 3, 1]);"
        "h = concat([s, y], axis = 1);"
        "n = slice(h, axes = [1], begin = [1], end = [3]); g = update(s, n);"
        "t = transpose(h, axes = [0, 3, 1, 2]); c = conv(t, f, padding = [(0, 0), (0, 0)]);"
        "o = transpose(c, axes = [0, 2, 3, 1]);"
    )
    changed = channels_first(graph)
    assert line(changed, "s") == "s = variable<scalar>(shape = [1, 2, 2, 4], label = 's');"
    assert line(changed, "n").startswith("n = slice(h, axes = [2], begin = [1], end = [3]")
    assert line(changed, "g") == "g = update(s, n);"
    # The input is transposed once, and the output.
    assert count(changed) == 2
    sessions = nk.Session(graph), nk.Session(changed)
    for seed in range(3):
        inputs = example_inputs(graph, seed)
        expected, results = (each.run(inputs, progress=False)["o"] for each in sessions)
        np.testing.assert_array_equal(results, expected)
    states = [each.variables["s"] for each in sessions]
    np.testing.assert_array_equal(as_in_source(changed, "s", states[1]), states[0])


def test_a_variable_that_is_returned_keeps_its_layout() -> None:
    graph = network(
        "x = external(shape = [1, 2, 4, 2]); s = variable(shape = [1, 2, 4, 2], label = 's');"
        "y = add(x, s); t = transpose(y, axes = [0, 3, 1, 2]);"
        f"u = {POOL.format('t')}; o = transpose(u, axes = [0, 2, 3, 1]); g = update(s, o);"
        "z = transpose(u, axes = [0, 2, 3, 1]); e = transpose(z, axes = [0, 3, 1, 2]);"
        "q = max_pool(e, size = [1, 1, 2, 2]);",
        outputs="g, q",
    )
    changed = channels_first(graph)
    assert changed.tensors["s"].shape == changed.tensors["g"].shape == (1, 2, 4, 2)
    check_equal(graph, changed)


# -- quantization ----------------------------------------------------------------------------------

CHAIN = (
    "x = external(shape = [1, 6, 4, 2]); t = transpose(x, axes = [0, 3, 1, 2]);"
    f"c = {POOL.format('t')}; y = transpose(c, axes = [0, 2, 3, 1]); z = mul(y, 0.3);"
    f"u = transpose(z, axes = [0, 3, 1, 2]); p = {POOL.format('u')};"
    "o = transpose(p, axes = [0, 2, 3, 1]);"
)
PER_CHANNEL = (
    "zero_point_linear_quantize(zero_point = [[[[1, -2]]]], scale = [[[[0.5, 0.75]]]], bits = 8, "
    "signed = true, symmetric = false);"
)
PER_TENSOR = (
    "zero_point_linear_quantize(zero_point = {0}, scale = 0.5, bits = 8, signed = true, "
    "symmetric = false);"
)


def test_quantization_by_channel_follows_the_axes() -> None:
    graph = network(CHAIN, quantization=f'"z": {PER_CHANNEL}')
    changed = channels_first(graph)
    found = changed.tensors["z"].quantization
    assert found is not None
    assert (found["zero_point"], found["scale"]) == ([[1, -2]], [[0.5, 0.75]])
    assert layouts(changed)["z"] == (0, 3, 1, 2)
    assert count(changed) == 2
    check_equal(graph, changed, quantized=True)
    assert nk.validate(changed).ok


def test_the_transposed_tensor_that_is_quantized_stands_for_both() -> None:
    graph = network(CHAIN, quantization=f'"y": {PER_CHANNEL}')
    changed = channels_first(graph)
    (name,) = [n for n in ("c", "y") if n in changed.tensors]
    found = changed.tensors[name].quantization
    assert found is not None
    assert found["scale"] == [[0.5, 0.75]]
    assert count(changed) == 2
    check_equal(graph, changed, quantized=True)


def test_a_tensor_that_is_read_before_it_is_quantized_remains() -> None:
    body = CHAIN.replace("z = mul(y, 0.3)", "z = mul(y, 0.3); r = relu(c)").replace(
        "p = max", "w = add(u, r); p = max"
    )
    body = body.replace(POOL.format("u"), POOL.format("w"))
    graph = network(body, quantization=f'"y": {PER_TENSOR.format(3)}')
    changed = channels_first(graph)
    assert line(changed, "y") == "y = copy(c);"
    assert changed.tensors["y"].quantization == graph.tensors["y"].quantization
    assert changed.tensors["c"].quantization is None
    assert count(changed) == 2
    check_equal(graph, changed, quantized=True)


@pytest.mark.parametrize(("second", "is_copied"), [(3, False), (-3, True)])
def test_a_view_that_is_quantized_otherwise_is_a_copy(second: int, is_copied: bool) -> None:
    lines = f'"c": {PER_TENSOR.format(3)}\n"y": {PER_TENSOR.format(second)}'
    graph = network(CHAIN, quantization=lines)
    changed = channels_first(graph)
    assert any(op.name == "copy" for op in changed.operations) == is_copied
    check_equal(graph, changed, quantized=True)


def test_a_weight_with_a_scale_for_each_filter_is_transposed_with_it() -> None:
    body = (
        "x = external(shape = [1, 5, 4, 2]); w = variable(shape = [3, 1, 1, 2], label = 'w');"
        "t = transpose(x, axes = [0, 3, 1, 2]); f = transpose(w, axes = [0, 3, 1, 2]);"
        "c = conv(t, f); o = transpose(c, axes = [0, 2, 3, 1]);"
    )
    scale = "[[[[0.5]]], [[[0.25]]], [[[1.5]]]]"
    quantization = (
        f'"w": zero_point_linear_quantize(zero_point = 0, scale = {scale}, bits = 8, '
        "signed = true, symmetric = true);"
    )
    graph = network(body, quantization=quantization)
    changed = channels_first(graph)
    found = changed.tensors["w"].quantization
    assert found is not None
    assert found["scale"] == [0.5, 0.25, 1.5]
    check_equal(graph, changed, quantized=True)
