"""Pooling (4.3.3): from channels last to channels first, and back."""

from __future__ import annotations

from nnefkit.exchange.channels_last import pooled
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import Call, operator
from nnefkit.exchange.tflite.operators.convolution import padding_of

_POOLS = {"AVERAGE_POOL_2D": "avg_pool", "MAX_POOL_2D": "max_pool", "L2_POOL_2D": "rms_pool"}


@operator(*_POOLS)
def pool(c: Call) -> Value:
    """Read `avg_pool`, `max_pool` or `rms_pool`; elements outside of the input do not count."""
    x = c.ranked(0, 4)
    size = c.positive("filter_height", "filter_width")
    stride = c.positive("stride_h", "stride_w")
    padding = padding_of(c, x.shape[1:3], size, stride)
    result = pooled(c, _POOLS[c.operator], x, size=size, stride=stride, padding=padding)
    return c.activated(result)
