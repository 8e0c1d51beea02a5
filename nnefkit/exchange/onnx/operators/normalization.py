"""Normalisation."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.compositions import normalization
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.reshaping import expanded, reshaped
from nnefkit.exchange.source_graph import Value

_TINY = 1e-30
"""Keeps 0 / 0 from being anything else than 0; no other quotient feels it."""


@operator("BatchNormalization")
def batch_normalization(c: Call) -> list[Value | None]:
    """With the statistics of the training, which are ``[1, C]``."""
    if c.attribute("training_mode", 0) or any(c.wants(i) for i in range(1, len(c.output_names))):
        c.refuse("it computes statistics of the batch", "Export the network for inference.")
    if not c.attribute("spatial", 1):
        c.refuse("it has statistics for each position", "Normalise by channels.")
    scale, offset, mean, variance = (c[index] for index in range(1, 5))
    epsilon = c.attribute("epsilon", 1e-5)
    return [normalization.batch_normalization(c, c[0], mean, variance, scale, offset, epsilon)]


@operator("InstanceNormalization")
def instance_normalization(c: Call) -> Value:
    """Normalize each channel of each batch entry by its own mean and variance."""
    epsilon = c.attribute("epsilon", 1e-5)
    return normalization.instance_normalization(c, c[0], c[1], c[2], epsilon)


@operator("LayerNormalization")
def layer_normalization(c: Call) -> list[Value | None]:
    """Normalize each entry by its mean and variance over the last axes."""
    x = c[0]
    axes = [*range(c.axis("axis", -1, x.rank), x.rank)]
    epsilon = c.attribute("epsilon", 1e-5)
    result = normalization.layer_normalization(c, x, c[1], c.get(2), axes, epsilon)
    if not (c.wants(1) or c.wants(2)):
        return [result]
    mean, variance = c.ops("moments", x, axes=axes)
    return [result, mean, c.op("rsqrt", c.op("add", variance, c.decimal(epsilon)))]


@operator("RMSNormalization")
def rms_normalization(c: Call) -> Value:
    """Divide each entry by the root of its mean square over the last axes."""
    x = c[0]
    axes = [*range(c.axis("axis", -1, x.rank), x.rank)]
    return normalization.rms_normalization(c, x, c[1], axes, c.attribute("epsilon", 1e-5))


@operator("GroupNormalization")
def group_normalization(c: Call) -> Value:
    """Normalize each group of channels by its mean and variance."""
    x, groups = c[0], int(c.attribute("num_groups"))
    scale, offset = c[1], c[2]
    if c.opset < 21:
        # One number for each group, and not for each channel.
        each = x.shape[1] // groups
        scale, offset = (
            reshaped(c, expanded(c, reshaped(c, value, (groups, 1)), (groups, each)), (x.shape[1],))
            for value in (scale, offset)
        )
    epsilon = c.attribute("epsilon", 1e-5)
    return normalization.group_normalization(c, x, groups, scale, offset, epsilon)


@operator("MeanVarianceNormalization")
def mean_variance_normalization(c: Call) -> Value:
    """By mean and standard deviation over some axes."""
    x = c[0]
    axes = sorted(axis % x.rank for axis in c.ints("axes") or [0, 2, 3])
    with c.graph.scope("mean_variance_normalization"):
        mean, variance = c.ops("moments", x, axes=axes)
        deviation = c.op("add", c.op("sqrt", variance), 1e-9)
        result: Value = c.op("div", c.op("sub", x, mean), deviation)
    return result


@operator("LRN")
def local_response_normalization(c: Call) -> Value:
    """By the mean square of the neighbouring channels."""
    x = c[0]
    size = [1, int(c.attribute("size")), *[1] * (x.rank - 2)]

    def number(name: str, default: float) -> float:
        return float(str(np.float32(c.attribute(name, default))))

    return c.op(
        "local_response_normalization",
        x,
        size=size,
        alpha=number("alpha", 0.0001),
        beta=number("beta", 0.75),
        bias=number("bias", 1.0),
    )


@operator("LpNormalization")
def lp_normalization(c: Call) -> Value:
    """By the norm along an axis."""
    x = c[0]
    name = "l1_normalization" if c.attribute("p", 2) == 1 else "l2_normalization"
    return c.op(name, x, axes=[c.axis("axis", -1, x.rank)], epsilon=_TINY)
