"""Normalisation."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, to_rank
from nnefkit.exchange.source_graph import Value

_TINY = 1e-30
"""Keeps 0 / 0 from being anything else than 0; no other quotient feels it."""


def _epsilon(c: Call) -> float:
    return float(str(np.float32(c.attribute("epsilon", 1e-5))))


@operator("BatchNormalization")
def batch_normalization(c: Call) -> list[Value | None]:
    """With the statistics of the training, which are ``[1, C]``."""
    if c.attribute("training_mode", 0) or any(c.wants(i) for i in range(1, len(c.output_names))):
        c.refuse("it computes statistics of the batch", "Export the network for inference.")
    if not c.attribute("spatial", 1):
        c.refuse("it has statistics for each position", "Normalise by channels.")
    x = c[0]
    scale, offset, mean, variance = (reshaped(c, c[i], (1, *c[i].shape)) for i in range(1, 5))
    epsilon = _epsilon(c)
    return [c.op("batch_normalization", x, mean, variance, offset, scale, epsilon=epsilon)]


@operator("InstanceNormalization")
def instance_normalization(c: Call) -> Value:
    """Each channel of each entry by its own mean and variance."""
    x = c[0]
    axes = [*range(2, x.rank)]
    with c.graph.scope("instance_normalization"):
        mean, variance = c.ops("moments", x, axes=axes)
        scale, offset = (reshaped(c, c[i], (1, *c[i].shape)) for i in (1, 2))
        result: Value = c.op(
            "batch_normalization", x, mean, variance, offset, scale, epsilon=_epsilon(c)
        )
    return result


@operator("LayerNormalization")
def layer_normalization(c: Call) -> list[Value | None]:
    """Each entry by its mean and variance over the last axes."""
    x = c[0]
    axes = [*range(c.axis("axis", -1, x.rank), x.rank)]
    with c.graph.scope("layer_normalization"):
        mean, variance = c.ops("moments", x, axes=axes)
        offset = c.get(2)
        result: Value = c.op(
            "batch_normalization",
            x,
            mean,
            variance,
            0.0 if offset is None else to_rank(c, offset, x.rank),
            to_rank(c, c[1], x.rank),
            epsilon=_epsilon(c),
        )
        inverse = None
        if c.wants(2):
            inverse = c.op("rsqrt", c.op("add", variance, _epsilon(c)))
    return [result, mean, inverse]


@operator("RMSNormalization")
def rms_normalization(c: Call) -> Value:
    """Each entry by the root of its mean square over the last axes."""
    x = c[0]
    axes = [*range(c.axis("axis", -1, x.rank), x.rank)]
    with c.graph.scope("rms_normalization"):
        mean = c.op("mean_reduce", c.op("sqr", x), axes=axes)
        normal = c.op("div", x, c.op("sqrt", c.op("add", mean, _epsilon(c))))
        result: Value = c.op("mul", normal, to_rank(c, c[1], x.rank))
    return result


@operator("GroupNormalization")
def group_normalization(c: Call) -> Value:
    """Each group of channels by its mean and variance."""
    x = c[0]
    groups = int(c.attribute("num_groups"))
    each = x.shape[1] // groups
    parts = (x.shape[0], groups, each, *x.shape[2:])
    with c.graph.scope("group_normalization"):
        split = reshaped(c, x, parts)
        mean, variance = c.ops("moments", split, axes=[*range(2, len(parts))])
        if c[1].shape[0] == groups != x.shape[1] or c.opset < 21:
            shape: tuple[int, ...] = (1, groups)
        else:
            shape = (1, groups, each)
        scale, offset = (reshaped(c, c[i], shape) for i in (1, 2))
        normal = c.op(
            "batch_normalization", split, mean, variance, offset, scale, epsilon=_epsilon(c)
        )
        return reshaped(c, normal, x.shape)


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
