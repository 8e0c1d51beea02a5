"""Borders (4.3, 4.5.5): padding in every mode, cropping, and the elements of windows as an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nnefkit.arrays import Padding
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.primitives import sliced, take, transpose
from nnefkit.operations.borders import border_indices
from nnefkit.operations.window import Window

_MODES = {"replicate": "edge", "reflect": "reflect"}


def pad(b: Builder, x: OnnxValue, padding: Padding, border: str, value: float = 0.0) -> OnnxValue:
    """Return a value with its borders extended, or cropped where the padding is negative."""
    if all(not before and not after for before, after in padding):
        return x
    if border in ("constant", "ignore"):
        return _fill(b, x, padding, value)
    if border in _MODES and all(
        before >= 0 and after >= 0 and (border == "replicate" or max(before, after) < extent)
        for extent, (before, after) in zip(x.shape, padding, strict=True)
    ):
        return _pad_node(b, x, padding, _MODES[border])
    for axis, (before, after) in enumerate(padding):
        if before or after:
            x = take(b, x, border_indices(x.shape[axis], before, after, border), axis)
    return x


def _fill(b: Builder, x: OnnxValue, padding: Padding, value: float) -> OnnxValue:
    ranges = {}
    beyond = []
    shape = tuple(p + extent + q for extent, (p, q) in zip(x.shape, padding, strict=True))
    for axis, (extent, (before, after)) in enumerate(zip(x.shape, padding, strict=True)):
        start, stop = max(-before, 0), min(extent, extent + after)
        if start >= stop:  # all of the input is cropped
            return b.constant(np.full([max(extent, 0) for extent in shape], value, x.dtype))
        ranges[axis] = (start, stop, 1)
        beyond.append((max(before, 0), max(after, 0)))
    return _pad_node(b, sliced(b, x, ranges), beyond, "constant", value)


def _pad_node(
    b: Builder, x: OnnxValue, padding: Padding, mode: str, value: float = 0.0
) -> OnnxValue:
    starts, stops = zip(*padding, strict=True)
    if not any(starts) and not any(stops):
        return x
    shape = tuple(p + extent + q for extent, (p, q) in zip(x.shape, padding, strict=True))
    inputs = [x, b.ints(*starts, *stops)]
    if mode == "constant" and value:
        inputs.append(b.number(value, x))
    return b.node("Pad", inputs, shape, mode=mode)


def crop(b: Builder, x: OnnxValue, padding: Padding) -> tuple[OnnxValue, list[tuple[int, int]]]:
    """Return a value cropped by the negative part of a padding, and the rest of the padding."""
    if all(before >= 0 and after >= 0 for before, after in padding):
        return x, [(before, after) for before, after in padding]
    for extent, (before, after) in zip(x.shape, padding, strict=True):
        if max(-before, 0) >= min(extent, extent + after):
            return pad(b, x, padding, "constant"), [(0, 0)] * x.rank
    x = pad(b, x, [(min(before, 0), min(after, 0)) for before, after in padding], "constant")
    return x, [(max(before, 0), max(after, 0)) for before, after in padding]


def pads(padding: Sequence[tuple[int, int]]) -> list[int]:
    """Return a padding as the attribute of an ONNX operator: all the starts, then all the ends."""
    return [before for before, _ in padding] + [after for _, after in padding]


def windows(b: Builder, x: OnnxValue, window: Window, extents: Sequence[int]) -> OnnxValue:
    """Return the elements of each window of a padded input as a last axis, in row-major order.

    Args:
        b: The builder of the graph.
        x: The input, already padded.
        window: Over all the axes of `x`; its padding is ignored.
        extents: Number of windows along each axis.
    """
    entries: list[int] = []  # the axes along the entries of windows
    for axis in reversed(range(x.rank)):
        f, s, d = window.size[axis], window.stride[axis], window.dilation[axis]
        if f == s == 1 and x.shape[axis] == extents[axis]:
            continue
        indices = np.arange(extents[axis])[:, None] * s + np.arange(f) * d
        if f == 1:
            x = take(b, x, indices[:, 0], axis)
            continue
        x = take(b, x, indices, axis)
        entries = [axis + 1, *(other + 1 for other in entries)]
    kept = [axis for axis in range(x.rank) if axis not in entries]
    x = transpose(b, x, [*kept, *entries])
    return b.reshape(x, (*extents, math.prod(window.size)))
