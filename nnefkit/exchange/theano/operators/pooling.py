"""Pooling (4.3.2, 4.3.3), and windows of images."""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.source_value import Value
from nnefkit.exchange.theano.call import Call, op

_MODES = {
    "max": ("max_pool", "ignore"),
    "sum": ("box", "constant"),
    "average_inc_pad": ("avg_pool", "constant"),
    "average_exc_pad": ("avg_pool", "ignore"),
}


@op("Pool")
def pool(c: Call) -> Value:
    """Read `max_pool`, `avg_pool` or `box`; ``ignore_border`` leaves out windows that are cut."""
    x, size = c[0], c.integers_at(1, "window")
    stride = c.integers_at(2, "stride") if c.get(2) is not None else size
    pad = c.integers_at(3, "padding") if c.get(3) is not None else [0] * len(size)
    mode, ignores = c.text("mode", "max"), c.flag("ignore_border", False)
    if mode not in _MODES:
        c.invalid(f"its mode is '{mode}'")
    count = c.integer("ndim", 2)
    is_valid = len(size) == len(stride) == len(pad) == count <= x.rank and count > 0
    if not is_valid or min(*size, *stride) < 1:
        c.invalid(f"its window is {size}, its stride {stride}, for an input of {[*x.shape]}")
    if any(not 0 <= p < k for p, k in zip(pad, size, strict=True)) or (any(pad) and not ignores):
        c.invalid(f"its padding is {pad} for a window of {size}")
    padding = []
    for n, k, s, p in zip(x.shape[-count:], size, stride, pad, strict=True):
        if ignores:
            if n + 2 * p < k:
                c.invalid(f"its window of {k} elements does not fit an axis of {n}")
            padding.append((p, p))
            continue
        windows = (n - 1) // s + 1 if s >= k else max(0, (n - 1 - k + s) // s) + 1
        padding.append((0, max((windows - 1) * s + k - n, 0)))
    operation, border = _MODES[mode]
    if not ignores and operation == "avg_pool":
        border = "ignore"  # The elements of a window that is cut count.
    outer = [1] * (x.rank - count)
    attributes: dict[str, Any] = {
        "size": [*outer, *size],
        "stride": [*outer, *stride],
        "padding": [*((0, 0) for _ in outer), *padding],
    }
    return c.op(operation, x, border=border, **attributes)
