"""Masks: which steps of a sequence count, as they pass from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.exchange.keras.call import MASKING, Call, layer
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value

Masks = Sequence[Value | None]


@layer("Masking")
def masking(c: Call) -> Value:
    """Read a tensor whose steps with nothing but a number are 0."""
    x = c.x
    value = c.decimal(c.options.number("mask_value", 0.0))
    differs = c.op("ne", x, value)
    counts = c.op("any_reduce", differs, axes=[x.rank - 1])
    result = c.op("select", counts, x, 0.0)
    mask = reshaped(c, counts, x.shape[:-1])
    c.set_mask(result, mask)
    return result


def passed(masks: Masks, result: Value) -> Value | None:
    """Return the mask of the first input, if it fits the result."""
    mask = next(iter(masks), None)
    is_fitting = mask is not None and mask.shape == result.shape[: mask.rank]
    return mask if is_fitting else None


for kind in (
    *("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "Dense"),
    *("Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout"),
    *("ActivityRegularization", "Identity", "BatchNormalization", "LayerNormalization"),
    *("UnitNormalization", "GroupNormalization", "MultiHeadAttention", "GroupQueryAttention"),
    *("GroupedQueryAttention", "TimeDistributed", "Rescaling", "Normalization"),
):
    MASKING.register(kind)(passed)
