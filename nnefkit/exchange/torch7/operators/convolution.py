"""Convolutions (4.3.1) of images and volumes; W comes before H in names, after it in tensors."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.reshaping import reshaped, sliced, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module
from nnefkit.exchange.torch7.memory import Held

_MAX_TAPS = 1024


class KernelWindow(NamedTuple):
    """A window over the spatial axes, in the order of the axes."""

    size: list[int]
    stride: list[int]
    pad: list[int]
    dilation: list[int]


def window(c: Call, letters: str = "HW") -> KernelWindow:
    """Return the window of a module, whose fields end with the letters of the axes."""
    # Old files have one number for both axes, or none.
    padding = c.integer("padding", 0, 0)
    return KernelWindow(
        [c.integer(f"k{letter}", least=1) for letter in letters],
        [c.integer(f"d{letter}", 1, 1) for letter in letters],
        [c.integer(f"pad{letter}", padding, 0) for letter in letters],
        [c.integer(f"dilation{letter}", 1, 1) for letter in letters],
    )


def convolved(
    c: Call, x: Value, weight: Value, bias: Value | None, w: KernelWindow, groups: int
) -> Value:
    """Return a convolution of a tensor with a batch."""
    reaches = [(k - 1) * d + 1 for k, d in zip(w.size, w.dilation, strict=True)]
    if any(n + 2 * p < k for n, k, p in zip(x.shape[2:], reaches, w.pad, strict=True)):
        c.invalid(f"its kernel of {reaches} elements does not fit {[*x.shape[2:]]}")
    return c.op(
        "conv",
        x,
        weight,
        *([] if bias is None else [bias]),
        padding=[(p, p) for p in w.pad],
        stride=w.stride,
        dilation=w.dilation,
        # 0 stands for depthwise (4.3.1).
        groups=0 if groups == x.shape[1] > 1 else groups,
    )


@module("SpatialConvolution", cudnn=True)
@module("SpatialConvolutionMM", "SpatialDilatedConvolution")
def convolution(c: Call) -> Value:
    """Read `conv`."""
    return _convolution(c, "HW")


@module("VolumetricConvolution", cudnn=True)
@module("VolumetricDilatedConvolution")
def volumetric_convolution(c: Call) -> Value:
    """Read `conv` of volumes."""
    return _convolution(c, "THW")


def _convolution(c: Call, letters: str) -> Value:
    w, groups = window(c, letters), c.integer("groups", 1, 1)
    channels, planes = c.integer("nInputPlane", least=1), c.integer("nOutputPlane", least=1)
    if channels % groups or planes % groups:
        c.invalid(f"it has {groups} groups for {channels} channels and {planes} outputs")
    weight = c.weight("weight", (planes, channels // groups, *w.size))
    bias = c.optional("bias", (1, planes))

    def compute(x: Value) -> Value:
        if x.shape[1] != channels:
            c.invalid(f"its input has {x.shape[1]} channels, not {channels}")
        return convolved(c, x, weight, bias, w, groups)

    return c.batched(c.one(), len(letters) + 2, compute)


# -- transposed ------------------------------------------------------------------------------------


@module("SpatialFullConvolution", cudnn=True)
def full_convolution(c: Call) -> Value:
    """Read `deconv`; with a table of two tensors, to the extents of the second one."""
    return _full_convolution(c, "HW")


@module("VolumetricFullConvolution", cudnn=True)
def volumetric_full_convolution(c: Call) -> Value:
    """Read `deconv` of volumes."""
    return _full_convolution(c, "THW")


def _full_convolution(c: Call, letters: str) -> Value:
    w, groups = window(c, letters), c.integer("groups", 1, 1)
    channels, planes = c.integer("nInputPlane", least=1), c.integer("nOutputPlane", least=1)
    if channels % groups or planes % groups:
        c.invalid(f"it has {groups} groups for {channels} channels and {planes} outputs")
    more = [c.integer(f"adj{letter}", 0, 0) for letter in letters]
    given = c.given
    if isinstance(given, list):
        given, like = c.table(2)
        extents = c.tensor(like).shape[-len(letters) :]
        sizes = zip(extents, w.size, w.pad, w.stride, strict=True)
        more = [(n + 2 * p - k) % s for n, k, p, s in sizes]
    if any(m >= s for m, s in zip(more, w.stride, strict=True)):
        c.invalid(f"it adds {more} elements, not fewer than its strides {w.stride}")
    weight = c.weight("weight", (channels, planes // groups, *w.size))
    bias = c.optional("bias", (1, planes))
    return _deconvolved(c, given, weight, bias, w, more, groups)


def _deconvolved(
    c: Call,
    given: Held,
    weight: Value,
    bias: Value | None,
    w: KernelWindow,
    more: list[int],
    groups: int,
) -> Value:
    def compute(x: Value) -> Value:
        if x.shape[1] != weight.shape[0]:
            c.invalid(f"its input has {x.shape[1]} channels, not {weight.shape[0]}")
        attributes: dict[str, Any] = {"stride": w.stride, "dilation": w.dilation}
        return c.op(
            "deconv",
            x,
            weight,
            *([] if bias is None else [bias]),
            padding=[(p, p - m) for p, m in zip(w.pad, more, strict=True)],
            groups=groups,
            **attributes,
        )

    return c.batched(c.tensor(given), len(w.size) + 2, compute)


# -- other arrangements of weights -----------------------------------------------------------------


@module("SpatialConvolutionMap")
def convolution_by_table(c: Call) -> Value:
    """Read `conv`, with 0 for pairs of channels that are not connected."""
    w = KernelWindow([*c.weight("weight").shape[1:]], *window(c)[1:])
    channels, planes, weight = _dense(c)
    moved = transposed(c, weight, [1, 0, 2, 3])
    bias = c.optional("bias", (1, planes))

    def compute(x: Value) -> Value:
        if x.shape[1] != channels:
            c.invalid(f"its input has {x.shape[1]} channels, not {channels}")
        return convolved(c, x, moved, bias, w, 1)

    return c.batched(c.one(), 4, compute)


@module("SpatialFullConvolutionMap")
def full_convolution_by_table(c: Call) -> Value:
    """Read `deconv`, with 0 for pairs of channels that are not connected."""
    w = KernelWindow([*c.weight("weight").shape[1:]], *window(c)[1:])
    _, planes, weight = _dense(c)
    return _deconvolved(c, c.given, weight, c.optional("bias", (1, planes)), w, [0, 0], 1)


def _dense(c: Call) -> tuple[int, int, Value]:
    """Return the numbers of channels and outputs, and weights for all pairs of them."""
    stored, pairs = c.weight("weight"), c.extents("connTable")
    table = np.array(pairs, np.int64).reshape(-1, 2) - 1 if len(pairs) % 2 == 0 else None
    channels, planes = c.integer("nInputPlane", least=1), c.integer("nOutputPlane", least=1)
    if (
        table is None
        or stored.rank != 3
        or stored.shape[0] != len(table)
        or (table < 0).any()
        or (table >= [channels, planes]).any()
    ):
        c.invalid(f"its table of {len(pairs)} numbers does not fit its weights")
    shape = (channels, planes, *stored.shape[1:])
    c.allowance.take(shape, 4)

    def make(data: Array) -> Array:
        dense = np.zeros(shape, np.float32)
        np.add.at(dense, (table[:, 0], table[:, 1]), data)
        return dense

    return channels, planes, c.graph.derived(stored, ("dense", *pairs), make)


@module("SpatialDepthWiseConvolution")
def depthwise_convolution(c: Call) -> Value:
    """Read `conv` of each channel on its own."""
    w, planes = window(c), c.integer("nOutputPlane", least=1)
    channels = c.integer("nInputPlane", least=1)
    stored = c.weight("weight", (planes, channels, *w.size))
    moved = transposed(c, stored, [1, 0, 2, 3])
    weight = reshaped(c, moved, (channels * planes, 1, *w.size))
    bias = c.optional("bias", (planes, channels))
    if bias is not None:
        bias = reshaped(c, transposed(c, bias, [1, 0]), (1, channels * planes))

    def compute(x: Value) -> Value:
        if x.shape[1] != channels:
            c.invalid(f"its input has {x.shape[1]} channels, not {channels}")
        if x.shape[2] != x.shape[3]:
            c.refuse(
                f"Torch7 exchanges height and width of its input, {x.shape[2]}×{x.shape[3]}",
                "It computes what it should for square images only.",
            )
        return convolved(c, x, weight, bias, w, channels)

    return c.batched(c.one(), 4, compute)


@module("SpatialConvolutionLocal")
def local_convolution(c: Call) -> Value:
    """Read a product of each window with its own weights."""
    w = window(c)
    channels, planes = c.integer("nInputPlane", least=1), c.integer("nOutputPlane", least=1)
    extents = [c.integer(f"i{letter}", least=1) for letter in "HW"]
    if prod(w.size) > _MAX_TAPS:
        c.refuse(f"its kernel has {prod(w.size)} elements", f"At most {_MAX_TAPS} are read.")
    sizes = zip(extents, w.size, w.pad, w.stride, strict=True)
    counts = [(n + 2 * p - k) // s + 1 for n, k, p, s in sizes]
    if min(counts) < 1:
        c.invalid(f"its kernel {w.size} does not fit {extents}")
    taps, places = channels * prod(w.size), prod(counts)
    # One matrix for each place.
    stored = c.weight("weight", (places, planes, taps))
    weight = transposed(c, stored, [0, 2, 1])
    bias = c.weight("bias", (1, planes, *counts))

    def compute(x: Value) -> Value:
        if x.shape[1:] != (channels, *extents):
            c.invalid(f"its input is {[*x.shape[1:]]}, not {[channels, *extents]}")
        if any(w.pad):
            x = c.op("pad", x, padding=[(0, 0), (0, 0), *((p, p) for p in w.pad)])
        shape = (x.shape[0], channels, 1, places)
        parts = [
            reshaped(c, _strided(c, x, (row, column), w.stride, counts), shape)
            for row in range(w.size[0])
            for column in range(w.size[1])
        ]
        joined = parts[0] if len(parts) == 1 else c.op("concat", parts, axis=2)
        windows = reshaped(c, joined, (x.shape[0], taps, places))
        product = c.op("matmul", transposed(c, windows, [2, 0, 1]), weight)
        image = reshaped(c, transposed(c, product, [1, 2, 0]), (x.shape[0], planes, *counts))
        return c.op("add", image, bias)

    return c.batched(c.one(), 4, compute)


def _strided(
    c: Call, x: Value, begin: tuple[int, int], stride: list[int], counts: list[int]
) -> Value:
    """Return each window's element at a position."""
    for axis in (0, 1):
        end = begin[axis] + (counts[axis] - 1) * stride[axis] + 1
        x = sliced(c, x, 2 + axis, begin[axis], end, stride[axis])
    return x
