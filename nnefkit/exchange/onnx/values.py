"""Elementwise operations with the broadcasting of ONNX."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.onnx.call import Call
from nnefkit.exchange.reshaping import aligned, reshaped
from nnefkit.exchange.source_graph import Value


def binary(c: Call, name: str, *values: Value | float) -> Value:
    """Call an elementwise operation on scalars, with shapes aligned as in ONNX."""
    if c.opset < 7:
        values = _old_broadcast(c, *values)
    given = [v if isinstance(v, Value) else c.graph.constant(v, np.float32) for v in values]
    return c.op(name, *aligned(c, *given))


def _old_broadcast(c: Call, *values: Value | float) -> tuple[Value | float, ...]:
    """Align the second argument with an axis of the first, as it was before opset 7."""
    axis = c.attribute("axis")
    if axis is None or not c.attribute("broadcast", 0) or len(values) != 2:
        return values
    x, y = values
    if isinstance(x, Value) and isinstance(y, Value):
        y = reshaped(c, y, y.shape + (1,) * (x.rank - y.rank - int(axis) % x.rank))
    return x, y
