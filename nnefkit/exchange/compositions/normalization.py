"""Normalizations (4.9.4).

Scales and offsets may be missing: None stands for 1 and 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.reshaping import channels, per_channel, reshaped, to_rank
from nnefkit.exchange.source_value import Value


def batch_normalization(
    c: OperatorCall,
    x: Value,
    mean: Value,
    variance: Value,
    scale: Value | None,
    offset: Value | None,
    epsilon: float,
) -> Value:
    """Normalize each channel by statistics, one for each channel."""
    count = x.shape[1]
    return c.op(
        "batch_normalization",
        x,
        reshaped(c, mean, (1, count)),
        reshaped(c, variance, (1, count)),
        channels(c, offset, 0.0),
        channels(c, scale, 1.0),
        epsilon=c.decimal(epsilon),
    )


def layer_normalization(
    c: OperatorCall,
    x: Value,
    scale: Value | None,
    offset: Value | None,
    axes: Sequence[int],
    epsilon: float,
) -> Value:
    """Normalize by mean and variance over the last axes."""
    return c.fragment(
        "layer_normalization",
        x.shape,
        x,
        1.0 if scale is None else to_rank(c, scale, x.rank),
        0.0 if offset is None else to_rank(c, offset, x.rank),
        axes=[*axes],
        epsilon=c.decimal(epsilon),
    )


def rms_normalization(
    c: OperatorCall, x: Value, scale: Value | None, axes: Sequence[int], epsilon: float
) -> Value:
    """Divide by the root of the mean square over the last axes."""
    return c.fragment(
        "rms_normalization",
        x.shape,
        x,
        1.0 if scale is None else to_rank(c, scale, x.rank),
        axes=[*axes],
        epsilon=c.decimal(epsilon),
    )


def instance_normalization(
    c: OperatorCall, x: Value, scale: Value | None, offset: Value | None, epsilon: float
) -> Value:
    """Normalize each channel of each batch entry by its own mean and variance."""
    return c.fragment(
        "instance_normalization",
        x.shape,
        x,
        per_channel(c, scale, x.rank, 1.0),
        per_channel(c, offset, x.rank, 0.0),
        axes=[*range(2, x.rank)],
        epsilon=c.decimal(epsilon),
    )


def group_normalization(
    c: OperatorCall,
    x: Value,
    groups: int,
    scale: Value | None,
    offset: Value | None,
    epsilon: float,
) -> Value:
    """Normalize each group of channels by its own mean and variance."""
    return c.fragment(
        "group_normalization",
        x.shape,
        x,
        per_channel(c, scale, x.rank, 1.0),
        per_channel(c, offset, x.rank, 0.0),
        groups=groups,
        axes=[*range(2, x.rank + 1)],
        epsilon=c.decimal(epsilon),
    )


def mean_variance_normalization(
    c: OperatorCall, x: Value, axes: Sequence[int], epsilon: float
) -> Value:
    """Return ``(x - mean) / (deviation + epsilon)``, with statistics over some axes."""
    with c.graph.scope("mean_variance_normalization"):
        mean, variance = c.ops("moments", x, axes=[*axes])
        deviation = c.op("add", c.op("sqrt", variance), c.decimal(epsilon))
        return c.op("div", c.op("sub", x, mean), deviation)


def by_length(c: OperatorCall, x: Value, axes: Sequence[int], epsilon: float) -> Value:
    """Return ``x / sqrt(sum of squares + epsilon)``, with sums over some axes.

    `l2_normalization` adds the small number to the root.
    """
    with c.graph.scope("division_by_length"):
        squares = c.op("sum_reduce", c.op("sqr", x), axes=[*axes])
        return c.op("div", x, c.op("sqrt", c.op("add", squares, c.decimal(epsilon))))
