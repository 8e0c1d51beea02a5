"""Fills: weights, and other constants."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.caffe2.arguments import fill_dtype
from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.source_value import Value

_MAX_RANK = 32


def _shape(c: Call) -> tuple[int, ...]:
    """Return the shape that a fill makes: its argument, or that of its input or in its input."""
    a = c.arguments
    extents = [*a.integers("shape")]
    if c.inputs:
        if extents:
            c.invalid("it has an input and the argument 'shape'")
        is_shape = a.flag("input_as_shape")
        extents = c.constant_integers(0, "shape") if is_shape else [*c[0].shape]
        extents += a.integers("extra_shape")
    if len(extents) > _MAX_RANK or min(extents, default=1) < 0:
        c.invalid(f"its shape is {extents}")
    return tuple(extents)


def _dtype(c: Call) -> np.dtype[Any]:
    name = fill_dtype(c.operator, c.arguments)
    if name == "str":
        c.refuse("it makes strings", "NNEF has no tensors of strings: process them outside of it.")
    return np.dtype(name)


@operator(
    "GivenTensorFill",
    "GivenTensorDoubleFill",
    "GivenTensorBoolFill",
    "GivenTensorIntFill",
    "GivenTensorInt16Fill",
    "GivenTensorInt64Fill",
)
def given(c: Call) -> Value:
    """Read a `variable`."""
    shape, dtype = _shape(c), _dtype(c)
    if dtype.kind == "f":
        values = np.array(c.arguments.numbers("values"), np.float32).astype(dtype)
    else:
        values = np.array(c.arguments.all_integers("values"), np.int64).astype(dtype)
    return _weight(c, values, shape)


@operator("GivenTensorByteStringToUInt8Fill")
def given_bytes(c: Call) -> Value:
    """Read a `variable` whose elements are written as bytes."""
    data = b"".join(c.arguments.texts("values"))
    return _weight(c, np.frombuffer(data, np.uint8).copy(), _shape(c))


def _weight(c: Call, values: Array, shape: tuple[int, ...]) -> Value:
    """Return the weight with the name of the blob."""
    if values.size != prod(shape):
        c.invalid(f"it has {values.size:,} numbers for the shape {[*shape]}")
    name = c.names[0] if c.names else "weight"
    c.graph.weights.add(name)
    return c.graph.weight(values.reshape(shape), name)


@operator("ConstantFill")
def constant(c: Call) -> Value:
    """Read a `constant` that repeats one number."""
    shape, dtype, a = _shape(c), _dtype(c), c.arguments
    number: Any = a.number("value", 0.0) if dtype.kind == "f" else a.integer("value", 0)
    if len(c.inputs) > 1:
        given = c[1]
        if given.data is None or given.data.size != 1:
            c.invalid("the number that it repeats is not a constant")
        number = given.data.reshape(-1)[0]
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= number <= np.iinfo(dtype).max:
        c.invalid(f"its number is {number}, which {dtype} does not hold")
    c.allowance.take(shape, dtype.itemsize)
    name = c.names[0] if c.names else ""
    value = c.graph.constant(np.full(shape, number, dtype), name=name)
    value.filler = True
    return value


@operator("DiagonalFill")
def diagonal(c: Call) -> Value:
    """Read a constant with one number on its diagonal."""
    shape, dtype, a = _shape(c), _dtype(c), c.arguments
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        c.invalid(f"its shape is {[*shape]}")
    c.allowance.take(shape, dtype.itemsize)
    number: Any = a.number("value", 0.0) if dtype.kind == "f" else a.integer("value", 0)
    data = np.zeros(shape, dtype)
    places = np.arange(min(shape))
    data[tuple(places for _ in shape)] = number
    return c.graph.constant(data, name=c.names[0] if c.names else "")


@operator("RangeFill")
def positions(c: Call) -> Value:
    """Read a constant with the numbers from 0 on."""
    shape = _shape(c)
    c.allowance.take(shape, 4)
    numbers = np.arange(prod(shape), dtype=np.float32).reshape(shape)
    return c.graph.constant(numbers, name=c.names[0] if c.names else "")
