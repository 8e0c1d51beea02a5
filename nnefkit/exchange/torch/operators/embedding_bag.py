"""Sums, means and maxima of the rows of a table (4.5.8)."""

from __future__ import annotations

from math import prod

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import axis_of, reshaped, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch.call import Call, operator

_SUM, _MEAN, _MAX = range(3)


@operator("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only")
def embedding_bag(
    c: Call,
    weight: Value,
    indices: Value,
    offsets: Value,
    scale_grad_by_freq: bool = False,
    mode: int = _SUM,
    sparse: bool = False,
    per_sample_weights: Value | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> list[Value | None]:
    """Return a reduction of the rows of each bag, after `gather`."""
    if c.wanted - {0}:
        refuse("its returned bag sizes are used", "Compute them separately.")
    if offsets.data is None:
        refuse(
            "the offsets of its bags are computed",
            "Make them constant, or pass indices of two axes: a row for each bag.",
        )
    starts = [int(start) for start in offsets.data]
    ends = [*starts[1:], *([] if include_last_offset else [prod(indices.shape)])]
    bags = _bags(starts, ends)
    with c.graph.scope("embedding_bag"):
        index, weights = (
            None if value is None else _arranged(c, value, bags)
            for value in (indices, per_sample_weights)
        )
        assert index is not None  # noqa: S101 - indices are always passed
        rows = c.op("gather", weight, index, axis=0)
        if weights is not None:
            rows = c.op("mul", rows, reshaped(c, weights, (*weights.shape, 1)))
        is_padding = c.operator != "embedding_bag" and padding_idx == -1
        excluded = None if padding_idx is None or is_padding else padding_idx
        taken = _taken(c, index, bags, excluded, weight.shape[0])
        return [reshaped(c, _reduced(c, rows, taken, mode), c.shape), None, None, None]


def _bags(starts: list[int], ends: list[int]) -> Array:
    """Return the positions of the indices of each bag as a row; -1 where there are no more."""
    count = max([1, *(end - start for start, end in zip(starts, ends, strict=False))])
    bags = np.full((len(ends), count), -1)
    for row, start, end in zip(bags, starts, ends, strict=False):
        row[: end - start] = np.arange(start, end)
    return bags


def _arranged(c: Call, x: Value, bags: Array) -> Value:
    """Return the elements of each bag as a row."""
    flat = reshaped(c, x, (prod(x.shape),))
    places = np.maximum(bags, 0)
    if np.array_equal(places.reshape(-1), np.arange(prod(x.shape))):
        return reshaped(c, flat, bags.shape)
    return c.op("gather", flat, c.graph.constant(places), axis=0)


def _taken(c: Call, index: Value, bags: Array, excluded: int | None, extent: int) -> Value | None:
    """Return which elements of each bag are reduced; None for all of them."""
    is_present = c.graph.constant(bags >= 0)
    if excluded is None:
        return None if (bags >= 0).all() else is_present
    number = float(axis_of(excluded, extent))
    is_other = c.op("ne", to_scalar(c, index), number)
    return is_other if (bags >= 0).all() else c.op("and", is_other, is_present)


def _reduced(c: Call, rows: Value, taken: Value | None, mode: int) -> Value:
    """Return the reduction of rows [bags, elements, features] along their second axis."""
    name = ("sum_reduce", "mean_reduce", "max_reduce")[mode]
    if taken is None:
        return c.op(name, rows, axes=[1])
    mask = reshaped(c, taken, (*taken.shape, 1))
    if mode == _MAX:
        least = c.graph.constant(np.full((1, 1, 1), -np.inf, rows.dtype))
        largest = c.op("max_reduce", c.op("select", mask, rows, least), axes=[1])
        return c.op("select", c.op("any_reduce", mask, axes=[1]), largest, 0.0)
    total = c.op("sum_reduce", c.op("select", mask, rows, 0.0), axes=[1])
    if mode == _SUM:
        return total
    count = c.op("sum_reduce", to_scalar(c, mask), axes=[1])
    return c.op("div", total, c.op("max", count, 1.0))
