"""Operations that move elements without computing (4.5, and similar ones of other sections)."""

import math

import numpy as np

from oracles.formulas.windows import source


def filled(shape, dtype, function):
    """Return the array with ``function(index)`` at each index; elements keep their exact values."""
    result = np.empty(shape, dtype)
    for index in np.ndindex(*shape):
        result[index] = function(index)
    return result


def in_order(input, shape):
    """Return the elements in row-major order in another shape."""
    items = [input[index] for index in np.ndindex(*input.shape)]
    result = np.empty(shape, input.dtype)
    for value, index in zip(items, np.ndindex(*shape), strict=True):
        result[index] = value
    return result


def reshape(input, shape, axis_start, axis_count):
    end = input.ndim if axis_count == -1 else axis_start + axis_count
    taken = input.shape[axis_start:end]
    extents = [taken[k] if extent == 0 else extent for k, extent in enumerate(shape)]
    rest = math.prod(extent for extent in extents if extent != -1)
    extents = [math.prod(taken) // rest if extent == -1 else extent for extent in extents]
    return in_order(input, (*input.shape[:axis_start], *extents, *input.shape[end:]))


def squeeze(input, axes):
    return in_order(input, tuple(x for k, x in enumerate(input.shape) if k not in axes))


def unsqueeze(input, axes):
    extents = iter(input.shape)
    rank = input.ndim + len(axes)
    return in_order(input, tuple(1 if k in axes else next(extents) for k in range(rank)))


def transpose(input, axes):
    order = [*axes, *range(len(axes), input.ndim)]
    result = np.empty([input.shape[axis] for axis in order], input.dtype)
    for index in np.ndindex(*input.shape):
        result[tuple(index[axis] for axis in order)] = input[index]
    return result


def section(value, axis, start, stop):
    shape = (*value.shape[:axis], stop - start, *value.shape[axis + 1 :])
    return filled(shape, value.dtype, lambda i: value[(*i[:axis], start + i[axis], *i[axis + 1 :])])


def split(value, axis, ratios):
    unit = value.shape[axis] // sum(ratios)
    starts = [unit * sum(ratios[:i]) for i in range(len(ratios))]
    return [
        section(value, axis, start, start + unit * ratio)
        for start, ratio in zip(starts, ratios, strict=True)
    ]


def concat(values, axis):
    extents = [value.shape[axis] for value in values]
    shape = (*values[0].shape[:axis], sum(extents), *values[0].shape[axis + 1 :])

    def at(index):
        number, place = 0, index[axis]
        while place >= extents[number]:
            place -= extents[number]
            number += 1
        return values[number][(*index[:axis], place, *index[axis + 1 :])]

    return filled(shape, values[0].dtype, at)


def stack(values, axis):
    values = [np.asarray(value) for value in values]
    shape = (*values[0].shape[:axis], len(values), *values[0].shape[axis:])
    return filled(shape, values[0].dtype, lambda i: values[i[axis]][(*i[:axis], *i[axis + 1 :])])


def unstack(value, axis):
    parts = [section(value, axis, i, i + 1) for i in range(value.shape[axis])]
    return [squeeze(part, [axis]) for part in parts]


def slice_(input, axes, begin, end, stride):
    to_end = all(step == 1 for step in stride)
    chosen = [[*range(extent)] for extent in input.shape]
    for k, axis in enumerate(axes):
        extent, step = input.shape[axis], stride[k] if stride else 1
        first = begin[k] + extent if begin[k] < 0 else begin[k]
        last = extent if end[k] == 0 and to_end else end[k] + extent if end[k] < 0 else end[k]
        first, last = (-1 if i < 0 else min(i, extent) for i in (first, last))
        chosen[axis] = []
        while first < last if step > 0 else first > last:
            chosen[axis].append(first)
            first += step
    return filled(
        [len(indices) for indices in chosen],
        input.dtype,
        lambda index: input[tuple(c[i] for c, i in zip(chosen, index, strict=True))],
    )


def pad(input, padding, border, value):
    shape = [p + x + q for x, (p, q) in zip(input.shape, padding, strict=True)]

    def at(index):
        found = [
            source(i - p, x, border)
            for i, (p, _), x in zip(index, padding, input.shape, strict=True)
        ]
        return value if None in found else input[tuple(found)]

    return filled(shape, input.dtype, at)


def tile(input, repeats):
    shape = [x * times for x, times in zip(input.shape, repeats, strict=True)]
    return filled(
        shape,
        input.dtype,
        lambda index: input[tuple(i % x for i, x in zip(index, input.shape, strict=True))],
    )


def gather(input, indices, axis):
    m = indices.ndim
    shape = (*input.shape[:axis], *indices.shape, *input.shape[axis + 1 :])
    return filled(
        shape,
        input.dtype,
        lambda i: input[(*i[:axis], indices[i[axis : axis + m]], *i[axis + m :])],
    )


def constant(shape, value, dtype):
    kinds = {"scalar": float, "integer": np.int64, "logical": bool}
    values = value * math.prod(shape) if len(value) == 1 else value
    return in_order(np.array(values, kinds[dtype]), shape)


FORMULAS = {
    "constant": constant,
    "copy": lambda x: filled(x.shape, x.dtype, lambda index: x[index]),
    "copy_n": lambda x, times: [filled(x.shape, x.dtype, lambda index: x[index])] * times,
    "update": lambda variable, value: filled(value.shape, value.dtype, lambda i: value[i]),
    "reshape": reshape,
    "squeeze": squeeze,
    "unsqueeze": unsqueeze,
    "transpose": transpose,
    "split": split,
    "concat": concat,
    "stack": stack,
    "unstack": unstack,
    "slice": slice_,
    "pad": pad,
    "tile": tile,
    "gather": gather,
}
