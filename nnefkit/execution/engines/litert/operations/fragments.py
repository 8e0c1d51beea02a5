"""Layers that TFLite has operators for and no standard operation expresses.

They are calls of fragments that graphs declare as nnefkit does. An engine is given graphs without
such calls; writers keep these.
"""

from __future__ import annotations

from nnefkit.arrays import Ints
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.primitives import reduce, sub, unary
from nnefkit.registry import Registry

FRAGMENTS = Registry()
"""Name of a fragment -> its lowering."""
fragment = FRAGMENTS.register


@fragment("hard_swish")
def hard_swish(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``x * clamp(x + 3, 0, 6) / 6``."""
    return unary(b, "HARD_SWISH", x)


@fragment("gelu_tanh")
def gelu_tanh(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return the approximation of `gelu` by the hyperbolic tangent."""
    return unary(b, "GELU", x, Approximate=True)


@fragment("log_softmax")
def log_softmax(b: TfliteBuilder, x: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return the logarithm of `softmax`."""
    if [*axes] == [x.rank - 1]:
        return unary(b, "LOG_SOFTMAX", x)
    shifted = sub(b, x, reduce(b, "REDUCE_MAX", x, axes))
    total = reduce(b, "SUM", unary(b, "EXP", shifted), axes)
    return sub(b, shifted, unary(b, "LOG", total))
