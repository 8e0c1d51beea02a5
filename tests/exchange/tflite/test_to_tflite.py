"""Graphs as TFLite models: what is written, and that it computes what the graph does."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from oracles.tflite_references import model

pytest.importorskip("tflite")
pytest.importorskip("ai_edge_litert")

import nnefkit as nk
from nnefkit.exchange.tflite.opened_model import open_model
from nnefkit.execution.engines.litert.interpreter import LoadedModel

NETWORK = """
version 1.0;
graph net(x) -> (y, p)
{
    x = external(shape = [1, 3, 9, 9]);
    f = variable(shape = [4, 3, 3, 3], label = 'f');
    b = variable(shape = [1, 4], label = 'b');
    d = variable(shape = [8, 1, 3, 3], label = 'd');
    w = variable(shape = [5, 200], label = 'w');
    c = conv(x, f, b, stride = [2, 2]);
    r = relu(c);
    s = conv(r, d, groups = 0, padding = [(1, 1), (1, 1)]);
    t = clamp(s, 0.0, 6.0);
    n = reshape(t, shape = [1, 200]);
    y = linear(n, w);
    p = max_pool(t, size = [1, 1, 2, 2], stride = [1, 1, 2, 2], border = 'ignore',
        padding = [(0, 0), (0, 0), (0, 1), (0, 1)]);
}
"""


def weighted(text, **named):
    graph = nk.parse(text)
    rng = np.random.default_rng(0)
    return graph.with_data(
        {t.name: rng.normal(size=t.shape).astype(np.float32) for t in graph.variables} | named
    )


def kinds(data):
    return Counter(operator.name for operator in open_model(data).graph.operators)


def test_a_network_is_channels_last_inside():
    data = nk.to_tflite(weighted(NETWORK))
    # One transposition at the input, one at the output that is an image.
    assert kinds(data) == {
        "TRANSPOSE": 2,
        "CONV_2D": 1,
        "DEPTHWISE_CONV_2D": 1,
        "RESHAPE": 1,
        "FULLY_CONNECTED": 1,
        "MAX_POOL_2D": 1,
    }
    fused = [
        operator.options.get("fused_activation_function")
        for operator in open_model(data).graph.operators
        if operator.name.endswith("CONV_2D")
    ]
    assert fused == [1, 3]


def test_inputs_and_outputs_keep_their_names_and_files_are_the_same_every_time():
    graph = weighted(NETWORK)
    data = nk.to_tflite(graph, verify=False)
    assert data == nk.to_tflite(graph, verify=False)
    opened = open_model(data)
    assert [*opened.input_names().values()] == ["x"]
    assert [name for name, _ in opened.output_names()] == ["y", "p"]
    again = nk.from_tflite(data)
    assert (again.inputs, again.outputs) == (("x",), ("y", "p"))


ROUND_TRIPS = {
    "networks/digits/digits.float32": {},
    "networks/zoo_conv/zoo_conv.float32": {},
    "networks/zoo_pool/zoo_pool.float32": {},
    "operators/transpose_conv_same": {},
    "operators/softmax_axis1": {},
}
"""Model -> the operators that it has more when it is written again."""


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_a_model_is_written_as_it_was(name):
    original = model(name)
    graph = nk.from_tflite(original, verify=False)
    data = nk.to_tflite(graph)
    assert kinds(data) - kinds(original) == ROUND_TRIPS[name]
    assert not kinds(original) - kinds(data)


# -- codes -----------------------------------------------------------------------------------------

CODED = {
    "networks/digits/digits.int8": {},
    "networks/digits/digits.int16x8": {},
    "networks/mobile_block/mobile_block.uint8": {},
    "networks/zoo_conv/zoo_conv.int8_floatio": {},
    "networks/zoo_pool/zoo_pool.int8": {},
    "networks/attention/attention.int8": {"QUANTIZE": 2, "DEQUANTIZE": 2},
}
"""Model -> the operators that it has more when it is written again."""


@pytest.mark.parametrize("name", CODED)
def test_a_quantized_model_computes_the_same_codes_when_it_is_written_again(name):
    original = model(name)
    data = nk.to_tflite(nk.from_tflite(original, verify=False), quantized=True, verify=False)
    assert kinds(data) - kinds(original) == CODED[name]
    models = [LoadedModel(original), LoadedModel(data)]
    tensors = open_model(original).graph
    rng = np.random.default_rng(0)
    for _ in range(3):
        feeds = [drawn(tensors.tensors[number], rng) for number in tensors.inputs]
        for ours, theirs in zip(models[1].run(feeds), models[0].run(feeds), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


def drawn(tensor, rng):
    if tensor.dtype.kind == "f":
        return rng.normal(size=tensor.shape).astype(tensor.dtype)
    limits = np.iinfo(tensor.dtype)
    return rng.integers(limits.min, limits.max, tensor.shape, tensor.dtype, endpoint=True)


def test_a_graph_that_was_quantized_here_computes_with_codes_of_8_bits():
    graph = weighted(NETWORK)
    rng = np.random.default_rng(1)
    samples = [{"x": rng.normal(size=(1, 3, 9, 9)).astype(np.float32)} for _ in range(4)]
    data = nk.to_tflite(nk.quantize(graph, samples), quantized=True)
    assert not kinds(data)["DEQUANTIZE"]
    opened = open_model(data).graph
    assert {opened.tensors[n].type for n in (*opened.inputs, *opened.outputs)} == {"INT8"}
    assert len(data) < 0.7 * len(nk.to_tflite(graph, verify=False))


def test_grids_that_tflite_lacks_are_refused_at_once(tmp_path):
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 2]); y = relu(x); }",
        "'x': linear_quantize(min = -0.3, max = 1.0, bits = 8);\n"
        "'y': zero_point_linear_quantize(zero_point = 0, scale = 0.1, bits = 12, signed = true, "
        "symmetric = false);\n",
    )
    with pytest.raises(nk.ExecutionError) as caught:
        nk.to_tflite(graph, tmp_path / "g.tflite", quantized=True)
    assert [d.message for d in caught.value.diagnostics] == [
        "TFLite cannot express the quantization of 'x'",
        "TFLite cannot express the quantization of 'y'",
    ]


def test_weights_in_half_precision_take_half_the_space():
    graph = weighted(NETWORK)
    whole, half = nk.to_tflite(graph), nk.to_tflite(graph, weights="float16")
    assert len(half) < 0.75 * len(whole)
    assert kinds(half)["DEQUANTIZE"] == 4


def test_all_that_tflite_cannot_express_is_refused_at_once(tmp_path):
    graph = nk.parse("""
        version 1.0;
        graph net(x) -> (y, z)
        {
            x = external(shape = [1, 2, 4, 4]);
            y, i = max_pool_with_index(x, size = [1, 1, 2, 2]);
            z = argmax_pool(x, size = [1, 1, 2, 2]);
        }
    """)
    path = tmp_path / "net.tflite"
    with pytest.raises(nk.ExecutionError) as caught:
        nk.to_tflite(graph, path)
    assert len(caught.value.diagnostics) == 2
    assert not path.exists()


STATEFUL = """
version 1.0;
graph net(x) -> (y)
{
    x = external(shape = [1, 2, 3, 3]);
    v = variable(shape = [1, 2, 3, 3], label = 'v');
    f = variable(shape = [2, 2, 1, 1], label = 'f');
    c = conv(x, f);
    y = add(v, c);
    s = update(v, y);
}
"""


def test_variables_live_between_runs():
    graph = weighted(STATEFUL)
    ours, theirs = nk.Session(graph), LoadedModel(nk.to_tflite(graph))
    rng = np.random.default_rng(2)
    for _ in range(3):
        x = rng.normal(size=(1, 2, 3, 3)).astype(np.float32)
        (found,) = theirs.run([x])
        np.testing.assert_allclose(found, ours.run({"x": x})["y"], rtol=1e-5, atol=1e-6)


def test_a_file_is_written_and_a_wrong_argument_is_refused(tmp_path):
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y, x2) "
        "{ x = external(shape = [2]); y = relu(x); x2 = copy(x); }"
    )
    data = nk.to_tflite(graph, tmp_path / "g.tflite")
    assert (tmp_path / "g.tflite").read_bytes() == data
    with pytest.raises(nk.InputError, match="'weights' must be"):
        nk.to_tflite(graph, weights="int4")
    with pytest.raises(nk.ExecutionError, match="no quantization info"):
        nk.to_tflite(graph, quantized=True)
