"""The reference models compute what LiteRT recorded, or are refused for a known reason."""

import re

import pytest
from oracles.tflite_references import names, own_differences, verdict

pytest.importorskip("tflite")

REFUSED = {
    "operators/complex_refused": "complex numbers",
    "operators/where_index": "its condition .* must be constant",
    "written/custom_op": "the custom operator 'MyOwnOperator'",
}
"""Models that NNEF cannot express."""
CODES = {
    # Codes that differ by one at an early layer are amplified by the later ones.
    "networks/attention/attention.int8": 4,
    "networks/attention/attention.int8_floatio": 4,
    "networks/attention/attention.uint8": 4,
    "networks/mobile_block/mobile_block.int8": 2,
    "networks/mobile_block/mobile_block.int8_floatio": 2,
    "networks/mobile_block/mobile_block.uint8": 2,
    "networks/zoo_conv/zoo_conv.int8": 4,
    "networks/zoo_conv/zoo_conv.int8_floatio": 4,
    "networks/zoo_conv/zoo_conv.uint8": 4,
    # Of 65,536: LiteRT computes tanh and softmax of int16 by tables.
    "networks/zoo_conv/zoo_conv.int16x8": 5,
    "networks/digits/digits.int16x8": 3,
    # LiteRT rounds the weights of a bilinear resize to 10 bits.
    "networks/zoo_shape/zoo_shape.int16x8": 272,
}
"""The largest difference of a code anywhere in the network, where it is above 1."""


@pytest.mark.parametrize("name", names())
def test_a_reference_model_is_read_right(name):
    found = verdict(name)
    if name in REFUSED:
        assert found.result == "refused"
        assert re.search(REFUSED[name], found.reason)
    elif found.result == "codes":
        assert found.difference <= CODES.get(name, 1)
        assert found.equal > 0.85
    elif found.result == "rounded":
        assert found.difference < 1e-3
    else:
        assert found.result == "equal", found


OWN = {
    # Of 65,536: LiteRT computes these functions of int16 by tables with 513 entries.
    "networks/zoo_conv/zoo_conv.int16x8": ("Tanh", 2),
    "networks/digits/digits.int16x8": ("output_0", 3),
    # LiteRT rounds the weights of a bilinear resize to 10 bits.
    "networks/zoo_shape/zoo_shape.int16x8": ("up_bilinear", 272),
}
"""Tensor, and the largest difference of its codes on LiteRT's inputs, where it is above 1."""
QUANTIZED = [n for n in names() if n.startswith("networks") and "int" in n.rpartition(".")[2]]


@pytest.mark.parametrize("name", QUANTIZED)
def test_each_operation_alone_is_at_most_one_code_apart(name):
    found = own_differences(name)
    assert found
    known, most = OWN.get(name, ("nothing", 1))
    for tensor, difference in found.items():
        assert difference < (most if known in tensor else 1) + 0.01, tensor
