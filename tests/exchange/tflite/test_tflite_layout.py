"""Networks with their channels last become networks without transpositions inside."""

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from oracles.tflite_references import Reference, model

import nnefkit as nk
from nnefkit.exchange.layout import as_stored

INSIDE = {
    "networks/digits/digits": (0, 0),
    "networks/mobile_block/mobile_block": (1, 0),
    "networks/zoo_pool/zoo_pool": (5, 0),
    "networks/zoo_conv/zoo_conv": (7, 0),
}
"""Transpositions with the inputs and outputs of the source, and with those of NNEF."""


def transpositions(graph):
    return sum(op.name == "transpose" for op in graph.operations)


@pytest.mark.parametrize("name", INSIDE)
def test_no_transposition_remains_inside(name):
    for variant in ("float32", "int8"):
        data = model(f"{name}.{variant}")
        graphs = [nk.from_tflite(data, layout=each, verify=False) for each in ("source", "nnef")]
        assert tuple(map(transpositions, graphs)) == INSIDE[name]


@pytest.mark.parametrize(
    "name", ["networks/zoo_conv/zoo_conv.float32", "networks/mobile_block/mobile_block.int8"]
)
def test_channels_first_inputs_and_outputs_are_proved_and_traced(name):
    reference = Reference(name)
    graph = nk.from_tflite(model(name), layout="nnef")
    assert graph.provenance["verified"]
    source = reference.inputs(graph)
    inputs = {key: as_stored(graph, key, array) for key, array in source.items()}
    (image,) = inputs.values()
    assert image.shape == graph.tensors[graph.inputs[0]].shape != (*source.values(),)[0].shape
    trace = nk.trace_tflite(model(name), inputs, graph=graph)
    expected = zip(graph.outputs, reference.outputs(), strict=True)
    for output, array in expected:
        np.testing.assert_allclose(trace[output], as_stored(graph, output, array), atol=1e-6)
    ours = nk.trace(graph, inputs, quantized=reference.is_quantized)
    for tensor in ours.keys() & trace.keys():
        assert ours[tensor].shape == trace[tensor].shape
    assert len(ours.keys() & trace.keys()) >= 10


def test_a_layout_is_one_of_two():
    with pytest.raises(nk.InputError, match="'layout' must be 'source' or 'nnef'"):
        nk.from_tflite(model("networks/digits/digits.float32"), layout="NHWC")


# -- LiteRT's own tensors --------------------------------------------------------------------------


def test_the_trace_of_the_source_agrees_tensor_by_tensor():
    name = "networks/digits/digits.float32"
    graph = nk.from_tflite(model(name), verify=False)
    inputs = Reference(name).inputs(graph)
    for given in (graph, None):
        trace = nk.trace_tflite(model(name), inputs, graph=given)
        comparison = nk.compare(nk.trace(graph, inputs), trace)
        assert comparison.ok
        assert len(comparison) >= 7
    assert trace["output_0"].shape == (1, 10)


def test_codes_are_recorded_as_numbers():
    name = "networks/digits/digits.int8"
    graph = nk.from_tflite(model(name), verify=False)
    inputs = Reference(name).inputs(graph)
    trace = nk.trace_tflite(model(name), inputs, graph=graph)
    outputs = nk.run(graph, inputs, quantized=True)
    np.testing.assert_allclose(trace["output_0"], outputs["output_0"], atol=1 / 256 + 1e-6)


def test_models_that_nnef_cannot_express_are_traced():
    name = "operators/where_index"
    reference = Reference(name)
    (array,) = [a for key, a in reference.recorded.items() if key.startswith("inputs/")]
    trace = nk.trace_tflite(model(name), {"c": array})
    (expected,) = [a for key, a in reference.recorded.items() if key.startswith("outputs/")]
    np.testing.assert_array_equal(trace["Identity"], expected)


def test_missing_and_unknown_inputs_are_refused():
    data = model("networks/digits/digits.float32")
    with pytest.raises(nk.ExecutionError, match="its inputs 'image' are missing"):
        nk.trace_tflite(data, {})
    with pytest.raises(nk.UnknownNameError, match="no input 'imag'"):
        nk.trace_tflite(data, {"imag": np.zeros((1, 8, 8, 1))})
