"""The reference models compute what LiteRT recorded, or are refused for a known reason."""

import re

import pytest
from oracles.tflite_references import names, verdict

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
