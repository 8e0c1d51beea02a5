"""Windows of convolutions and pooling, as defined by the attributes of a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnefkit.exchange.onnx.call import INVALID, Call

Padding = list[tuple[int, int]]

SAME = ("SAME_UPPER", "SAME_LOWER")
"""Modes of automatic padding: an output extent is the input extent divided by the stride."""


@dataclass(frozen=True)
class SpatialWindow:
    """A window over the spatial axes."""

    size: list[int]
    padding: Padding
    stride: list[int]
    dilation: list[int]

    @property
    def span(self) -> list[int]:
        """The extents of the dilated window."""
        return [(k - 1) * d + 1 for k, d in zip(self.size, self.dilation, strict=True)]


def window_of(c: Call, extents: Sequence[int], size: Sequence[int]) -> SpatialWindow:
    """Return the window of a node over an input with the given spatial extents."""
    count = len(extents)
    check_kernel_shape(c, size)
    stride, dilation = steps(c, "strides", count), steps(c, "dilations", count)
    padding = explicit_padding(c, count)
    if padding is None:
        span = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
        padding = [
            halves(max((-(-extent // step) - 1) * step + k - extent, 0), padding_mode(c))
            for extent, step, k in zip(extents, stride, span, strict=True)
        ]
    return SpatialWindow([*size], padding, stride, dilation)


def check_kernel_shape(c: Call, size: Sequence[int]) -> None:
    """Refuse a kernel that has another shape than the node says."""
    said = c.attribute("kernel_shape") or size
    if [*said] != [*size]:
        c.refuse(f"its kernel_shape is {[*said]}, but the kernel has {[*size]}", INVALID)


def steps(c: Call, name: str, count: int) -> list[int]:
    """Return strides or dilations; 1 by default."""
    return [int(step) for step in c.attribute(name) or [1] * count]


def padding_mode(c: Call) -> str:
    """Return the mode of automatic padding."""
    return str(c.attribute("auto_pad", "NOTSET"))


def explicit_padding(c: Call, count: int) -> Padding | None:
    """Return the explicit padding of a node; None if it is automatic."""
    mode = padding_mode(c)
    if mode in SAME:
        return None
    pads = (c.attribute("pads") if mode != "VALID" else None) or [0] * (2 * count)
    return [(int(p), int(q)) for p, q in zip(pads[:count], pads[count:], strict=True)]


def halves(total: int, mode: str) -> tuple[int, int]:
    """Split a padding into two halves; the mode determines which one gets the odd element."""
    less = total // 2
    return (less, total - less) if mode == "SAME_UPPER" else (total - less, less)
