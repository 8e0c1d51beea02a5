"""Numbers rounded to the steps of codes, as while a network is trained for these (4.9.5)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import Value


def fake_quantized(
    c: OperatorCall, x: Value, low: float, high: float, bits: int, *, narrow: bool = False
) -> Value:
    """Return numbers rounded to steps within a range, which is adjusted so that 0 is a step.

    Args:
        c: The call of the operator.
        x: The numbers.
        low: The lower end of the range.
        high: The upper end.
        bits: The number of bits of a code.
        narrow: Whether the lowest code is not used.

    Raises:
        Refusal: The range is empty, or there are no codes of that many bits.
    """
    if not 2 <= bits <= 16:
        refuse(f"it has {bits} bits", c.invalid_hint)
    scale, zero, lowest, highest = _nudged(c, low, high, bits, narrow)
    if not narrow:
        point = c.graph.constant(int(zero), np.int64)
        attribs: dict[str, Any] = {"bits": bits, "signed": False, "symmetric": False}
        return c.op("zero_point_linear_quantize", x, point, c.decimal(scale), **attribs)
    with c.graph.scope("fake_quant"):
        x = c.op("clamp", x, c.decimal(lowest), c.decimal(highest))
        codes = c.op("div", c.op("sub", x, c.decimal(lowest)), c.decimal(scale))
        steps = c.op("floor", c.op("add", codes, 0.5))
        return c.op("add", c.op("mul", steps, c.decimal(scale)), c.decimal(lowest))


def _nudged(
    c: OperatorCall, lower: float, upper: float, bits: int, narrow: bool
) -> tuple[float, float, float, float]:
    """Return the scale, the zero point and the range in which 0 is a step."""
    low, high = np.float32(lower), np.float32(upper)
    if not low < high:
        refuse(f"its range is from {low} to {high}", c.invalid_hint)
    first, last = np.float32(narrow), np.float32(2**bits - 1)
    scale = (high - low) / (last - first)
    zero = first - low / scale
    nudged = first if zero < first else last if zero > last else np.floor(zero + np.float32(0.5))
    return (
        float(scale),
        float(nudged),
        float((first - nudged) * scale),
        float((last - nudged) * scale),
    )
