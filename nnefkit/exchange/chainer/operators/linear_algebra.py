"""Matrix products (4.7), and tables of vectors."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions.einstein_sum import einstein_sum
from nnefkit.exchange.compositions.elementwise import scalar_operation
from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.reshaping import channels, reshaped, transposed
from nnefkit.exchange.source_value import Value


@function("LinearFunction")
def linear(c: Call) -> Value:
    """Read `linear`."""
    x, weight, bias = c.ranked(0, 2), c.ranked(1, 2), c.get(2)
    return c.op("linear", x, weight, *([] if bias is None else [channels(c, bias)]))


@function("MatMul", "BatchMatMul")
def matmul(c: Call) -> Value:
    """Read `matmul`."""
    a, b = c.two()
    flip_a, flip_b = c.flag("transa", False), c.flag("transb", False)
    if c.flag("transc", False):
        a, b, flip_a, flip_b = b, a, not flip_b, not flip_a
    if c.operator == "BatchMatMul":
        a, b = (reshaped(c, each, (*each.shape, 1)) if each.rank == 2 else each for each in (a, b))
    if a.rank < 2 or b.rank < 2 or a.rank != b.rank:
        return product(c, _flipped(c, a, flip_a), _flipped(c, b, flip_b))
    return c.op("matmul", a, b, transposeA=flip_a, transposeB=flip_b)


def _flipped(c: Call, x: Value, flip: bool) -> Value:
    """Return a tensor with its last two axes exchanged, if wanted and if it has them."""
    if not flip or x.rank < 2:
        return x
    return transposed(c, x, [*range(x.rank - 2), x.rank - 1, x.rank - 2])


@function("EinSum")
def einsum(c: Call) -> Value:
    """Read an Einstein sum as products of matrices."""
    inner, outer = c.text("in_subs"), c.text("out_sub")
    equation = f"{inner}->{outer}".replace("@", "...")
    return einstein_sum(c, equation, c.all())


@function("TensorDot")
def tensordot(c: Call) -> Value:
    """Read a sum of products over some axes of two tensors."""
    a, b = c.two()
    axes = c.param("axes", 2)
    if isinstance(axes, int) and not isinstance(axes, bool):
        if not 0 <= axes <= min(a.rank, b.rank):
            c.invalid(f"its axes are {axes}")
        left, right = [*range(a.rank - axes, a.rank)], [*range(axes)]
    elif isinstance(axes, list) and len(axes) == 2:
        left, right = (_axes(c, part, x.rank) for part, x in zip(axes, (a, b), strict=True))
    else:
        c.invalid(f"its axes are {axes!r:.80}")
    if [a.shape[n] for n in left] != [b.shape[n] for n in right]:
        c.invalid(f"its axes do not fit the shapes {[*a.shape]} and {[*b.shape]}")
    rows = [n for n in range(a.rank) if n not in left]
    columns = [n for n in range(b.rank) if n not in right]
    count = prod(a.shape[n] for n in left)
    shape = (*(a.shape[n] for n in rows), *(b.shape[n] for n in columns))
    a = reshaped(c, transposed(c, a, [*rows, *left]), (prod(a.shape) // count, count))
    b = reshaped(c, transposed(c, b, [*right, *columns]), (count, prod(b.shape) // count))
    return reshaped(c, c.op("matmul", a, b), shape)


def _axes(c: Call, part: Any, rank: int) -> list[int]:
    listed = part if isinstance(part, list) else [part]
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in listed):
        c.invalid(f"its axes are {listed!r:.80}")
    found = [c.front_axis(n, rank) for n in listed]
    if len(set(found)) != len(found):
        c.invalid(f"an axis of {listed} occurs twice")
    return found


@function("BilinearFunction")
def bilinear(c: Call) -> Value:
    """Read products of two vectors with matrices, one for each result."""
    x, y = (reshaped(c, v, (v.shape[0], prod(v.shape[1:]))) for v in (c[0], c[1]))
    weight = c.ranked(2, 3)
    result = einstein_sum(c, "ni,nj,ijk->nk", [x, y, weight])
    if c.get(3) is not None:
        if len(c.inputs) != 6:
            c.invalid(f"it has {len(c.inputs)} inputs, not 3 or 6")
        result = c.op("add", result, c.op("matmul", x, c.ranked(3, 2)))
        result = c.op("add", result, c.op("matmul", y, c.ranked(4, 2)))
        result = c.op("add", result, channels(c, c.ranked(5, 1)))
    return result


@function("EmbedIDFunction")
def embed(c: Call) -> Value:
    """Read `gather` from a table of vectors; an ignored index yields zeros."""
    x, table = c[0], c.ranked(1, 2)
    if x.data_type != "integer":
        c.invalid(f"its indices are {x.data_type}")
    if c.param("ignore_label", None) is None:
        return c.op("gather", table, x, axis=0)
    ignored = scalar_operation(c, "eq", x, c.integer("ignore_label"))
    zero = c.graph.constant(np.zeros((), x.dtype))
    index = c.op("select", ignored, zero, x, data_type="integer")
    rows = c.op("gather", table, index, axis=0)
    return c.op("select", reshaped(c, ignored, (*x.shape, 1)), 0.0, rows)


@function("BatchL2NormSquared")
def squared_norm(c: Call) -> Value:
    """Read the sum of squares of each entry of a batch."""
    x = c.one()
    axes = [*range(1, x.rank)]
    total = c.op("sum_reduce", c.op("sqr", x), axes=axes)
    return reshaped(c, total, x.shape[:1])
