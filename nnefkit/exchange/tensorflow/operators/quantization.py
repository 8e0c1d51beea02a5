"""Rounding to the steps of codes (4.9.5)."""

from __future__ import annotations

from nnefkit.exchange.compositions.fake_quantization import fake_quantized
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensorflow.call import Call, operator


@operator("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs")
def fake_quant(c: Call) -> Value:
    """Read `zero_point_linear_quantize` with a range that is adjusted to contain 0."""
    if c.operator.endswith("Args"):
        low, high = float(c.option("min", -6.0)), float(c.option("max", 6.0))
    else:
        low, high = (float(c.constant(index, "range").reshape(-1)[0]) for index in (1, 2))
    bits, is_narrow = int(c.option("num_bits", 8)), bool(c.option("narrow_range"))
    return fake_quantized(c, c[0], low, high, bits, narrow=is_narrow)


@operator("FakeQuantWithMinMaxVarsPerChannel")
def fake_quant_of_channels(c: Call) -> Value:
    """Read `zero_point_linear_quantize` with a range for each channel."""
    x = c[0]
    axis = c.front_axis(-1, x.rank)
    lows, highs = (c.constant(index, "range").reshape(-1) for index in (1, 2))
    count = x.shape[axis]
    if lows.size != count or highs.size != count:
        c.invalid(f"it has {lows.size} ranges for {count} channels")
    bits, is_narrow = int(c.option("num_bits", 8)), bool(c.option("narrow_range"))
    parts = c.ops("split", x, axis=axis, ratios=[1] * count) if count > 1 else [x]
    rounded = [
        fake_quantized(c, part, float(low), float(high), bits, narrow=is_narrow)
        for part, low, high in zip(parts, lows, highs, strict=True)
    ]
    return c.op("concat", rounded, axis=axis) if count > 1 else rounded[0]
