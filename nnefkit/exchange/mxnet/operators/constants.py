"""Constants: numbers that are repeated, in equal steps, and the boxes of detectors."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

import numpy as np

from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.mxnet.operators.elementwise import dtype_named
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value

_MAX_NUMBERS = 2**24
_NUMBERS = {"_zeros": 0.0, "_ones": 1.0, "_npi_zeros": 0.0, "_npi_ones": 1.0}


@operator("_zeros", "_ones", "_full", "_npi_zeros", "_npi_ones", "_npi_full")
@operator("_zeros_without_dtype")
def full(c: Call) -> Value:
    """Read a number that is repeated."""
    shape = c.integers("shape")
    number = _NUMBERS.get(c.operator)
    if number is None:
        number = c.real("value", 0.0)
    if min(shape, default=1) < 0:
        c.invalid(f"its shape is {shape}")
    if 0 in shape:
        shape = _completed(c, shape, number)
    c.allowance.take(shape, 8)
    made = c.graph.constant(np.full(shape, number, dtype_named(c)))
    made.filler = True
    return made


def _completed(c: Call, shape: Sequence[int], number: float) -> list[int]:
    """Return the shape of the first states of a layer, of which MXNet infers the batch.

    Raises:
        Refusal: The batch is not known, or it matters.
    """
    if number or c.batch is None:
        c.unknown.append(c.name)
        c.refuse(
            f"its shape is {[*shape]}, where 0 is an extent that MXNet infers",
            "Make its result an input of the network.",
        )
    return [n or c.batch for n in shape]


@operator("_arange", "_npi_arange")
def arange(c: Call) -> Value:
    """Read numbers in equal steps, each of which may be repeated."""
    start, stop = c.real("start", 0.0), c.real("stop") if c.has("stop") else None
    step, count = c.real("step", 1.0), c.integer("repeat", 1)
    c.flag("infer_range")
    if stop is None:
        start, stop = 0.0, start
    dtype = dtype_named(c)
    if not step or not np.isfinite([start, stop, step]).all() or count < 1:
        c.invalid(f"it counts from {start} to {stop} by {step}")
    length = ceil((stop - start) / step)
    if length < 1 or length * count > _MAX_NUMBERS:
        c.refuse(f"it has {length * count:,} numbers", "Use a smaller range.")
    c.allowance.take((length * count,), 16)
    numbers = start + step * np.arange(length, dtype=np.float64)
    return c.graph.constant(np.repeat(numbers, count).astype(dtype))


@operator("_contrib_arange_like", "_npx_arange_like")
def arange_like(c: Call) -> Value:
    """Read numbers in equal steps, as many as the input has elements, or along an axis."""
    x, start, step = c[0], c.real("start", 0.0), c.real("step", 1.0)
    count, axis = c.integer("repeat", 1), c.optional_integer("axis")
    total = prod(x.shape) if axis is None else x.shape[c.axis(axis, x.rank)]
    if count < 1:
        c.invalid(f"it repeats numbers {count} times")
    c.allowance.take((total,), 4)
    numbers = (start + step * (np.arange(total) // count)).astype(np.float32)
    return reshaped(c, c.graph.constant(numbers), x.shape if axis is None else (total,))


@operator("_eye", "_npi_eye")
def eye(c: Call) -> Value:
    """Read ones along a diagonal."""
    rows, shift = c.integer("N"), c.integer("k", 0)
    columns = c.integer("M", 0) or rows
    if rows < 1 or columns < 1:
        c.invalid(f"it has {rows} rows and {columns} columns")
    c.allowance.take((rows, columns), 8)
    return c.graph.constant(np.eye(rows, columns, shift, dtype_named(c)))


@operator("_contrib_MultiBoxPrior", "_npx_multibox_prior")
def prior_boxes(c: Call) -> Value:
    """Read the boxes of each position, which are constants."""
    x = c.ranked(4)
    sizes, ratios = c.reals("sizes", [1.0]), c.reals("ratios", [1.0])
    steps, offsets = c.reals("steps", [-1.0, -1.0]), c.reals("offsets", [0.5, 0.5])
    if not sizes or not ratios or min(*sizes, *ratios) <= 0 or len(steps) != 2 or len(offsets) != 2:
        c.invalid(f"its sizes are {sizes}, and its ratios {ratios}")
    rows, columns = x.shape[2:]
    boxes = len(sizes) + len(ratios) - 1
    c.allowance.take((rows, columns, boxes, 4), 8)
    step_y, step_x = (s if s > 0 else 1 / n for s, n in zip(steps, (rows, columns), strict=True))
    y = (np.arange(rows, dtype=np.float32) + np.float32(offsets[0])) * np.float32(step_y)
    x_ = (np.arange(columns, dtype=np.float32) + np.float32(offsets[1])) * np.float32(step_x)
    halves = _half_sizes(sizes, ratios, rows / columns)
    centers = np.stack([*np.meshgrid(x_, y)], -1)[:, :, None]
    found = np.concatenate([centers - halves, centers + halves], -1).astype(np.float32)
    if c.flag("clip"):
        found = found.clip(0, 1)
    return c.graph.constant(found.reshape(1, rows * columns * boxes, 4), name=c.name)


def _half_sizes(sizes: Sequence[float], ratios: Sequence[float], aspect: float) -> np.ndarray:
    """Return half the width and height of each box: all sizes, then all but the first ratio."""
    pairs = [(size, ratios[0]) for size in sizes] + [(sizes[0], r) for r in ratios[1:]]
    return np.array([(s * aspect * r**0.5 / 2, s / r**0.5 / 2) for s, r in pairs], np.float32)
