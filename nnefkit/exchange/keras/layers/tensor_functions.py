"""Operations of `keras.ops` on whole tensors: shapes, parts, reductions, products (4.4 to 4.7)."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import reduction
from nnefkit.exchange.compositions.einstein_sum import einstein_sum
from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.compositions.shaping import concat, flipped, split, tiled
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.layers.shaping import shape_with_inferred
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse, refuse_empty_tensor
from nnefkit.exchange.reshaping import (
    expanded,
    reshaped,
    sliced,
    to_dtype,
    to_logical,
    to_scalar,
    transposed,
    written_bounds,
)
from nnefkit.exchange.source_value import SCALAR, Value

# -- shapes ----------------------------------------------------------------------------------------


@layer("ops.Reshape")
def reshape(c: Call) -> Value:
    """Read `reshape`."""
    x = c.tensor(0, "x")
    shape, inferred = shape_with_inferred(c.options.get("newshape"), prod(x.shape))
    return reshaped(c, x, shape, inferred)


@layer("ops.Ravel")
def ravel(c: Call) -> Value:
    """Read `reshape` to one axis."""
    x = c.tensor(0, "x")
    return reshaped(c, x, (prod(x.shape),), 0)


@layer("ops.ExpandDims")
def expand_dims(c: Call) -> Value:
    """Read `unsqueeze`."""
    x, stated = c.tensor(0, "x"), c.options.get("axis")
    axes = [stated] if isinstance(stated, int) else stated
    rank = x.rank + len(axes or ())
    new = c.options.axes("axis", 0, rank)
    rest = iter(x.shape)
    return reshaped(c, x, [1 if axis in new else next(rest) for axis in range(rank)])


@layer("ops.Squeeze")
def squeeze(c: Call) -> Value:
    """Read `squeeze`."""
    x = c.tensor(0, "x")
    if c.options.get("axis") is None:
        axes = [axis for axis, extent in enumerate(x.shape) if extent == 1]
    else:
        axes = c.options.axes("axis", 0, x.rank)
    if any(x.shape[axis] != 1 for axis in axes):
        refuse(f"it removes the axes {axes} of {[*x.shape]}", INVALID)
    return reshaped(c, x, [n for axis, n in enumerate(x.shape) if axis not in axes])


@layer("ops.Transpose", "ops.Swapaxes", "ops.Moveaxis")
def transpose(c: Call) -> Value:
    """Read `transpose`."""
    x = c.tensor(0, "x")
    order = [*range(x.rank)]
    if c.operator == "Swapaxes":
        first, second = (c.options.axis(name, 0, x.rank) for name in ("axis1", "axis2"))
        order[first], order[second] = second, first
    elif c.operator == "Moveaxis":
        order = _moved(c, x.rank)
    elif c.options.get("axes") is None:
        order.reverse()
    else:
        order = [axis % x.rank for axis in c.options.integers("axes", x.rank)]
        if sorted(order) != [*range(x.rank)]:
            refuse(f"its axes are {order}", INVALID)
    return transposed(c, x, order)


def _moved(c: Call, rank: int) -> list[int]:
    places = []
    for name in ("source", "destination"):
        stated = c.options.get(name)
        places.append([axis % rank for axis in ([stated] if isinstance(stated, int) else stated)])
    rest = iter(axis for axis in range(rank) if axis not in places[0])
    moved = dict(zip(places[1], places[0], strict=True))
    return [moved[axis] if axis in moved else next(rest) for axis in range(rank)]


@layer("ops.BroadcastTo")
def broadcast_to(c: Call) -> Value:
    """Read `tile` to a shape."""
    x = c.tensor(0, "x")
    shape, _ = shape_with_inferred(c.options.get("shape"), prod(c.options.get("shape") or [1]))
    if np.broadcast_shapes(x.shape, tuple(shape)) != tuple(shape):
        refuse(f"its input of shape {[*x.shape]} cannot be repeated to {shape}", INVALID)
    return expanded(c, x, shape)


# -- parts -----------------------------------------------------------------------------------------


@layer("ops.Concatenate")
def concatenate(c: Call) -> Value:
    """Read `concat`."""
    values = _list(c)
    return concat(c, values, c.options.axis("axis", 0, values[0].rank))


@layer("ops.Stack")
def stack(c: Call) -> Value:
    """Read `stack`."""
    values = _list(c)
    if len({value.shape for value in values}) != 1:
        refuse("its inputs have different shapes", INVALID)
    return c.op("stack", values, axis=c.options.axis("axis", 0, values[0].rank + 1))


def _list(c: Call) -> list[Value]:
    given = c.argument(0, "xs" if c.operator == "Concatenate" else "x")
    if not isinstance(given, (list, tuple)) or not given:
        refuse("its inputs are not a list", INVALID)
    values = [c.as_tensor(each) for each in given]
    if len({value.data_type for value in values}) > 1:
        values = [to_scalar(c, value) for value in values]
    return values


@layer("ops.Split")
def split_tensor(c: Call) -> list[Value]:
    """Read `split` into equal parts, or at positions."""
    x = c.tensor(0, "x")
    axis = c.options.axis("axis", 0, x.rank)
    stated, extent = c.options.get("indices_or_sections"), x.shape[axis]
    if isinstance(stated, int):
        if stated < 1 or extent % stated:
            refuse(f"it splits {extent} elements into {stated} parts", INVALID)
        return split(c, x, axis, [extent // stated] * stated)
    places = [0, *(int(place) for place in stated), extent]
    lengths = [b - a for a, b in pairwise(places)]
    if min(lengths) < 1:
        refuse(f"it splits {extent} elements at {places[1:-1]}", INVALID)
    return split(c, x, axis, lengths)


@layer("ops.Unstack")
def unstack(c: Call) -> list[Value]:
    """Read `unstack`."""
    x = c.tensor(0, "x")
    c.options.get("num")
    return c.ops("unstack", x, axis=c.options.axis("axis", 0, x.rank))


@layer("ops.GetItem")
def get_item(c: Call) -> Value:
    """Read `slice`, `squeeze` and `unsqueeze` for a subscript of integers and slices."""
    x, key = c.tensor(0, "x"), c.argument(1, "key")
    parts = [*key] if isinstance(key, (list, tuple)) else [key]
    taken = sum(part is not None and part is not Ellipsis for part in parts)
    if Ellipsis not in [part for part in parts if not isinstance(part, Value)]:
        parts.append(Ellipsis)
    place = next(i for i, part in enumerate(parts) if part is Ellipsis)
    parts[place : place + 1] = [slice(None)] * (x.rank - taken)
    shape: list[int] = []
    axis = 0
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        if axis >= x.rank:
            refuse("its subscript has too many parts", INVALID)
        x, is_dropped = _subscripted(c, x, axis, part)
        if not is_dropped:
            shape.append(x.shape[axis])
        axis += 1
    return reshaped(c, x, shape)


def _subscripted(c: Call, x: Value, axis: int, part: Any) -> tuple[Value, bool]:
    """Return a part of an axis, and whether the axis is dropped."""
    extent = x.shape[axis]
    if isinstance(part, (int, np.integer)) and not isinstance(part, bool):
        number = int(part)
        if not -extent <= number < extent:
            refuse(f"its index {number} exceeds the {extent} elements of the axis", INVALID)
        front = number % extent
        return sliced(c, x, axis, front, front + 1), True
    if not isinstance(part, slice):
        refuse("its subscript is not an integer or a slice", "Use ops.take for other indices.")
    bounds = [part.start, part.stop, part.step]
    if any(each is not None and not isinstance(each, int) for each in bounds) or part.step == 0:
        refuse("its slice is not of constant integers", INVALID)
    begin, end, step = part.indices(extent)
    if not len(range(begin, end, step)):
        refuse_empty_tensor()
    if step < 0:
        written = written_bounds(part.start, part.stop, extent, step)
        attributes: dict[str, Any] = {"axes": [axis], "begin": [written[0]], "end": [written[1]]}
        return c.op("slice", x, **attributes, stride=[step]), False
    return sliced(c, x, axis, begin, end, step), False


@layer("ops.Slice")
def slice_tensor(c: Call) -> Value:
    """Read `slice` of a shape at constant positions."""
    x, starts = c.tensor(0, "inputs"), c.argument(1, "start_indices")
    shape = c.options.integers("shape", x.rank)
    if isinstance(starts, Value) or len(starts) != x.rank:
        refuse("its positions are not constant", INVALID)
    for axis, (start, length) in enumerate(zip(starts, shape, strict=True)):
        if not 0 <= int(start) < int(start) + length <= x.shape[axis]:
            refuse(f"it takes {length} elements of {x.shape[axis]} from {start} on", INVALID)
        x = sliced(c, x, axis, int(start), int(start) + length)
    return x


@layer("ops.Flip")
def flip(c: Call) -> Value:
    """Read `slice` with strides of -1."""
    x = c.tensor(0, "x")
    is_all = c.options.get("axis") is None
    return flipped(c, x, [*range(x.rank)] if is_all else c.options.axes("axis", 0, x.rank))


@layer("ops.Tile", "ops.Repeat")
def tile(c: Call) -> Value:
    """Read `tile`."""
    x, stated = c.tensor(0, "x"), c.options.get("repeats")
    if c.operator == "Repeat":
        axis = c.options.axis("axis", 0, x.rank) if c.options.get("axis") is not None else None
        if axis is None or not isinstance(stated, int) or stated < 1:
            refuse("it repeats elements by several numbers, or of all axes", "Use ops.tile.")
        single = reshaped(c, x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :]))
        wide = tiled(c, single, [stated if each == axis + 1 else 1 for each in range(x.rank + 1)])
        return reshaped(
            c, wide, (*x.shape[:axis], x.shape[axis] * stated, *x.shape[axis + 1 :]), axis
        )
    repeats = [stated] if isinstance(stated, int) else [*stated]
    rank = max(x.rank, len(repeats))
    repeats = [1] * (rank - len(repeats)) + repeats
    return tiled(c, reshaped(c, x, (1,) * (rank - x.rank) + x.shape), repeats)


@layer("ops.Pad")
def pad(c: Call) -> Value:
    """Read `pad` with a number, or with the elements at the borders."""
    x = to_scalar(c, c.tensor(0, "x"))
    stated = c.options.get("pad_width")
    sides = [stated] * x.rank if isinstance(stated, int) else stated
    padding = [(side, side) if isinstance(side, int) else tuple(side) for side in sides]
    if len(padding) == 1:
        padding *= x.rank
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
    mode = c.options.text("mode", "constant")
    if mode not in modes or len(padding) != x.rank:
        refuse(f"its mode is '{mode}'", "Use constant, reflect or edge.")
    value = c.argument(1, "constant_values")
    attributes: dict[str, Any] = {"padding": padding, "border": modes[mode]}
    if mode == "constant" and value:
        attributes["value"] = c.decimal(float(value))
    return c.op("pad", x, **attributes)


@layer("ops.Take")
def take(c: Call) -> Value:
    """Read `gather`."""
    x, indices = c.tensor(0, "x"), c.as_tensor(c.argument(1, "indices"))
    if c.options.get("axis") is None:
        x, axis = reshaped(c, x, (prod(x.shape),), 0), 0
    else:
        axis = c.options.axis("axis", 0, x.rank)
    from nnefkit.exchange.compositions.indexing import counted_from_front

    return c.op("gather", x, counted_from_front(c, indices, x.shape[axis]), axis=axis)


# -- reductions ------------------------------------------------------------------------------------

_REDUCTIONS = {
    "Sum": "sum_reduce",
    "Mean": "mean_reduce",
    "Max": "max_reduce",
    "Min": "min_reduce",
    "Amax": "max_reduce",
    "Amin": "min_reduce",
    "All": "all_reduce",
    "Any": "any_reduce",
    "Var": "",
    "Std": "",
    "Prod": "",
    "Logsumexp": "",
}


@layer(*(f"ops.{name}" for name in _REDUCTIONS))
def reduce(c: Call) -> Value:
    """Read a reduction over some axes, or over all of them."""
    x = c.tensor(0, "x")
    if c.options.get("axis") is None:
        axes = [*range(x.rank)]
    else:
        axes = c.options.axes("axis", -1, x.rank)
    is_kept = c.options.flag("keepdims")
    for option in ("initial", "dtype"):
        if c.options.get(option) is not None:
            refuse(f"it has the option '{option}'", "Leave it out.")
    result = _reduced(c, x, axes)
    if is_kept:
        return result
    return reshaped(c, result, [n for axis, n in enumerate(x.shape) if axis not in axes])


def _reduced(c: Call, x: Value, axes: list[int]) -> Value:
    name = _REDUCTIONS[c.operator]
    if c.operator in ("All", "Any"):
        return c.op(name, to_logical(c, x), axes=axes)
    number = to_scalar(c, x)
    if c.operator in ("Var", "Std"):
        _, variance = c.ops("moments", number, axes=axes)
        return c.op("sqrt", variance) if c.operator == "Std" else variance
    if c.operator == "Logsumexp":
        return reduction.log_sum_exp(c, number, axes)
    result = (
        reduction.product(c, number, axes)
        if c.operator == "Prod"
        else c.op(name, number, axes=axes)
    )
    is_integer = x.data_type != SCALAR and c.operator != "Mean"
    return to_dtype(c, result, x.dtype) if is_integer else result


@layer("ops.Argmax", "ops.Argmin")
def position(c: Call) -> Value:
    """Read `argmax_reduce` or `argmin_reduce`."""
    x = to_scalar(c, c.tensor(0, "x"))
    if c.options.get("axis") is None:
        refuse("it counts over all axes", "Reshape before, and state an axis.")
    axis = c.options.axis("axis", -1, x.rank)
    is_kept = c.options.flag("keepdims")
    result = c.op(f"{c.operator.lower()}_reduce", x, axes=[axis])
    if is_kept:
        return result
    return reshaped(c, result, [n for each, n in enumerate(x.shape) if each != axis])


@layer("ops.Cumsum", "ops.Cumprod")
def cumulative(c: Call) -> Value:
    """Read sums or products of all elements up to each one."""
    x = to_scalar(c, c.tensor(0, "x"))
    if c.options.get("axis") is None:
        refuse("it runs over all axes", "Reshape before, and state an axis.")
    axis = c.options.axis("axis", -1, x.rank)
    is_sum = c.operator == "Cumsum"
    return (reduction.cumulative_sum if is_sum else reduction.cumulative_product)(c, x, axis)


# -- products --------------------------------------------------------------------------------------


@layer("ops.Matmul", "ops.Dot")
def matmul(c: Call) -> Value:
    """Read `matmul`."""
    x, y = (to_scalar(c, c.as_tensor(c.argument(i, f"x{i + 1}"))) for i in (0, 1))
    if not x.rank or not y.rank or (c.operator == "Dot" and max(x.rank, y.rank) > 2):
        refuse(f"it multiplies tensors of rank {x.rank} and {y.rank}", "Use ops.matmul.")
    return product(c, x, y)


@layer("ops.Einsum")
def einsum(c: Call) -> Value:
    """Read a product by an equation, as `matmul`."""
    equation = c.options.get("subscripts")
    if not isinstance(equation, str):
        refuse("it has no equation", INVALID)
    operands = [c.argument(i) for i in range(len(c.args))]
    flat = operands[0] if len(operands) == 1 and isinstance(operands[0], list) else operands
    return einstein_sum(c, equation, [to_scalar(c, c.as_tensor(each)) for each in flat])
