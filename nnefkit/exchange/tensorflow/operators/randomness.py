"""Random numbers, which only dropout may leave in a network: where they make no difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.source_value import DType, Value
from nnefkit.exchange.tensorflow.call import Call, operator

_LARGEST = 1 - 2.0**-23
"""The largest of the numbers that are drawn from 0 to 1."""
_TRAINING = (
    "Export the network for inference, without dropout, or draw the numbers outside of it and pass "
    "them as an input: inputs=[...]."
)


@dataclass(frozen=True)
class RandomNumbers:
    """Random numbers within a range, in any order."""

    shape: tuple[int, ...]
    dtype: DType
    low: float
    high: float


@operator("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2")
def uniform(c: Call) -> Any:
    """Read random numbers that are only compared with numbers outside of their range."""
    return RandomNumbers(tuple(c.ints(0, "shape")), c.dtype, 0.0, _LARGEST)


def read(c: Call) -> Any:
    """Read an operator on random numbers.

    Raises:
        Refusal: Its results are random.
    """
    reader = _READERS.get(c.operator)
    if reader is None:
        c.refuse("it computes with random numbers", _TRAINING)
    return reader(c)


def _same(c: Call) -> Any:
    return c.inputs[0]


def _arithmetic(c: Call) -> RandomNumbers:
    """Return the range of a sum, difference or product with a number."""
    operands = [_ends(c, index) for index in (0, 1)]
    random = [each for each in c.inputs if isinstance(each, RandomNumbers)]
    if len(random) != 1 or len(c.inputs) != 2:
        c.refuse("it computes with several random numbers", _TRAINING)
    function = {"Mul": np.multiply, "Sub": np.subtract}.get(c.operator, np.add)
    x, y = operands
    ends = [function(one, other) for one in x for other in y]
    return RandomNumbers(random[0].shape, random[0].dtype, float(np.min(ends)), float(np.max(ends)))


def _ends(c: Call, index: int) -> list[Array]:
    """Return the ends of a range; both are those of a constant number."""
    value: Any = c.inputs[index]
    if isinstance(value, RandomNumbers):
        return [np.asarray(value.low, value.dtype), np.asarray(value.high, value.dtype)]
    data = c.constant(index, "factor or summand")
    if data.size != 1:
        c.refuse("it computes with random numbers", _TRAINING)
    return [data.reshape(())]


def _compared(c: Call) -> Value:
    """Return a comparison that all random numbers agree on."""
    random, other = c.inputs
    if not isinstance(random, RandomNumbers):
        c.refuse("it computes with random numbers", _TRAINING)
    limits = c.constant(1, "number to compare with")
    least = bool((random.low >= limits).all())
    if not least and bool((random.high >= limits).any()):
        c.refuse("it compares with random numbers", _TRAINING)
    assert isinstance(other, Value)  # noqa: S101 - it is constant
    shape = np.broadcast_shapes(random.shape, other.shape)
    c.allowance.take(shape, 1)
    return c.graph.constant(np.full(shape, least))


def _floor(c: Call) -> Value:
    """Return a number that all random numbers are rounded down to."""
    (random,) = c.inputs
    if not isinstance(random, RandomNumbers) or np.floor(random.low) != np.floor(random.high):
        c.refuse("it computes with random numbers", _TRAINING)
    c.allowance.take(random.shape, 8)
    return c.graph.constant(np.full(random.shape, np.floor(random.low), random.dtype))


_READERS: Mapping[str, Callable[[Call], Any]] = {
    "Identity": _same,
    "Add": _arithmetic,
    "AddV2": _arithmetic,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "GreaterEqual": _compared,
    "Floor": _floor,
}
