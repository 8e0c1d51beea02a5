"""Images of two dimensions, which most of TFLite's windows slide over, and their padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nnefkit.arrays import Shape
from nnefkit.execution.engines.litert.borders import pad
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.operations.window import Window, automatic_padding

SAME, VALID = 0, 1
"""Padding modes: outputs at all inputs in steps of the stride, and at whole windows only."""
_PLANE = 4


def as_plane(b: TfliteBuilder, x: TfliteValue, window: Window) -> tuple[TfliteValue, Window]:
    """Return an image of less than two dimensions as one of two, and the window over them."""
    missing = _PLANE - x.rank
    if missing <= 0:
        return x, window
    shape = (x.shape[0], *(1 for _ in range(missing)), *x.shape[1:])
    ones = (1,) * missing
    wide = Window(
        ones + window.size,
        window.border,
        ((0, 0),) * missing + window.padding,
        ones + window.stride,
        ones + window.dilation,
    )
    return b.reshape(x, shape), wide


def plane_shape(shape: Sequence[int]) -> Shape:
    """Return the shape of an image of two dimensions for one of less."""
    missing = max(_PLANE - len(shape), 0)
    return (shape[0], *(1 for _ in range(missing)), *shape[1:])


def padded(
    b: TfliteBuilder, x: TfliteValue, window: Window, fill: float = 0.0, *, is_same: bool = True
) -> tuple[TfliteValue, int, Window]:
    """Return an image with the border of a window, and the padding mode that is left to do.

    Args:
        b: The builder.
        x: The image, with channels in the last axis.
        window: Over the dimensions of the image.
        fill: The value of constant borders.
        is_same: Whether the operator's own padding is the border that is asked for.

    Returns:
        The image, the mode, and the window without the padding that is done.
    """
    if all(pair == (0, 0) for pair in window.padding):
        return x, VALID, window
    extents = x.shape[1:-1]
    if is_same and _is_automatic(window, extents):
        return x, SAME, window
    x = pad(b, x, [(0, 0), *window.padding, (0, 0)], window.border, fill)
    return x, VALID, replace(window, padding=((0, 0),) * len(window.size))


def _is_automatic(window: Window, extents: Sequence[int]) -> bool:
    pairs = zip(extents, window.span, window.stride, strict=True)
    automatic = tuple(automatic_padding(*each) for each in pairs)
    results = window.down_extents(extents)
    whole = tuple(-(-extent // s) for extent, s in zip(extents, window.stride, strict=True))
    return window.padding == automatic and results == whole


def strides(window: Window) -> dict[str, Any]:
    """Return the strides of a window over planes as options."""
    return {"StrideH": window.stride[-2], "StrideW": window.stride[-1]}


def dilations(window: Window) -> dict[str, Any]:
    """Return the dilations of a window over planes as options."""
    return {"DilationHFactor": window.dilation[-2], "DilationWFactor": window.dilation[-1]}


def with_zeros(b: TfliteBuilder, x: TfliteValue, steps: Sequence[int]) -> TfliteValue:
    """Return a tensor with zeros between its elements, and after the last ones.

    Args:
        b: The builder.
        x: The tensor.
        steps: The distance of the elements along the first axes; 1 leaves an axis as it is.
    """
    for axis, step in enumerate(steps):
        if step == 1:
            continue
        shape = [*x.shape]
        shape[axis] *= step
        before, after = math.prod(x.shape[: axis + 1]), math.prod(x.shape[axis + 1 :])
        cells = b.reshape(x, (before, 1, after))
        x = b.reshape(pad(b, cells, [(0, 0), (0, step - 1), (0, 0)], "constant"), shape)
    return x
