"""Shapes, joining and splitting, slicing, padding and repeating (4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions import shaping
from nnefkit.exchange.reshaping import (
    empty,
    reshaped,
    to_dtype,
    to_scalar,
    transposed,
    written_bounds,
)
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_call import TensorCall, tensorflow, tflite

_MAX_SEQUENCES = 4096
_MAX_RANGE = 2**24

# -- shapes ----------------------------------------------------------------------------------------


@tflite("RESHAPE")
@tensorflow("Reshape")
def reshape(c: TensorCall) -> Value:
    """Read a reshape; -1 stands for the rest."""
    x = c[0]
    given = c.ints(1, "shape") if c.get(1) is not None else [*c.option("new_shape", [])]
    if given == [0] and prod(x.shape) == 1:
        given = []  # Old files write a scalar so.
    others = prod(n for n in given if n != -1)
    inferred = given.index(-1) if -1 in given else None
    shape = [*given]
    if inferred is not None and others > 0:
        shape[inferred] = prod(x.shape) // others
    if given.count(-1) > 1 or min(shape, default=0) < 0 or prod(shape) != prod(x.shape):
        c.invalid(f"its shape is {given}, and that of its input {[*x.shape]}")
    return reshaped(c, x, shape, inferred)


@tflite("SQUEEZE")
@tensorflow("Squeeze")
def squeeze(c: TensorCall) -> Value:
    """Read `squeeze`; without axes, of all extents of 1."""
    x = c[0]
    axes = {c.front_axis(axis, x.rank) for axis in c.option("squeeze_dims", [])}
    axes = axes or {axis for axis, n in enumerate(x.shape) if n == 1}
    if any(x.shape[axis] != 1 for axis in axes):
        c.invalid(f"the extents of its axes {sorted(axes)} are not all 1")
    return reshaped(c, x, [n for axis, n in enumerate(x.shape) if axis not in axes])


@tflite("EXPAND_DIMS")
@tensorflow("ExpandDims")
def expand_dims(c: TensorCall) -> Value:
    """Read `unsqueeze`."""
    x = c[0]
    axis = c.front_axis(c.number(1, "axis"), x.rank + 1)
    return reshaped(c, x, (*x.shape[:axis], 1, *x.shape[axis:]))


@tflite("TRANSPOSE")
@tensorflow("Transpose")
def transpose(c: TensorCall) -> Value:
    """Read `transpose`."""
    x, order = c[0], c.ints(1, "order")
    axes = [c.front_axis(axis, x.rank) for axis in order]
    if sorted(axes) != [*range(x.rank)]:
        c.invalid(f"its order is {order} for an input of rank {x.rank}")
    return transposed(c, x, axes)


@tflite("SHAPE")
@tensorflow("Shape")
def shape(c: TensorCall) -> Value:
    """Read a shape, which is constant."""
    return c.graph.constant(c[0].shape, c.dtype)


@tflite("RANK")
@tensorflow("Rank")
def rank(c: TensorCall) -> Value:
    """Read a rank, which is constant."""
    return c.graph.constant(c[0].rank, c.dtype)


@tflite("FILL")
@tensorflow("Fill")
def fill(c: TensorCall) -> Value:
    """Read a number that is repeated to a shape."""
    extents, x = c.ints(0, "shape"), c[1]
    if min(extents, default=0) < 0 or prod(x.shape) != 1:
        c.invalid(f"its shape is {extents}")
    number = reshaped(c, x, (1,) * len(extents))
    if number.data is not None:
        c.allowance.take(extents, 8)
        return c.graph.constant(np.full(extents, number.data.reshape(-1)[0], x.dtype))
    return c.op("tile", number, repeats=extents) if extents else number


@tflite("RANGE")
@tensorflow("Range")
def range_(c: TensorCall) -> Value:
    """Read numbers in equal steps, which are constant."""
    start, stop, step = (c.constant(index, "range").reshape(-1)[0] for index in range(3))
    if not step or not np.isfinite([start, stop, step]).all():
        c.invalid("its step is 0, or not finite")
    if abs(float(stop) - float(start)) / abs(float(step)) > _MAX_RANGE:
        c.refuse(f"it has more than {_MAX_RANGE:,} numbers", "Use a smaller range.")
    numbers: Array = np.arange(float(start), float(stop), float(step))
    return c.graph.constant(numbers.astype(c.dtype))


@tflite("BROADCAST_ARGS")
@tensorflow("BroadcastArgs")
def broadcast_args(c: TensorCall) -> Value:
    """Read the shape that two shapes broadcast to, which is constant."""
    shapes = [tuple(c.ints(index, "shape")) for index in range(2)]
    return c.graph.constant(np.broadcast_shapes(*shapes), c.dtype)


# -- joining and splitting -------------------------------------------------------------------------


@tflite("CONCATENATION")
def concatenation(c: TensorCall) -> Value:
    """Read `concat`."""
    parts = [c[index] for index in range(len(c.inputs))]
    axis = c.front_axis(int(c.option("axis")), parts[0].rank)
    return c.activated(shaping.concat(c, parts, axis))


@tflite("PACK")
@tensorflow("Pack")
def pack(c: TensorCall) -> Value:
    """Read `stack`."""
    parts = [c[index] for index in range(len(c.inputs))]
    axis = c.front_axis(int(c.option("axis")), parts[0].rank + 1)
    return c.op("stack", parts, axis=axis)


@tflite("UNPACK")
@tensorflow("Unpack")
def unpack(c: TensorCall) -> list[Value]:
    """Read `unstack`."""
    x = c[0]
    axis = c.front_axis(int(c.option("axis")), x.rank)
    if x.shape[axis] != len(c.output_names):
        c.invalid(f"it has {len(c.output_names)} outputs for {x.shape[axis]} parts")
    return c.ops("unstack", x, axis=axis)


@tflite("SPLIT")
@tensorflow("Split")
def split(c: TensorCall) -> list[Value]:
    """Read `split` into equal parts."""
    x, count = c[1], len(c.output_names)
    axis = c.front_axis(c.number(0, "axis"), x.rank)
    if not count or x.shape[axis] % count:
        c.invalid(f"it splits {x.shape[axis]} elements into {count} parts")
    return shaping.split(c, x, axis, [x.shape[axis] // count] * count)


@tflite("SPLIT_V")
@tensorflow("SplitV")
def split_v(c: TensorCall) -> list[Value]:
    """Read `split` into parts of given lengths."""
    x, lengths = c[0], c.ints(1, "lengths")
    axis = c.front_axis(c.number(2, "axis"), x.rank)
    rest = x.shape[axis] - sum(n for n in lengths if n != -1)
    if lengths.count(-1) == 1:
        lengths = [rest if n == -1 else n for n in lengths]
    is_whole = sum(lengths) == x.shape[axis] and min(lengths, default=-1) >= 0
    if not is_whole or len(lengths) != len(c.output_names):
        c.invalid(f"its lengths are {lengths} for an extent of {x.shape[axis]}")
    return shaping.split(c, x, axis, lengths)


# -- slicing ---------------------------------------------------------------------------------------


@tflite("SLICE")
@tensorflow("Slice")
def slice_(c: TensorCall) -> Value:
    """Read `slice`; a size of -1 is the rest."""
    x, begins, sizes = c[0], c.ints(1, "begin"), c.ints(2, "size")
    if len(begins) != x.rank or len(sizes) != x.rank:
        c.invalid(f"its begin is {begins} for an input of rank {x.rank}")
    ends = [
        extent if size == -1 else begin + size
        for begin, size, extent in zip(begins, sizes, x.shape, strict=True)
    ]
    pairs = zip(begins, ends, x.shape, strict=True)
    if any(not 0 <= begin <= end <= extent for begin, end, extent in pairs):
        c.invalid(f"it begins at {begins} and has the size {sizes} in {[*x.shape]}")
    spans = [
        (begin, None if size == -1 else end, 1)
        for begin, end, size in zip(begins, ends, sizes, strict=True)
    ]
    return _sliced(c, x, spans)


def _sliced(c: TensorCall, x: Value, spans: Sequence[tuple[int | None, int | None, int]]) -> Value:
    """Return a part of a tensor: begin, end and stride of each axis, as of Python's slices."""
    changed: dict[int, tuple[int, int, int]] = {}
    extents = [*x.shape]
    for axis, (begin, end, stride) in enumerate(spans):
        positions = range(*slice(begin, end, stride).indices(x.shape[axis]))
        extents[axis] = len(positions)
        if positions != range(x.shape[axis]):
            changed[axis] = (*written_bounds(begin, end, x.shape[axis], stride), stride)
    if 0 in extents:
        return empty(c, extents, x.dtype)
    if not changed:
        return x
    if x.data is not None:
        index = tuple(slice(*span) for span in spans)
        how = ("slice", *(tuple(span) for span in spans))
        return c.graph.derived(x, how, lambda data: np.ascontiguousarray(data[index]))
    begins, ends, strides = (list(column) for column in zip(*changed.values(), strict=True))
    steps = [] if set(strides) == {1} else strides
    return c.op("slice", x, axes=[*changed], begin=begins, end=ends, stride=steps)


@tflite("STRIDED_SLICE")
@tensorflow("StridedSlice")
def strided_slice(c: TensorCall) -> Value:
    """Read `slice` with all masks; new axes are inserted, and single elements lose their axis."""
    x = c[0]
    entries = [c.ints(index, what) for index, what in enumerate(("begin", "end", "stride"), 1)]
    count = len(entries[0])
    if any(len(each) != count for each in entries) or 0 in entries[2]:
        c.invalid("its begin, end and strides do not fit each other")
    spans: list[tuple[int | None, int | None, int]] = []
    shape: list[int | None] = []
    """The extents of the result: None for that of the next axis that remains."""
    dropped: list[int] = []
    has_ellipsis = False
    consumed = sum(
        not _is_set(c, "new_axis", entry) and not _is_set(c, "ellipsis", entry)
        for entry in range(count)
    )
    for entry, (begin, end, stride) in enumerate(zip(*entries, strict=True)):
        if _is_set(c, "ellipsis", entry):
            if has_ellipsis:
                c.invalid("it has two ellipses")
            has_ellipsis = True
            for _ in range(x.rank - consumed):
                spans.append((None, None, 1))
                shape.append(None)
        elif _is_set(c, "new_axis", entry):
            shape.append(1)
        elif len(spans) >= x.rank:
            c.invalid(f"it slices more axes than its input of rank {x.rank} has")
        elif _is_set(c, "shrink_axis", entry):
            dropped.append(len(spans))
            spans.append(_single(c, begin, x.shape[len(spans)]))
        else:
            stop = begin + end if c.option("offset") else end
            first = None if _is_set(c, "begin", entry) else begin
            last = None if _is_set(c, "end", entry) else stop
            spans.append((first, last, stride))
            shape.append(None)
    rest = x.rank - len(spans)
    spans += [(None, None, 1)] * rest
    shape += [None] * rest
    part = _sliced(c, x, spans)
    remaining = iter(n for axis, n in enumerate(part.shape) if axis not in dropped)
    return reshaped(c, part, [next(remaining) if n is None else n for n in shape])


def _is_set(c: TensorCall, mask: str, entry: int) -> bool:
    """Return whether a mask applies to an entry of the bounds."""
    return bool(int(c.option(f"{mask}_mask")) >> entry & 1)


def _single(c: TensorCall, index: int, extent: int) -> tuple[int | None, int | None, int]:
    """Return the span of one element, whose axis is dropped."""
    if not -extent <= index < extent:
        c.invalid(f"it selects element {index} of {extent}")
    return index, index + 1 or None, 1


# -- padding and repeating -------------------------------------------------------------------------


def _padding(c: TensorCall, x: Value) -> list[tuple[int, int]]:
    data = c.constant(1, "padding")
    if data.shape != (x.rank, 2) or (data < 0).any():
        c.invalid(f"its padding is {data.tolist()} for an input of rank {x.rank}")
    return [(int(before), int(after)) for before, after in data]


@tflite("PAD", "PADV2")
@tensorflow("Pad", "PadV2")
def pad(c: TensorCall) -> Value:
    """Read `pad` with a number, 0 by default."""
    x = c[0]
    padding = _padding(c, x)
    if not any(before or after for before, after in padding):
        return x
    number = 0.0
    if c.get(2) is not None:
        number = float(str(c.constant(2, "padding value").reshape(-1)[0]))
    if not np.isfinite(number):
        return shaping.padded_by_constants(c, to_scalar(c, x), padding, number)
    result = c.op("pad", to_scalar(c, x), padding=padding, border="constant", value=number)
    return to_dtype(c, result, x.dtype)


@tflite("MIRROR_PAD")
@tensorflow("MirrorPad")
def mirror_pad(c: TensorCall) -> Value:
    """Read `pad` with mirrored elements; a symmetric mode repeats those at the border."""
    x = c[0]
    padding = _padding(c, x)
    if not any(before or after for before, after in padding):
        return x
    border = "reflect-even" if c.option("mode") in (1, "SYMMETRIC") else "reflect"
    return to_dtype(c, c.op("pad", to_scalar(c, x), padding=padding, border=border), x.dtype)


@tflite("TILE")
@tensorflow("Tile")
def tile(c: TensorCall) -> Value:
    """Read `tile`."""
    return shaping.tiled(c, c[0], c.ints(1, "repeats"))


@tflite("REVERSE_V2")
@tensorflow("ReverseV2")
def reverse(c: TensorCall) -> Value:
    """Read `slice` with negative strides."""
    x = c[0]
    return shaping.flipped(c, x, sorted({c.front_axis(a, x.rank) for a in c.ints(1, "axes")}))


@tflite("REVERSE_SEQUENCE")
@tensorflow("ReverseSequence")
def reverse_sequence(c: TensorCall) -> Value:
    """Read a reversal of the first elements of each batch entry."""
    x, lengths = c[0], c.ints(1, "sequence lengths")
    time = c.front_axis(int(c.option("seq_dim")), x.rank)
    batch = c.front_axis(int(c.option("batch_dim")), x.rank)
    is_valid = len(lengths) == x.shape[batch] and time != batch
    if not is_valid or any(not 0 <= n <= x.shape[time] for n in lengths):
        c.invalid(f"its sequence lengths are {lengths} for an input of {[*x.shape]}")
    if len(lengths) > _MAX_SEQUENCES:
        c.refuse(f"it has {len(lengths):,} sequences", "Reverse fewer sequences at once.")
    entries = c.ops("split", x, axis=batch, ratios=[1] * x.shape[batch])
    parts = [
        shaping.begun_backward(c, each, time, n) for each, n in zip(entries, lengths, strict=True)
    ]
    return c.op("concat", parts, axis=batch)
