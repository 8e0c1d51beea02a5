"""Pooling (4.3.3)."""

from __future__ import annotations

from nnefkit.exchange.channels_last import pooled
from nnefkit.exchange.reshaping import to_dtype, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensorflow.call import Call, operator
from nnefkit.exchange.tensorflow.operators.convolution import padding_of

_POOLS = {"AvgPool": "avg_pool", "MaxPool": "max_pool"}
_POOLS |= {f"{name}3D": operation for name, operation in _POOLS.items()}


@operator(*_POOLS)
def pool(c: Call) -> Value:
    """Read `avg_pool` or `max_pool`; elements outside of the input do not count."""
    rank = 5 if c.operator.endswith("3D") else 4
    given = c.channels_last(0, rank)
    x, size, stride = to_scalar(c, given), c.window("ksize", rank), c.window("strides", rank)
    padding = padding_of(c, x.shape[1:-1], size, stride)
    result = pooled(c, _POOLS[c.operator], x, size=size, stride=stride, padding=padding)
    return c.as_given(to_dtype(c, result, given.dtype))
