"""Pooling (4.3.3), and reductions over all pixels (4.4)."""

from __future__ import annotations

from nnefkit.exchange.channels_last import pooled
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.layers.convolution import padding_of
from nnefkit.exchange.keras.layers.spatial import dimensions, spatial
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_scalar
from nnefkit.exchange.source_value import Value


@layer(*(f"{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)))
def pool(c: Call) -> Value:
    """Read `max_pool` or `avg_pool`; elements outside of the input do not count."""
    count = dimensions(c)
    size = c.options.positive("pool_size", count, 2)
    given = c.options.get("strides")
    stride = size if given is None else c.options.positive("strides", count)
    pooling = "max_pool" if c.operator.startswith("Max") else "avg_pool"

    def read(x: Value) -> Value:
        padding = padding_of(c, x.shape[1:-1], size, stride, [1] * count)
        return pooled(c, pooling, x, size=size, stride=stride, padding=padding)

    return spatial(c, count, read)


@layer(*(f"Global{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)))
def global_pool(c: Call) -> Value:
    """Read `mean_reduce` or `max_reduce` over all spatial axes."""
    x, count = c.x, dimensions(c)
    if x.rank != count + 2:
        refuse(f"its input has rank {x.rank}, not {count + 2}", INVALID)
    is_kept = c.options.flag("keepdims")
    first = 2 if c.is_channels_first() else 1
    axes = [*range(first, first + count)]
    is_mean = "Average" in c.operator
    mask = c.mask_of(c.argument(0), 1) if is_mean and count == 1 else None
    if mask is not None:
        result = _masked_mean(c, x, mask, axes[0])
    else:
        result = c.op("mean_reduce" if is_mean else "max_reduce", x, axes=axes)
    if is_kept:
        return result
    return reshaped(c, result, [n for axis, n in enumerate(x.shape) if axis not in axes])


def _masked_mean(c: Call, x: Value, mask: Value, axis: int) -> Value:
    """Return the mean over the steps that a mask admits."""
    factors = to_scalar(c, mask)
    shape = [x.shape[0], 1, 1]
    shape[axis] = x.shape[axis]
    factors = reshaped(c, factors, shape)
    total = c.op("sum_reduce", c.op("mul", x, factors), axes=[axis])
    return c.op("div", total, c.op("sum_reduce", factors, axes=[axis]))
