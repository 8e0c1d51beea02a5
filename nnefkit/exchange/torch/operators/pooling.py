"""Pooling (4.9.3), by the size or by the number of windows."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.exchange.compositions.pooling import adaptive
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch.call import Call, operator, per_axis

Extents = int | Sequence[int]


def _spatial(c: Call) -> int:
    return next(int(n) for n in "123" if f"{n}d" in c.operator)


@operator("max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(
    c: Call,
    x: Value,
    kernel_size: Extents,
    stride: Extents = (),
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
) -> Value:
    """Return `max_pool`; the padding is never the maximum."""
    size = per_axis(kernel_size, _spatial(c))
    pads = _pads(c, x, size, stride, padding, dilation)
    return _pool(c, "max_pool", x, size, stride, pads, dilation, "ignore")


@operator("max_pool2d_with_indices")
def max_pool_with_indices(
    c: Call,
    x: Value,
    kernel_size: Extents,
    stride: Extents = (),
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
) -> list[Value | None]:
    """Return `max_pool`; its indices must not be used."""
    if 1 in c.wanted:
        refuse(
            "its indices are positions in the whole tensor",
            "NNEF has positions in the window (4.3.3); pool without return_indices.",
        )
    return [max_pool(c, x, kernel_size, stride, padding, dilation, ceil_mode), None]


@operator("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(
    c: Call,
    x: Value,
    kernel_size: Extents,
    stride: Extents = (),
    padding: Extents = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Value:
    """Return `avg_pool`; the padding is counted or ignored."""
    spatial = _spatial(c)
    size = per_axis(kernel_size, spatial)
    plain = per_axis(padding, spatial)
    pads = _pads(c, x, size, stride, padding, 1)
    beyond = any(pair != (p, p) for pair, p in zip(pads, plain, strict=True))
    if beyond and count_include_pad and any(plain) and divisor_override is None:
        # The padding counts in the average, but what the last windows cover beyond it does not.
        outer = [(0, 0)] * (x.rank - spatial)
        x = c.op("pad", x, padding=outer + [(p, p) for p in plain], value=0.0)
        pads = [(0, after - p) for (_, after), p in zip(pads, plain, strict=True)]
        plain = [0] * spatial
    if divisor_override is not None:
        total = _pool(c, "box", x, size, stride, pads, 1, "constant")
        return c.op("div", total, float(divisor_override))
    border = "constant" if count_include_pad and any(plain) else "ignore"
    return _pool(c, "avg_pool", x, size, stride, pads, 1, border)


def _pads(
    c: Call, x: Value, size: Sequence[int], stride: Extents, padding: Extents, dilation: Extents
) -> list[tuple[int, int]]:
    """Return the padding, extended at the end to cover the last window."""
    spatial = len(size)
    steps = per_axis(stride, spatial) or [*size]
    pads = per_axis(padding, spatial)
    dilations = per_axis(dilation, spatial)
    widths = []
    for i in range(spatial):
        extent, count = x.shape[i - spatial], c.shape[i - spatial]
        reach = (count - 1) * steps[i] + (size[i] - 1) * dilations[i] + 1
        widths.append((pads[i], max(pads[i], reach - extent - pads[i])))
    return widths


def _pool(
    c: Call,
    name: str,
    x: Value,
    size: Sequence[int],
    stride: Extents,
    pads: Sequence[tuple[int, int]],
    dilation: Extents,
    border: str,
) -> Value:
    spatial = len(size)
    steps = per_axis(stride, spatial) or [*size]
    batched = reshaped(c, x, (1, *x.shape)) if x.rank == spatial + 1 else x
    outer = batched.rank - spatial
    plain = not any(before or after for before, after in pads)
    result = c.op(
        name,
        batched,
        size=[1] * outer + [*size],
        border="constant" if plain and name != "max_pool" else border,
        padding=[(0, 0)] * outer + [*pads],
        stride=[1] * outer + steps,
        dilation=[1] * outer + per_axis(dilation, spatial),
    )
    return reshaped(c, result, c.shape)


@operator("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
@operator("_adaptive_avg_pool2d", "_adaptive_avg_pool3d")
def adaptive_avg_pool(c: Call, x: Value, output_size: Extents) -> Value:
    """Return `mean_reduce`, `avg_pool`, or a product with a matrix of weights."""
    return adaptive(c, x, "avg_pool", c.shape[-_spatial(c) :])


@operator("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_max_pool(c: Call, x: Value, output_size: Extents) -> list[Value | None]:
    """Return `max_reduce`, `max_pool`, or the maxima of windows of different lengths."""
    if 1 in c.wanted:
        refuse("its indices are positions in the whole tensor")
    return [adaptive(c, x, "max_pool", c.shape[-_spatial(c) :]), None]
