"""Pooling (4.3.3), whose number of windows is rounded up and clipped as in Caffe."""

from __future__ import annotations

from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.compositions.pooling import PoolingWindow, pooled
from nnefkit.exchange.compositions.shaping import concat
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value

_MAX, _AVE, _STOCHASTIC = 0, 1, 2
_NAMES = {_MAX: "max_pool", _AVE: "avg_pool"}
_FLOOR = 1
_MAX_LEVELS = 12


@layer("Pooling")
def pool(c: Call) -> Value:
    """Read `max_pool` or `avg_pool`, a reduction of the spatial axes, or `box` of STOCHASTIC."""
    x, p = c.ranked(4), c.parameter("pooling_param")
    if p.global_pooling and p.pool != _STOCHASTIC:
        return c.op("max_reduce" if p.pool == _MAX else "mean_reduce", x, axes=[2, 3])

    def both(name: str, stem: str) -> list[int]:
        height, width = f"{stem}_h", f"{stem}_w"
        if p.HasField(height) or p.HasField(width):
            return [int(getattr(p, height)), int(getattr(p, width))]
        return [int(getattr(p, name))] * 2

    size, stride, pad = both("kernel_size", "kernel"), both("stride", "stride"), both("pad", "pad")
    if not p.global_pooling and min(*size, *stride) < 1:
        c.invalid(f"its kernel is {size}, its stride {stride}")
    if not p.global_pooling and any(n >= k for n, k in zip(pad, size, strict=True)):
        c.invalid(f"its kernel is {size}, its stride {stride} and its pad {pad}")
    if p.global_pooling:
        size, stride = [*x.shape[2:]], [1, 1]
    is_floor = p.round_mode == _FLOOR or not p.ceil_mode
    window = PoolingWindow(size, stride, pad, ceil=not is_floor)
    if p.pool != _STOCHASTIC:
        return pooled(c, x, _NAMES[p.pool], window)
    if any(pad):
        c.invalid("its method is STOCHASTIC, which takes no pad")
    # In the test phase, elements are weighted by themselves.
    with c.graph.scope("stochastic_pool"):
        squares, total = (pooled(c, value, "box", window) for value in (c.op("sqr", x), x))
        ratio = c.op("div", squares, c.op("select", c.op("gt", total, 0.0), total, 1.0))
        return c.op("select", c.op("gt", total, 0.0), ratio, 0.0)


def _check_method(c: Call, method: int) -> None:
    if method not in (_MAX, _AVE):
        c.refuse("its method is STOCHASTIC", "Use MAX or AVE.")


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
        window = PoolingWindow(size, size, pad, ceil=True)
        levels.append(pooled(c, x, _NAMES[p.pool], window))
    if height == 1:
        return levels[0]
    rows = [
        reshaped(c, one, (x.shape[0], one.shape[1] * one.shape[2] * one.shape[3]), 1, (0,))
        for one in levels
    ]
    return concat(c, rows, 1)
