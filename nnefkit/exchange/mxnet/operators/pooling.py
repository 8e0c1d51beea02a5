"""Pooling (4.3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nnefkit.exchange.channels_last import channels_first, channels_last
from nnefkit.exchange.compositions.pooling import PoolingWindow, adaptive, pooled
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.mxnet.operators.layouts import is_channels_last, per_axis
from nnefkit.exchange.reshaping import to_scalar
from nnefkit.exchange.source_value import Value

_TYPES = {"max": "max_pool", "avg": "avg_pool", "sum": "box", "lp": "box"}
_REDUCTIONS = {"max": "max_reduce", "avg": "mean_reduce", "sum": "sum_reduce", "lp": "sum_reduce"}


@operator("Pooling", "Pooling_v1", "_npx_pooling")
def pool(c: Call) -> Value:
    """Read `max_pool`, `avg_pool`, `box`, or a reduction of the spatial axes."""
    x = to_scalar(c, c[0])
    is_last = is_channels_last(c, x)
    kind = c.text("pool_type", "max", [*_TYPES])
    if is_last:
        x = channels_first(c, x)
    power = c.integer("p_value", 2) if kind == "lp" else 1
    if power not in (1, 2):
        c.refuse(f"its p_value is {power}", "Use 1 or 2.")
    if power == 2:
        x = c.op("sqr", x)
    if c.flag("global_pool"):
        c.read.update(("kernel", "stride", "pad", "pooling_convention", "count_include_pad"))
        result = c.op(_REDUCTIONS[kind], x, axes=[*range(2, x.rank)])
    else:
        result = _windows(c, x, kind)
    if power == 2:
        result = c.op("sqrt", result)
    return channels_last(c, result) if is_last else result


def _windows(c: Call, x: Value, kind: str) -> Value:
    count = x.rank - 2
    size = per_axis(c, "kernel", count, 0, 1)
    stride, pad = per_axis(c, "stride", count, 1, 1), per_axis(c, "pad", count, 0, 0)
    if any(p >= k for p, k in zip(pad, size, strict=True)):
        c.invalid(f"its kernel is {size} and its pad {pad}")
    convention = c.text("pooling_convention", "valid", ("valid", "full", "same"))
    if convention == "same":
        c.refuse("its pooling_convention is 'same'", "Use 'valid' or 'full'.")
    is_full = convention == "full"
    if is_full:
        _check_last(c, x, size, stride, pad)
    counts = c.flag("count_include_pad", True)
    window = PoolingWindow(size, stride, pad, ceil=is_full, counts_padding=counts)
    if c.operator == "Pooling_v1" and kind == "max" and any(pad):
        # Its padding is zeros, which can be the largest elements.
        x = c.op("pad", x, padding=[(0, 0), (0, 0), *((p, p) for p in pad)])
        window = replace(window, pad=[0] * count)
    if c.operator == "Pooling_v1" and kind == "avg":
        # It divides by the size of the window, whatever it has.
        numbers = 1
        for extent in size:
            numbers *= extent
        return c.op("div", pooled(c, x, "box", window), float(numbers))
    return pooled(c, x, _TYPES[kind], window)


def _check_last(
    c: Call, x: Value, size: Sequence[int], stride: Sequence[int], pad: Sequence[int]
) -> None:
    """Refuse windows that begin after the last element, which MXNet computes nevertheless."""
    for n, k, s, p in zip(x.shape[2:], size, stride, pad, strict=True):
        last = -((k - n - 2 * p) // s)
        if last * s - p >= n:
            c.refuse(
                f"its last window along an axis of {n} elements has none of them",
                "Use the pooling_convention 'valid', or less padding.",
            )


@operator("_contrib_AdaptiveAvgPooling2D")
def adaptive_average(c: Call) -> Value:
    """Read averages of a given number of windows."""
    x = to_scalar(c, c.ranked(4))
    given = c.integers("output_size", [1])
    sizes = given * 2 if len(given) == 1 else given
    if len(sizes) != 2 or min(sizes) < 1:
        c.invalid(f"its output_size is {given}")
    return adaptive(c, x, "avg_pool", sizes)
