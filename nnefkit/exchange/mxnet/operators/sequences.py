"""Sequences whose entries may have different lengths."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.compositions.shaping import element, flipped
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, to_scalar
from nnefkit.exchange.source_value import Value


def _axis(c: Call) -> int:
    """Return the axis of the steps; the other one of the first two is the batch."""
    axis = c.integer("axis", 0)
    if axis not in (0, 1) or c[0].rank < 2:
        c.invalid(f"its axis is {axis} for an input of rank {c[0].rank}")
    return axis


def _steps(c: Call, axis: int) -> tuple[Value, Value]:
    """Return the numbers of the steps, and the lengths, so that they broadcast to the input."""
    x = c[0]
    lengths = to_scalar(c, c.shaped(1, (x.shape[1 - axis],), "lengths"))
    line, row = [1] * x.rank, [1] * x.rank
    line[axis], row[1 - axis] = x.shape[axis], x.shape[1 - axis]
    c.allowance.take(line, 4)
    numbers = np.arange(x.shape[axis], dtype=np.float32).reshape(line)
    return c.graph.constant(numbers), reshaped(c, lengths, row)


@operator("SequenceMask", "_npx_sequence_mask")
def mask(c: Call) -> Value:
    """Read a number instead of the elements after the end of each sequence."""
    axis, value = _axis(c), c.decimal(c.real("value", 0.0))
    if not c.flag("use_sequence_length"):
        return c[0]
    with c.graph.scope("sequence_mask"):
        numbers, lengths = _steps(c, axis)
        return c.op("select", c.op("lt", numbers, lengths), to_scalar(c, c[0]), value)


@operator("SequenceLast")
def last(c: Call) -> Value:
    """Read the last step of each sequence."""
    axis, x = _axis(c), c[0]
    shape = [n for place, n in enumerate(x.shape) if place != axis]
    if not c.flag("use_sequence_length"):
        return reshaped(c, element(c, x, axis, -1), shape)
    with c.graph.scope("sequence_last"):
        numbers, lengths = _steps(c, axis)
        is_last = c.op("eq", numbers, c.op("sub", lengths, 1.0))
        chosen = c.op("select", is_last, to_scalar(c, x), 0.0)
        return reshaped(c, c.op("sum_reduce", chosen, axes=[axis]), shape)


@operator("SequenceReverse")
def reverse(c: Call) -> Value:
    """Read the steps in reverse order."""
    axis = _axis(c)
    if c.flag("use_sequence_length"):
        c.refuse(
            "it reverses sequences of different lengths",
            "Reverse them outside of the network, or use sequences of one length.",
        )
    return flipped(c, c[0], [axis])
