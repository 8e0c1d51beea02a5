"""Conversions between the data types of elements (4.5.8)."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.elementwise import WIDEST
from nnefkit.exchange.compositions.integer_range import failing, narrowed, within_64_bits
from nnefkit.exchange.reshaping import to_dtype, to_logical, to_scalar, truncated
from nnefkit.exchange.source_value import LOGICAL, SCALAR, DType, Value


def cast(c: OperatorCall, x: Value, dtype: DType) -> Value:
    """Return a tensor converted to another dtype; numbers are truncated, integers wrap around."""
    if dtype.kind == "b":
        return to_logical(c, x)
    if dtype.kind == "f":
        # The width of a scalar is not a property of a graph in NNEF.
        return to_scalar(c, x)
    if x.data_type == SCALAR:
        whole = truncated(c, x)
        if dtype == np.uint64 and x.data is None:
            whole = failing(c, whole, c.op("ge", x, 2.0**63))
        return to_dtype(c, whole, dtype)
    if x.data_type == LOGICAL:
        return to_dtype(c, x, dtype)
    if dtype == np.uint64 and x.dtype.kind == "i" and x.data is None:
        return to_dtype(c, within_64_bits(c, to_scalar(c, x)), dtype)
    is_narrower = dtype.itemsize < x.dtype.itemsize or dtype.kind != x.dtype.kind
    if is_narrower and dtype.itemsize < WIDEST:
        return to_dtype(c, narrowed(c, to_scalar(c, x), dtype), dtype)
    return x
