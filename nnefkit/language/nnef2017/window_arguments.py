"""Arguments of sliding windows, completed by the trailing elements that could be omitted in 2017.

Omitted strides, dilations and sizes are 1, and an omitted padding is computed (provisional 4.3);
1.0 requires all the elements or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.language.nnef2017.provisional_call import ProvisionalCall, UpgradeTarget

_REVERSE = frozenset(("debox", "desample", "deconv", "planewise_deconv", "separable_deconv"))
_COMPLETED = "arrays have an element for every dimension since 1.0; omitted ones are filled in"
_SECTION = "4.3"


def known_rank(target: UpgradeTarget, values: Sequence[Any]) -> int:
    """Return the greatest known rank among tensors."""
    shapes = [target.shape(value) for value in values]
    return max((len(shape) for shape in shapes if shape is not None), default=0)


def filled_window(target: UpgradeTarget, call: ProvisionalCall) -> dict[str, Any]:
    """Return the arguments of an operation whose window covers all dimensions of the input."""
    arguments = {**call.arguments}
    if target.shape(arguments["input"]) is None:
        return arguments
    lists = ("size", "padding", "stride", "dilation")
    lengths = [len(arguments[name]) for name in lists if name in arguments]
    rank = max(known_rank(target, [arguments["input"]]), *lengths)
    for name in ("input", "index"):
        if name in arguments:
            arguments[name] = target.fit(call, arguments[name], rank)
    _filled(target, call, arguments, "size", rank)
    if "padding" in arguments:
        extents = _raised_shape(target, call.arguments["input"], rank)
        _fill(target, call, arguments, arguments["size"], extents)
    return arguments


def convolution(target: UpgradeTarget, call: ProvisionalCall) -> dict[str, Any]:
    """Return the arguments of an operation whose window covers the spatial dimensions."""
    arguments = {**call.arguments}
    separable = "plane_filter" in arguments
    filters = ["plane_filter", "point_filter"] if separable else ["filter"]
    tensors = ["input", *filters]
    if None in [target.shape(arguments[name]) for name in tensors]:
        return arguments
    lengths = [len(arguments[name]) + 2 for name in ("padding", "stride", "dilation")]
    rank = max(known_rank(target, [arguments[name] for name in tensors]), *lengths)
    size = _raised_shape(target, arguments[filters[0]], rank)[2:]
    extents = _raised_shape(target, arguments["input"], rank)[2:]
    for name in tensors:
        arguments[name] = target.fit(call, arguments[name], rank)
    if (target.shape(arguments["bias"]) or ()) != ():
        arguments["bias"] = target.fit(call, arguments["bias"], 2)
    _fill(target, call, arguments, size, extents)
    return arguments


def filled_factor(target: UpgradeTarget, call: ProvisionalCall) -> dict[str, Any]:
    """Return the arguments of up- and down-sampling, with a factor for each spatial dimension."""
    arguments = {**call.arguments}
    if target.shape(arguments["input"]) is None:
        return arguments
    rank = max(known_rank(target, [arguments["input"]]), len(arguments["factor"]) + 2)
    arguments["input"] = target.fit(call, arguments["input"], rank)
    _filled(target, call, arguments, "factor", rank - 2)
    return arguments


def _raised_shape(target: UpgradeTarget, value: Any, rank: int) -> list[int]:
    shape = [*target.shape(value)]
    return shape + [1] * (rank - len(shape))


def _filled(
    target: UpgradeTarget, call: ProvisionalCall, arguments: dict[str, Any], name: str, count: int
) -> None:
    """Append ones to an array of integers."""
    entries = arguments[name]
    if len(entries) < count:
        target.note(call, _COMPLETED, _SECTION, argument=name)
        arguments[name] = entries + [1] * (count - len(entries))


def _fill(
    target: UpgradeTarget,
    call: ProvisionalCall,
    arguments: dict[str, Any],
    size: Sequence[int],
    extents: Sequence[int],
) -> None:
    """Complete stride, dilation and padding, unless they are empty."""
    count = len(size)
    stride = arguments["stride"] + [1] * (count - len(arguments["stride"]))
    dilation = arguments["dilation"] + [1] * (count - len(arguments["dilation"]))
    for name in ("stride", "dilation"):
        if arguments[name]:
            _filled(target, call, arguments, name, count)
    padding = arguments["padding"]
    if padding and len(padding) < count:
        target.note(call, _COMPLETED, _SECTION, argument="padding")
        reverse = call.name in _REVERSE
        arguments["padding"] = padding + [
            _automatic(extents[i], size[i], stride[i], dilation[i], reverse=reverse)
            for i in range(len(padding), count)
        ]


def _automatic(
    extent: int, size: int, stride: int, dilation: int, *, reverse: bool
) -> tuple[int, int]:
    """Return the automatic padding of one dimension (provisional 4.3).

    Where the windows do not cover the input, the formula of 2017 yields a negative padding, which
    its own rules forbid; in 1.0 it is 0.
    """
    if stride < 1:
        return 0, 0
    below = extent if reverse else -(-extent // stride)
    above = extent * stride if reverse else extent
    total = max((below - 1) * stride + (size - 1) * dilation + 1 - above, 0)
    return total // 2, total - total // 2
