"""Borders (4.3, 4.5.5): padding in every mode, and cropping."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.arrays import Padding
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.primitives import sliced, take
from nnefkit.operations.borders import border_indices

_MIRRORS = {"reflect": 0, "reflect-even": 1}
_MIRROR_RANK = 4
_PAD_RANK = 4


def pad(
    b: TfliteBuilder, x: TfliteValue, padding: Padding, border: str, value: float = 0.0
) -> TfliteValue:
    """Return a value with its borders extended, or cropped where the padding is negative."""
    if all(not before and not after for before, after in padding):
        return x
    if border in ("constant", "ignore"):
        return _filled(b, x, padding, value)
    is_one_reflection = all(
        before >= 0 and after >= 0 and max(before, after) < extent
        for extent, (before, after) in zip(x.shape, padding, strict=True)
    )
    if border in _MIRRORS and is_one_reflection and x.rank <= _MIRROR_RANK:
        return _padded(b, "MIRROR_PAD", x, padding, Mode=_MIRRORS[border])
    for axis, (before, after) in enumerate(padding):
        if before or after:
            x = take(b, x, border_indices(x.shape[axis], before, after, border), axis)
    return x


def _filled(b: TfliteBuilder, x: TfliteValue, padding: Padding, value: float) -> TfliteValue:
    ranges = {
        axis: (max(-before, 0), min(extent, extent + after), 1)
        for axis, (extent, (before, after)) in enumerate(zip(x.shape, padding, strict=True))
    }
    x = sliced(b, x, ranges)
    beyond = [(max(before, 0), max(after, 0)) for before, after in padding]
    if not any(map(any, beyond)):
        return x
    if x.rank > _PAD_RANK:
        return _filled_by_axes(b, x, beyond, value)
    if value:
        return _padded(b, "PADV2", x, beyond, b.number(value, x))
    return _padded(b, "PAD", x, beyond)


def _filled_by_axes(b: TfliteBuilder, x: TfliteValue, beyond: Padding, value: float) -> TfliteValue:
    """Return a value padded along one axis after the other, as a tensor of three axes."""
    for axis, pair in enumerate(beyond):
        if any(pair):
            before, after = 1, 1
            for extent in x.shape[:axis]:
                before *= extent
            for extent in x.shape[axis + 1 :]:
                after *= extent
            shape = [*x.shape]
            shape[axis] += sum(pair)
            flat = b.reshape(x, (before, x.shape[axis], after))
            x = b.reshape(_filled(b, flat, [(0, 0), pair, (0, 0)], value), shape)
    return x


def _padded(
    b: TfliteBuilder,
    kind: str,
    x: TfliteValue,
    padding: Padding,
    *more: TfliteValue,
    **options: Any,
) -> TfliteValue:
    shape = [p + extent + q for extent, (p, q) in zip(x.shape, padding, strict=True)]
    pairs = b.constant(np.array([[*pair] for pair in padding], np.int32))
    return b.op(kind, [x, pairs, *more], shape, **options)
