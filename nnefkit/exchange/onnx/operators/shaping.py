"""Shapes: reshaping, joining, cutting, padding, repeating."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.refusal import refuse_empty_tensor
from nnefkit.exchange.reshaping import (
    broadcast,
    empty,
    expanded,
    reshaped,
    sliced,
    to_dtype,
    to_scalar,
    transposed,
)
from nnefkit.exchange.source_graph import Value


@operator("Constant")
def constant(c: Call) -> Value:
    """Values that stand in the model; those that the evaluator does not know are sparse."""
    value = c.attribute("sparse_value")
    if value is None:
        c.refuse("it has no value", "The model is not valid.")
    return c.graph.constant(value)


@operator("Reshape")
def reshape(c: Call) -> Value:
    """The same items in another shape."""
    x = c[0]
    shape = c.ints("shape", 1) or []
    if not c.attribute("allowzero", 0):
        shape = [x.shape[axis] if n == 0 else n for axis, n in enumerate(shape)]
    if -1 in shape:
        known = int(np.prod([n for n in shape if n != -1]))
        if known:
            shape[shape.index(-1)] = int(np.prod(x.shape)) // known
    return reshaped(c, x, shape)


@operator("Flatten")
def flatten(c: Call) -> Value:
    """Two axes of all."""
    x = c[0]
    axis = c.axis("axis", 1, x.rank)
    return reshaped(c, x, (int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))))


@operator("Squeeze")
def squeeze(c: Call) -> Value:
    """Without singular axes."""
    x = c[0]
    axes = c.ints("axes", 1)
    if axes is None:
        axes = [axis for axis, n in enumerate(x.shape) if n == 1]
    axes = [axis + x.rank if axis < 0 else axis for axis in axes]
    if x.data is not None or not axes:
        return reshaped(c, x, [n for axis, n in enumerate(x.shape) if axis not in axes])
    return c.op("squeeze", x, axes=sorted(axes))


@operator("Unsqueeze")
def unsqueeze(c: Call) -> Value:
    """With more singular axes."""
    x = c[0]
    axes = c.ints("axes", 1) or []
    rank = x.rank + len(axes)
    axes = sorted(axis + rank if axis < 0 else axis for axis in axes)
    if x.data is not None:
        extents = iter(x.shape)
        return reshaped(c, x, [1 if a in axes else next(extents) for a in range(rank)])
    return c.op("unsqueeze", x, axes=axes) if axes else x


@operator("Transpose")
def transpose(c: Call) -> Value:
    """Axes in another order, the reverse one by default."""
    x = c[0]
    return transposed(c, x, c.attribute("perm") or range(x.rank)[::-1])


@operator("Concat")
def concat(c: Call) -> Value:
    """Tensors behind one another."""
    values = [value for value in c.inputs if value is not None and 0 not in value.shape]
    if len(values) == 1:
        return values[0]
    axis = c.axis("axis", 1, values[0].rank)
    return c.op("concat", values, axis=axis)


@operator("Split")
def split(c: Call) -> list[Value]:
    """Stretches of one axis."""
    x = c[0]
    axis = c.axis("axis", 0, x.rank)
    count = len(c.output_names)
    lengths = c.ints("split", 1)
    if lengths is None:
        each = -(-x.shape[axis] // count)
        lengths = [each] * (count - 1) + [x.shape[axis] - each * (count - 1)]
    some = [n for n in lengths if n]
    if len(some) == 1:
        parts = [x]
    else:
        divisor = int(np.gcd.reduce(some))
        parts = c.ops("split", x, axis=axis, ratios=[n // divisor for n in some])
    given = iter(parts)
    shapes = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in lengths]
    return [next(given) if all(shape) else empty(c, shape, x.dtype) for shape in shapes]


@operator("Slice")
def slice_(c: Call) -> Value:
    """Stretches of several axes, perhaps with steps."""
    x = c[0]
    begins, ends = c.ints("starts", 1) or [], c.ints("ends", 2) or []
    axes = c.ints("axes", 3)
    axes = [*range(len(begins))] if axes is None else [a + x.rank if a < 0 else a for a in axes]
    strides = c.ints("steps", 4) or [1] * len(axes)
    cut: dict[int, tuple[int, int, int]] = {}
    for axis, begin, end, step in zip(axes, begins, ends, strides, strict=True):
        extent = x.shape[axis]
        first, last, step = slice(begin, end, step).indices(extent)
        if not len(range(first, last, step)):
            return _nothing(c, x, axes, begins, ends, strides)
        if (first, last, step) != (0, extent, 1):
            # A negative index would count from the end again.
            cut[axis] = first, last if last >= 0 else -extent - 1, step
    return _cut(c, x, cut)


def _nothing(
    c: Call, x: Value, axes: list[int], begins: list[int], ends: list[int], strides: list[int]
) -> Value:
    shape = [*x.shape]
    for axis, begin, end, step in zip(axes, begins, ends, strides, strict=True):
        shape[axis] = len(range(*slice(begin, end, step).indices(shape[axis])))
    return empty(c, shape, x.dtype)


def _cut(c: Call, x: Value, cut: dict[int, tuple[int, int, int]]) -> Value:
    if not cut:
        return x
    stride = [step for _, _, step in cut.values()]
    return c.op(
        "slice",
        x,
        axes=[*cut],
        begin=[first for first, _, _ in cut.values()],
        end=[last for _, last, _ in cut.values()],
        stride=[] if all(step == 1 for step in stride) else stride,
    )


_BORDERS = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


@operator("Pad")
def pad(c: Call) -> Value:
    """More items at the ends of axes; less of them where the padding is negative."""
    x = c[0]
    pads = c.ints("pads", 1) or []
    axes = c.ints("axes", 3)
    axes = [*range(x.rank)] if axes is None else [a + x.rank if a < 0 else a for a in axes]
    half = len(axes)
    padding = [(0, 0)] * x.rank
    for axis, before, after in zip(axes, pads[:half], pads[half:], strict=True):
        padding[axis] = before, after
    mode = c.attribute("mode", "constant")
    cut = {
        axis: (max(-p, 0), n - max(-q, 0), 1)
        for axis, ((p, q), n) in enumerate(zip(padding, x.shape, strict=True))
        if p < 0 or q < 0
    }
    x = _cut(c, x, cut)
    padding = [(max(p, 0), max(q, 0)) for p, q in padding]
    if not any(p or q for p, q in padding):
        return x
    if mode == "wrap":
        return _wrapped(c, x, padding)
    number = _padding_value(c) if mode == "constant" else 0.0
    if not np.isfinite(number):
        return _surrounded(c, to_scalar(c, x), padding, number)
    result = c.op("pad", to_scalar(c, x), padding=padding, border=_BORDERS[mode], value=number)
    return to_dtype(c, result, x.dtype)


def _padding_value(c: Call) -> float:
    if "value" in c.attributes:
        return float(c.attributes["value"])
    data = c.values(2, "padding value")
    return 0.0 if data is None or not data.size else float(str(data.reshape(-1)[0]))


def _surrounded(c: Call, x: Value, padding: list[tuple[int, int]], number: float) -> Value:
    """Padded with what no literal can say, but the data of a variable can."""
    for axis, lengths in enumerate(padding):
        shapes = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in lengths]
        before, after = (
            [c.graph.constant(np.full(shape, number, np.float32))] if 0 not in shape else []
            for shape in shapes
        )
        if before or after:
            x = c.op("concat", [*before, x, *after], axis=axis)
    return x


def _wrapped(c: Call, x: Value, padding: list[tuple[int, int]]) -> Value:
    for axis, (before, after) in enumerate(padding):
        extent = x.shape[axis]
        if before > extent or after > extent:
            c.refuse("it goes around an axis more than once", "Pad in several steps.")
        parts = [sliced(c, x, axis, extent - before, extent)] if before else []
        parts.append(x)
        parts += [sliced(c, x, axis, 0, after)] if after else []
        if len(parts) > 1:
            x = c.op("concat", parts, axis=axis)
    return x


@operator("Expand")
def expand(c: Call) -> Value:
    """Repeated to the shape that its own and another one broadcast to."""
    x = c[0]
    return expanded(c, x, broadcast(c, x.shape, c.ints("shape", 1) or []))


@operator("Tile")
def tile(c: Call) -> Value:
    """Repeated along its axes."""
    repeats = c.ints("repeats", 1) or []
    if 0 in repeats:
        refuse_empty_tensor()
    if all(repeat == 1 for repeat in repeats):
        return c[0]
    return c.op("tile", c[0], repeats=repeats)


@operator("Shape", "Size")
def shape(c: Call) -> Value:
    """Known before the network runs."""
    extents = c[0].shape
    if c.operator == "Size":
        return c.graph.constant(int(np.prod(extents)), np.int64)
    end = c.attribute("end")
    return c.graph.constant(extents[c.attribute("start", 0) : end], np.int64)


@operator("EyeLike")
def eye_like(c: Call) -> Value:
    """Ones on a diagonal, which depend on the shape only."""
    from onnx import helper

    code = c.attribute("dtype")
    rows, columns = c[0].shape
    dtype = c[0].dtype if code is None else helper.tensor_dtype_to_np_dtype(code)
    return c.graph.constant(np.eye(rows, columns, int(c.attribute("k", 0)), dtype))


@operator("Trilu")
def triangle(c: Call) -> Value:
    """Zeros above or below a diagonal."""
    x = c[0]
    given = c.values(1, "diagonal")
    k = 0 if given is None else int(given.reshape(-1)[0])
    ones = np.ones(x.shape[-2:], np.bool_)
    mask = np.triu(ones, k) if c.attribute("upper", 1) else np.tril(ones, k)
    kept = c.graph.constant(mask.reshape((1,) * (x.rank - 2) + mask.shape))
    return c.op("select", kept, x, c.graph.constant(0, x.dtype))


@operator("DepthToSpace")
def depth_to_space(c: Call) -> Value:
    """Channels become pixels."""
    x = c[0]
    n, channels, h, w = x.shape
    b = int(c.attribute("blocksize"))
    depth = channels // (b * b)
    with c.graph.scope("depth_to_space"):
        if c.attribute("mode", "DCR") == "DCR":
            parts = reshaped(c, x, (n, b, b, depth, h, w))
            moved = transposed(c, parts, [0, 3, 4, 1, 5, 2])
        else:
            parts = reshaped(c, x, (n, depth, b, b, h, w))
            moved = transposed(c, parts, [0, 1, 4, 2, 5, 3])
        return reshaped(c, moved, (n, depth, h * b, w * b))


@operator("SpaceToDepth")
def space_to_depth(c: Call) -> Value:
    """Pixels become channels."""
    x = c[0]
    n, channels, h, w = x.shape
    b = int(c.attribute("blocksize"))
    with c.graph.scope("space_to_depth"):
        parts = reshaped(c, x, (n, channels, h // b, b, w // b, b))
        order = [0, 1, 3, 5, 2, 4] if c.attribute("mode", "DCR") == "CRD" else [0, 3, 5, 1, 2, 4]
        moved = transposed(c, parts, order)
        return reshaped(c, moved, (n, channels * b * b, h // b, w // b))


@operator("ReverseSequence")
def reverse_sequence(c: Call) -> Value:
    """The first items of each batch entry in reverse order."""
    x = c[0]
    lengths = c.values(1, "sequence lengths")
    assert lengths is not None  # noqa: S101 - the input is not optional
    time, batch = c.axis("time_axis", 0, x.rank), c.axis("batch_axis", 1, x.rank)
    entries = c.ops("split", x, axis=batch, ratios=[1] * x.shape[batch])
    turned = [
        _reversed(c, entry, time, int(length))
        for entry, length in zip(entries, lengths, strict=True)
    ]
    return c.op("concat", turned, axis=batch)


def _reversed(c: Call, x: Value, axis: int, length: int) -> Value:
    if length < 2:
        return x
    first = {axis: (length - 1, -x.shape[axis] - 1, -1)}
    if length == x.shape[axis]:
        return _cut(c, x, first)
    rest = sliced(c, x, axis, length, x.shape[axis])
    return c.op("concat", [_cut(c, x, first), rest], axis=axis)
