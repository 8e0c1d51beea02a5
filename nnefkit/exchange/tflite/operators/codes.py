"""Codes of numbers, which are read as the numbers that they stand for (4.9.5)."""

from __future__ import annotations

from nnefkit.exchange.compositions.fake_quantization import fake_quantized
from nnefkit.exchange.source_value import SCALAR, Value
from nnefkit.exchange.tflite.call import Call, operator


@operator("DEQUANTIZE", "QUANTIZE")
def as_numbers(c: Call) -> Value:
    """Read a copy: codes are the numbers that they stand for."""
    x = c[0]
    if x.data_type != SCALAR:
        c.invalid("its codes have no scale")
    return x if x.data is not None else c.op("copy", x)


@operator("DENSIFY")
def densify(c: Call) -> Value:
    """Read weights that are stored without their zeros."""
    return c[0]


@operator("FAKE_QUANT")
def fake_quant(c: Call) -> Value:
    """Read `zero_point_linear_quantize` with a range that is adjusted to contain 0."""
    low, high = float(c.option("min", 0.0)), float(c.option("max", 0.0))
    bits, is_narrow = int(c.option("num_bits")), bool(c.option("narrow_range"))
    return fake_quantized(c, c[0], low, high, bits, narrow=is_narrow)
