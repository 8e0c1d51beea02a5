"""The windows of convolutions and pooling: kernels, strides and padding in all of their forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnefkit.arrays import Padding
from nnefkit.exchange.caffe2.call import Call

NOTSET, VALID, SAME, LEGACY_POOLING = 0, 1, 2, 3
"""What the argument `legacy_pad` can be."""
_SIDES = ("pad_t", "pad_l", "pad_b", "pad_r")


@dataclass(frozen=True)
class ImageWindow:
    """A window over the spatial axes."""

    size: list[int]
    stride: list[int]
    dilation: list[int]
    padding: Padding
    adjustment: list[int]
    """What is added to the extents of a transposed convolution."""


def per_axis(c: Call, stem: str, count: int, default: int) -> list[int]:
    """Return a number for each spatial axis: from a list, from one number, or two.

    Raises:
        Refusal: There are more or fewer numbers, or one is negative.
    """
    a = c.arguments
    found = a.integers(f"{stem}s")
    if not found and stem in a:
        found = [a.integer(stem, default)] * 2  # Caffe2 takes it for images only.
    if not found and f"{stem}_h" in a and f"{stem}_w" in a:
        found = [a.integer(f"{stem}_h", default), a.integer(f"{stem}_w", default)]
    found = found or [default] * count
    least = 0 if default == 0 and stem == "adj" else 1
    if len(found) != count or min(found, default=1) < least:
        c.invalid(f"its {stem}s are {found} for {count} spatial axes")
    return found


def _given_padding(c: Call, count: int) -> list[int]:
    """Return what is padded before each spatial axis, then what is padded after each."""
    a = c.arguments
    found = a.integers("pads")
    if not found and "pad" in a:
        found = [a.integer("pad", 0)] * 4
    if not found and all(side in a for side in _SIDES):
        found = [a.integer(side, 0) for side in _SIDES]
    found = found or [0] * (2 * count)
    if len(found) != 2 * count or min(found, default=0) < 0:
        c.invalid(f"its pads are {found} for {count} spatial axes")
    return found


def _legacy(c: Call) -> int:
    legacy = c.arguments.integer("legacy_pad", NOTSET)
    if legacy not in (NOTSET, VALID, SAME, LEGACY_POOLING):
        c.invalid(f"its legacy_pad is {legacy}")
    if legacy in (VALID, SAME) and any(name in c.arguments for name in ("pad", "pads", *_SIDES)):
        c.invalid("it has both pads and a legacy_pad that determines them")
    return legacy


def window_of(c: Call, extents: Sequence[int], size: Sequence[int] | None = None) -> ImageWindow:
    """Return the window of a convolution or of pooling.

    Args:
        c: The call of the operator.
        extents: The spatial extents of the input.
        size: The extents of the kernel; by default the arguments state them.

    Raises:
        Refusal: The arguments are not valid, or the window does not fit.
    """
    count = len(extents)
    found = per_axis(c, "kernel", count, 0) if size is None else [*size]
    stride, dilation = per_axis(c, "stride", count, 1), per_axis(c, "dilation", count, 1)
    given, legacy = _given_padding(c, count), _legacy(c)
    padding: list[tuple[int, int]] = []
    for axis, extent in enumerate(extents):
        span = dilation[axis] * (found[axis] - 1) + 1
        before, after = given[axis], given[axis + count]
        if legacy in (SAME, LEGACY_POOLING) and dilation[axis] != 1:
            c.invalid("it has both dilations and a legacy_pad")
        if legacy == SAME:
            total = (-(-extent // stride[axis]) - 1) * stride[axis] + span - extent
            before = int(total / 2)
            after = total - before
        elif legacy == LEGACY_POOLING:
            after = _clipped(c, extent, span, stride[axis], before)
        if extent + before + after < span:
            c.invalid(f"its window of {span} elements does not fit an axis of {extent}")
        padding.append((before, after))
    return ImageWindow(found, stride, dilation, padding, [0] * count)


def _clipped(c: Call, extent: int, span: int, stride: int, before: int) -> int:
    """Return the padding after an axis for which the number of windows is that of Caffe."""
    standard = (extent + 2 * before - span) // stride + 1
    windows = -((span - extent - 2 * before) // stride) + 1
    if before > 0 and (windows - 1) * stride >= extent + before:
        windows -= 1
    if windows < standard:
        c.invalid(f"its padding of {before} has a whole window of {span} elements")
    return before + stride * (windows - standard)


def transposed_window_of(c: Call, count: int) -> ImageWindow:
    """Return the window of a transposed convolution.

    Raises:
        Refusal: The arguments are not valid.
    """
    size, stride = per_axis(c, "kernel", count, 0), per_axis(c, "stride", count, 1)
    adjustment = per_axis(c, "adj", count, 0)
    if any(more >= max(step, 1) for more, step in zip(adjustment, stride, strict=True)):
        c.invalid(f"its adjs are {adjustment}, not below the strides {stride}")
    if _legacy(c) == LEGACY_POOLING:
        c.invalid("its legacy_pad is that of pooling")
    if any(n != 1 for n in per_axis(c, "dilation", count, 1)):
        c.invalid("it has dilations, which Caffe2 does not apply")
    given = _given_padding(c, count)
    padding = [(given[axis], given[axis + count]) for axis in range(count)]
    return ImageWindow(size, stride, [1] * count, padding, adjustment)
