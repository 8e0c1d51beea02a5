"""Descriptions of attributes in a few words, for the boxes of pictures: ``5×5 stride 2``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nnefkit.display.numbers import integer, product

Attributes = Mapping[str, Any]
Shape = Sequence[int] | None
Brief = Callable[[Attributes, Shape], str]
"""Function of the attributes of an operation and the shape of its filter, if it has one."""
MAX_AXES = 12
"""Maximum number of axes that are listed."""


def nothing(attributes: Attributes, filter_shape: Shape) -> str:
    """Return no words, for operations without attributes worth mentioning."""
    del attributes, filter_shape
    return ""


def convolution(attributes: Attributes, filter_shape: Shape) -> str:
    """Extents of the filter, groups, stride and dilation: ``3×3 depthwise stride 2``."""
    parts = []
    groups = attributes.get("groups", 1)
    if filter_shape is not None and len(filter_shape) > 2:
        parts.append(product(filter_shape[2:]))
    if groups == 0 or (filter_shape is not None and 1 < groups == filter_shape[0]):
        parts.append("depthwise")
    elif groups > 1:
        parts.append(f"{integer(groups)} groups")
    parts += [_equal(key, attributes.get(key)) for key in ("stride", "dilation")]
    return " ".join(part for part in parts if part)


def window(attributes: Attributes, _: Shape) -> str:
    """Extents of a window over the spatial axes, stride and dilation: ``3×3 stride 2``."""
    size = list(attributes.get("size") or ())
    # Only the axes that the window spans: not batch and channels, whichever axes these are.
    spanned = [axis for axis, extent in enumerate(size) if extent != 1]
    inside = slice(spanned[0], spanned[-1] + 1) if spanned else slice(None)
    parts = [product(size[inside])] if spanned else []
    for key in ("stride", "dilation"):
        values = list(attributes.get(key) or ())
        parts.append(_equal(key, values[inside] if len(values) == len(size) else values))
    return " ".join(part for part in parts if part)


def _equal(key: str, values: Sequence[int] | None) -> str:
    """``stride 2``, or ``stride 2×1`` where the values differ; nothing if all are 1."""
    if not values or all(value == 1 for value in values):
        return ""
    return f"{key} {product(values[:1] if len(set(values)) == 1 else values)}"


def factor(attributes: Attributes, _: Shape) -> str:
    """Factor of a resampling: ``factor 2``."""
    return _equal("factor", attributes.get("factor"))


def axes(attributes: Attributes, _: Shape) -> str:
    """Axes that an operation works along: ``axes 2, 3``."""
    values = attributes.get("axes")
    if not values:
        return ""
    more = ", …" if len(values) > MAX_AXES else ""
    listed = ", ".join(map(integer, values[:MAX_AXES]))
    return f"{'axis' if len(values) == 1 else 'axes'} {listed}{more}"


def unusual_axes(attributes: Attributes, _: Shape) -> str:
    """Axes, unless they are only the channels."""
    return "" if attributes.get("axes") == [1] else axes(attributes, None)


def linear(_: Attributes, filter_shape: Shape) -> str:
    """Numbers of features in and out: ``1280 → 1000``."""
    if filter_shape is None or len(filter_shape) != 2:
        return ""
    return f"{integer(filter_shape[1])} → {integer(filter_shape[0])}"


def new_shape(attributes: Attributes, _: Shape) -> str:
    """Target shape of the elements: ``to 0×-1``."""
    return f"to {product(attributes['shape'])}" if attributes.get("shape") else ""


def value_of(key: str) -> Brief:
    """Return a description that consists of the attribute `key` alone: ``axis 1``."""

    def words(attributes: Attributes, _: Shape) -> str:
        value = attributes.get(key)
        if isinstance(value, (list, tuple)):
            return f"{key} {product(value)}" if value else ""
        if isinstance(value, int):
            return f"{key} {integer(value)}"
        return f"{key} {value:g}" if isinstance(value, float) else ""

    return words
