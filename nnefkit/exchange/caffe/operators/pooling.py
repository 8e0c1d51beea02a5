"""Pooling (4.3.3), whose number of windows is rounded up and clipped as in Caffe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.compositions.shaping import concat
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value

_MAX, _AVE = 0, 1
_FLOOR = 1
_MAX_LEVELS = 12


@layer("Pooling")
def pool(c: Call) -> Value:
    """Read `max_pool` or `avg_pool`, or a reduction of the spatial axes."""
    x, p = c.ranked(4), c.parameter("pooling_param")
    _check_method(c, p.pool)
    if p.global_pooling:
        return c.op("max_reduce" if p.pool == _MAX else "mean_reduce", x, axes=[2, 3])

    def both(name: str, stem: str) -> list[int]:
        height, width = f"{stem}_h", f"{stem}_w"
        if p.HasField(height) or p.HasField(width):
            return [int(getattr(p, height)), int(getattr(p, width))]
        return [int(getattr(p, name))] * 2

    size, stride, pad = both("kernel_size", "kernel"), both("stride", "stride"), both("pad", "pad")
    if min(*size, *stride) < 1 or any(n >= k for n, k in zip(pad, size, strict=True)):
        c.invalid(f"its kernel is {size}, its stride {stride} and its pad {pad}")
    return pooled(c, x, p.pool, size, stride, pad, floor=p.round_mode == _FLOOR or not p.ceil_mode)


def _check_method(c: Call, method: int) -> None:
    if method not in (_MAX, _AVE):
        c.refuse("its method is STOCHASTIC", "Use MAX or AVE.")


def pooled(
    c: Call,
    x: Value,
    method: int,
    size: Sequence[int],
    stride: Sequence[int],
    pad: Sequence[int],
    *,
    floor: bool = False,
) -> Value:
    """Return the maxima or averages of windows over the two spatial axes."""
    extra = []
    for n, k, s, p in zip(x.shape[2:], size, stride, pad, strict=True):
        last = (n + 2 * p - k) // s if floor else -((k - n - 2 * p) // s)
        if last < 0:
            c.invalid(f"its window of {k} elements does not fit an axis of {n}")
        if any(pad) and last * s >= n + p:
            last -= 1  # The window would be outside of the input and its padding.
        if last * s - p >= n:
            c.refuse(
                f"a window along an axis of {n} elements has none of them",
                "Choose a smaller stride.",
            )
        extra.append(max(last * s + k - (n + 2 * p), 0))
    before = [(0, 0), (0, 0), *((p, p) for p in pad)]
    attributes: dict[str, Any] = {"size": [1, 1, *size], "stride": [1, 1, *stride]}
    beyond = [(0, 0), (0, 0), *((0, more) for more in extra)]
    both = [(p, q + more) for (p, q), (_, more) in zip(before, beyond, strict=True)]
    if method == _MAX:
        return c.op("max_pool", x, border="ignore", padding=both, **attributes)
    if not any(extra):
        return c.op("avg_pool", x, border="constant", padding=both, **attributes)
    # Padding counts, but not what the last window has beyond it.
    if any(pad):
        x = c.op("pad", x, padding=before)
    return c.op("avg_pool", x, border="ignore", padding=beyond, **attributes)


@layer("SPP")
def spatial_pyramid(c: Call) -> Value:
    """Read pooling to 1, 4, 16, ... cells, whose results are joined."""
    x, p = c.ranked(4), c.parameter("spp_param")
    _check_method(c, p.pool)
    height = p.pyramid_height
    if not 1 <= height <= _MAX_LEVELS:
        c.invalid(f"its pyramid has {height} levels")
    levels = []
    for level in range(height):
        cells = 2**level
        size = [-(-n // cells) for n in x.shape[2:]]
        pad = [(k * cells - n + 1) // 2 for n, k in zip(x.shape[2:], size, strict=True)]
        if any(n >= k for n, k in zip(pad, size, strict=True)):
            c.invalid(f"its level {level} has more cells than elements")
        levels.append(pooled(c, x, p.pool, size, size, pad))
    if height == 1:
        return levels[0]
    rows = [
        reshaped(c, one, (x.shape[0], one.shape[1] * one.shape[2] * one.shape[3]), 1, (0,))
        for one in levels
    ]
    return concat(c, rows, 1)
