"""Layers that change shapes (4.5), and scaling."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse, refuse_empty_tensor
from nnefkit.exchange.reshaping import expanded, reshaped, transposed
from nnefkit.exchange.source_value import Value


def shape_with_inferred(stated: Any, size: int) -> tuple[list[int], int | None]:
    """Return a shape with its extent of -1 computed, and the axis of that.

    Raises:
        Refusal: It is not a shape for so many elements.
    """
    if isinstance(stated, int):
        stated = [stated]
    is_shape = isinstance(stated, (list, tuple)) and all(
        isinstance(n, (int, np.integer)) and not isinstance(n, bool) and -1 <= n < 2**31
        for n in stated
    )
    if not is_shape or sum(n == -1 for n in stated) > 1:
        refuse(f"its shape is {stated!r:.60}", INVALID)
    shape = [int(n) for n in stated]
    if 0 in shape:
        refuse_empty_tensor()
    known = prod(n for n in shape if n != -1)
    if -1 not in shape:
        if known != size:
            refuse(f"its shape is {shape} for {size} elements", INVALID)
        return shape, None
    axis = shape.index(-1)
    if size % known:
        refuse(f"its shape is {shape} for {size} elements", INVALID)
    shape[axis] = size // known
    return shape, axis


@layer("Reshape")
def reshape(c: Call) -> Value:
    """Read `reshape` of each element of the batch."""
    x = c.tensor(0)
    shape, axis = shape_with_inferred(c.options.get("target_shape"), prod(x.shape[1:]))
    inferred = None if axis is None else axis + 1
    return reshaped(c, x, (x.shape[0], *shape), inferred, [0])


@layer("Permute")
def permute(c: Call) -> Value:
    """Read `transpose`; axes count from 1."""
    x = c.tensor(0)
    order = c.options.integers("dims", x.rank - 1)
    if sorted(order) != [*range(1, x.rank)]:
        refuse(f"its axes are {order} for rank {x.rank}", INVALID)
    return transposed(c, x, [0, *order])


@layer("RepeatVector")
def repeat_vector(c: Call) -> Value:
    """Read `tile` along a new axis."""
    x, count = c.tensor(0), c.options.integer("n")
    if x.rank != 2 or count < 1:
        refuse(f"it repeats an input of rank {x.rank} {count} times", INVALID)
    row = reshaped(c, x, (x.shape[0], 1, x.shape[1]))
    return expanded(c, row, (x.shape[0], count, x.shape[1]))


@layer("Rescaling")
def rescaling(c: Call) -> Value:
    """Read ``x scale + offset``."""
    result = c.x
    for name, operation, neutral in (("scale", "mul", 1.0), ("offset", "add", 0.0)):
        stated = c.options.get(name, neutral)
        if isinstance(stated, (list, tuple)):
            row = c.graph.constant(stated, np.float32, f"{c.path}/{name}")
            stated = reshaped(c, row, (1,) * (c.x.rank - row.rank) + row.shape)
        else:
            stated = c.decimal(c.options.number(name, neutral))
        if isinstance(stated, Value) or stated != neutral:
            result = c.op(operation, result, stated)
    return result
