"""Normalization (4.9.4)."""

from __future__ import annotations

from nnefkit.exchange.channels_last import local_response
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import Call, operator

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
    """Read `local_response_normalization` over neighboring channels."""
    return local_response(
        c,
        c.ranked(0, 4),
        int(c.option("radius")),
        alpha=float(c.option("alpha", 0.0)),
        beta=float(c.option("beta", 0.0)),
        bias=float(c.option("bias", 0.0)),
    )
