"""Quantized TFLite networks have the codes that LiteRT recorded, at every tensor."""

import numpy as np
import pytest
from oracles.tflite_references import Reference

import nnefkit as nk
from nnefkit.exchange.layout import as_in_source

pytest.importorskip("tflite")

NETWORKS = {
    "attention": ("int8", "int8_floatio", "uint8"),
    "digits": ("int16x8", "int8", "int8_floatio", "int8_pertensor", "uint8"),
    "mobile_block": ("int8", "int8_floatio", "uint8"),
    "zoo_conv": ("int16x8", "int8", "int8_floatio", "uint8"),
    "zoo_pool": ("int16x8", "int8", "int8_floatio", "uint8"),
    "zoo_shape": ("int16x8", "int8", "int8_floatio", "uint8"),
}
NAMES = [f"networks/{n}/{n}.{variant}" for n, variants in NETWORKS.items() for variant in variants]
WRITTEN = ["written/quantized_elementwise", "written/quantized_per_channel"]


def pairs(name):
    """Yield the name of each recorded tensor, its codes in the engine, and those of LiteRT."""
    reference = Reference(name)
    graph = reference.graph()
    trace = nk.trace(graph, reference.inputs(graph), "integer")
    model = reference.opened.graph
    named = {t.origin: n for n, t in graph.tensors.items() if t.origin and n in trace}
    for number, tensor in enumerate(model.tensors):
        found, key = named.get(model.source_name(number)), f"tensors/{number}"
        if found is not None and key in reference.recorded and tensor.is_quantized:
            codes = reference.codes(number, as_in_source(graph, found, trace[found]))
            yield found, codes, reference.recorded[key]
    outputs = zip(reference.opened.output_names(), graph.outputs, reference.outputs(), strict=True)
    for (_, number), found, expected in outputs:
        numbers = as_in_source(graph, found, trace[found])
        if model.tensors[number].is_quantized:
            yield found, reference.codes(number, numbers), reference.codes(number, expected)
        else:
            # Steps in float32 differ with the order in which LiteRT stores the elements.
            assert np.abs(numbers - expected).max() <= 1e-6 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", [*NAMES, *WRITTEN])
def test_the_codes_of_a_network_are_those_of_litert(name):
    count = 0
    for tensor, codes, expected in pairs(name):
        np.testing.assert_array_equal(codes, expected.astype(np.int64), err_msg=tensor)
        count += codes.size
    assert count
