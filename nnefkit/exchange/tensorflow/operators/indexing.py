"""Slices changed at positions, and sums of slices (4.5.8)."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_operators.indexing import scattered
from nnefkit.exchange.tensorflow.call import Call, operator

_SCATTERS = {
    "TensorScatterUpdate": "none",
    "TensorScatterAdd": "add",
    "TensorScatterMax": "max",
    "TensorScatterMin": "min",
}


@operator(*_SCATTERS)
def scatter(c: Call) -> Value:
    """Read a tensor with slices replaced or changed at positions."""
    return scattered(c, c[0], c[1], c[2], _SCATTERS[c.operator])


@operator("UnsortedSegmentSum", "SegmentSum")
def segment_sum(c: Call) -> Value:
    """Read sums of the slices that belong together, as constant numbers state."""
    x, numbers = c[0], c.constant(1, "numbers of segments")
    if c.operator == "SegmentSum":
        count = int(numbers.max(initial=0)) + 1
    else:
        count = c.number(2, "number of segments")
    rest = x.shape[numbers.ndim :]
    if x.shape[: numbers.ndim] != numbers.shape or count < 1 or numbers.min(initial=0) < 0:
        c.refuse(f"its segments of shape {[*numbers.shape]} do not fit {[*x.shape]}")
    c.allowance.take((count, *rest), 8)
    zeros = c.graph.constant(np.zeros((count, *rest), x.dtype))
    indices = reshaped(c, c[1], (*numbers.shape, 1))
    return scattered(c, zeros, indices, x, "add")
