"""What matters of an operation's attributes, in a few words: ``5×5 stride 2``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def attribute_line(
    name: str, attribs: Mapping[str, Any], filter_shape: Sequence[int] | None = None
) -> str:
    """The second line of the operation's box, perhaps empty.

    Args:
        name: The operation.
        attribs: Its attributes, defaults filled in.
        filter_shape: Shape of the tensor that is its ``filter`` argument, if it has one.
    """
    if filter_shape is None and name not in _LINES:
        return ""
    line = _LINES.get(name)
    return line(attribs, filter_shape) if line else ""


def _window(attribs: Mapping[str, Any], filter_shape: Sequence[int] | None) -> str:
    if filter_shape is not None:
        size = list(filter_shape[2:])
        groups = attribs.get("groups", 1)
        depthwise = groups == 0 or (groups > 1 and groups == filter_shape[0])
        kind = "depthwise" if depthwise else f"{groups} groups" if groups > 1 else ""
    else:
        size = list(attribs.get("size") or ())
        while len(size) > 2 and size[0] == 1:
            size = size[1:]
        kind = ""
    parts = ["×".join(map(str, size)), kind, _steps("stride", attribs), _steps("dilation", attribs)]
    return " ".join(part for part in parts if part)


def _steps(key: str, attribs: Mapping[str, Any]) -> str:
    values = [value for value in attribs.get(key) or () if value != 1]
    if not values:
        return ""
    if len(set(values)) == 1:
        return f"{key} {values[0]}"
    return f"{key} " + "×".join(map(str, attribs[key]))


def _listed(key: str) -> Any:
    def line(attribs: Mapping[str, Any], _: Sequence[int] | None) -> str:
        values = attribs.get(key)
        if values is None:
            return ""
        if not isinstance(values, (list, tuple)):
            return f"{key} {values}"
        word = key if len(values) != 1 or not key.endswith("axes") else "axis"
        return f"{word} {', '.join(map(str, values))}" if values else ""

    return line


def _number(key: str) -> Any:
    def line(attribs: Mapping[str, Any], _: Sequence[int] | None) -> str:
        value = attribs.get(key)
        return f"{key} {value:g}" if isinstance(value, (int, float)) else ""

    return line


def _reshape(attribs: Mapping[str, Any], _: Sequence[int] | None) -> str:
    shape = attribs.get("shape")
    return "to " + "×".join(map(str, shape)) if shape else ""


_LINES: dict[str, Any] = {
    **dict.fromkeys(
        """
        conv deconv separable_conv separable_deconv box debox max_pool avg_pool rms_pool argmax_pool
        max_pool_with_index sample desample
        """.split(),
        _window,
    ),
    **dict.fromkeys(["concat", "stack", "unstack", "split"], _listed("axis")),
    **dict.fromkeys(
        """
        transpose softmax squeeze unsqueeze sum_reduce max_reduce min_reduce mean_reduce
        argmax_reduce argmin_reduce any_reduce all_reduce slice moments
        """.split(),
        _listed("axes"),
    ),
    **dict.fromkeys(
        """
        nearest_upsample multilinear_upsample nearest_downsample multilinear_downsample
        area_downsample
        """.split(),
        _listed("factor"),
    ),
    **dict.fromkeys(["leaky_relu", "elu"], _number("alpha")),
    "local_response_normalization": _listed("size"),
    "reshape": _reshape,
    "tile": _listed("repeats"),
}
