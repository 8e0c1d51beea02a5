"""Normalization (4.9.4)."""

from __future__ import annotations

from nnefkit.exchange.channels_last import channels_first, channels_last
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import INVALID, Call, operator

_LEAST_LENGTH = 1e-6
"""Vectors that are shorter are divided by this."""


@operator("L2_NORMALIZATION")
def l2_normalization(c: Call) -> Value:
    """Read `l2_normalization` over the last axis."""
    x = c[0]
    axis = c.front_axis(-1, x.rank)
    return c.activated(c.op("l2_normalization", x, axes=[axis], epsilon=_LEAST_LENGTH))


@operator("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(c: Call) -> Value:
    """Read `local_response_normalization` over neighboring channels.

    NNEF divides the sum of squares by the size of the window, and TFLite does not.
    """
    x, radius = c.ranked(0, 4), int(c.option("radius"))
    if radius < 0:
        c.refuse(f"its radius is {radius}", INVALID)
    # Windows beyond all channels are all of them, in part.
    size = 2 * min(radius, x.shape[-1] - 1) + 1
    result = c.op(
        "local_response_normalization",
        channels_first(c, x),
        size=[1, size, 1, 1],
        alpha=c.decimal(float(c.option("alpha", 0.0)) * size),
        beta=c.decimal(c.option("beta", 0.0)),
        bias=c.decimal(c.option("bias", 0.0)),
    )
    return channels_last(c, result)
