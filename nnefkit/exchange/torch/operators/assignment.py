"""Elements assigned at indices, or where a mask is true (4.2.6, 4.5.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions import indexing, reduction, scattering
from nnefkit.exchange.compositions.elementwise import scalar_operation
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import (
    EXACT,
    axis_of,
    broadcast,
    expanded,
    reshaped,
    sliced,
    to_dtype,
    to_scalar,
    transposed,
)
from nnefkit.exchange.source_value import LOGICAL, Value
from nnefkit.exchange.torch.call import Call, operator
from nnefkit.exchange.torch.operators import logic


@operator("index_put")
def index_put(
    c: Call, x: Value, indices: Sequence[Value | None], values: Value, accumulate: bool = False
) -> Value:
    """Return `select` where a mask is true, or of new slices at indices; the last one wins."""
    indices = _with_known_masks(c, indices)
    masks = [value for value in indices if value is not None and _is_mask(value)]
    values = to_dtype(c, values, x.dtype)
    if not masks:
        return _put_at(c, x, indices, values, accumulate)
    if any(value is not None and value not in masks[:1] for value in indices):
        refuse(
            "it selects by a mask that is not constant, and by other indices",
            "Combine them in one mask, or use torch.where.",
        )
    axis = next(axis for axis, value in enumerate(indices) if value is not None)
    return _put_where(c, x, masks[0], axis, values, accumulate)


def _is_mask(value: Value) -> bool:
    return value.data_type == LOGICAL or value.dtype == np.uint8


def _with_known_masks(c: Call, indices: Sequence[Value | None]) -> list[Value | None]:
    """Return indices with the places of the true elements instead of masks that are constant."""
    replaced: list[Value | None] = []
    for value in indices:
        if value is None or value.data is None or not _is_mask(value) or not value.rank:
            replaced.append(value)
        else:
            replaced += [c.graph.constant(places) for places in np.nonzero(value.data)]
    return replaced


def _put_where(c: Call, x: Value, mask: Value, axis: int, values: Value, accumulate: bool) -> Value:
    """Replace the slices that a mask over some axes of `x`, from `axis` on, selects."""
    after = x.rank - axis - mask.rank
    if values.rank > after and values.shape[-1 - after] != 1:
        refuse(
            "it assigns one value for each element that a mask selects, and their number depends "
            "on values",
            "Assign a single number, or use torch.where or masked_scatter.",
        )
    # The axis of the selected slices becomes the axes of the mask.
    before, rest = values.shape[: max(values.rank - after - 1, 0)], values.shape[-after:]
    rest = rest if after else ()
    if values.rank > after:
        values = reshaped(c, values, (*before, *(1,) * mask.rank, *rest))
    condition = reshaped(c, mask, (*mask.shape, *(1,) * after))
    if accumulate:
        values = to_dtype(c, scalar_operation(c, "add", x, values), x.dtype)
    return logic.where(c, condition, values, x)


@operator("put")
def put(c: Call, x: Value, index: Value, source: Value, accumulate: bool = False) -> Value:
    """Return `select` of new elements at row-major positions; the last one wins."""
    flat, places = (reshaped(c, value, (prod(value.shape),)) for value in (x, index))
    updates = reshaped(c, source, places.shape)
    return reshaped(c, _put_at(c, flat, [places], updates, accumulate), x.shape)


@operator("masked_scatter")
def masked_scatter(c: Call, x: Value, mask: Value, source: Value) -> Value:
    """Return `select` where a mask is true, with other elements in their order."""
    x, mask = expanded(c, x, c.shape), expanded(c, mask, c.shape)
    flat = reshaped(c, source, (prod(source.shape),))
    if mask.data is not None:
        positions = np.flatnonzero(mask.data)
        if positions.size > flat.shape[0]:
            refuse(
                f"its mask has {positions.size} true elements, and it is given {flat.shape[0]}",
                "Pass as many elements as the mask has true ones.",
            )
        updates = sliced(c, flat, 0, 0, positions.size)
        return _replaced(c, x, updates, positions)
    if prod(mask.shape) > EXACT:
        refuse(
            f"it counts the true elements among {prod(mask.shape):,}",
            "NNEF computes with scalars, and float32 represents every integer only up to "
            f"{EXACT:,}.",
        )
    with c.graph.scope("masked_scatter"):
        count = reduction.cumulative_sum(c, to_scalar(c, reshaped(c, mask, (prod(mask.shape),))), 0)
        place = c.op("max", c.op("sub", count, 1.0), 0.0)
        index = to_dtype(c, place, np.dtype(np.int64))
        # Where too few elements are given, `gather` fails.
        return c.op("select", mask, indexing.at_positions(c, flat, index, x.shape), x)


@operator("diagonal_scatter")
def diagonal_scatter(
    c: Call, x: Value, src: Value, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Value:
    """Return `select` on a diagonal."""
    cells = np.arange(prod(x.shape)).reshape(x.shape)
    positions = np.diagonal(cells, offset, axis_of(dim1, x.rank), axis_of(dim2, x.rank))
    return _replaced(c, x, src, positions)


@operator("fill_diagonal")
def fill_diagonal(c: Call, x: Value, fill_value: float, wrap: bool = False) -> Value:
    """Return `select` of a number on the diagonal."""
    step = sum(prod(x.shape[axis + 1 :]) for axis in range(x.rank))
    end = prod(x.shape) if wrap else min(x.shape) * step
    positions = np.arange(0, min(end, prod(x.shape)), step)
    number = c.graph.constant(fill_value, x.dtype)
    flat = reshaped(c, x, (prod(x.shape),))
    return reshaped(c, indexing.replace_slices(c, flat, number, positions, 0), x.shape)


# -- slices at indices -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Region:
    """The slices that indices along some axes select."""

    used: list[int]
    """The axes with indices."""
    before: list[int]
    """The axes that come before those of the indices in the result of a selection."""
    after: list[int]
    """The axes that come after them."""
    shape: tuple[int, ...]
    """The shape that the indices broadcast to."""


def _region(x: Value, indices: Sequence[Value | None]) -> _Region:
    used = [axis for axis, value in enumerate(indices) if value is not None]
    others = [axis for axis in range(x.rank) if axis not in used]
    # The axes of the indices are where adjacent axes were, and in front of all others otherwise.
    first = used[0] if used == [*range(used[0], used[0] + len(used))] else 0
    shape = np.broadcast_shapes(*(value.shape for value in indices if value is not None))
    return _Region(used, others[:first], others[first:], shape)


def _extents(x: Value, axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(x.shape[axis] for axis in axes)


def _put_at(
    c: Call, x: Value, indices: Sequence[Value | None], values: Value, accumulate: bool
) -> Value:
    """Replace slices at indices along some axes, or add to them; the last one of a place wins."""
    region = _region(x, indices)
    if not prod(region.shape):
        return x
    selected = (*_extents(x, region.before), *region.shape, *_extents(x, region.after))
    if broadcast(c, values.shape, selected) != selected:
        refuse(f"it assigns values of shape {[*values.shape]} to elements of {[*selected]}")
    given = [value for value in indices if value is not None]
    is_known = all(value.data is not None for value in given)
    if accumulate or not is_known or prod(values.shape) > 1:
        values = expanded(c, values, selected)
    put = _put_at_known if is_known else _put_at_computed
    return to_dtype(c, put(c, x, given, region, values, accumulate), x.dtype)


def _put_at_known(
    c: Call, x: Value, indices: Sequence[Value], region: _Region, values: Value, accumulate: bool
) -> Value:
    extents = _extents(x, region.used)
    lead, rest = _extents(x, region.before), _extents(x, region.after)
    pairs = zip(indices, extents, strict=True)
    parts = [indexing.counted_from_front(c, index, extent) for index, extent in pairs]
    known = indexing.flat_positions(c, parts, extents).data
    assert known is not None  # noqa: S101 - they are constant
    places = known.reshape(-1)
    order = [*region.before, *region.used, *region.after]
    moved = transposed(c, x, order)
    merged = reshaped(c, moved, (*lead, prod(extents), *rest))
    if accumulate or prod(values.shape) > 1:
        values = reshaped(c, values, (*lead, places.size, *rest))
    if accumulate:
        cells = np.arange(prod(merged.shape)).reshape(merged.shape)
        positions = cells.take(places, len(lead)).reshape(-1)
        changed = indexing.scatter_reduce(c, merged, values, positions, "add")
    else:
        changed = indexing.replace_slices(c, merged, values, places, len(lead))
    return transposed(c, reshaped(c, changed, moved.shape), [*np.argsort(order)])


def _put_at_computed(
    c: Call, x: Value, indices: Sequence[Value], region: _Region, values: Value, accumulate: bool
) -> Value:
    order = [*region.used, *region.before, *region.after]
    moved = transposed(c, x, order)
    first = len(region.before)
    source = [*range(first, first + len(region.shape))]
    others = [axis for axis in range(values.rank) if axis not in source]
    updates = transposed(c, values, [*source, *others])
    wide = [expanded(c, index, region.shape) for index in indices]
    lines = int(len(wide) > 1 and _are_lines(wide[0], moved.shape[0]))
    operation = "add" if accumulate else "none"
    changed = scattering.scatter_slices(c, moved, wide[lines:], updates, operation, lines=lines)
    return transposed(c, changed, [*np.argsort(order)])


def _are_lines(index: Value, extent: int) -> bool:
    """Return whether indices are, along their first axis, all those of an axis in order."""
    if index.data is None or index.shape[:1] != (extent,):
        return False
    line = np.arange(extent).reshape(extent, *(1,) * (index.rank - 1))
    return bool((index.data == line).all())


# -- elements at positions -------------------------------------------------------------------------


def _replaced(c: Call, x: Value, updates: Value, positions: Array) -> Value:
    """Return `x` with elements replaced at row-major positions."""
    places = positions.reshape(-1)
    return indexing.scatter(c, x, to_dtype(c, updates, x.dtype), places) if places.size else x
