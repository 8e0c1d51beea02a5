"""Parts of tensors, their order, and padding (4.5)."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.exchange.compositions import shaping
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.reshaping import sliced, to_dtype, to_scalar, written_bounds
from nnefkit.exchange.source_value import Value


@operator("slice", "crop", "_npx_slice", "_npi_slice")
def slice_(c: Call) -> Value:
    """Read `slice` of the first axes; None stands for an end."""
    x = c[0]
    begins, ends = c.optional_integers("begin"), c.optional_integers("end")
    steps = [step or 1 for step in c.optional_integers("step")] or [1] * len(begins)
    if not len(begins) == len(ends) == len(steps) <= x.rank:
        c.invalid(f"its begin is {begins}, its end {ends} and its step {steps}")
    for axis, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        x = _part(c, x, axis, begin, end, step)
    return x


def _part(c: Call, x: Value, axis: int, begin: int | None, end: int | None, step: int = 1) -> Value:
    """Return a part of an axis, where negative positions count from the end."""
    extent = x.shape[axis]
    first, last, _ = slice(begin, end, step).indices(extent)
    if not range(first, last, step):
        c.invalid(f"its part {begin}:{end}:{step} of an axis of {extent} elements is empty")
    written = written_bounds(begin, end, extent, step)
    if x.data is not None and last < 0:
        # Constants are cut by positions.
        return c.graph.derived(
            x,
            ("slice", axis, begin, end, step),
            lambda data: data[(*(slice(None),) * axis, slice(begin, end, step))],
        )
    return sliced(c, x, axis, first, last, step, written)


@operator("slice_axis")
def slice_axis(c: Call) -> Value:
    """Read `slice` of one axis."""
    axis = c.axis(c.integer("axis"), c[0].rank)
    return _part(c, c[0], axis, c.optional_integer("begin"), c.optional_integer("end"))


@operator("slice_like")
def slice_like(c: Call) -> Value:
    """Read `slice` to the extents of a second input."""
    x, like = c[0], c[1]
    axes = [c.axis(axis, x.rank) for axis in c.integers("axes")]
    if not axes and x.rank != like.rank:
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*like.shape]}")
    for axis in axes or range(x.rank):
        if axis >= like.rank or like.shape[axis] > x.shape[axis]:
            c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*like.shape]}")
        x = sliced(c, x, axis, 0, like.shape[axis])
    return x


@operator("Crop")
def crop(c: Call) -> Value:
    """Read `slice` of images, to a size or to that of a second input."""
    x, offset, size = c.ranked(4), c.integers("offset", [0, 0]), c.integers("h_w", [0, 0])
    if len(c.inputs) > 1:
        size = [*c.ranked(4, index=1).shape[2:]]
    if len(size) != 2 or len(offset) != 2:
        c.invalid(f"its h_w is {size}, and its offset {offset}")
    if c.flag("center_crop"):
        offset = [(n - m) // 2 for n, m in zip(x.shape[2:], size, strict=True)]
    for axis, begin, length in zip((2, 3), offset, size, strict=True):
        if begin < 0 or length < 1 or begin + length > x.shape[axis]:
            c.invalid(f"it cuts {begin} to {begin + length} from {x.shape[axis]} elements")
        x = sliced(c, x, axis, begin, begin + length)
    return x


@operator("reverse", "flip", "_npi_flip")
def flip(c: Call) -> Value:
    """Read `slice` from the end to the beginning of some axes."""
    x = c[0]
    axes = [c.axis(axis, x.rank) for axis in c.integers("axis")]
    if not axes:
        if c.operator != "_npi_flip":
            c.invalid("its axis is missing")
        axes = [*range(x.rank)]
    return shaping.flipped(c, x, sorted(set(axes)))


@operator("Pad", "pad", "_npi_pad")
def pad(c: Call) -> Value:
    """Read `pad`, with a number, the elements at the border, or reflected ones."""
    x = c[0]
    widths = _widths(c, x.rank)
    mode = c.text("mode", "constant", ("constant", "edge", "reflect"))
    value = c.real("constant_value", 0.0)
    c.read.add("reflect_type")
    if mode == "constant":
        result = c.op("pad", to_scalar(c, x), padding=widths, value=c.decimal(value))
    else:
        if mode == "reflect" and any(
            max(pair) >= n for pair, n in zip(widths, x.shape, strict=True)
        ):
            c.invalid(f"its pad_width is {widths} for an input of shape {[*x.shape]}")
        border = "replicate" if mode == "edge" else "reflect"
        result = c.op("pad", to_scalar(c, x), padding=widths, border=border)
    return to_dtype(c, result, x.dtype)


def _widths(c: Call, rank: int) -> list[tuple[int, int]]:
    given: Sequence[int]
    if c.operator == "_npi_pad":
        # "((0, 0), (1, 2))"
        text = c.text("pad_width", "").replace("(", "").replace(")", "").replace("[", "")
        parts = text.replace("]", "").split(",")
        try:
            given = [int(part) for part in parts if part.strip()]
        except ValueError:
            given = []
    else:
        given = c.integers("pad_width")
    if len(given) != 2 * rank or min(given, default=0) < 0:
        c.invalid(f"its pad_width is {[*given]} for an input of rank {rank}")
    return [(given[place], given[place + 1]) for place in range(0, 2 * rank, 2)]
