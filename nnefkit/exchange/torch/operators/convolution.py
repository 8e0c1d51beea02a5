"""Convolutions (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from nnefkit.exchange.compositions.shaping import padded_by_constants, wrapped_around
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import channels, reshaped, to_dtype, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch.call import Call, operator, per_axis

Extents = int | Sequence[int]


@operator("conv1d", "conv2d", "conv3d")
def conv(
    c: Call,
    input: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Extents = 1,
    padding: Extents | str = 0,
    dilation: Extents = 1,
    groups: int = 1,
) -> Value:
    """Return `conv`; a batch axis is added to an input without one."""
    spatial = weight.rank - 2
    dilations = per_axis(dilation, spatial)
    if isinstance(padding, str):
        pads = _same(weight, dilations) if padding == "same" else [(0, 0)] * spatial
    else:
        pads = [(pad, pad) for pad in per_axis(padding, spatial)]
    source = input
    if c.padded is not None and not any(map(any, c.padded[1][:-spatial])):
        source, more = c.padded
        pads = [(a + b, d + e) for (a, d), (b, e) in zip(pads, more[-spatial:], strict=True)]
    batched = reshaped(c, source, (1, *source.shape)) if source.rank == spatial + 1 else source
    result = c.op(
        "conv",
        batched,
        weight,
        channels(c, bias),
        padding=pads,
        stride=per_axis(stride, spatial),
        dilation=dilations,
        groups=groups,
    )
    return reshaped(c, result, c.shape)


def _same(weight: Value, dilation: Sequence[int]) -> list[tuple[int, int]]:
    totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


@operator("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(
    c: Call,
    input: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Extents = 1,
    padding: Extents = 0,
    output_padding: Extents = 0,
    groups: int = 1,
    dilation: Extents = 1,
) -> Value:
    """Return `deconv`; output padding reduces its padding."""
    spatial = weight.rank - 2
    batched = reshaped(c, input, (1, *input.shape)) if input.rank == spatial + 1 else input
    more = per_axis(output_padding, spatial)
    pads = [(p, p - m) for p, m in zip(per_axis(padding, spatial), more, strict=True)]
    result = c.op(
        "deconv",
        batched,
        weight,
        channels(c, bias),
        padding=pads,
        stride=per_axis(stride, spatial),
        dilation=per_axis(dilation, spatial),
        groups=groups,
    )
    return reshaped(c, result, c.shape)


@operator("convolution")
def convolution(
    c: Call,
    input: Value,
    weight: Value,
    bias: Value | None,
    stride: Extents,
    padding: Extents,
    dilation: Extents,
    transposed: bool,
    output_padding: Extents,
    groups: int,
) -> Value:
    """Return `conv` or `deconv`."""
    if transposed:
        return conv_transpose(
            c, input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    if any(per_axis(output_padding, 1)):
        refuse("it is a convolution with output padding")
    return conv(c, input, weight, bias, stride, padding, dilation, groups)


@operator("constant_pad_nd")
def constant_pad(c: Call, x: Value, pad: Sequence[int], value: float = 0.0) -> Value:
    """Return `pad` with a constant."""
    padding, wide = _pairs(pad, x.rank), to_scalar(c, x)
    if isfinite(value):
        return to_dtype(c, c.op("pad", wide, padding=padding, value=float(value)), c.dtypes[0])
    return padded_by_constants(c, wide, padding, value)


@operator("pad")
def pad(
    c: Call, x: Value, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Value:
    """Return `pad` with a border."""
    pairs = _pairs(pad, x.rank)
    if mode == "constant":
        return constant_pad(c, x, pad, 0.0 if value is None else value)
    borders = {"reflect": "reflect", "replicate": "replicate"}
    if mode in borders:
        result: Value = c.op("pad", to_scalar(c, x), padding=pairs, border=borders[mode])
        return to_dtype(c, result, c.dtypes[0])
    if mode != "circular":
        refuse(
            f"its padding mode is '{mode}'",
            "The modes constant, reflect, replicate and circular are supported.",
        )
    return wrapped_around(c, x, pairs)


def zeros_around(
    x: Value, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> list[tuple[int, int]] | None:
    """Return the number of zeros added to each axis; None if the padding is not zero."""
    return _pairs(pad, x.rank) if mode == "constant" and not value else None


@operator("reflection_pad1d", "reflection_pad2d", "reflection_pad3d")
def reflection_pad(c: Call, x: Value, padding: Sequence[int]) -> Any:
    """Return `pad`."""
    return pad(c, x, padding, "reflect")


@operator("replication_pad1d", "replication_pad2d", "replication_pad3d")
def replication_pad(c: Call, x: Value, padding: Sequence[int]) -> Any:
    """Return `pad`."""
    return pad(c, x, padding, "replicate")


def _pairs(pad: Sequence[int], rank: int) -> list[tuple[int, int]]:
    """Return the padding of each axis; PyTorch starts with the last one."""
    given = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)]
    return [(0, 0)] * (rank - len(given)) + given[::-1]
