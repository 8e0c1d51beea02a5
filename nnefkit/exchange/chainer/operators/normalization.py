"""Normalization (4.9.4)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions import normalization
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value


def _unless(c: Call, value: Value, neutral: float, shape: Sequence[int]) -> Value | float:
    """Return a number for a constant of that number alone, else the value in a shape."""
    if value.data is not None and not value.name and bool((value.data == neutral).all()):
        return neutral
    return reshaped(c, value, shape)


def _own_axes(c: Call, x: Value, scale: Value) -> list[int]:
    """Return the axes along which there are different statistics."""
    if c.param("axis", None) is None:
        own = [*range(1, 1 + scale.rank)]
    else:
        reduced = c.axes("axis", x.rank)
        own = [axis for axis in range(x.rank) if axis not in reduced]
    if [x.shape[axis] for axis in own if axis < x.rank] != [*scale.shape]:
        c.invalid(f"its factors have the shape {[*scale.shape]} for an input of {[*x.shape]}")
    return own


@function("FixedBatchNormalization", "BatchNormalization")
def batch_normalization(c: Call) -> Value:
    """Read `batch_normalization`, with given statistics or those of the batch itself."""
    x, scale, offset = c[0], c[1], c[2]
    own = _own_axes(c, x, scale)
    shape = [n if axis in own else 1 for axis, n in enumerate(x.shape)][: max(own, default=-1) + 1]
    if c.operator == "BatchNormalization":
        axes = [axis for axis in range(x.rank) if axis not in own]
        mean, variance = c.ops("moments", x, axes=axes)
    else:
        mean, variance = reshaped(c, c[3], shape), reshaped(c, c[4], shape)
    return c.op(
        "batch_normalization",
        x,
        mean,
        variance,
        _unless(c, offset, 0.0, shape),
        _unless(c, scale, 1.0, shape),
        epsilon=c.decimal(c.number("eps", 2e-5)),
    )


@function("FixedDecorrelatedBatchNormalization")
def decorrelated(c: Call) -> Value:
    """Read a product of the channels of each group with a matrix, after the mean is subtracted."""
    x, mean, matrix, groups = c[0], c[1], c[2], c.integer("groups")
    if x.rank < 2 or groups < 1 or x.shape[1] % groups:
        c.invalid(f"it has {groups} groups for an input of {[*x.shape]}")
    each = x.shape[1] // groups
    centered = c.op("sub", x, reshaped(c, mean, (1, x.shape[1])))
    cells = reshaped(c, centered, (x.shape[0], groups, each, prod(x.shape[2:])))
    wide = reshaped(c, matrix, (1, groups, each, each))
    return reshaped(c, c.op("matmul", wide, cells), x.shape)


@function("GroupNormalization")
def group_normalization(c: Call) -> Value:
    """Read a normalization of groups of channels."""
    x, groups = c[0], c.integer("groups")
    if x.rank < 2 or groups < 1 or x.shape[1] % groups:
        c.invalid(f"it has {groups} groups for an input of {[*x.shape]}")
    return normalization.group_normalization(c, x, groups, c[1], c[2], c.number("eps", 1e-5))


@function("LayerNormalization")
def layer_normalization(c: Call) -> Value:
    """Read a normalization over the second axis."""
    x = c.ranked(0, 2)
    return normalization.layer_normalization(c, x, c[1], c[2], [1], c.number("eps", 1e-5))


@function("LocalResponseNormalization")
def local_response_normalization(c: Call) -> Value:
    """Read `local_response_normalization` over neighboring channels; alpha is not divided."""
    x = c.one()
    if x.rank < 2:
        c.invalid(f"its input has rank {x.rank}, not 2 or more")
    size = 2 * (c.integer("n", 5) // 2) + 1
    return c.op(
        "local_response_normalization",
        x,
        size=[1, size, *(1,) * (x.rank - 2)],
        alpha=c.decimal(c.number("alpha", 1e-4) * size),
        beta=c.decimal(c.number("beta", 0.75)),
        bias=c.decimal(c.number("k", 2)),
    )


@function("NormalizeL2")
def normalize(c: Call) -> Value:
    """Read a division by the length of vectors along some axes."""
    x = c.one()
    squares = c.op("sum_reduce", c.op("sqr", x), axes=c.axes("axis", x.rank, 1))
    length = c.op("add", c.op("sqrt", squares), c.decimal(c.number("eps", 1e-5)))
    return c.op("div", x, length)
