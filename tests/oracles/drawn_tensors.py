"""Calls of the operations on whole tensors: all but those of windows."""

import numpy as np
from hypothesis import strategies as st

from oracles.drawing import BORDERS, Call


def unary(low=-2.0, high=2.0, strange=True, **attribs):
    return lambda d: Call([d.array(d.shape(), low, high, strange)], attribs)


def binary(strange=True, **attribs):
    def make(d):
        shape = d.shape()
        inputs = [d.array(shape, strange=strange), d.near(shape)]
        return Call(inputs if d.flag() else inputs[::-1], attribs)

    return make


def power(d):
    shape = d.shape()
    x = d.array(shape, 0.1, 3.0)
    if d.flag():
        return Call([d.array(shape, strange=True), d.one(2.0, -1.0, 3.0, 0.0)], {})
    return Call([x, d.near(shape)] if d.flag() else [d.one(2.0, 0.5), x], {})


def logical(count):
    def make(d):
        shape = d.shape()
        return Call([np.asarray(d.array(shape) > 0) for _ in range(count)], {})

    return make


def select(d):
    shape = d.shape()
    condition = np.asarray(d.array(tuple(d.one(1, n) for n in shape)) > 0)
    return Call([condition, d.near(shape), d.array(shape, strange=True)], {}, "scalar")


def clamp(d):
    shape = d.shape()
    low = d.one(-1.0, 0.0, d.array(shape[:1]))
    return Call([d.array(shape, strange=True), low, d.one(0.5, 1.0, low)], {})


def reduction(kind=np.float32, strange=True, summed=False, **attribs):
    def make(d):
        x = d.array(d.shape(), strange=strange and kind is np.float32)
        x = x if kind is np.float32 else np.asarray(x > 0)
        least = 1.0 if summed else Call.least
        return Call([x], {"axes": d.axes(x.ndim), **attribs}, least=least)

    return make


def reshape(d):
    x = d.array(d.shape())
    start = d.number(0, x.ndim)
    count = d.number(-1, x.ndim - start)
    taken = x.shape[start:] if count == -1 else x.shape[start : start + count]
    shape = d.one([-1], [*taken], [0] * len(taken), [1, *taken, 1], [1, -1, 1])
    if len(taken) > 1 and d.flag():
        shape = d.one([0, -1], [*taken[::-1]], [-1, taken[-1]], [0] * (len(taken) - 1) + [-1])
    return Call([x], {"shape": shape, "axis_start": start, "axis_count": count}, "scalar")


def squeeze(d):
    shape = [d.one(1, 1, 3) for _ in range(d.number(0, 6))]
    ones = [axis for axis, extent in enumerate(shape) if extent == 1]
    axes = d.draw(st.permutations(ones))[: d.number(0, len(ones))]
    return Call([d.array(shape)], {"axes": axes}, "scalar")


def unsqueeze(d):
    x = d.array(d.shape())
    rank = x.ndim + d.number(0, 3)
    return Call([x], {"axes": d.draw(st.permutations(range(rank)))[: rank - x.ndim]}, "scalar")


def transpose(d):
    x = d.array(d.shape())
    return Call([x], {"axes": d.draw(st.permutations(range(d.number(0, x.ndim))))}, "scalar")


def split(d):
    shape = [*d.shape(), 1]
    axis = d.number(0, len(shape) - 1)
    ratios = [d.number(1, 3) for _ in range(d.number(1, 3))]
    shape[axis] = sum(ratios) * d.number(1, 2)
    return Call([d.array(shape)], {"axis": axis, "ratios": ratios}, "scalar")


def concat(d):
    shape = [*d.shape(), 1]
    axis = d.number(0, len(shape) - 1)
    extents = [d.number(1, 3) for _ in range(d.number(1, 3))]
    parts = [d.array((*shape[:axis], n, *shape[axis + 1 :])) for n in extents]
    return Call([parts], {"axis": axis}, "scalar")


def stack(d):
    shape = d.shape()
    parts = [d.array(shape) for _ in range(d.number(1, 3))]
    return Call([parts], {"axis": d.number(0, len(shape))}, "scalar")


def unstack(d):
    x = d.array((*d.shape(), 2))
    return Call([x], {"axis": d.number(0, x.ndim - 1)}, "scalar")


def slice_(d):
    x = d.array(d.shape())
    axes = d.axes(x.ndim)
    begin, end, stride = [], [], []
    for axis in axes:
        extent = x.shape[axis]
        step = d.one(1, 1, 2, -1, -2)
        low, high = sorted(d.number(0, extent - 1) for _ in range(2))
        first = low if step > 0 else high
        last = high + 1 if step > 0 else low - 1 if low else -extent - 1
        if d.flag():
            first -= extent  # counted from the end
        if step > 0 and last == extent and d.flag():
            last += d.number(0, 3)  # means the end as well
        begin.append(first), end.append(last), stride.append(step)
    if d.flag() and all(step == 1 for step in stride):
        stride = []
    return Call([x], {"axes": axes, "begin": begin, "end": end, "stride": stride}, "scalar")


def pad(d):
    x = d.array(d.shape(3 if d.plain else 0))
    padding = [(d.number(1 - n, 5), d.number(0, 5)) for n in x.shape]
    if d.plain:
        padding = [(d.number(0, n - 1), d.number(0, n - 1)) for n in x.shape]
        padding[:2] = [(0, 0)] * len(padding[:2])
    border = d.one("ignore", *BORDERS)
    return Call([x], {"padding": padding, "border": border, "value": d.one(0.0, 0.5, -3.0)})


def tile(d):
    x = d.array(d.shape(top=3))
    return Call([x], {"repeats": [d.number(1, 3) for _ in x.shape]}, "scalar")


def gather(d):
    x = d.array((*d.shape(most=3), 4))
    axis = d.number(0, x.ndim - 1)
    indices = d.rng.integers(0, x.shape[axis], d.shape(most=2))
    return Call([x, indices], {"axis": axis}, "scalar")


def cast(d):
    x = d.array(d.shape(), -3, 3, strange=True)
    signs = np.asarray(x > 0)
    return Call([d.one(x, signs, np.asarray(signs * 3))], {}, d.one("scalar", "integer", "logical"))


def matmul(d, linear=False):
    batch = d.shape(0, 3)
    m, k, n = (d.number(1, 5) for _ in range(3))
    flags = {"transposeA": False, "transposeB": True}
    if not linear:
        flags = {name: d.flag() for name in flags}
    left, right = (tuple(d.one(1, b) for b in batch) for _ in range(2))
    a = d.array((*left, *((k, m) if flags["transposeA"] else (m, k))))
    b = d.array((*right, *((n, k) if flags["transposeB"] else (k, n))))
    if not linear:
        return Call([a, b], flags, spread=10, least=1.0)
    bias = d.one(0.0, 1.0, d.array((*[1] * (a.ndim - 1), n)))
    return Call([a, b, bias], {}, spread=10, least=1.0)


def batch_normalization(d):
    shape = d.shape(1, 5)
    channels = (1, *shape[1:2])
    if d.flag():
        parameters = [d.array(channels) for _ in range(4)]
    else:
        parameters = [d.near(shape) for _ in range(4)]
    if isinstance(parameters[1], np.ndarray):
        parameters[1] = np.asarray(np.abs(parameters[1]))
    else:
        parameters[1] = 0.25
    return Call([d.array(shape), *parameters], {"epsilon": d.one(0.1, 0.001)}, spread=10, least=1.0)


def normalization(**attribs):
    def make(d):
        x = d.array(d.shape())
        axes = d.axes(x.ndim)
        chosen = {k: d.one(*v) for k, v in attribs.items()}
        return Call([x], {"axes": axes, **chosen}, spread=10, least=1.0)

    return make


def quantize(kind):
    def make(d):
        shape = d.shape()
        x = d.array(shape, -4, 4)
        bits = d.one(1, 2, 4, 8, 16 if d.wild else 8)
        flags = {"bits": bits, "signed": d.flag(), "symmetric": d.flag()}
        if kind == "zero_point":
            zero = d.one(0, 3, d.rng.integers(-3, 4, shape[:1]))
            return Call([x, zero, d.one(0.25, d.array(shape[:2], 0.1, 1))], flags)
        if kind == "logarithmic":
            return Call([x, d.one(1.0, 4.0, d.array(shape[:2], 0.5, 4))], {"bits": flags["bits"]})
        low, high = d.one(-1.0, d.array(shape[:2], -2, -1)), d.one(1.5, d.array(shape[:1], 1, 3))
        if kind == "linear":
            return Call([x, low, high], {"bits": flags["bits"]})
        flags["bits"] = max(flags["bits"], 2)
        return Call([x, low, high], flags)

    return make


def add_n(d):
    shape = d.shape()
    return Call([[d.array(shape) for _ in range(d.number(1, 4))]], {})


def update(d):
    shape = d.shape()
    return Call([d.array(shape), d.array(shape)], {}, "scalar")


def constant(d):
    shape, kind = [*d.shape()], d.one("scalar", "integer", "logical")
    items = d.array((1,) if d.flag() else shape, -9, 9).reshape(-1).tolist()
    change = {
        "scalar": lambda value: round(value, 3),
        "integer": round,
        "logical": lambda value: value > 0,
    }[kind]
    return Call([], {"shape": shape, "value": [change(value) for value in items]}, kind)
