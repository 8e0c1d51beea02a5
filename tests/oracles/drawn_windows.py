"""Calls of the operations whose windows slide over tensors, and of those that sample (4.3, 4.6)."""

import math

import numpy as np

from nnefkit.operations.registry import SHAPE_RULES
from oracles.drawing import BORDERS, Call


def convolution(separable=False, reverse=False):
    def make(d):
        rank = d.one(1, 2, 2, 2, 3) if d.plain else d.one(1, 2, 2, 2, 3, 0, 4)
        depthwise = d.flag()
        groups = d.number(1, 3)
        inner, outer = d.number(1, 2), d.number(1, 2)
        if depthwise:
            inner = 1
        extents = tuple(d.number(1, 3 if rank > 2 else 7) for _ in range(rank))
        if d.wild and rank == 1 and d.flag():
            extents = (d.number(20, 60),)
        size, attribs = d.window(extents, reverse=reverse)
        channels = groups * inner
        shape = (d.number(1, 2), channels, *extents)
        bias = d.one(0.0, 0.5, "channels", "one")
        count = 0 if depthwise and groups > 1 else groups
        results = groups * outer
        if separable and not reverse:
            plane = d.array((channels * outer, 1, *size))
            points = d.number(1, 3) * groups
            filters = [plane, d.array((points, channels * outer // groups, *[1] * rank))]
            count, results = groups, points
        elif separable:
            point = d.array((channels, outer, *[1] * rank))
            plane = d.array((outer * groups, 1, *size))
            filters, count = [point, plane], groups
            filters.reverse()
        elif reverse:
            filters = [d.array((channels, outer, *size))]
        else:
            filters = [d.array((results, inner, *size))]
        if bias == "channels":
            bias = d.array((1, results))
        elif bias == "one":
            bias = d.array((1,))
        attribs["groups"] = count
        if reverse:
            attribs["output_shape"] = []
            _reversible(d, shape, size, attribs, (shape[0], results))
        return Call([d.array(shape, strange=d.wild), *filters, bias], attribs, spread=10, least=1.0)

    return make


def _reversible(d, shape, size, attribs, fixed):
    """Make the attributes of a reverse operation valid: an output shape that is not empty."""
    stride = attribs["stride"] or [1] * len(size)
    attribs["padding"] = [
        (p, q) if (x - 1) * s + (f - 1) * g + 1 - p - q > 0 else (0, 0)
        for (p, q), x, s, f, g in zip(
            attribs["padding"], shape[len(fixed) :], stride, size, attribs["dilation"], strict=False
        )
    ]
    if not attribs["padding"]:
        attribs["padding"] = []
    if d.flag():
        ends = []
        for axis, (x, s, f, g) in enumerate(
            zip(shape[len(fixed) :], stride, size, attribs["dilation"], strict=True)
        ):
            if attribs["padding"]:
                p, q = attribs["padding"][axis]
                ends.append((x - 1) * s + (f - 1) * g + 1 - p - q + d.number(0, s - 1))
            else:
                ends.append(x * s - d.number(0, s - 1))
        attribs["output_shape"] = [*fixed, *ends]


def pooling(borders=("ignore", *BORDERS), **attribs):
    def make(d):
        spatial = d.plain or d.flag()
        rank = d.number(3, 5 if d.plain else 4) if spatial else d.number(1, 4)
        shape = tuple(d.number(1, 6 if spatial else 4) for _ in range(rank))
        if d.wild:
            shape = d.shape(3 if spatial else 1)
        size, window = d.window(shape, borders=borders, fixed=2 if spatial else 0)
        return Call([d.array(shape, strange=d.flag())], {"size": size, **window, **attribs})

    return make


def whole_pooling(make_other, **attribs):
    def make(d):
        if d.number(0, 4):
            return make_other(d)
        shape = (2, 3, 4, 5)
        none = {"border": "constant", "padding": [(0, 0)] * 4, "stride": [1, 1, 1, 1]}
        return Call([d.array(shape)], {"size": [1, 1, 4, 5], **none, "dilation": [], **attribs})

    return make


def debox(d):
    spatial = d.plain or d.flag()
    shape = d.shape(3 if spatial else 1, 4)
    size, attribs = d.window(shape, fixed=2 if spatial else 0, reverse=True)
    attribs["output_shape"] = []
    _reversible(d, shape, size, attribs, ())
    return Call([d.array(shape)], {"size": size, **attribs, "normalize": d.flag()})


def sample(d):
    shape = d.shape(1, 4)
    size, attribs = d.window(shape)
    attribs["size"] = size
    down = SHAPE_RULES["argmax_pool"](shape, **attribs)
    return Call([d.array(shape), d.rng.integers(0, math.prod(size), down)], attribs)


def desample(d):
    shape = d.shape(1, 4)
    size, attribs = d.window(shape, borders=["constant"], reverse=True)
    attribs["output_shape"] = []
    _reversible(d, shape, size, attribs, ())
    index = d.rng.integers(0, math.prod(size), shape)
    return Call([d.array(shape), index], {"size": size, **attribs})


def downsample(d):
    extents = d.shape(0, 3)
    factor = [d.number(1, 3) for _ in extents]
    shape = (2, 3, *(x * f for x, f in zip(extents, factor, strict=True)))
    return Call([d.array(shape)], {"factor": factor})


def upsample(**choices):
    def make(d):
        extents = d.shape(0, 3)
        attribs = {name: d.one(*values) for name, values in choices.items()}
        factor = [d.number(1, 4) for _ in extents]
        return Call([d.array((2, 2, *extents), strange=True)], {"factor": factor, **attribs})

    return make


def local(**attribs):
    def make(d):
        spatial = d.plain or d.flag()
        x = d.array(d.shape(3 if spatial else 1, 4), strange=d.wild)
        size = [1 if spatial and axis < 2 else d.number(1, 4) for axis in range(x.ndim)]
        if x.ndim > 1 and not d.plain and d.number(0, 3) == 0:
            size = [1, d.number(1, 4), *[1] * (x.ndim - 2)]  # over channels, as most are
        chosen = {k: d.one(*v) for k, v in attribs.items()}
        return Call([x], {"size": size, **chosen}, spread=10, least=1.0)

    return make


def regions(d, **attribs):
    spatial = 2 if d.plain else d.one(1, 2, 2, 3)
    size = [d.number(1, 3) for _ in range(spatial)]
    count = d.number(1, 3)
    kind = d.one("inside", "divided") if d.plain else d.one("anywhere", "inside", "divided")
    # Each cell of a divided region has the same number of elements.
    most = 8 if spatial < 3 else 5
    extents = [d.number(n if kind == "divided" else 1, most) for n in size]
    if kind == "anywhere":
        rois = d.array((count, 2 * spatial), -2, 7)
    elif kind == "inside":
        first, second = d.rng.uniform([[[0.0]], [[0.6]]], [[[0.4]], [[1.0]]], (2, count, spatial))
        rois = np.hstack([first * extents, second * extents]).astype(np.float32)
    else:
        cells = np.array([x // n for x, n in zip(extents, size, strict=True)])
        covered = d.rng.integers(1, cells + 1, (count, spatial)) * size
        first = d.rng.integers(0, extents - covered + 1)
        rois = np.hstack([first, first + covered]).astype(np.float32)
    batch = d.rng.integers(0, 2, (count, 1))
    if "sampling_rate" in attribs:
        rates = [d.number(1, 3) for _ in range(spatial)]
        attribs["sampling_rate"] = rates[:1] * spatial if d.plain else rates
    return Call([d.array((2, 2, *extents)), rois, batch], {"output_size": size, **attribs})
