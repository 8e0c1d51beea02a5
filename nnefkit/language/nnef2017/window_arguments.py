"""Arguments of sliding windows: entries for all dimensions, where those behind could be left out.

Strides, dilations and sizes that are not given are 1, and a padding that is not given is computed
(provisional 4.3); 1.0 wants all the entries, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.language.nnef2017.provisional_call import Builder, Call

_REVERSE = frozenset(("debox", "desample", "deconv", "planewise_deconv", "separable_deconv"))
_TOLD = "every dimension has its entry since 1.0: those left out at the end are filled in"
_SECTION = "4.3"


def known_rank(builder: Builder, values: Sequence[Any]) -> int:
    """The greatest rank among tensors, as far as it is known."""
    shapes = [builder.shape(value) for value in values]
    return max((len(shape) for shape in shapes if shape is not None), default=0)


def filled_window(builder: Builder, call: Call) -> dict[str, Any]:
    """The arguments of an operation whose window has an entry for each dimension of the input."""
    arguments = {**call.arguments}
    if builder.shape(arguments["input"]) is None:
        return arguments
    lists = ("size", "padding", "stride", "dilation")
    lengths = [len(arguments[name]) for name in lists if name in arguments]
    rank = max(known_rank(builder, [arguments["input"]]), *lengths)
    for name in ("input", "index"):
        if name in arguments:
            arguments[name] = builder.fit(call, arguments[name], rank)
    _filled(builder, call, arguments, "size", rank)
    if "padding" in arguments:
        extents = _raised_shape(builder, call.arguments["input"], rank)
        _fill(builder, call, arguments, arguments["size"], extents)
    return arguments


def convolution(builder: Builder, call: Call) -> dict[str, Any]:
    """The arguments of an operation whose window has an entry for each spatial dimension."""
    arguments = {**call.arguments}
    separable = "plane_filter" in arguments
    filters = ["plane_filter", "point_filter"] if separable else ["filter"]
    tensors = ["input", *filters]
    if None in [builder.shape(arguments[name]) for name in tensors]:
        return arguments
    lengths = [len(arguments[name]) + 2 for name in ("padding", "stride", "dilation")]
    rank = max(known_rank(builder, [arguments[name] for name in tensors]), *lengths)
    size = _raised_shape(builder, arguments[filters[0]], rank)[2:]
    extents = _raised_shape(builder, arguments["input"], rank)[2:]
    for name in tensors:
        arguments[name] = builder.fit(call, arguments[name], rank)
    if (builder.shape(arguments["bias"]) or ()) != ():
        arguments["bias"] = builder.fit(call, arguments["bias"], 2)
    _fill(builder, call, arguments, size, extents)
    return arguments


def filled_factor(builder: Builder, call: Call) -> dict[str, Any]:
    """The arguments of up- and down-sampling, with a factor for each spatial dimension."""
    arguments = {**call.arguments}
    if builder.shape(arguments["input"]) is None:
        return arguments
    rank = max(known_rank(builder, [arguments["input"]]), len(arguments["factor"]) + 2)
    arguments["input"] = builder.fit(call, arguments["input"], rank)
    _filled(builder, call, arguments, "factor", rank - 2)
    return arguments


def _raised_shape(builder: Builder, value: Any, rank: int) -> list[int]:
    shape = [*builder.shape(value)]
    return shape + [1] * (rank - len(shape))


def _filled(builder: Builder, call: Call, arguments: dict[str, Any], name: str, count: int) -> None:
    """Completes an array of integers by ones."""
    entries = arguments[name]
    if len(entries) < count:
        builder.tell(call, _TOLD, _SECTION, argument=name)
        arguments[name] = entries + [1] * (count - len(entries))


def _fill(
    builder: Builder,
    call: Call,
    arguments: dict[str, Any],
    size: Sequence[int],
    extents: Sequence[int],
) -> None:
    """Completes stride, dilation and padding; those that are empty stay so."""
    count = len(size)
    stride = arguments["stride"] + [1] * (count - len(arguments["stride"]))
    dilation = arguments["dilation"] + [1] * (count - len(arguments["dilation"]))
    for name in ("stride", "dilation"):
        if arguments[name]:
            _filled(builder, call, arguments, name, count)
    padding = arguments["padding"]
    if padding and len(padding) < count:
        builder.tell(call, _TOLD, _SECTION, argument="padding")
        reverse = call.name in _REVERSE
        arguments["padding"] = padding + [
            _automatic(extents[i], size[i], stride[i], dilation[i], reverse=reverse)
            for i in range(len(padding), count)
        ]


def _automatic(
    extent: int, size: int, stride: int, dilation: int, *, reverse: bool
) -> tuple[int, int]:
    """The padding of one dimension that is calculated (provisional 4.3).

    Where the window leaves items out, the formula of 2017 gives a negative padding, which its own
    rules forbid; 1.0 says that it is 0 there.
    """
    if stride < 1:
        return 0, 0
    below = extent if reverse else -(-extent // stride)
    above = extent * stride if reverse else extent
    total = max((below - 1) * stride + (size - 1) * dilation + 1 - above, 0)
    return total // 2, total - total // 2
