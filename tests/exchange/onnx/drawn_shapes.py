"""Drawn reductions, reshaping and indexing."""

from __future__ import annotations

from typing import Any

import numpy as np
from node_drawing import Draw, Drawn, draws, since

Array = np.ndarray[Any, Any]


@draws("Softmax", "LogSoftmax", "Hardmax")
def softmax(d: Draw) -> Drawn:
    shape = d.shape(1)
    rank = len(shape)
    axis = d.axis(rank) if d.opset >= 11 else d.int(0, rank - 1)
    attributes = {"axis": axis} if rank == 1 or d.flag(0.7) else {}
    return Drawn([d.array(shape)], attributes)


@draws(
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare",
    "ReduceLogSum", "ReduceLogSumExp", "ReduceProd",
)  # fmt: skip
def reduce(d: Draw, name: str) -> Drawn:
    shape = d.shape(0 if d.opset >= 18 else 1)
    low = 0.1 if name == "ReduceLogSum" else -3
    kind = (
        d.one(np.float32, np.float32, np.int32, np.int64) if name != "ReduceLogSum" else np.float32
    )
    if name in ("ReduceL2", "ReduceLogSumExp"):
        kind = np.float32
    axes: Any = d.axes(len(shape), 0)
    if d.opset < 11:
        axes = [a % len(shape) for a in axes]
    attributes: dict[str, Any] = d.some(keepdims=d.int(0, 1))
    later = 13 if name == "ReduceSum" else 18
    inputs: list[Any] = [d.array(shape, low, 3, kind)]
    if d.opset >= later:
        attributes |= d.some(noop_with_empty_axes=d.int(0, 1))
        if d.flag(0.8):
            inputs.append(np.array(axes, np.int64))
    elif axes:
        attributes["axes"] = axes
    return Drawn(inputs, attributes, known=(1,) if len(inputs) > 1 else ())


@draws("ArgMax", "ArgMin")
def arg(d: Draw) -> Drawn:
    shape = d.shape(1)
    attributes = d.some(keepdims=d.int(0, 1))
    if d.flag(0.7):
        attributes["axis"] = d.axis(len(shape)) if d.opset >= 11 else d.int(0, len(shape) - 1)
    if d.opset >= 12:
        attributes |= d.some(select_last_index=d.int(0, 1))
    x = d.array(shape, kind=d.one(np.float32, np.int32))
    return Drawn([np.round(x) if d.flag() else x], attributes)


@draws("CumSum", "CumProd")
def cumulative(d: Draw, name: str) -> Drawn:
    since(d, name)
    shape = d.shape(1)
    axis = np.array(d.axis(len(shape)), d.one(np.int32, np.int64))
    x = d.array(shape, kind=d.one(np.float32, np.int32, np.int64))
    return Drawn([x, axis], d.some(exclusive=d.int(0, 1), reverse=d.int(0, 1)), known=(1,))


@draws("Reshape")
def reshape(d: Draw) -> Drawn:
    shape = d.shape(1)
    wanted = [*d.rng.permutation(shape)]
    if d.flag():
        wanted = [int(np.prod(shape)), 1]
    if d.flag(0.4):
        wanted = [*shape]
        wanted[d.int(0, len(wanted) - 1)] = 0
    if d.flag(0.4):
        wanted[d.int(0, len(wanted) - 1)] = -1
    if 0 in wanted:
        for axis, n in enumerate(wanted):
            if n == 0:
                pass
            elif n != -1:
                wanted[axis] = shape[axis]
    return Drawn([d.array(shape, kind=d.numeric()), np.array(wanted, np.int64)], known=(1,))


@draws("Flatten")
def flatten(d: Draw) -> Drawn:
    shape = d.shape(1)
    low = -len(shape) if d.opset >= 11 else 0
    return Drawn([d.array(shape)], d.some(axis=d.int(low, len(shape))))


@draws("Squeeze")
def squeeze(d: Draw) -> Drawn:
    shape = tuple(1 if d.flag(0.4) else n for n in d.shape(1))
    ones = [a for a, n in enumerate(shape) if n == 1]
    axes = [a - len(shape) if d.opset >= 11 and d.flag(0.3) else a for a in ones if d.flag(0.7)]
    x = d.array(shape, kind=d.numeric())
    if not axes:
        return Drawn([x])
    if d.opset >= 13:
        return Drawn([x, np.array(axes, np.int64)], known=(1,))
    return Drawn([x], {"axes": axes})


@draws("Unsqueeze")
def unsqueeze(d: Draw) -> Drawn:
    shape = d.shape(0, 3)
    rank = len(shape) + d.int(1, 3)
    axes = d.rng.permutation(rank)[: rank - len(shape)].tolist()
    if d.opset < 11:
        axes.sort()
    elif d.flag(0.4):
        axes = [a - rank for a in axes]
    x = d.array(shape, kind=d.numeric())
    if d.opset >= 13:
        return Drawn([x, np.array(axes, np.int64)], known=(1,))
    return Drawn([x], {"axes": axes})


@draws("Transpose")
def transpose(d: Draw) -> Drawn:
    shape = d.shape(1, 5)
    return Drawn(
        [d.array(shape, kind=d.numeric())], d.some(perm=d.rng.permutation(len(shape)).tolist())
    )


@draws("Concat")
def concat(d: Draw) -> Drawn:
    shape = [*d.shape(1)]
    axis = d.axis(len(shape)) if d.opset >= 11 else d.int(0, len(shape) - 1)
    kind, values = d.numeric(), []
    for _ in range(d.int(1, 4)):
        shape[axis] = d.int(1, 4)
        values.append(d.array(shape, kind=kind))
    return Drawn(values, {"axis": axis})


@draws("Split")
def split(d: Draw) -> Drawn:
    shape = [*d.shape(1)]
    axis = d.axis(len(shape)) if d.opset >= 11 else d.int(0, len(shape) - 1)
    count = d.int(1, 3)
    lengths = [d.int(1, 3) for _ in range(count)]
    explicit = d.flag()
    if not explicit:
        lengths = [d.int(1, 3)] * count
        if d.opset >= 18 and d.flag():
            # ceil(n / count) each, but for the last
            each = d.int(2, 3)
            lengths = [each] * (count - 1) + [d.int(1, each)]
            if count > 1 and -(-sum(lengths) // count) != each:
                lengths = [each] * count
    shape[axis] = sum(lengths)
    x = d.array(shape, kind=d.numeric())
    attributes: dict[str, Any] = {"axis": axis}
    if not explicit:
        if d.opset >= 18:
            attributes["num_outputs"] = count
        return Drawn([x], attributes, count)
    if d.opset >= 13:
        return Drawn([x, np.array(lengths, np.int64)], attributes, count, known=(1,))
    return Drawn([x], {**attributes, "split": lengths}, count)


@draws("Slice")
def slice_(d: Draw) -> Drawn:
    shape = d.shape(1, 4, 6)
    axes = d.axes(len(shape), 1)
    begins, ends, steps = [], [], []
    for a in axes:
        n = shape[a]
        step = d.one(1, 1, 2, 3, -1, -2) if d.opset >= 10 else 1
        while True:
            begin = d.one(d.int(-n - 1, n + 1), 0, -n)
            end = d.one(d.int(-n - 2, n + 2), 2**31 - 1, n, -(2**31) + 1)
            if len(range(*slice(begin, end, step).indices(n))):
                break
        begins.append(begin)
        ends.append(end)
        steps.append(step)
    x = d.array(shape, kind=d.numeric())
    if d.opset < 10:
        if min(axes) < 0:
            axes = [a % len(shape) for a in axes]
        return Drawn([x], {"starts": begins, "ends": ends, "axes": axes})
    kind = d.one(np.int32, np.int64)
    with_steps = any(s != 1 for s in steps) or d.flag()
    plain = axes == [*range(len(axes))] and d.flag()
    return Drawn(
        [
            x,
            np.array(begins, kind),
            np.array(ends, kind),
            None if plain else np.array(axes, kind),
            np.array(steps, kind) if with_steps else None,
        ],
        known=(1, 2, 3, 4),
    )


@draws("Pad")
def pad(d: Draw) -> Drawn | None:
    shape = d.shape(1, 4, 5)
    mode = d.one("constant", "constant", "reflect", "edge", *(["wrap"] if d.opset >= 19 else []))
    pads = []
    for _ in range(2):
        for n in shape:
            most = n - 1 if mode == "reflect" else n if mode == "wrap" else 3
            pads.append(d.int(0, min(most, 3)))
    if mode == "constant" and d.flag(0.3):
        a = d.int(0, len(shape) - 1)
        if shape[a] > 2:
            pads[a] = -1
    x = d.array(shape, kind=np.float32 if d.opset < 13 else d.numeric())
    attributes: dict[str, Any] = {"mode": mode} if mode != "constant" or d.flag() else {}
    if d.opset < 11:
        return Drawn([x], {"pads": pads, **attributes, **d.some(value=d.one(1.5, -2.0))})
    value = np.array(d.one(0.0, 1.5, 2.0), x.dtype) if d.flag() else None
    axes = None
    if d.opset >= 18 and d.flag():
        padded = d.axes(len(shape), 1)
        pads = [pads[a] for a in padded] + [pads[len(shape) + a % len(shape)] for a in padded]
        axes = np.array(padded, np.int64)
    return Drawn([x, np.array(pads, np.int64), value, axes], attributes, known=(1, 2, 3))


@draws("Expand")
def expand(d: Draw) -> Drawn:
    since(d, "Expand")
    shape = d.shape()
    target = [n if not d.flag(0.3) else 1 for n in shape]
    for i, n in enumerate(target):
        if n == 1 and shape[i] == 1 and d.flag():
            target[i] = d.int(1, 3)
    target = [d.int(1, 3) for _ in range(d.int(0, 2))] + target
    return Drawn([d.array(shape, kind=d.numeric()), np.array(target, np.int64)], known=(1,))


@draws("Tile")
def tile(d: Draw) -> Drawn:
    shape = d.shape(1)
    return Drawn(
        [d.array(shape, kind=d.numeric()), np.array([d.int(1, 3) for _ in shape], np.int64)],
        known=(1,),
    )


@draws("DepthToSpace", "SpaceToDepth")
def blocks(d: Draw, name: str) -> Drawn:
    b, (n, c, h, w) = d.int(1, 3), (d.int(1, 2), d.int(1, 3), d.int(1, 3), d.int(1, 3))
    if name == "SpaceToDepth":
        return Drawn([d.array((n, c, h * b, w * b))], {"blocksize": b})
    mode = d.some(mode=d.one("DCR", "CRD")) if d.opset >= 11 else {}
    return Drawn([d.array((n, c * b * b, h, w))], {"blocksize": b, **mode})


@draws("Trilu")
def triangle(d: Draw) -> Drawn:
    since(d, "Trilu")
    k = np.array(d.int(-3, 3), np.int64) if d.flag() else None
    return Drawn([d.array(d.shape(2), kind=d.numeric()), k], d.some(upper=d.int(0, 1)), known=(1,))


@draws("Gather")
def gather(d: Draw) -> Drawn:
    shape = d.shape(1)
    axis = d.axis(len(shape)) if d.opset >= 11 else d.int(0, len(shape) - 1)
    n = shape[axis]
    low = -n if d.opset >= 11 else 0
    indices = d.array(d.shape(0, 3), low, n - 1, d.one(np.int32, np.int64))
    return Drawn(
        [d.array(shape, kind=d.one(np.float32, np.int64, np.bool_)), indices],
        {"axis": axis} if axis or d.flag() else {},
    )


@draws("GatherElements")
def gather_elements(d: Draw) -> Drawn:
    since(d, "GatherElements")
    shape = d.shape(1)
    axis = d.axis(len(shape))
    n = shape[axis]
    other = [d.int(1, m) for m in shape]
    other[axis] = d.int(1, 5)
    return Drawn([d.array(shape), d.array(other, -n, n - 1, np.int64)], {"axis": axis})


@draws("GatherND")
def gather_nd(d: Draw) -> Drawn:
    since(d, "GatherND")
    shape = d.shape(2)
    batch = d.int(0, 1) if d.opset >= 12 else 0
    depth = d.int(1, len(shape) - batch)
    places = (*shape[:batch], *d.shape(1 - batch, 2))
    parts = [
        d.array(places, -shape[batch + a], shape[batch + a] - 1, np.int64) for a in range(depth)
    ]
    return Drawn([d.array(shape), np.stack(parts, -1)], {"batch_dims": batch} if batch else {})


@draws("ScatterElements")
def scatter_elements(d: Draw) -> Drawn:
    since(d, "ScatterElements")
    shape = d.shape(1)
    axis = d.axis(len(shape))
    n = shape[axis]
    other = [d.int(1, m) for m in shape]
    attributes: dict[str, Any] = {"axis": axis}
    if d.opset >= 16 and d.flag():
        attributes["reduction"] = d.one("add", "mul", *(["max", "min"] if d.opset >= 18 else []))
        indices = d.array(other, -n, n - 1, np.int64)
    else:
        # Repeated indices are undefined there.
        indices = np.argsort(
            d.rng.random([*other[: axis % len(shape)], n, *other[axis % len(shape) + 1 :]]),
            axis % len(shape),
        )
        indices = np.take(indices, range(other[axis]), axis)
    kind = d.one(np.float32, np.float32, np.int64)
    x, updates = d.array(shape, kind=kind), d.array(other, kind=kind)
    return Drawn([x, indices.astype(np.int64), updates], attributes)


@draws("ScatterND")
def scatter_nd(d: Draw) -> Drawn:
    since(d, "ScatterND")
    shape = d.shape(1)
    depth = d.int(1, len(shape))
    every = int(np.prod(shape[:depth]))
    count = d.int(1, every)
    attributes: dict[str, Any] = {}
    if d.opset >= 16 and d.flag():
        attributes["reduction"] = d.one("add", "mul", *(["max", "min"] if d.opset >= 18 else []))
        chosen = d.rng.integers(0, every, count)
    else:
        chosen = d.rng.permutation(every)[:count]
    indices = np.stack(np.unravel_index(chosen, shape[:depth]), -1).astype(np.int64)
    extents = np.array(shape[:depth])
    indices = np.where(d.rng.random(indices.shape) < 0.2, indices - extents, indices)
    updates = d.array((count, *shape[depth:]))
    return Drawn([d.array(shape), indices, updates], attributes)


@draws("OneHot")
def one_hot(d: Draw) -> Drawn:
    since(d, "OneHot")
    depth = d.int(1, 5)
    kind = d.one(np.int64, np.int32, np.float32)
    indices = np.round(d.array(d.shape(1, 3), -depth, depth - 1, kind))
    kind2 = d.one(np.float32, np.int64)
    shape = () if d.flag() else (1,)
    return Drawn(
        [indices, np.full(shape, depth, np.int64), np.array([2, 5], kind2)],
        d.some(axis=d.int(-indices.ndim - 1, indices.ndim)),
        known=(1,),
    )


@draws("TopK")
def top(d: Draw) -> Drawn:
    shape = d.shape(1)
    axis = d.axis(len(shape)) if d.opset >= 11 else d.int(0, len(shape) - 1)
    k = d.int(1, shape[axis])
    x = d.rng.permutation(int(np.prod(shape))).reshape(shape).astype(np.float32) - 3
    attributes: dict[str, Any] = {"axis": axis}
    if d.opset < 10:
        return Drawn([x], {**attributes, "k": k}, 2)
    if d.opset >= 11:
        attributes |= d.some(largest=d.int(0, 1))
    return Drawn([x, np.array([k], np.int64)], attributes, 2, known=(1,))


@draws("ReverseSequence")
def reverse_sequence(d: Draw) -> Drawn:
    since(d, "ReverseSequence")
    shape = d.shape(2)
    time = d.int(0, 1)
    lengths = d.array((shape[1 - time],), 1, shape[time], np.int64)
    return Drawn([d.array(shape), lengths], {"time_axis": time, "batch_axis": 1 - time}, known=(1,))


@draws("Compress")
def compress(d: Draw) -> Drawn:
    since(d, "Compress")
    shape = d.shape(1)
    if d.flag(0.3):
        mask = d.array((int(np.prod(shape)),), kind=np.bool_)
        mask[0] = True
        return Drawn([d.array(shape), mask], known=(1,))
    axis = d.axis(len(shape)) if d.opset >= 11 else d.int(0, len(shape) - 1)
    mask = d.array((d.int(1, shape[axis]),), kind=np.bool_)
    mask[0] = True
    return Drawn([d.array(shape), mask], {"axis": axis}, known=(1,))
