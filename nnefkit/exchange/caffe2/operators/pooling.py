"""Pooling (4.3.3)."""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.caffe2.operators.window import NOTSET, ImageWindow, window_of
from nnefkit.exchange.source_value import Value

_RANKS = {"1D": 3, "2D": 4, "3D": 5}


def _pooled_input(c: Call) -> tuple[Value, ImageWindow | None]:
    """Return the input with its channels after the batch, and the window; None for all of it."""
    x = c.image(c.ranked(3))
    if x.rank != _RANKS.get(c.operator[-2:], x.rank):
        c.invalid(f"its input has rank {x.rank}")
    if c.arguments.flag("global_pooling"):
        names = ("stride", "strides", "pad", "pads", "dilation", "dilations")
        if any(name in c.arguments for name in names):
            window = window_of(c, x.shape[2:], x.shape[2:])
            is_plain = not any(p or q for p, q in window.padding)
            if not is_plain or {*window.stride, *window.dilation} != {1}:
                c.invalid("it pools all elements, and has pads, strides or dilations")
        return x, None
    window = window_of(c, x.shape[2:])
    is_given = c.arguments.integer("legacy_pad", NOTSET) == NOTSET
    pads = zip(window.padding, window.size, strict=True)
    if is_given and any(max(pair) >= k for pair, k in pads):
        c.invalid(f"its kernel is {window.size}, its pads are {[*window.padding]}")
    if any(n != 1 for n in window.dilation):
        c.invalid("it has dilations, which Caffe2's pooling does not apply")
    return x, window


def _attributes(c: Call, x: Value, window: ImageWindow) -> dict[str, Any]:
    """Return the attributes of a pooling operation.

    Raises:
        Refusal: A window has no elements of the input.
    """
    for n, k, s, (p, q) in zip(
        x.shape[2:], window.size, window.stride, window.padding, strict=True
    ):
        last = (n + p + q - k) // s * s - p
        if p >= k or last >= n:
            c.refuse(
                f"a window along an axis of {n} elements has none of them",
                "Choose smaller pads or strides.",
            )
    return {
        "size": [1, 1, *window.size],
        "stride": [1, 1, *window.stride],
        "padding": [(0, 0), (0, 0), *window.padding],
    }


@operator("MaxPool", "MaxPool1D", "MaxPool2D", "MaxPool3D")
def max_pool(c: Call) -> Value:
    """Read `max_pool`, or a reduction of the spatial axes."""
    x, window = _pooled_input(c)
    if window is None:
        result = c.op("max_reduce", x, axes=[*range(2, x.rank)])
    else:
        result = c.op("max_pool", x, border="ignore", **_attributes(c, x, window))
    return c.in_order(result)


@operator("AveragePool", "AveragePool1D", "AveragePool2D", "AveragePool3D")
def average_pool(c: Call) -> Value:
    """Read `avg_pool`, where padding counts if the network says so, or a reduction."""
    x, window = _pooled_input(c)
    if window is None:
        result = c.op("mean_reduce", x, axes=[*range(2, x.rank)])
    else:
        is_padded = any(p or q for p, q in window.padding)
        counts = c.arguments.flag("count_include_pad") or not is_padded
        border = "constant" if counts else "ignore"
        result = c.op("avg_pool", x, border=border, **_attributes(c, x, window))
    return c.in_order(result)


@operator("LpPool")
def power_pool(c: Call) -> Value:
    """Read the p-norms of windows, by `box`."""
    x, window = _pooled_input(c)
    p = c.arguments.number("p", 2.0)
    if p <= 0:
        c.invalid(f"its p is {p:g}")
    with c.graph.scope("lp_pool"):
        magnitude = c.op("abs", x)
        powers = c.op("sqr", x) if p == 2 else c.op("pow", magnitude, c.decimal(p))
        if window is None:
            sums = c.op("sum_reduce", powers, axes=[*range(2, x.rank)])
        else:
            sums = c.op("box", powers, border="constant", **_attributes(c, x, window))
        result = c.op("sqrt", sums) if p == 2 else c.op("pow", sums, c.decimal(1 / p))
    return c.in_order(result)
