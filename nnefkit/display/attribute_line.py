"""What matters of an operation's attributes, in a few words: ``5×5 stride 2``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Attributes = Mapping[str, Any]
Shape = Sequence[int] | None


def attribute_line(name: str, attribs: Attributes, filter_shape: Shape = None) -> str:
    """The words below the operation's name in its box, perhaps none.

    Args:
        name: The operation.
        attribs: Its attributes; what is not among them is passed over.
        filter_shape: Shape of the tensor that is its ``filter`` (or ``plane_filter``), if known.
    """
    words = _WORDS.get(name)
    return words(attribs, filter_shape) if words else ""


def _convolution(attribs: Attributes, filter_shape: Shape) -> str:
    parts = []
    groups = attribs.get("groups", 1)
    if filter_shape is not None and len(filter_shape) > 2:
        parts.append(_product(filter_shape[2:]))
    if groups == 0 or (filter_shape is not None and 1 < groups == filter_shape[0]):
        parts.append("depthwise")
    elif groups > 1:
        parts.append(f"{groups} groups")
    parts += [_equal(key, attribs.get(key)) for key in ("stride", "dilation")]
    return " ".join(part for part in parts if part)


def _pooling(attribs: Attributes, _: Shape) -> str:
    size = list(attribs.get("size") or ())
    # Where the window really extends: not over batch and channels, whichever axes these are.
    axes = [axis for axis, extent in enumerate(size) if extent != 1]
    window = slice(axes[0], axes[-1] + 1) if axes else slice(None)
    parts = [_product(size[window])] if axes else []
    for key in ("stride", "dilation"):
        values = list(attribs.get(key) or ())
        inside = values[window] if len(values) == len(size) else values
        parts.append(_equal(key, inside))
    return " ".join(part for part in parts if part)


def _product(extents: Sequence[int]) -> str:
    return "×".join(map(str, extents))


def _equal(key: str, values: Sequence[int] | None) -> str:
    """``stride 2``, or ``stride 2×1`` where they are not all equal; nothing if all are 1."""
    if not values or all(value == 1 for value in values):
        return ""
    return f"{key} {values[0] if len(set(values)) == 1 else _product(values)}"


def _factor(attribs: Attributes, _: Shape) -> str:
    return _equal("factor", attribs.get("factor"))


def _axes(attribs: Attributes, _: Shape) -> str:
    axes = attribs.get("axes")
    if not axes:
        return ""
    return f"{'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}"


def _softmax(attribs: Attributes, _: Shape) -> str:
    return "" if attribs.get("axes") == [1] else _axes(attribs, None)


def _linear(_: Attributes, filter_shape: Shape) -> str:
    if filter_shape is None or len(filter_shape) != 2:
        return ""
    return f"{filter_shape[1]} → {filter_shape[0]}"


def _reshape(attribs: Attributes, _: Shape) -> str:
    return f"to {_product(attribs['shape'])}" if attribs.get("shape") else ""


def _single(key: str) -> Callable[[Attributes, Shape], str]:
    def words(attribs: Attributes, _: Shape) -> str:
        value = attribs.get(key)
        if isinstance(value, (list, tuple)):
            return f"{key} {_product(value)}" if value else ""
        return f"{key} {value:g}" if isinstance(value, (int, float)) else ""

    return words


_WORDS: Mapping[str, Callable[[Attributes, Shape], str]] = {
    name: words
    for words, names in (
        (_convolution, "conv deconv separable_conv separable_deconv"),
        (
            _pooling,
            "box debox max_pool avg_pool rms_pool argmax_pool max_pool_with_index sample desample",
        ),
        (
            _factor,
            "nearest_upsample nearest_downsample multilinear_upsample multilinear_downsample "
            "area_downsample",
        ),
        (
            _axes,
            "transpose squeeze unsqueeze slice sum_reduce max_reduce min_reduce mean_reduce "
            "argmax_reduce argmin_reduce any_reduce all_reduce moments l1_normalization "
            "l2_normalization",
        ),
        (_softmax, "softmax"),
        (_linear, "linear"),
        (_reshape, "reshape"),
        (_single("axis"), "concat stack unstack split gather"),
        (_single("alpha"), "leaky_relu elu"),
        (_single("size"), "local_response_normalization"),
        (_single("repeats"), "tile"),
        (_single("output_size"), "max_roi_pool avg_roi_pool max_roi_align avg_roi_align"),
    )
    for name in names.split()
}
